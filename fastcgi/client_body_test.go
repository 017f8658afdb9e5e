package fastcgi_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/adapters"
)

// A slowBody is a body whose bytes come when the test says so. Once closed, reading it is ErrAborted, as frontends do.
type slowBody struct {
	parts  chan string
	rest   string
	closed chan struct{}
	once   sync.Once
}

func newSlowBody() *slowBody { return &slowBody{parts: make(chan string), closed: make(chan struct{})} }

func (b *slowBody) Read(p []byte) (int, error) {
	if b.rest == "" {
		select {
		case part, ok := <-b.parts:
			if !ok {
				return 0, io.EOF
			}
			b.rest = part
		case <-b.closed:
			return 0, adapters.ErrAborted
		}
	}
	n := copy(p, b.rest)
	b.rest = b.rest[n:]
	return n, nil
}

func (b *slowBody) close() { b.once.Do(func() { close(b.closed) }) }

// TestClientStreamsBothWays: the application answers each part of the body before it gets the next.
func TestClientStreamsBothWays(t *testing.T) {
	c, a := listen(t, func(p *peer) {
		r, _ := p.head()
		p.say(record(tStdout, r.id, "X: y\r\n\r\n"))
		for {
			switch typ, _, content, ok := p.next(); {
			case !ok || !assert.Equal(t, byte(tStdin), typ):
				return
			case content == "":
				p.say(end(r.id, 0, 0))
				p.next()
				return
			default:
				p.say(record(tStdout, r.id, strings.ToUpper(content)))
			}
		}
	})
	body := newSlowBody()
	resp, err := c.Serve(t.Context(), post(body, 9))
	require.NoError(t, err)
	for _, part := range []string{"one", "two", "six"} {
		body.parts <- part
		b := make([]byte, 3)
		_, err := io.ReadFull(resp.Body, b)
		require.NoError(t, err)
		assert.Equal(t, strings.ToUpper(part), string(b))
	}
	_, err = resp.Body.Read(make([]byte, 1))
	assert.Equal(t, io.EOF, err)
	assert.NoError(t, resp.Body.Close())
	assert.Equal(t, 1, a.connections())
}

// TestClientLargeBody: an application that echoes while it reads would stop a client that first writes and then reads.
func TestClientLargeBody(t *testing.T) {
	c, a := listen(t, func(p *peer) {
		for {
			r, ok := p.head()
			if !ok {
				return
			}
			p.say(record(tStdout, r.id, "X: "+r.vars["CONTENT_LENGTH"]+"\r\n\r\n"))
			for {
				_, _, content, ok := p.next()
				if !ok || content == "" {
					break
				}
				p.say(record(tStdout, r.id, content))
			}
			p.say(end(r.id, 0, 0))
		}
	})
	c.KeepConn = time.Minute
	whole := strings.Repeat("0123456789abcdef", 8<<16)
	for range 3 {
		resp, got, err := do(c, post(struct{ io.Reader }{strings.NewReader(whole + "more")}, int64(len(whole))))
		require.NoError(t, err)
		assert.Equal(t, fmt.Sprint(len(whole)), resp.Header.Get("X"))
		assert.True(t, whole == got)
	}
	assert.Equal(t, 3, a.connections())
}

// TestClientEarlyAnswer: a response that comes before the body was read is complete, whatever becomes of the body.
func TestClientEarlyAnswer(t *testing.T) {
	early := func(p *peer) {
		if r, ok := p.head(); ok {
			p.say(response(r.id, "Status: 413\r\n\r\nhello"))
			p.next()
		}
	}
	tests := []struct {
		name string
		body io.Reader
	}{
		{"body blocks", newSlowBody()},
		{"application does not read", strings.NewReader(strings.Repeat("x", 10<<20))},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, a := listen(t, early, answering(hello))
			resp, err := c.Serve(t.Context(), post(tt.body, 10<<20))
			require.NoError(t, err)
			assert.Equal(t, 413, resp.Status)
			got, err := io.ReadAll(resp.Body)
			require.NoError(t, err)
			assert.Equal(t, "hello", string(got))
			assert.NoError(t, resp.Body.Close())
			wantHello(t, c, get())
			assert.Equal(t, 2, a.connections(), "the connection waits for a body")
			if slow, ok := tt.body.(*slowBody); ok {
				slow.close()
			}
		})
	}
	t.Run("application closes at once", func(t *testing.T) {
		c, _ := listen(t, func(p *peer) {
			r, _ := p.head()
			p.say(response(r.id, "Status: 413\r\n\r\nhello"))
		})
		for range 20 {
			resp, _, err := do(c, post(strings.NewReader(strings.Repeat("x", 1<<20)), 1<<20))
			if err != nil { // the reset may overtake the response
				assert.Equal(t, 502, adapters.StatusOf(err))
				continue
			}
			assert.Equal(t, 413, resp.Status)
		}
	})
}

