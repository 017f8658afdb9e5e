package fastcgi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/internal/testlog"
)

// The bytes of the web server are written here by hand, apart from package wire.
const (
	tBegin, tAbort, tEnd, tParams, tStdin, tStdout, tStderr, tData = 1, 2, 3, 4, 5, 6, 7, 8
	tGetValues, tValues, tUnknown                                  = 9, 10, 11

	responderOnce = "\x00\x01\x00\x00\x00\x00\x00\x00"
	responderKeep = "\x00\x01\x01\x00\x00\x00\x00\x00"
	filterKeep    = "\x00\x03\x01\x00\x00\x00\x00\x00"
	completed     = "\x00\x00\x00\x00\x00\x00\x00\x00"
)

func rec(kind byte, id uint16, content string) string { return padded(kind, id, content, "") }

func padded(kind byte, id uint16, content, padding string) string {
	header := []byte{1, kind, byte(id >> 8), byte(id), byte(len(content) >> 8), byte(len(content)), byte(len(padding)), 0}
	return string(header) + content + padding
}

func pair(name, value string) string { return size(len(name)) + size(len(value)) + name + value }

func size(n int) string {
	if n < 128 {
		return string([]byte{byte(n)})
	}
	return longSize(n)
}

func longSize(n int) string {
	return string([]byte{0x80 | byte(n>>24), byte(n >> 16), byte(n >> 8), byte(n)})
}

var (
	getPair  = pair("REQUEST_METHOD", "GET")
	postPair = pair("REQUEST_METHOD", "POST")
)

// get is a request without a body, as nginx sends one.
func get(id uint16, begin string, pairs ...string) string {
	return rec(tBegin, id, begin) + rec(tParams, id, getPair+strings.Join(pairs, "")) + rec(tParams, id, "") +
		rec(tStdin, id, "")
}

// post is a request up to its body.
func post(id uint16, length string, pairs ...string) string {
	return rec(tBegin, id, responderKeep) +
		rec(tParams, id, postPair+pair("CONTENT_LENGTH", length)+strings.Join(pairs, "")) + rec(tParams, id, "")
}

// answer is what the server sends for a response of this CGI text.
func answer(id uint16, text string) string {
	return rec(tStdout, id, text) + rec(tStdout, id, "") + rec(tEnd, id, completed)
}

// ok is the answer to a request that testApp has answered.
func ok(id uint16, body string) string { return answer(id, okText(body)) }

func okText(body string) string {
	return fmt.Sprintf("Status: 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
}

func failed(id uint16, appStatus byte, status string) string {
	text := status + "\n"
	return rec(tStdout, id, fmt.Sprintf(
		"Status: %s\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: %d\r\n\r\n%s", status, len(text), text)) +
		rec(tStdout, id, "") + rec(tEnd, id, "\x00\x00\x00"+string([]byte{appStatus})+"\x00\x00\x00\x00")
}

// testApp answers with the body that it was sent and the variables that are called X…, in their order.
var testApp = adapters.HandlerFunc(func(_ context.Context, req *adapters.Request) (*adapters.Response, error) {
	var text strings.Builder
	if req.Body != nil {
		body, err := io.ReadAll(req.Body)
		text.Write(body)
		if err != nil {
			fmt.Fprintf(&text, "(%v)", err)
		}
	}
	for _, v := range req.Vars {
		if strings.HasPrefix(v.Name, "X") {
			fmt.Fprintf(&text, "[%s=%s]", v.Name, v.Value)
		}
	}
	return adapters.Reply(200, "text/plain", text.String()), nil
})

// A testServer is a running Server.
type testServer struct {
	*Server
	t    *testing.T
	addr net.Addr
	logs *testlog.Buffer
}

// serveTest starts s on a network, "tcp" or "unix", until the end of the test, which must leave nothing to finish.
func serveTest(t *testing.T, network string, s *Server) *testServer {
	address := "127.0.0.1:0"
	if network == "unix" {
		address = filepath.Join(t.TempDir(), "socket")
	}
	ln, err := net.Listen(network, address)
	require.NoError(t, err)
	ts := &testServer{Server: s, t: t, addr: ln.Addr(), logs: &testlog.Buffer{}}
	if s.Log == nil {
		s.Log = ts.logs.Logger()
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(ln) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		assert.NoError(t, s.Shutdown(ctx))
		assert.ErrorIs(t, <-served, http.ErrServerClosed)
	})
	return ts
}

// dial returns a web server's connection.
func (ts *testServer) dial() *testWeb {
	nc, err := net.Dial(ts.addr.Network(), ts.addr.String())
	require.NoError(ts.t, err)
	ts.t.Cleanup(func() { nc.Close() })
	return &testWeb{Conn: nc, t: ts.t}
}

type testWeb struct {
	net.Conn
	t *testing.T
}

