//go:build unix

package faulttest

import (
	"bufio"
	"bytes"
	"context"
	"errors"
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
	"github.com/gangway-go/gangway/adapters/open"
	"github.com/gangway-go/gangway/internal/peer"
)

// A site is an HTTP server under test.
type site struct {
	network, address string
	log              *log
}

// tcp returns a site that peer has started.
func tcp(address string) site { return site{network: "tcp", address: address} }

// A log takes what is logged; each Write is a record.
type log struct {
	mu      sync.Mutex
	text    bytes.Buffer
	longest int
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.longest = max(l.longest, len(p))
	return l.text.Write(p)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// longestRecord returns the size of the longest record so far.
func (l *log) longestRecord() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.longest
}

// gangway serves an application over HTTP as the command line does.
func gangway(t *testing.T, address string, o open.AppOptions, mw ...adapters.Middleware) site {
	t.Helper()
	return gangwayOn(t, open.ListenOptions{}, address, o, mw...)
}

// gangwayOn is gangway with options for its listener.
func gangwayOn(t *testing.T, lo open.ListenOptions, address string, o open.AppOptions, mw ...adapters.Middleware) site {
	t.Helper()
	l := new(log)
	o.Log = slog.New(slog.NewTextHandler(l, nil))
	app, err := open.Open(address, o)
	require.NoError(t, err)
	require.NoError(t, app.Start(t.Context()))
	lo.Log = o.Log
	routes := &adapters.Dispatcher{Routes: []adapters.Route{{To: app.Handler()}}}
	ln, err := open.Listen("http://127.0.0.1:0", adapters.Chain(routes, mw...), lo)
	require.NoError(t, err)
	served := make(chan error, 1)
	go func() { served <- ln.Serve() }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		assert.NoError(t, ln.Shutdown(ctx))
		assert.NoError(t, <-served)
		assert.NoError(t, app.Close(ctx))
		if t.Failed() && l.longestRecord() < 10_000 {
			t.Logf("gangway logged:\n%s", l)
		}
	})
	return site{"tcp", strings.TrimPrefix(ln.String(), "http://"), l}
}

// fastcgi is gangway before the scripted application.
func fastcgi(t *testing.T, a *app, mw ...adapters.Middleware) site {
	t.Helper()
	return gangway(t, "fcgi+unix://"+a.socket, open.AppOptions{}, mw...)
}

// fastcgiHandler is the way to the scripted application.
func fastcgiHandler(t *testing.T, a *app) adapters.Handler {
	t.Helper()
	h, stop, err := open.Handler("fcgi+unix://" + a.socket)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, stop()) })
	return h
}

// frontend answers FastCGI with h and returns the path of its socket.
func frontend(t *testing.T, h adapters.Handler) string {
	t.Helper()
	ln, err := open.Listen("fcgi+unix://"+filepath.Join(peer.Dir(t), "front"), h, open.ListenOptions{SocketMode: 0o666})
	require.NoError(t, err)
	served := make(chan error, 1)
	go func() { served <- ln.Serve() }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		assert.NoError(t, ln.Shutdown(ctx))
		assert.NoError(t, <-served)
	})
	return strings.TrimPrefix(ln.String(), "fcgi+unix://")
}

// An answer is what a client gets.
type answer struct {
	hangs   bool   // nothing more came, and no end
	refused bool   // there is no connection
	raw     string // all that came
	err     error  // why raw is no whole response
	status  int
	header  http.Header
	body    string
	interim []int // statuses of 1xx responses
}

// ask sends the request and waits for the end of the answer.
func (s site) ask(request string) answer { return s.askFor(patience, request) }

// askFor is ask for those that may not answer.
func (s site) askFor(wait time.Duration, request string) (a answer) {
	conn, err := net.DialTimeout(s.network, s.address, wait)
	if err != nil {
		return answer{refused: true, err: err}
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(wait))
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		io.WriteString(conn, request)
	}()
	raw, err := io.ReadAll(conn)
	a.raw, a.hangs = string(raw), errors.Is(err, os.ErrDeadlineExceeded)
	method, _, _ := strings.Cut(request, " ")
	a.parse(method)
	conn.Close()
	<-sent
	return a
}

func (a *answer) parse(method string) {
	r := bufio.NewReader(strings.NewReader(a.raw))
	for {
		resp, err := http.ReadResponse(r, &http.Request{Method: method})
		if err != nil {
			a.err = err
			return
		}
		if resp.StatusCode < 200 && resp.StatusCode != http.StatusSwitchingProtocols {
			a.interim = append(a.interim, resp.StatusCode)
			continue
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		a.status, a.header, a.body, a.err = resp.StatusCode, resp.Header, string(body), err
		return
	}
}

// visit sends the request and returns the connection, for clients that leave.
func (s site) visit(t *testing.T, request string) net.Conn {
	t.Helper()
	conn, err := net.Dial(s.network, s.address)
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	go io.WriteString(conn, request)
	return conn
}

// complete asserts a whole answer of this status and body.
func (a answer) complete(t *testing.T, status int, body string) {
	t.Helper()
	assert.False(t, a.hangs, "hangs")
	assert.NoError(t, a.err)
	assert.Equal(t, status, a.status)
	if len(a.body)+len(body) > 1000 {
		assert.Equal(t, len(body), len(a.body))
		return
	}
	assert.Equal(t, body, a.body)
}

// failed asserts that a gateway admits a fault of the application: by this status.
func (a answer) failed(t *testing.T, status int) {
	t.Helper()
	assert.False(t, a.hangs, "hangs")
	assert.NoError(t, a.err)
	assert.Equal(t, status, a.status)
	assert.NotContains(t, a.body, "hello")
}

// goes reports whether what ended tells the application that its client has gone, within wait.
func (c *call) goes(wait time.Duration) bool {
	select {
	case <-c.gone:
		return true
	case <-time.After(wait):
		return false
	}
}
