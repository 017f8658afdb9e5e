package scgi_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/scgi"
)

// A recorder is a connection that keeps what is written, each Write by itself, and answers with its reader.
type recorder struct {
	net.Conn
	answer io.Reader

	mu     sync.Mutex
	writes []string
	closed int
}

func (r *recorder) Read(p []byte) (int, error) { return r.answer.Read(p) }

func (r *recorder) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.writes = append(r.writes, string(p))
	return len(p), nil
}

func (r *recorder) SetReadDeadline(time.Time) error { return nil }

func (r *recorder) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed++
	return nil
}

func (r *recorder) client() *scgi.Client {
	return &scgi.Client{Dial: func(context.Context, string, string) (net.Conn, error) { return r, nil }}
}

const answer42 = "Status: 200 OK\r\nContent-Type: text/plain\r\n\r\n42" // SCGI section 5

// The bytes of a request, as SCGI sections 3 and 5 want them.
func TestClientRequest(t *testing.T) {
	const vars = "GATEWAY_INTERFACE\x00CGI/1.1\x00SERVER_SOFTWARE\x00gangway\x00SERVER_PROTOCOL\x00HTTP/1.1\x00" +
		"REQUEST_METHOD\x00POST\x00QUERY_STRING\x00\x00REQUEST_URI\x00/deepthought\x00SCRIPT_NAME\x00\x00" +
		"REMOTE_ADDR\x00\x00SERVER_PORT\x00\x00SERVER_NAME\x00\x00"
	const question = "What is the answer to life?"
	post := adapters.Request{Method: "POST", URI: "/deepthought", Proto: "HTTP/1.1"}
	with := func(change func(r *adapters.Request)) *adapters.Request {
		r := post
		change(&r)
		return &r
	}
	head := func(length string) string {
		block := "CONTENT_LENGTH\x00" + length + "\x00SCGI\x001\x00" + vars
		return fmt.Sprintf("%d:%s,", len(block), block)
	}
	tests := []struct {
		name string
		req  *adapters.Request
		want []string // the writes
	}{
		{"no body", &post, []string{head("0")}},
		{"no body of unknown length", with(func(r *adapters.Request) { r.ContentLength = -1 }), []string{head("0")}},
		{"body in memory", with(func(r *adapters.Request) {
			r.Body, r.ContentLength = strings.NewReader(question), 27
		}), []string{head("27") + question}},
		{"body of unknown length", with(func(r *adapters.Request) {
			r.Body, r.ContentLength = iotest.OneByteReader(strings.NewReader(question)), -1
		}), []string{head("27") + question}},
		{"body from elsewhere", with(func(r *adapters.Request) {
			r.Body, r.ContentLength = io.LimitReader(strings.NewReader(question), 27), 27
		}), []string{head("27"), question}},
		{"more in the body than its length", with(func(r *adapters.Request) {
			r.Body, r.ContentLength = strings.NewReader(question+question), 27
		}), []string{head("27") + question}},
		{"variables that the protocol owns", with(func(r *adapters.Request) {
			r.Vars = []adapters.Var{{Name: "SCGI", Value: "2"}, {Name: "CONTENT_LENGTH", Value: "5"}}
		}), []string{head("0")}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			sent := make(chan struct{})
			r := &recorder{answer: io.MultiReader(readerFunc(func([]byte) (int, error) {
				<-sent // Answer only when the request is there.
				return 0, io.EOF
			}), strings.NewReader(answer42))}
			go func() {
				defer close(sent)
				assert.Eventually(t, func() bool {
					r.mu.Lock()
					defer r.mu.Unlock()
					return len(r.writes) >= len(tt.want)
				}, patience, time.Millisecond)
			}()
			resp, body, err := ask(t, r.client(), tt.req)
			require.NoError(t, err)
			assert.Equal(t, 200, resp.Status)
			assert.Equal(t, "42", body)
			assert.Equal(t, tt.want, r.writes)
			assert.Equal(t, 1, r.closed)
		})
	}
}