func (w *testWeb) send(parts ...string) {
	w.t.Helper()
	for _, part := range parts {
		_, err := io.WriteString(w, part)
		require.NoError(w.t, err)
	}
}

const testTimeout = 20 * time.Second

// expect reads exactly want.
func (w *testWeb) expect(want string) {
	w.t.Helper()
	w.SetReadDeadline(time.Now().Add(testTimeout))
	got := make([]byte, len(want))
	n, err := io.ReadFull(w, got)
	w.compare(want, string(got[:n]), err)
}

// compare shows no more of long strings than where they begin to differ.
func (w *testWeb) compare(want, got string, err error) {
	w.t.Helper()
	if want == got {
		return
	}
	same := 0
	for same < min(len(want), len(got)) && want[same] == got[same] {
		same++
	}
	from := max(same-200, 0)
	require.FailNow(w.t, "other bytes", "at %d of %d: want …%.400q\n at %d of %d:  got …%.400q\nthen %v",
		from, len(want), want[from:], from, len(got), got[from:], err)
}

// expectEnd reads want and then the end of the connection.
func (w *testWeb) expectEnd(want string) {
	w.t.Helper()
	w.SetReadDeadline(time.Now().Add(testTimeout))
	got, err := io.ReadAll(w)
	require.NotErrorIs(w.t, err, context.DeadlineExceeded)
	var timeout net.Error
	require.False(w.t, errors.As(err, &timeout) && timeout.Timeout(), "after %q", got)
	w.compare(want, string(got), err)
}

// expectOpen makes sure that the connection still serves requests, and that nothing else has come on it.
func (w *testWeb) expectOpen() {
	w.t.Helper()
	w.send(get(7, responderKeep, pair("X", "still here")))
	w.expect(ok(7, "[X=still here]"))
}

// eventually waits for what another goroutine is about to do.
func eventually(t *testing.T, condition func() bool) {
	t.Helper()
	require.Eventually(t, condition, testTimeout, time.Millisecond)
}

func TestServerNetworks(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		t.Run(network, func(t *testing.T) {
			w := serveTest(t, network, &Server{Handler: testApp}).dial()
			w.send(get(1, responderKeep, pair("X", "1")))
			w.expect(ok(1, "[X=1]"))
			w.send(get(1, responderOnce, pair("X", "2")))
			w.expectEnd(ok(1, "[X=2]"))
		})
	}
}

// waiting answers when it is told to, or cancelled.
type waiting struct {
	began  chan string // the URI
	finish chan struct{}
}

func newWaiting() *waiting { return &waiting{make(chan string, 1000), make(chan struct{})} }

