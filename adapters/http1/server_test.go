package http1

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/adapters"
)

type handler = func(ctx context.Context, req *adapters.Request) (*adapters.Response, error)

// start serves h on a free port until the test ends.
func start(t testing.TB, h handler, set ...func(*Server)) (*Server, string) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s := &Server{Handler: adapters.HandlerFunc(h), Log: slog.New(slog.DiscardHandler)}
	for _, f := range set {
		f(s)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(ln) }()
	t.Cleanup(func() {
		over, cancel := context.WithCancel(context.Background())
		cancel()
		s.Shutdown(over)
		assert.ErrorIs(t, <-served, http.ErrServerClosed)
	})
	return s, ln.Addr().String()
}

// dial returns a connection that fails rather than hang.
func dial(t testing.TB, addr string) *net.TCPConn {
	c, err := net.Dial("tcp", addr)
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(20 * time.Second))
	return c.(*net.TCPConn)
}

// ask sends raw and returns all that comes until the server closes, without Date.
func ask(t testing.TB, addr, raw string) string {
	c := dial(t, addr)
	_, err := io.WriteString(c, raw)
	require.NoError(t, err)
	b, err := io.ReadAll(c)
	require.NoError(t, err)
	return undated(string(b))
}

// undated removes the Date fields.
func undated(s string) string {
	for {
		i := strings.Index(s, "Date: ")
		if i < 0 {
			return s
		}
		s = s[:i] + s[i+strings.Index(s[i:], "\n")+1:]
	}
}

// echo answers with method, target and body.
func echo(_ context.Context, req *adapters.Request) (*adapters.Response, error) {
	var body []byte
	if req.Body != nil {
		var err error
		if body, err = io.ReadAll(req.Body); err != nil {
			return nil, err
		}
	}
	return adapters.Reply(200, "text/plain", req.Method+" "+req.URI+" "+string(body)), nil
}

// streamed is a body of unknown length that comes in pieces.
func streamed(pieces ...string) io.ReadCloser {
	r, w := io.Pipe()
	go func() {
		for _, p := range pieces {
			io.WriteString(w, p)
		}
		w.Close()
	}()
	return r
}

func text(status int, body io.ReadCloser, fields ...adapters.Field) *adapters.Response {
	return &adapters.Response{Status: status, Header: append(adapters.Header{{Name: "Content-Type", Value: "t"}}, fields...), Body: body}
}

const (
	ok   = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
	last = "HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"
)

func length(body string) string { return fmt.Sprintf("Content-Length: %d\r\n", len(body)) }

func TestRequests(t *testing.T) {
	_, addr := start(t, echo)
	one := func(body string, connection string) string {
		return ok + length(body) + connection + "\r\n" + body
	}
	const closed = "Connection: close\r\n"
	tests := []struct{ name, send, want string }{
		{"get", "GET /a?b " + last + "\r\n", one("GET /a?b ", closed)},
		{"head", "HEAD / " + last + "\r\n", ok + "Content-Length: 7\r\n" + closed + "\r\n"},
		{"post", "POST / " + last + "Content-Length: 3\r\n\r\nabc", one("POST / abc", closed)},
		{"chunked", "POST / " + last + "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n2;x=\"y\"\r\nbc\r\n0\r\n\r\n", one("POST / abc", closed)},
		{"asterisk", "OPTIONS * " + last + "\r\n", one("OPTIONS * ", closed)},
		{"absolute", "GET http://other/x " + last + "\r\n", one("GET /x ", closed)},
		{"absolute without a path", "GET http://other?q " + last + "\r\n", one("GET /?q ", closed)},
		{"empty line before", "\r\nGET / " + last + "\r\n", one("GET / ", closed)},
		{"HTTP/1.0", "GET / HTTP/1.0\r\n\r\n", one("GET / ", closed)},
		{
			"HTTP/1.0 kept", "GET /1 HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\nGET /2 HTTP/1.0\r\n\r\n",
			one("GET /1 ", "Connection: keep-alive\r\n") + one("GET /2 ", closed),
		},
		{
			"pipelined", "GET /1 HTTP/1.1\r\nHost: h\r\n\r\nPOST /2 HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nxyGET /3 " + last + "\r\n",
			one("GET /1 ", "") + one("POST /2 xy", "") + one("GET /3 ", closed),
		},
		{
			"continue", "POST / " + last + "Expect: 100-continue\r\nContent-Length: 1\r\n\r\na",
			"HTTP/1.1 100 Continue\r\n\r\n" + one("POST / a", closed),
		},
		{"continue to HTTP/1.0", "POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\na", one("POST / a", closed)},
		{"continue without a body", "POST / " + last + "Expect: 100-continue\r\nContent-Length: 0\r\n\r\n", one("POST / ", closed)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { assert.Equal(t, tt.want, ask(t, addr, tt.send)) })
	}
}