type readerFunc func(p []byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func TestClientResponse(t *testing.T) {
	tests := []struct {
		name, answer, body string
		status             int
		err                error
	}{
		{name: "section 5", answer: answer42, status: 200, body: "42"},
		{name: "LF", answer: "Status: 404\nX: y\n\nno", status: 404, body: "no"},
		{name: "with length", answer: "Content-Type: a/b\r\nContent-Length: 2\r\n\r\n42", status: 200, body: "42"},
		{name: "more than its length", answer: "Content-Type: a/b\r\nContent-Length: 2\r\n\r\n42!", status: 200, body: "42"},
		{name: "less than its length", answer: "Content-Type: a/b\r\nContent-Length: 3\r\n\r\n42",
			err: adapters.ErrTruncated},
		{name: "nothing", err: adapters.ErrUnreachable},
		{name: "header cut", answer: "Status: 200 O", err: adapters.ErrTruncated},
		{name: "no empty line", answer: "Status: 200 OK\r\n", err: adapters.ErrTruncated},
		{name: "no header", answer: "<html>\n\n</html>", err: adapters.ErrBadResponse},
		{name: "NUL in a value", answer: "X: a\x00b\r\n\r\n", err: adapters.ErrBadResponse},
		{name: "header too large", answer: "X: " + strings.Repeat("a", 200) + "\r\n\r\n", err: adapters.ErrBadResponse},
		{name: "101", answer: "Status: 101\r\nUpgrade: x\r\n\r\n", err: adapters.ErrBadResponse},
	}
	for _, tt := range tests {
		for _, network := range networks {
			t.Run(tt.name+" "+network, func(t *testing.T) {
				c := app(t, network, func(conn net.Conn) {
					readRequest(t, conn)
					io.WriteString(conn, tt.answer)
				})
				c.HeaderLimit = 150
				resp, body, err := ask(t, c, &adapters.Request{Method: "GET"})
				if tt.err != nil {
					require.ErrorIs(t, err, tt.err)
					var e *adapters.Error
					require.ErrorAs(t, err, &e)
					assert.Equal(t, "scgi: read", e.Op)
					assert.Equal(t, network+" "+c.Address, e.Addr)
					assert.Equal(t, 502, adapters.StatusOf(err))
					return
				}
				require.NoError(t, err)
				assert.Equal(t, tt.status, resp.Status)
				assert.Equal(t, tt.body, body)
			})
		}
	}
}

// Every strict prefix of a response with its length is an error.
func TestClientResponsePrefixes(t *testing.T) {
	whole := "Status: 200 OK\r\nContent-Length: 2\r\n\r\n42"
	for n := range len(whole) {
		r := &recorder{answer: strings.NewReader(whole[:n])}
		_, _, err := ask(t, r.client(), &adapters.Request{})
		if n == 0 {
			assert.ErrorIs(t, err, adapters.ErrUnreachable)
		} else {
			assert.ErrorIs(t, err, adapters.ErrTruncated, "%q", whole[:n])
		}
		assert.Positive(t, r.closed)
	}
}

func TestClientDialFails(t *testing.T) {
	dial := func(err error) func(context.Context, string, string) (net.Conn, error) {
		return func(context.Context, string, string) (net.Conn, error) { return nil, err }
	}
	ln := listen(t, "tcp")
	ln.Close()
	tests := []struct {
		name   string
		client *scgi.Client
		err    error
		status int
		text   string
	}{
		{"no socket", &scgi.Client{Network: "unix", Address: "/nowhere/s"}, adapters.ErrUnreachable, 502,
			"scgi: dial unix /nowhere/s: application not reachable: connect: no such file or directory"},
		{"nobody listens", &scgi.Client{Network: "tcp", Address: ln.Addr().String()}, adapters.ErrUnreachable, 502, ""},
		{"bad network", &scgi.Client{Network: "pigeon"}, adapters.ErrUnreachable, 502, ""},
		{"queue full", &scgi.Client{Dial: dial(syscall.EAGAIN)}, adapters.ErrBusy, 503, ""},
		{"own error", &scgi.Client{Dial: dial(errors.New("odd"))}, adapters.ErrUnreachable, 502, ""},
		{"time-out", &scgi.Client{Dial: dial(context.DeadlineExceeded)}, adapters.ErrTimeout, 504, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, _, err := ask(t, tt.client, &adapters.Request{Body: strings.NewReader("abc"), ContentLength: -1})
			assert.ErrorIs(t, err, tt.err)
			assert.Equal(t, tt.status, adapters.StatusOf(err))
			if tt.text != "" {
				assert.EqualError(t, err, tt.text)
			}
		})
	}
}