// TestClientBodyFails: a body that ends early never looks complete to the application.
func TestClientBodyFails(t *testing.T) {
	tests := []struct {
		name   string
		body   io.Reader
		is     error
		status int
	}{
		{"client gone", failing{errors.New("connection reset")}, adapters.ErrAborted, adapters.StatusClientGone},
		{"frontend aborts", failing{adapters.ErrAborted}, adapters.ErrAborted, adapters.StatusClientGone},
		{"too large", failing{fmt.Errorf("%w: 5 MB", adapters.ErrTooLarge)}, adapters.ErrTooLarge, 413},
		{"time-out of the client", failing{os.ErrDeadlineExceeded}, adapters.ErrAborted, adapters.StatusClientGone},
		{"shorter than announced", strings.NewReader(""), io.ErrUnexpectedEOF, adapters.StatusClientGone},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := make(chan []string, 1)
			c, _ := listen(t, func(p *peer) {
				p.head()
				var records []string
				for {
					typ, _, content, ok := p.next()
					if !ok {
						got <- records
						return
					}
					records = append(records, fmt.Sprint(typ, content))
				}
			})
			body := io.MultiReader(strings.NewReader("some"), &hiccup{3}, tt.body)
			_, _, err := do(c, post(body, 100))
			require.ErrorIs(t, err, tt.is)
			assert.Equal(t, tt.status, adapters.StatusOf(err))
			assert.Equal(t, []string{"5some", "2"}, <-got, "FCGI_STDIN without an end, then FCGI_ABORT_REQUEST")
		})
	}
	t.Run("in memory", func(t *testing.T) {
		c, _ := listen(t, func(p *peer) {
			b, _ := io.ReadAll(p)
			assert.Empty(t, b)
		})
		_, _, err := do(c, post(strings.NewReader("some"), 100))
		assert.ErrorIs(t, err, adapters.ErrAborted)
	})
	t.Run("while the response is read", func(t *testing.T) {
		c, _ := listen(t, func(p *peer) {
			p.head()
			p.say(stdout(hello))
			io.Copy(io.Discard, p)
		})
		body := newSlowBody()
		resp, err := c.Serve(t.Context(), post(io.MultiReader(body, failing{errors.New("reset")}), 100))
		require.NoError(t, err)
		_, err = io.ReadFull(resp.Body, make([]byte, 5))
		require.NoError(t, err)
		close(body.parts)
		_, err = resp.Body.Read(make([]byte, 1))
		assert.ErrorIs(t, err, adapters.ErrAborted)
		assert.ErrorContains(t, err, "FCGI_STDIN: reset")
		assert.NoError(t, resp.Body.Close())
	})
	t.Run("a filter's file", func(t *testing.T) {
		c, _ := listen(t, func(p *peer) { io.Copy(io.Discard, p) })
		req := get()
		req.Role = adapters.Filter
		req.Data = &adapters.Data{Body: strings.NewReader("some"), Length: 100}
		_, _, err := do(c, req)
		assert.ErrorIs(t, err, io.ErrUnexpectedEOF)
		assert.Equal(t, 500, adapters.StatusOf(err))
	})
}

// A hiccup reads nothing some times, which is allowed.
type hiccup struct{ times int }

func (h *hiccup) Read([]byte) (int, error) {
	if h.times--; h.times < 0 {
		return 0, io.EOF
	}
	return 0, nil
}

// TestClientConnectionOutlivesSender: the application may have the whole body, and have answered, before the sender is
// back from its last write. The connection is kept all the same.
func TestClientConnectionOutlivesSender(t *testing.T) {
	read := make(chan struct{})
	c, a, stop := pipes(t, func(p *peer) {
		p.head()
		io.ReadFull(p, make([]byte, 8+5)) // and no further: the sender is held up in the empty record behind
		p.say(response(1, hello))
		b := make([]byte, 8)
		io.ReadFull(p, b)
		assert.Equal(t, "\x01\x05\x00\x01\x00\x00\x00\x00", string(b))
		close(read)
		answering(hello)(p)
	}, answering(hello))
	defer stop()
	c.KeepConn = time.Minute
	wantHello(t, c, post(io.MultiReader(strings.NewReader("hello")), 5))
	<-read
	for range 100 { // until the sender has given the connection back
		wantHello(t, c, get())
	}
	assert.LessOrEqual(t, a.connections(), 2)
}

func TestClientSpoolIsReleased(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // which would close the files too
	c, a := listen(t, answering(hello))
	before := openFiles(t)
	for n := range 40 {
		if n == 20 {
			a.ln.Close()
			c.Close()
		}
		body := io.MultiReader(strings.NewReader(strings.Repeat("x", 2<<20)))
		_, _, err := do(c, post(body, -1))
		assert.Equal(t, n < 20, err == nil)
		assert.LessOrEqual(t, openFiles(t), before+10)
	}
}

// openFiles counts the descriptors of this process, where that is possible.
func openFiles(t *testing.T) int {
	files, err := filepath.Glob("/proc/self/fd/*")
	require.NoError(t, err)
	return len(files)
}