func (h *waiting) Serve(ctx context.Context, req *adapters.Request) (*adapters.Response, error) {
	if !strings.HasPrefix(req.URI, "/wait") {
		return testApp(ctx, req)
	}
	h.began <- req.URI
	select {
	case <-h.finish:
		return adapters.Reply(200, "text/plain", req.URI), nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

var waitPair = pair("REQUEST_URI", "/wait")

func TestServerShutdown(t *testing.T) {
	app := newWaiting()
	ts := serveTest(t, "tcp", &Server{Handler: app})
	idle, busy := ts.dial(), ts.dial()
	idle.expectOpen()
	busy.send(get(1, responderKeep, waitPair))
	<-app.began
	done := make(chan error, 1)
	go func() { done <- ts.Shutdown(context.Background()) }()
	idle.expectEnd("")
	_, err := net.Dial("tcp", ts.addr.String())
	require.Error(t, err)
	eventually(t, func() bool {
		ts.mu.Lock()
		defer ts.mu.Unlock()
		for c := range ts.conns {
			c.mu.Lock()
			defer c.mu.Unlock()
			if !c.draining {
				return false
			}
		}
		return true
	})
	busy.send(get(2, responderKeep))
	busy.expect(rec(tEnd, 2, "\x00\x00\x00\x00\x02\x00\x00\x00"))
	select {
	case err := <-done:
		t.Fatal("did not wait: ", err)
	default:
	}
	close(app.finish)
	busy.expectEnd(ok(1, "/wait"))
	require.NoError(t, <-done)
	require.NoError(t, ts.Shutdown(context.Background()))
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.ErrorIs(t, ts.Serve(ln), http.ErrServerClosed)
	_, err = ln.Accept()
	require.ErrorIs(t, err, net.ErrClosed)
}

func TestServerShutdownTimeout(t *testing.T) {
	app := newWaiting()
	ts := serveTest(t, "tcp", &Server{Handler: app})
	w := ts.dial()
	w.send(get(1, responderKeep, waitPair))
	<-app.began
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	require.ErrorIs(t, ts.Shutdown(ctx), context.Canceled)
	w.expectEnd("")
}

func TestServerClose(t *testing.T) {
	cause := make(chan error, 1)
	began := make(chan bool)
	ts := serveTest(t, "unix", &Server{Handler: adapters.HandlerFunc(
		func(ctx context.Context, _ *adapters.Request) (*adapters.Response, error) {
			began <- true
			<-ctx.Done()
			cause <- context.Cause(ctx)
			return nil, context.Cause(ctx)
		})})
	w := ts.dial()
	w.send(get(1, responderKeep))
	<-began
	require.NoError(t, ts.Close())
	require.ErrorIs(t, <-cause, adapters.ErrAborted)
	w.expectEnd("")
}

func TestServerNeverServed(t *testing.T) {
	s := &Server{}
	require.NoError(t, s.Shutdown(context.Background()))
	require.NoError(t, s.Close())
}

func TestServerMaxConns(t *testing.T) {
	ts := serveTest(t, "tcp", &Server{Handler: testApp, MaxConns: 1})
	first, second := ts.dial(), ts.dial()
	first.expectOpen()
	second.send(get(1, responderKeep))
	second.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	_, err := second.Read(make([]byte, 1))
	require.Error(t, err)
	first.Close()
	second.expect(ok(1, ""))
}

// A web server takes FCGI_MAX_CONNS and FCGI_MAX_REQS for ints.
func TestServerAnyNumberOfConns(t *testing.T) {
	ts := serveTest(t, "tcp", &Server{Handler: testApp, MaxConns: -1})
	w := ts.dial()
	w.send(rec(tGetValues, 0, pair("FCGI_MAX_CONNS", "")))
	w.expect(rec(tValues, 0, pair("FCGI_MAX_CONNS", "2147483647")))
	w.send(rec(tGetValues, 0, pair("FCGI_MAX_REQS", "")))
	w.expect(rec(tValues, 0, pair("FCGI_MAX_REQS", "2147483600")))
	w.send(get(1, responderKeep))
	w.expect(ok(1, ""))
}

// failingListener fails to accept, once for a moment and then for good.
type failingListener struct {
	net.Listener
	errs []error
}

type passing struct{ error }

func (passing) Temporary() bool { return true }

func (l *failingListener) Accept() (net.Conn, error) {
	err := l.errs[0]
	l.errs = l.errs[1:]
	return nil, err
}

func TestServerAcceptErrors(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	final := errors.New("no more")
	logs := &testlog.Buffer{}
	s := &Server{Log: slog.New(slog.NewTextHandler(logs, nil))}
	require.ErrorIs(t, s.Serve(&failingListener{ln, []error{passing{errors.New("too many files")}, final}}), final)
	assert.Contains(t, logs.String(), "too many files")
	require.NoError(t, s.Shutdown(context.Background()))
}

func TestServerWebServerAddrs(t *testing.T) {
	local := netip.MustParseAddr("127.0.0.1")
	tests := []struct {
		name, network string
		addrs         []netip.Addr
		env           string
		served        bool
	}{
		{"everybody", "tcp", nil, "unset", true},
		{"list of nobody", "tcp", nil, "", false},
		{"member", "tcp", nil, "10.9.9.9,127.0.0.1", true},
		{"member after a space", "tcp", nil, "10.9.9.9, 127.0.0.1", true},
		{"mapped member", "tcp", nil, "::ffff:127.0.0.1", true},
		{"other", "tcp", nil, "10.9.9.9", false},
		{"Unix", "unix", nil, "127.0.0.1", false},
		{"field, member", "tcp", []netip.Addr{local}, "", true},
		{"field, other", "tcp", []netip.Addr{netip.MustParseAddr("10.9.9.9")}, "", false},
		{"field before environment", "tcp", []netip.Addr{local}, "10.9.9.9", true},
		{"field is nobody's limit", "unix", []netip.Addr{}, "10.9.9.9", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv("FCGI_WEB_SERVER_ADDRS", tt.env)
			if tt.env == "unset" {
				os.Unsetenv("FCGI_WEB_SERVER_ADDRS")
			}
			ts := serveTest(t, tt.network, &Server{Handler: testApp, WebServerAddrs: tt.addrs, MaxConns: 1})
			for range 3 { // who is refused takes nobody's place
				w := ts.dial()
				if tt.served {
					w.expectOpen()
				} else {
					io.WriteString(w, get(1, responderKeep))
					w.expectEnd("")
				}
				w.Close()
			}
		})
	}
}

func TestServerWebServerAddrsMalformed(t *testing.T) {
	for _, list := range []string{"1.2.3, ,x", "localhost", "127.0.0.1,", "10.0.0.0/8"} {
		t.Setenv("FCGI_WEB_SERVER_ADDRS", list)
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		assert.ErrorContains(t, (&Server{}).Serve(ln), "FCGI_WEB_SERVER_ADDRS", list)
		_, err = ln.Accept()
		assert.ErrorIs(t, err, net.ErrClosed)
	}
}