// What cannot be sent is refused before the application is asked.
func TestClientRefuses(t *testing.T) {
	c := &scgi.Client{SpoolLimit: 10, Dial: func(context.Context, string, string) (net.Conn, error) {
		return nil, errors.New("asked")
	}}
	broken := errors.New("broken")
	tests := []struct {
		name string
		req  adapters.Request
		err  error
	}{
		{"NUL in a value", adapters.Request{URI: "/a\x00b"}, adapters.ErrBadRequest},
		{"NUL in a variable", adapters.Request{Vars: []adapters.Var{{Name: "A", Value: "\x00"}}}, adapters.ErrBadRequest},
		{"NUL in a name", adapters.Request{Vars: []adapters.Var{{Name: "A\x00B", Value: "c"}}}, adapters.ErrBadRequest},
		{"no name", adapters.Request{Vars: []adapters.Var{{Value: "c"}}}, adapters.ErrBadRequest},
		{"body too large to spool", adapters.Request{Body: strings.NewReader("0123456789a"), ContentLength: -1},
			adapters.ErrTooLarge},
		{"body breaks while it is spooled", adapters.Request{Body: iotest.ErrReader(broken), ContentLength: -1}, broken},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, _, err := ask(t, c, &tt.req)
			assert.ErrorIs(t, err, tt.err)
		})
	}
}

// The body goes while the response comes: an application may answer as it reads, or before.
func TestClientBothWays(t *testing.T) {
	const size = 10 << 20
	sent := bytes.Repeat([]byte("0123456789abcdef"), size/16)
	tests := []struct {
		name  string
		serve func(conn net.Conn, body io.Reader)
	}{
		{"reads, then writes", func(conn net.Conn, body io.Reader) {
			all, _ := io.ReadAll(body)
			io.WriteString(conn, "Content-Type: a/b\n\n")
			conn.Write(all)
		}},
		{"echoes", func(conn net.Conn, body io.Reader) {
			io.WriteString(conn, "Content-Type: a/b\n\n")
			io.Copy(conn, body)
		}},
		{"writes, then reads", func(conn net.Conn, body io.Reader) {
			io.WriteString(conn, "Content-Type: a/b\n\n")
			conn.Write(sent)
			io.Copy(io.Discard, body)
		}},
	}
	for _, tt := range tests {
		for _, network := range networks {
			t.Run(tt.name+" "+network, func(t *testing.T) {
				c := app(t, network, func(conn net.Conn) {
					head := 0
					fmt.Fscanf(conn, "%d:", &head)
					io.CopyN(io.Discard, conn, int64(head)+1)
					tt.serve(conn, io.LimitReader(conn, size))
				})
				body := struct{ io.Reader }{bytes.NewReader(sent)}
				_, got, err := ask(t, c, &adapters.Request{Body: body, ContentLength: size})
				require.NoError(t, err)
				assert.True(t, got == string(sent), "%d bytes", len(got))
			})
		}
	}
}

// An answer may come before the body, even if the application then closes; nothing waits for the body.
func TestClientEarlyAnswer(t *testing.T) {
	c := app(t, "unix", func(conn net.Conn) {
		head := 0
		fmt.Fscanf(conn, "%d:", &head)
		io.CopyN(io.Discard, conn, int64(head)+1)
		io.WriteString(conn, answer42)
	})
	r, w := io.Pipe() // a body of which nothing comes
	resp, body, err := ask(t, c, &adapters.Request{Body: r, ContentLength: 10})
	require.NoError(t, err)
	assert.Equal(t, 200, resp.Status)
	assert.Equal(t, "42", body)
	w.Close() // the frontend's gate
}

func TestClientBodyFails(t *testing.T) {
	broken := errors.New("broken")
	tests := []struct {
		name string
		body io.Reader
		err  error
	}{
		{"broken", io.MultiReader(strings.NewReader("abc"), iotest.ErrReader(broken)), broken},
		{"too short", struct{ io.Reader }{strings.NewReader("abc")}, adapters.ErrAborted},
		{"too short in memory", strings.NewReader("abc"), adapters.ErrAborted},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ended := make(chan struct{})
			c := app(t, "unix", func(conn net.Conn) {
				io.Copy(io.Discard, conn) // until the connection is closed
				close(ended)
			})
			_, _, err := ask(t, c, &adapters.Request{Body: tt.body, ContentLength: 5})
			assert.ErrorIs(t, err, tt.err)
			within(t, ended, "the application learns")
		})
	}
}

