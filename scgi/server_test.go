package scgi_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/internal/testlog"
	"github.com/gangway-go/gangway/scgi"
)

// start serves h on a new listener, until the end of the test, and returns a function that connects to it.
func start(t testing.TB, network string, s *scgi.Server) (dial func() net.Conn) {
	ln := listen(t, network)
	served := make(chan error)
	go func() { served <- s.Serve(ln) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		assert.NoError(t, s.Shutdown(ctx))
		assert.ErrorIs(t, <-served, http.ErrServerClosed)
	})
	return func() net.Conn {
		conn, err := net.Dial(network, ln.Addr().String())
		require.NoError(t, err)
		t.Cleanup(func() { conn.Close() })
		conn.SetDeadline(time.Now().Add(patience))
		return conn
	}
}

type handler = adapters.HandlerFunc

// echo answers with what it was sent.
var echo = handler(func(_ context.Context, req *adapters.Request) (*adapters.Response, error) {
	var body []byte
	if req.Body != nil {
		var err error
		if body, err = io.ReadAll(req.Body); err != nil {
			return nil, err
		}
	}
	return adapters.Reply(200, "text/plain", fmt.Sprintf("%s %s %d %q", req.Method, req.URI, req.ContentLength, body)), nil
})

var quiet = slog.New(slog.DiscardHandler)

// message makes a netstring of pairs, SCGI section 4, and appends body.
func message(body string, pairs ...string) string {
	block := strings.Join(pairs, "\x00") + "\x00"
	return fmt.Sprintf("%d:%s,%s", len(block), block, body)
}

// The request of SCGI section 5, in pieces of any size.
func TestServerExample(t *testing.T) {
	const request = "70:CONTENT_LENGTH\x0027\x00SCGI\x001\x00REQUEST_METHOD\x00POST\x00REQUEST_URI\x00/deepthought\x00," +
		"What is the answer to life?"
	for _, network := range networks {
		dial := start(t, network, &scgi.Server{Handler: echo, Log: quiet})
		for _, size := range []int{1, 2, 7, 70, 73, 74, 75, len(request)} {
			t.Run(fmt.Sprint(network, size), func(t *testing.T) {
				conn := dial()
				for rest := request; rest != ""; {
					n := min(size, len(rest))
					_, err := io.WriteString(conn, rest[:n])
					require.NoError(t, err)
					rest = rest[n:]
				}
				got, err := io.ReadAll(conn)
				require.NoError(t, err)
				assert.Equal(t, "Status: 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 50\r\n\r\n"+
					`POST /deepthought 27 "What is the answer to life?"`, string(got))
			})
		}
	}
}