// TestSlowBytes sends every request byte by byte: the pieces in which it comes must not matter.
func TestSlowBytes(t *testing.T) {
	_, addr := start(t, echo)
	c := dial(t, addr)
	for _, b := range "POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\nGET /y " + last + "\r\n" {
		_, err := c.Write([]byte{byte(b)})
		require.NoError(t, err)
	}
	b, err := io.ReadAll(c)
	require.NoError(t, err)
	assert.Contains(t, string(b), "POST /x abcHTTP/1.1 200 OK")
	assert.Contains(t, string(b), "GET /y ")
}

func TestResponses(t *testing.T) {
	long := strings.Repeat("0123456789abcdef", 8<<10) // larger than the buffer
	trailer := text(200, streamed("ab"))
	trailer.Trailer = func() adapters.Header {
		return adapters.Header{{Name: "X-Sum", Value: "1"}, {Name: "Content-Length", Value: "9"}}
	}
	const typed = "HTTP/1.1 200 OK\r\nContent-Type: t\r\n"
	tests := []struct {
		name   string
		method string
		resp   *adapters.Response
		want   string // to HTTP/1.1
		old    string // to HTTP/1.0
	}{
		{
			"small of unknown length", "GET", text(200, io.NopCloser(strings.NewReader(""))),
			typed + "Content-Length: 0\r\nConnection: close\r\n\r\n", typed + "Content-Length: 0\r\nConnection: close\r\n\r\n",
		},
		{
			"stream", "GET", text(200, streamed("ab", "c")),
			typed + "Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n", typed + "Connection: close\r\n\r\nabc",
		},
		{
			"long with its length", "GET", text(200, streamed(long), adapters.Field{Name: "Content-Length", Value: "131072"}),
			typed + "Content-Length: 131072\r\nConnection: close\r\n\r\n" + long, typed + "Content-Length: 131072\r\nConnection: close\r\n\r\n" + long,
		},
		{
			"trailer", "GET", trailer,
			typed + "Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n2\r\nab\r\n0\r\nX-Sum: 1\r\n\r\n", typed + "Connection: close\r\n\r\nab",
		},
		{
			"no content", "GET", text(204, adapters.NoBody, adapters.Field{Name: "Content-Length", Value: "0"}),
			"HTTP/1.1 204 No Content\r\nContent-Type: t\r\nConnection: close\r\n\r\n", "HTTP/1.1 204 No Content\r\nContent-Type: t\r\nConnection: close\r\n\r\n",
		},
		{
			"not modified", "GET", text(304, adapters.NoBody, adapters.Field{Name: "Content-Length", Value: "7"}),
			"HTTP/1.1 304 Not Modified\r\nContent-Type: t\r\nContent-Length: 7\r\nConnection: close\r\n\r\n",
			"HTTP/1.1 304 Not Modified\r\nContent-Type: t\r\nContent-Length: 7\r\nConnection: close\r\n\r\n",
		},
		{
			"head of a stream", "HEAD", text(200, streamed("ab")), typed + "Connection: close\r\n\r\n", typed + "Connection: close\r\n\r\n",
		},
		{
			"fields that must not pass", "GET", text(200, adapters.NoBody,
				adapters.Field{Name: "Transfer-Encoding", Value: "chunked"}, adapters.Field{Name: "Connection", Value: "x"},
				adapters.Field{Name: "Keep-Alive", Value: "x"}, adapters.Field{Name: "Upgrade", Value: "h2c"},
				adapters.Field{Name: "X:", Value: "x"}, adapters.Field{Name: "X", Value: "a\r\nb"}, adapters.Field{Name: "Y", Value: "z"}),
			typed + "Y: z\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", typed + "Y: z\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
		},
		{
			"status without a reason", "GET", text(299, adapters.NoBody),
			"HTTP/1.1 299 \r\nContent-Type: t\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
			"HTTP/1.1 299 \r\nContent-Type: t\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
		},
	}
	for _, tt := range tests {
		for version, want := range map[string]string{"HTTP/1.1": tt.want, "HTTP/1.0": tt.old} {
			t.Run(tt.name+" to "+version, func(t *testing.T) {
				resp := *tt.resp
				if _, ok := resp.Body.(*io.PipeReader); ok {
					pieces := map[string][]string{"stream": {"ab", "c"}, "long with its length": {long}}[tt.name]
					if pieces == nil {
						pieces = []string{"ab"}
					}
					resp.Body = streamed(pieces...)
				}
				_, addr := start(t, func(context.Context, *adapters.Request) (*adapters.Response, error) { return &resp, nil })
				assert.Equal(t, want, ask(t, addr, tt.method+" / "+version+"\r\nHost: h\r\nConnection: close\r\n\r\n"))
			})
		}
		tt.resp.Body.Close()
	}
}