// Cancelling and closing end the connection, before the header and after.
func TestClientAborts(t *testing.T) {
	cause := errors.New("cause")
	for _, network := range networks {
		ended := make(chan error, 1)
		c := app(t, network, func(conn net.Conn) {
			vars, _, _ := readRequest(t, conn)
			if vars["REQUEST_URI"] == "/header" {
				io.WriteString(conn, "Content-Type: a/b\r\n\r\nhello")
			}
			_, err := conn.Read(make([]byte, 1))
			ended <- err
		})
		t.Run("cancelled before the header "+network, func(t *testing.T) {
			ctx, cancel := context.WithCancelCause(t.Context())
			time.AfterFunc(20*time.Millisecond, func() { cancel(cause) })
			_, err := c.Serve(ctx, &adapters.Request{})
			assert.ErrorIs(t, err, cause)
			assert.Equal(t, adapters.StatusClientGone, adapters.StatusOf(err))
			assert.Error(t, within(t, ended, "the application learns"))
		})
		t.Run("deadline "+network, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
			defer cancel()
			_, err := c.Serve(ctx, &adapters.Request{})
			assert.ErrorIs(t, err, adapters.ErrTimeout)
			assert.ErrorIs(t, err, context.DeadlineExceeded)
			assert.Error(t, within(t, ended, "the application learns"))
		})
		t.Run("cancelled in the body "+network, func(t *testing.T) {
			ctx, cancel := context.WithCancelCause(t.Context())
			resp, err := c.Serve(ctx, &adapters.Request{URI: "/header"})
			require.NoError(t, err)
			defer resp.Body.Close()
			time.AfterFunc(20*time.Millisecond, func() { cancel(cause) })
			body, err := io.ReadAll(resp.Body)
			assert.Equal(t, "hello", string(body))
			assert.ErrorIs(t, err, cause)
			assert.Error(t, within(t, ended, "the application learns"))
		})
		t.Run("closed in the body "+network, func(t *testing.T) {
			resp, err := c.Serve(t.Context(), &adapters.Request{URI: "/header"})
			require.NoError(t, err)
			time.AfterFunc(20*time.Millisecond, func() { resp.Body.Close() })
			body, err := io.ReadAll(resp.Body)
			assert.Equal(t, "hello", string(body))
			assert.ErrorIs(t, err, adapters.ErrAborted)
			assert.Error(t, within(t, ended, "the application learns"))
		})
	}
	t.Run("cancelled already", func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(cause)
		_, err := (&scgi.Client{Network: "unix", Address: "/nowhere"}).Serve(ctx, &adapters.Request{})
		assert.ErrorIs(t, err, cause)
	})
}

// A connection that is reset in the body is a truncated response.
func TestClientReset(t *testing.T) {
	read := make(chan struct{})
	c := app(t, "tcp", func(conn net.Conn) {
		readRequest(t, conn)
		io.WriteString(conn, "Content-Type: a/b\r\n\r\nhello")
		<-read // a reset drops what is on its way
		adapters.ResetConn(conn)
	})
	resp, err := c.Serve(t.Context(), &adapters.Request{})
	require.NoError(t, err)
	defer resp.Body.Close()
	_, err = io.ReadFull(resp.Body, make([]byte, len("hello")))
	close(read)
	require.NoError(t, err)
	_, err = resp.Body.Read(make([]byte, 1))
	assert.ErrorIs(t, err, adapters.ErrTruncated)
	assert.ErrorIs(t, err, syscall.ECONNRESET)
}

func TestClientTrace(t *testing.T) {
	c := app(t, "unix", func(conn net.Conn) {
		readRequest(t, conn)
		io.WriteString(conn, answer42)
	})
	trace := new(adapters.Trace)
	_, _, err := ask(t, c, &adapters.Request{Trace: trace})
	require.NoError(t, err)
	backend, attempts := trace.Backend()
	assert.Equal(t, "unix "+c.Address, backend)
	assert.Equal(t, 1, attempts)
	last := time.Time{}
	for phase := adapters.Assigned; phase <= adapters.FirstByte; phase++ {
		assert.False(t, trace.At(phase).Before(last), "phase %d", phase)
		last = trace.At(phase)
		assert.False(t, last.IsZero(), "phase %d", phase)
	}
}