func TestServerRequests(t *testing.T) {
	method := []string{"REQUEST_METHOD", "GET"}
	pairs := func(p ...string) string { return message("", append(p, method...)...) }
	long := strings.Repeat("a", 70_000)
	tests := []struct {
		name, in string
		status   string // "" is a closed connection without an answer
		body     string
	}{
		{"minimal", message("", "CONTENT_LENGTH", "0", "SCGI", "1", "REQUEST_METHOD", "GET"), "200 OK", `GET / 0 ""`},
		{"without SCGI", pairs("CONTENT_LENGTH", "0"), "200 OK", `GET / 0 ""`},
		{"leading zeros in the length", message("abc", "CONTENT_LENGTH", "003", "REQUEST_METHOD", "PUT"), "200 OK",
			`PUT / 3 "abc"`},
		{"bytes behind the body", message("abcdef", "CONTENT_LENGTH", "3", "REQUEST_METHOD", "PUT"), "200 OK",
			`PUT / 3 "abc"`},
		{"bytes behind no body", message("abcdef", "CONTENT_LENGTH", "0", "REQUEST_METHOD", "PUT"), "200 OK",
			`PUT / 0 ""`},
		{"long value", pairs("CONTENT_LENGTH", "0", "HTTP_LONG", long), "200 OK", `GET / 0 ""`},
		{"long header", pairs("CONTENT_LENGTH", "0", "HTTP_LONG", long+long), "431 Request Header Fields Too Large", ""},
		{"endless digits", strings.Repeat("9", 100_000), "431 Request Header Fields Too Large", ""},
		{"no CONTENT_LENGTH", pairs("SCGI", "1"), "400 Bad Request", ""},
		{"CONTENT_LENGTH is second", pairs("SCGI", "1", "CONTENT_LENGTH", "0"), "400 Bad Request", ""},
		{"CONTENT_LENGTH twice", pairs("CONTENT_LENGTH", "0", "CONTENT_LENGTH", "5"), "400 Bad Request", ""},
		{"empty CONTENT_LENGTH", pairs("CONTENT_LENGTH", ""), "400 Bad Request", ""},
		{"CONTENT_LENGTH 1x", pairs("CONTENT_LENGTH", "1x"), "400 Bad Request", ""},
		{"CONTENT_LENGTH -1", pairs("CONTENT_LENGTH", "-1"), "400 Bad Request", ""},
		{"CONTENT_LENGTH +1", pairs("CONTENT_LENGTH", "+1"), "400 Bad Request", ""},
		{"CONTENT_LENGTH of 30 digits", pairs("CONTENT_LENGTH", strings.Repeat("1", 30)), "400 Bad Request", ""},
		{"SCGI is 2", pairs("CONTENT_LENGTH", "0", "SCGI", "2"), "400 Bad Request", ""},
		{"SCGI is empty", pairs("CONTENT_LENGTH", "0", "SCGI", ""), "400 Bad Request", ""},
		{"empty name", pairs("CONTENT_LENGTH", "0", "", "x"), "400 Bad Request", ""},
		{"value missing", message("", "CONTENT_LENGTH", "0", "REQUEST_METHOD"), "400 Bad Request", ""},
		{"last NUL missing", "38:CONTENT_LENGTH\x000\x00REQUEST_METHOD\x00PURGE!,", "400 Bad Request", ""},
		{"no method", message("", "CONTENT_LENGTH", "0", "SCGI", "1"), "400 Bad Request", ""},
		{"control byte in a field", pairs("CONTENT_LENGTH", "0", "HTTP_X", "a\nb"), "400 Bad Request", ""},
		{"empty header", "0:,", "400 Bad Request", ""},
		{"no netstring", "070:", "400 Bad Request", ""},
		{"HTTP", "GET / HTTP/1.1\r\n\r\n", "400 Bad Request", ""},
		{"length too small", "5:CONTENT_LENGTH\x000\x00,", "400 Bad Request", ""},
		{"nothing", "", "", ""},
		{"cut in the length", "7", "", ""},
		{"cut in the header", "70:CONTENT", "", ""},
	}
	for _, network := range networks {
		dial := start(t, network, &scgi.Server{Handler: echo, Log: quiet, HeaderLimit: 100_000})
		for _, tt := range tests {
			t.Run(tt.name+" "+network, func(t *testing.T) {
				conn := dial()
				go func() {
					io.WriteString(conn, tt.in)
					conn.(interface{ CloseWrite() error }).CloseWrite()
				}()
				got, err := io.ReadAll(conn)
				if tt.status == "" {
					assert.Empty(t, got)
					return
				}
				require.NoError(t, err)
				assert.Contains(t, string(got), "Status: "+tt.status+"\r\n")
				if tt.body != "" {
					assert.True(t, strings.HasSuffix(string(got), "\r\n\r\n"+tt.body), "%s", got)
				}
			})
		}
	}
}

func TestServerHeaderTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, sent := range []string{"", "70:CONTENT"} {
			log := new(testlog.Buffer)
			ln := &pipeListener{conns: make(chan net.Conn), closed: make(chan struct{})}
			s := &scgi.Server{Handler: echo, Log: log.Logger()}
			go s.Serve(ln)
			client, server := net.Pipe()
			ln.conns <- server
			began := time.Now()
			io.WriteString(client, sent)
			got, err := io.ReadAll(client)
			require.NoError(t, err)
			assert.Empty(t, got)
			assert.Equal(t, scgi.DefaultHeaderTimeout, time.Since(began))
			assert.Contains(t, log.String(), "limit=header-timeout")
			require.NoError(t, s.Shutdown(t.Context()))
		}
	})
}

type pipeListener struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.conns:
		return conn, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *pipeListener) Addr() net.Addr { return &net.UnixAddr{} }

// A slow web server may take longer for the body than for the header.
func TestServerSlowBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ln := &pipeListener{conns: make(chan net.Conn), closed: make(chan struct{})}
		s := &scgi.Server{Handler: echo, Log: quiet}
		go s.Serve(ln)
		client, server := net.Pipe()
		ln.conns <- server
		go func() {
			io.WriteString(client, message("", "CONTENT_LENGTH", "3", "REQUEST_METHOD", "PUT"))
			time.Sleep(time.Hour)
			io.WriteString(client, "abc")
		}()
		got, err := io.ReadAll(client)
		require.NoError(t, err)
		assert.Contains(t, string(got), `PUT / 3 "abc"`)
		require.NoError(t, s.Shutdown(t.Context()))
	})
}

const get = "36:CONTENT_LENGTH\x000\x00REQUEST_METHOD\x00GET\x00,"