// TestFieldsForTheApplication: what concerns the connection is not for the application, and no client can make more of
// that.
func TestFieldsForTheApplication(t *testing.T) {
	got := make(chan string, 1)
	_, addr := start(t, func(_ context.Context, req *adapters.Request) (*adapters.Response, error) {
		got <- fields(req.Header)
		return adapters.Reply(200, "t", ""), nil
	})
	ask(t, addr, "GET / "+last+"Connection: X-Hop, Content-Type, Cookie, keep-alive\r\nX-Hop: 1\r\nContent-Type: t\r\nCookie: c\r\n"+
		"Keep-Alive: 1\r\nProxy-Connection: 1\r\nProxy-Authorization: 1\r\nTE: trailers\r\nTrailer: X\r\nUpgrade: u\r\nX: 1\r\nX: 2\r\n\r\n")
	assert.Equal(t, `Content-Type: "t", Cookie: "c", X: "1", X: "2"`, <-got)
}

func TestInterimResponses(t *testing.T) {
	late := make(chan error, 1)
	_, addr := start(t, func(_ context.Context, req *adapters.Request) (*adapters.Response, error) {
		if req.Informational == nil {
			return text(200, streamed("old")), nil
		}
		assert.NoError(t, req.Informational(103, adapters.Header{{Name: "Link", Value: "</a>"}}))
		assert.ErrorIs(t, req.Informational(101, nil), adapters.ErrBadResponse)
		resp := adapters.Reply(200, "t", "x")
		resp.Body = adapters.OnClose(resp.Body, func() { late <- req.Informational(103, nil) })
		return resp, nil
	})
	assert.Equal(t, "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Type: t\r\nContent-Length: 1\r\nConnection: close\r\n\r\nx",
		ask(t, addr, "GET / "+last+"\r\n"))
	assert.ErrorIs(t, <-late, adapters.ErrBadResponse)
	assert.NotContains(t, ask(t, addr, "GET / HTTP/1.0\r\n\r\n"), "103")
}