// How the web server's end is seen by an application that is silent.
func TestServerClientGone(t *testing.T) {
	const put = "36:CONTENT_LENGTH\x003\x00REQUEST_METHOD\x00PUT\x00,abc"
	const unread = "56:CONTENT_LENGTH\x003\x00REQUEST_METHOD\x00PUT\x00REQUEST_URI\x00/unread\x00,abc"
	leave := map[string]func(conn net.Conn){
		"closes": func(conn net.Conn) { conn.Close() },
		"resets": func(conn net.Conn) { adapters.ResetConn(conn) },
	}
	tests := []struct {
		name, network, leave, request string
		later                         time.Duration
	}{
		{"unix close", "unix", "closes", get, 0},
		{"unix close after body", "unix", "closes", put, 0},
		{"unix close after a while", "unix", "closes", get, 150 * time.Millisecond},
		{"tcp reset", "tcp", "resets", get, 0},
		{"tcp reset after body", "tcp", "resets", put, 0},
		{"unix close before body", "unix", "closes", unread, 0},
		{"tcp reset before body", "tcp", "resets", unread, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			began, gone := make(chan struct{}), make(chan error, 1)
			dial := start(t, tt.network, &scgi.Server{Log: quiet,
				Handler: handler(func(ctx context.Context, req *adapters.Request) (*adapters.Response, error) {
					if req.Body != nil && req.URI != "/unread" {
						io.Copy(io.Discard, req.Body)
					}
					close(began)
					<-ctx.Done()
					gone <- context.Cause(ctx)
					return nil, context.Cause(ctx)
				})})
			conn := dial()
			io.WriteString(conn, tt.request)
			within(t, began, "the request arrives")
			time.Sleep(tt.later) // the server looks several times
			leave[tt.leave](conn)
			assert.ErrorIs(t, within(t, gone, "the request is cancelled"), adapters.ErrAborted)
		})
	}
}

// A web server that has closed its sending side still wants its answer.
func TestServerHalfClose(t *testing.T) {
	for _, network := range networks {
		t.Run(network, func(t *testing.T) {
			dial := start(t, network, &scgi.Server{Log: quiet,
				Handler: handler(func(ctx context.Context, req *adapters.Request) (*adapters.Response, error) {
					select {
					case <-ctx.Done():
						return nil, context.Cause(ctx)
					case <-time.After(200 * time.Millisecond):
						return adapters.Reply(200, "text/plain", "here"), nil
					}
				})})
			conn := dial()
			io.WriteString(conn, get)
			require.NoError(t, conn.(interface{ CloseWrite() error }).CloseWrite())
			got, err := io.ReadAll(conn)
			require.NoError(t, err)
			assert.Contains(t, string(got), "\r\n\r\nhere")
		})
	}
}

// A body that ends early is no body: the handler learns it, and its request is cancelled.
func TestServerShortBody(t *testing.T) {
	for _, network := range networks {
		t.Run(network, func(t *testing.T) {
			failed := make(chan error, 2)
			dial := start(t, network, &scgi.Server{Log: quiet,
				Handler: handler(func(ctx context.Context, req *adapters.Request) (*adapters.Response, error) {
					b, err := io.ReadAll(req.Body)
					assert.Equal(t, "abc", string(b))
					failed <- err
					<-ctx.Done()
					failed <- context.Cause(ctx)
					return nil, err
				})})
			conn := dial()
			io.WriteString(conn, message("abc", "CONTENT_LENGTH", "5", "REQUEST_METHOD", "PUT"))
			conn.(interface{ CloseWrite() error }).CloseWrite()
			assert.ErrorIs(t, within(t, failed, "Read fails"), adapters.ErrAborted)
			assert.ErrorIs(t, within(t, failed, "the request is cancelled"), adapters.ErrAborted)
			got, _ := io.ReadAll(conn)
			assert.Empty(t, string(got))
		})
	}
}

// An answer to a request whose body nobody reads arrives, though the web server sends all of it first.
func TestServerEarlyAnswer(t *testing.T) {
	const size = 4 << 20
	for _, network := range networks {
		t.Run(network, func(t *testing.T) {
			dial := start(t, network, &scgi.Server{Log: quiet,
				Handler: handler(func(context.Context, *adapters.Request) (*adapters.Response, error) {
					return nil, adapters.ErrTooLarge
				})})
			conn := dial()
			_, err := io.WriteString(conn, message("", "CONTENT_LENGTH", fmt.Sprint(size), "REQUEST_METHOD", "PUT"))
			require.NoError(t, err)
			_, err = conn.Write(make([]byte, size))
			require.NoError(t, err)
			got, err := io.ReadAll(conn)
			require.NoError(t, err)
			assert.Contains(t, string(got), "Status: 413 ")
		})
	}
}