// TestEarlyAnswer has the application answer without reading: the client gets the answer and no 100, whatever of the
// body is to come.
func TestEarlyAnswer(t *testing.T) {
	_, addr := start(t, func(context.Context, *adapters.Request) (*adapters.Response, error) {
		return adapters.Reply(403, "t", "no"), nil
	})
	const no = "HTTP/1.1 403 Forbidden\r\nContent-Type: t\r\nContent-Length: 2\r\n"
	big := strings.Repeat("x", 3<<20)
	for name, send := range map[string]string{
		"held back":  "POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n",
		"large":      "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 400000\r\n\r\n" + big[:400000],
		"chunked":    "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\n",
		"more after": "POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 5\r\n\r\nabcde" + big[:1<<20],
	} {
		t.Run(name, func(t *testing.T) { assert.Equal(t, no+"Connection: close\r\n\r\nno", ask(t, addr, send)) })
	}
	t.Run("small: kept", func(t *testing.T) {
		got := ask(t, addr, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nabcdeGET / "+last+"\r\n")
		assert.Equal(t, no+"\r\nno"+no+"Connection: close\r\n\r\nno", got)
	})
}

func TestFailures(t *testing.T) {
	failing := func(resp *adapters.Response, err error) handler {
		return func(context.Context, *adapters.Request) (*adapters.Response, error) { return resp, err }
	}
	broken := func(sent string) io.ReadCloser {
		r, w := io.Pipe()
		go func() {
			io.WriteString(w, sent)
			if sent != "" {
				time.Sleep(10 * time.Millisecond)
			}
			w.CloseWithError(adapters.ErrTruncated)
		}()
		return r
	}
	const bad = "HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 16\r\nConnection: close\r\n\r\n502 Bad Gateway\n"
	busy := &adapters.Error{Op: "x", RetryAfter: 3 * time.Second, Err: adapters.ErrBusy}
	for name, tt := range map[string]struct {
		h    handler
		want string
	}{
		"error":       {failing(nil, adapters.ErrUnreachable), bad},
		"status 99":   {failing(text(99, adapters.NoBody), nil), bad},
		"cut at once": {failing(text(200, truncated{}), nil), bad},
		"cut while it waits": {
			failing(text(200, broken("")), nil), "HTTP/1.1 200 OK\r\nContent-Type: t\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n",
		},
		"cut later": {failing(text(200, broken("abc")), nil), "HTTP/1.1 200 OK\r\nContent-Type: t\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n3\r\nabc\r\n"},
		"busy": {
			failing(nil, busy), "HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain; charset=utf-8\r\nRetry-After: 3\r\n" +
				"Content-Length: 24\r\nConnection: close\r\n\r\n503 Service Unavailable\n",
		},
		"panic": {
			func(context.Context, *adapters.Request) (*adapters.Response, error) { panic("out of ideas") },
			"HTTP/1.1 500 Internal Server Error\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 26\r\nConnection: close\r\n\r\n500 Internal Server Error\n",
		},
		"too long":  {failing(text(200, streamed("abcd"), adapters.Field{Name: "Content-Length", Value: "3"}), nil), "HTTP/1.1 200 OK\r\nContent-Type: t\r\nContent-Length: 3\r\nConnection: close\r\n\r\n"},
		"too short": {failing(text(200, streamed("ab"), adapters.Field{Name: "Content-Length", Value: "3"}), nil), "HTTP/1.1 200 OK\r\nContent-Type: t\r\nContent-Length: 3\r\nConnection: close\r\n\r\nab"},
	} {
		t.Run(name, func(t *testing.T) {
			_, addr := start(t, tt.h)
			assert.Equal(t, tt.want, ask(t, addr, "GET / "+last+"\r\n"))
		})
	}
	t.Run("cut for HTTP/1.0", func(t *testing.T) {
		_, addr := start(t, failing(text(200, broken("abc")), nil))
		c := dial(t, addr)
		io.WriteString(c, "GET / HTTP/1.0\r\n\r\n")
		_, err := io.ReadAll(c)
		assert.Error(t, err, "the end looks like one")
	})
}

// TestClientGone has clients leave in different ways while the application is silent.
func TestClientGone(t *testing.T) {
	const upload = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\nabcdef"
	for name, send := range map[string]string{
		"get": "GET / HTTP/1.1\r\nHost: h\r\n\r\n", "upload unread": upload, "pipelined": "GET / HTTP/1.1\r\nHost: h\r\n\r\nGET /2 " + last + "\r\n",
	} {
		for how, leave := range map[string]func(*net.TCPConn){
			"FIN": func(c *net.TCPConn) { c.Close() }, "RST": func(c *net.TCPConn) { c.SetLinger(0); c.Close() },
			"half-close": func(c *net.TCPConn) { c.CloseWrite() },
		} {
			t.Run(name+", "+how, func(t *testing.T) {
				begun, told := make(chan struct{}), make(chan struct{})
				var once sync.Once
				_, addr := start(t, func(ctx context.Context, _ *adapters.Request) (*adapters.Response, error) {
					once.Do(func() { close(begun) })
					<-ctx.Done()
					select {
					case <-told:
					default:
						close(told)
					}
					return nil, ctx.Err()
				})
				c := dial(t, addr)
				io.WriteString(c, send)
				<-begun
				leave(c)
				select {
				case <-told:
				case <-time.After(5 * time.Second):
					t.Fatal("the application was not told")
				}
			})
		}
	}
}

// TestClientGoneWithinTheBody has the application read on a body whose client has left.
func TestClientGoneWithinTheBody(t *testing.T) {
	for name, framing := range map[string]string{
		"length": "Content-Length: 9\r\n\r\nabc", "chunked": "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", "chunk": "Transfer-Encoding: chunked\r\n\r\n9\r\nabc",
	} {
		t.Run(name, func(t *testing.T) {
			got := make(chan error, 1)
			_, addr := start(t, func(_ context.Context, req *adapters.Request) (*adapters.Response, error) {
				_, err := io.ReadAll(req.Body)
				got <- err
				return nil, err
			})
			c := dial(t, addr)
			io.WriteString(c, "POST / HTTP/1.1\r\nHost: h\r\n"+framing)
			c.CloseWrite()
			require.ErrorIs(t, <-got, adapters.ErrAborted)
		})
	}
}

func TestTimeouts(t *testing.T) {
	quick := func(s *Server) {
		s.HeaderTimeout, s.IdleTimeout, s.BodyTimeout = 500*time.Millisecond, 500*time.Millisecond, 500*time.Millisecond
	}
	_, addr := start(t, echo, quick)
	assert.Empty(t, ask(t, addr, ""), "nothing sent")
	assert.Contains(t, ask(t, addr, "GET / HT"), "HTTP/1.1 408 ")
	assert.Contains(t, ask(t, addr, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nab"), "HTTP/1.1 408 ")
	assert.Contains(t, ask(t, addr, "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab"), "HTTP/1.1 408 ")
	idle := ask(t, addr, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	assert.Equal(t, ok+"Content-Length: 6\r\n\r\nGET / ", idle, "closed without another word")
}

// TestSlowReader has the client stop reading: the application gets rid of it.
func TestSlowReader(t *testing.T) {
	closed := make(chan struct{})
	_, addr := start(t, func(context.Context, *adapters.Request) (*adapters.Response, error) {
		zeros, _ := os.Open("/dev/zero")
		return text(200, adapters.OnClose(zeros, func() { close(closed) })), nil
	}, func(s *Server) { s.WriteTimeout = 100 * time.Millisecond })
	c := dial(t, addr)
	io.WriteString(c, "GET / "+last+"\r\n")
	select {
	case <-closed:
	case <-time.After(10 * time.Second):
		t.Fatal("the response goes on for nobody")
	}
}

func TestShutdown(t *testing.T) {
	release := make(chan struct{})
	begun := make(chan struct{}, 1)
	s, addr := start(t, func(_ context.Context, req *adapters.Request) (*adapters.Response, error) {
		if req.URI == "/slow" {
			begun <- struct{}{}
			<-release
		}
		return adapters.Reply(200, "text/plain", "x"), nil
	})
	idle, slow, fresh := dial(t, addr), dial(t, addr), dial(t, addr)
	r := bufio.NewReader(idle)
	io.WriteString(idle, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	_, err := http.ReadResponse(r, nil)
	require.NoError(t, err)
	io.WriteString(slow, "GET /slow HTTP/1.1\r\nHost: h\r\n\r\n")
	<-begun
	accepted := func() bool {
		open := 0
		for _, n := range s.Conns() {
			open += n
		}
		return open == 3
	}
	require.Eventually(t, accepted, 20*time.Second, time.Millisecond)
	done := make(chan error, 1)
	go func() { done <- s.Shutdown(context.Background()) }()
	for _, c := range []net.Conn{idle, fresh} {
		_, err = io.ReadAll(c)
		assert.NoError(t, err, "idle connections end")
	}
	_, err = net.Dial("tcp", addr)
	assert.Error(t, err)
	assert.Empty(t, done)
	close(release)
	b, err := io.ReadAll(slow)
	require.NoError(t, err)
	assert.Equal(t, ok+"Content-Length: 1\r\nConnection: close\r\n\r\nx", undated(string(b)))
	assert.NoError(t, <-done)
	assert.Empty(t, s.Conns())
}

func TestSendfile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	content := strings.Repeat("0123456789", 100_000)
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	_, addr := start(t, func(context.Context, *adapters.Request) (*adapters.Response, error) {
		f, err := os.Open(path)
		resp := text(200, fileBody{f}, adapters.Field{Name: "Content-Length", Value: "1000000"})
		return resp, err
	})
	got := ask(t, addr, "GET / HTTP/1.1\r\nHost: h\r\n\r\nGET / "+last+"\r\n")
	assert.Equal(t, 2, strings.Count(got, content))
}

// truncated is a body that breaks after a first part that was not flushed.
type truncated struct{ io.ReadCloser }

func (truncated) WriteTo(w io.Writer) (int64, error) {
	w.Write([]byte("abc"))
	return 3, adapters.ErrTruncated
}

func (truncated) Close() error { return nil }

type fileBody struct{ *os.File }

func (f fileBody) WriteTo(w io.Writer) (int64, error) {
	return w.(io.ReaderFrom).ReadFrom(io.LimitReader(f.File, 1_000_000))
}

func TestUpgrade(t *testing.T) {
	near, far := net.Pipe()
	go func() {
		b := make([]byte, 5)
		io.ReadFull(far, b)
		io.WriteString(far, "got "+string(b))
		far.Close()
	}()
	_, addr := start(t, func(_ context.Context, req *adapters.Request) (*adapters.Response, error) {
		assert.Equal(t, "chat", req.Header.Get("Upgrade"))
		return &adapters.Response{Status: 101, Header: adapters.Header{{Name: "Upgrade", Value: "chat"}}, Body: near}, nil
	})
	got := ask(t, addr, "GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: chat\r\n\r\nhello")
	assert.Equal(t, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: chat\r\n\r\ngot hello", got)
}

func TestUpgradeNobodyAskedFor(t *testing.T) {
	near, far := net.Pipe()
	defer far.Close()
	_, addr := start(t, func(context.Context, *adapters.Request) (*adapters.Response, error) {
		return &adapters.Response{Status: 101, Body: near}, nil
	})
	assert.Contains(t, ask(t, addr, "GET / "+last+"\r\n"), "HTTP/1.1 501 ")
}

func TestHTTP2IsHandedOver(t *testing.T) {
	got := make(chan string, 1)
	_, addr := start(t, echo, func(s *Server) {
		s.HTTP2 = func(c net.Conn) {
			b := make([]byte, len(http2Preface)+len("SM\r\n\r\n"))
			io.ReadFull(c, b)
			got <- string(b)
			c.Close()
		}
	})
	ask(t, addr, http2Preface+"SM\r\n\r\n")
	assert.Equal(t, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", <-got)
	assert.Contains(t, ask(t, addr, "GET / HTTP/1.1\r\nHost: h\r\n\r\n"+http2Preface+"SM\r\n\r\n"), "HTTP/1.1 505 ",
		"a connection does not begin twice")
	_, addr = start(t, echo)
	assert.Contains(t, ask(t, addr, http2Preface+"SM\r\n\r\n"), "HTTP/1.1 505 ")
}

func TestAcceptErrors(t *testing.T) {
	ln := &failingListener{errs: []error{&net.OpError{Op: "accept", Err: os.NewSyscallError("accept", errTooMany)}, errors.New("broken")}}
	s := &Server{Handler: adapters.HandlerFunc(echo), Log: slog.New(slog.DiscardHandler)}
	assert.ErrorContains(t, s.Serve(ln), "broken")
	assert.NoError(t, s.Shutdown(t.Context()))
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

func (l *failingListener) Close() error { return nil }

// What has come with the header can be read at once.
func TestReadableAtOnce(t *testing.T) {
	_, addr := start(t, func(_ context.Context, req *adapters.Request) (*adapters.Response, error) {
		before := adapters.ReadableAtOnce(req.Body)
		io.ReadFull(req.Body, make([]byte, 2))
		return adapters.Reply(200, "text/plain", fmt.Sprint(before, adapters.ReadableAtOnce(req.Body))), nil
	})
	for want, request := range map[string]string{
		"5 3": "Content-Length: 5\r\n\r\nhello",
		"4 2": "Content-Length: 6\r\n\r\nhell",
		"2 0": "Content-Length: 2\r\n\r\nheGET / HTTP/1.1\r\n",
		"0 0": "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
		"0 3": "Expect: 100-continue\r\nContent-Length: 5\r\n\r\nhello",
	} {
		c := dial(t, addr)
		_, err := io.WriteString(c, "POST / "+last+request)
		require.NoError(t, err)
		require.NoError(t, c.CloseWrite())
		got, err := io.ReadAll(c)
		require.NoError(t, err)
		assert.Regexp(t, "\r\n\r\n"+want+"$", string(got), request)
	}
}

// A connection on which only an empty line came is idle.
func TestEmptyLineIsNoRequest(t *testing.T) {
	s, addr := start(t, echo)
	c := dial(t, addr)
	_, err := io.WriteString(c, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nx\r\n")
	require.NoError(t, err)
	_, err = http.ReadResponse(bufio.NewReader(c), nil)
	require.NoError(t, err)
	require.NoError(t, s.Shutdown(t.Context()))
	_, err = c.Read(make([]byte, 1))
	assert.Equal(t, io.EOF, err, "and no 408")
}

// A goroutine that has served a connection waits for another one.
func TestGoroutinesServeAgain(t *testing.T) {
	var s *Server
	s, addr := start(t, func(context.Context, *adapters.Request) (*adapters.Response, error) {
		return adapters.Reply(200, "text/plain", fmt.Sprint("spare ", s.spare.Load())), nil
	})
	for range 3 {
		assert.Contains(t, ask(t, addr, "GET / "+last+"\r\n"), "spare 0")
		one := func() bool { return s.spare.Load() == 1 }
		require.Eventually(t, one, 20*time.Second, time.Millisecond)
	}
}