// A frameBody is a Response.Body of the test's making.
type testBody struct {
	io.Reader
	closed func()
}

func (b testBody) Close() error {
	b.closed()
	return nil
}

// When the response is over, Request.Body fails: a Read under way and all to come.
func TestServerBodyGate(t *testing.T) {
	for _, network := range networks {
		t.Run(network, func(t *testing.T) {
			failed := make(chan error, 2)
			dial := start(t, network, &scgi.Server{Log: quiet,
				Handler: handler(func(_ context.Context, req *adapters.Request) (*adapters.Response, error) {
					go func() {
						for range 2 {
							_, err := req.Body.Read(make([]byte, 10))
							failed <- err
						}
					}()
					return &adapters.Response{Status: 200, Body: testBody{strings.NewReader("done"), func() {}}}, nil
				})})
			conn := dial()
			io.WriteString(conn, message("", "CONTENT_LENGTH", "3", "REQUEST_METHOD", "PUT"))
			got, err := io.ReadAll(conn)
			require.NoError(t, err)
			assert.Contains(t, string(got), "done")
			assert.Equal(t, adapters.ErrAborted, within(t, failed, "the pending Read returns"))
			assert.Equal(t, adapters.ErrAborted, within(t, failed, "the next Read returns"))
		})
	}
}

// What was cut never looks complete where the connection can tell; if nothing was sent yet, it is a 502.
func TestServerTruncated(t *testing.T) {
	serve := func(parts ...io.Reader) handler {
		return func(context.Context, *adapters.Request) (*adapters.Response, error) {
			return &adapters.Response{Status: 200, Body: testBody{io.MultiReader(parts...), func() {}}}, nil
		}
	}
	cut := readerFunc(func([]byte) (int, error) { return 0, adapters.ErrTruncated })
	exit := readerFunc(func([]byte) (int, error) { runtime.Goexit(); return 0, nil })
	for name, end := range map[string]io.Reader{"tcp": cut, "tcp, by Goexit": exit} {
		t.Run(name, func(t *testing.T) {
			dial := start(t, "tcp", &scgi.Server{Log: quiet, Handler: serve(strings.NewReader("part"), end)})
			conn := dial()
			io.WriteString(conn, get)
			got, err := io.ReadAll(conn)
			assert.ErrorIs(t, err, syscall.ECONNRESET, "%s", got)
		})
	}
	t.Run("unix", func(t *testing.T) { // documented: nothing tells
		dial := start(t, "unix", &scgi.Server{Log: quiet, Handler: serve(strings.NewReader("part"), cut)})
		conn := dial()
		io.WriteString(conn, get)
		got, _ := io.ReadAll(conn)
		assert.True(t, strings.HasSuffix(string(got), "\r\n\r\npart"))
	})
	t.Run("nothing sent", func(t *testing.T) {
		truncated := handler(func(context.Context, *adapters.Request) (*adapters.Response, error) {
			return &adapters.Response{Status: 200, Body: failingBody{}}, nil
		})
		dial := start(t, "tcp", &scgi.Server{Log: quiet, Handler: truncated})
		conn := dial()
		io.WriteString(conn, get)
		got, err := io.ReadAll(conn)
		require.NoError(t, err)
		assert.Contains(t, string(got), "Status: 502 ")
	})
}

// A failingBody is written in part and fails.
type failingBody struct{ io.ReadCloser }

func (failingBody) WriteTo(w io.Writer) (int64, error) {
	io.WriteString(w, "part")
	return 4, adapters.ErrTruncated
}

func (failingBody) Close() error { return nil }

// What the application says beside its answer, and why it failed, is logged with its request.
func TestServerLogs(t *testing.T) {
	log := new(testlog.Buffer)
	dial := start(t, "unix", &scgi.Server{Log: log.Logger(),
		Handler: handler(func(_ context.Context, req *adapters.Request) (*adapters.Response, error) {
			io.WriteString(req.Stderr, "one\nhalf")
			return nil, &adapters.Error{Op: "test", Err: adapters.ErrBusy, RetryAfter: time.Second}
		})})
	conn := dial()
	io.WriteString(conn, message("", "CONTENT_LENGTH", "0", "REQUEST_METHOD", "GET", "REQUEST_URI", "/u"))
	got, err := io.ReadAll(conn)
	require.NoError(t, err)
	assert.Contains(t, string(got), "Status: 503 Service Unavailable\r\n")
	assert.Contains(t, string(got), "Retry-After: 1\r\n")
	assert.Eventually(t, func() bool { return strings.Contains(log.String(), "line=half") }, patience, time.Millisecond)
	for _, want := range []string{`uri=/u line=one`, `level=ERROR`, `status=503`, `test: application busy`} {
		assert.Contains(t, log.String(), want)
	}
}

// The web server has left while the response is written: the application is told, and nobody waits.
func TestServerClientGoneWhileWriting(t *testing.T) {
	for _, network := range networks {
		t.Run(network, func(t *testing.T) {
			closed := make(chan struct{})
			var once sync.Once
			dial := start(t, network, &scgi.Server{Log: quiet,
				Handler: handler(func(ctx context.Context, _ *adapters.Request) (*adapters.Response, error) {
					endless := readerFunc(func(p []byte) (int, error) { return len(p), nil })
					return &adapters.Response{Status: 200, Body: testBody{endless, func() { once.Do(func() { close(closed) }) }}}, nil
				})})
			conn := dial()
			io.WriteString(conn, get)
			_, err := io.ReadFull(conn, make([]byte, 1<<20))
			require.NoError(t, err)
			conn.Close()
			within(t, closed, "the body is closed")
		})
	}
}

func TestServerShutdown(t *testing.T) {
	for _, network := range networks {
		t.Run("drains "+network, func(t *testing.T) {
			began, finish := make(chan struct{}), make(chan struct{})
			ln := listen(t, network)
			s := &scgi.Server{Log: quiet, Handler: handler(func(context.Context, *adapters.Request) (*adapters.Response, error) {
				close(began)
				<-finish
				return adapters.Reply(200, "text/plain", "finished"), nil
			})}
			served, down := make(chan error), make(chan error)
			go func() { served <- s.Serve(ln) }()
			conn, err := net.Dial(network, ln.Addr().String())
			require.NoError(t, err)
			defer conn.Close()
			io.WriteString(conn, get)
			within(t, began, "the request arrives")
			go func() { down <- s.Shutdown(context.Background()) }()
			assert.ErrorIs(t, within(t, served, "Serve returns"), http.ErrServerClosed)
			if network == "unix" { // a TCP port may be somebody else's by now
				_, err = net.Dial(network, ln.Addr().String())
				assert.Error(t, err)
			}
			close(finish)
			got, err := io.ReadAll(conn)
			require.NoError(t, err)
			assert.Contains(t, string(got), "finished")
			assert.NoError(t, within(t, down, "Shutdown returns"))
		})
		t.Run("cuts "+network, func(t *testing.T) {
			began, gone := make(chan struct{}), make(chan error, 1)
			ln := listen(t, network)
			s := &scgi.Server{Log: quiet,
				Handler: handler(func(ctx context.Context, _ *adapters.Request) (*adapters.Response, error) {
					close(began)
					<-ctx.Done()
					gone <- context.Cause(ctx)
					return nil, context.Cause(ctx)
				})}
			go s.Serve(ln)
			conn, err := net.Dial(network, ln.Addr().String())
			require.NoError(t, err)
			defer conn.Close()
			io.WriteString(conn, get)
			within(t, began, "the request arrives")
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
			defer cancel()
			assert.ErrorIs(t, s.Shutdown(ctx), context.DeadlineExceeded)
			assert.ErrorIs(t, within(t, gone, "the request is cancelled"), adapters.ErrAborted)
			got, _ := io.ReadAll(conn)
			assert.Empty(t, got)
			assert.NoError(t, s.Shutdown(context.Background()))
		})
	}
	t.Run("before Serve", func(t *testing.T) {
		s := new(scgi.Server)
		cancelled, cancel := context.WithCancel(t.Context())
		cancel()
		s.Shutdown(cancelled)
		assert.NoError(t, s.Shutdown(t.Context()))
		assert.ErrorIs(t, s.Serve(listen(t, "tcp")), http.ErrServerClosed)
	})
}

// A listener that fails for good ends Serve with its error; one that fails for a moment does not.
func TestServerAcceptFails(t *testing.T) {
	broken := errors.New("broken")
	ln := &failingListener{Listener: listen(t, "tcp"), errs: []error{
		&net.OpError{Op: "accept", Err: os.NewSyscallError("accept", syscall.EMFILE)}, broken,
	}}
	assert.ErrorIs(t, (&scgi.Server{Log: quiet}).Serve(ln), broken)
	assert.Empty(t, ln.errs)
}

type failingListener struct {
	net.Listener
	errs []error
}

func (l *failingListener) Accept() (net.Conn, error) {
	err := l.errs[0]
	l.errs = l.errs[1:]
	return nil, err
}
