package fastcgi_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/fastcgi"
)

// The record types, FastCGI 1.0 section 8.
const (
	tBegin, tAbort, tEnd, tParams, tStdin, tStdout, tStderr, tData = 1, 2, 3, 4, 5, 6, 7, 8
)

// record returns a record as FastCGI 1.0 section 3.3 prints it.
func record(t byte, id int, content string) string { return padded(t, id, content, 0) }

func padded(t byte, id int, content string, padding int) string {
	return string([]byte{
		1, t, byte(id >> 8), byte(id), byte(len(content) >> 8), byte(len(content)), byte(padding), 0,
	}) + content + strings.Repeat("\xaa", padding)
}

// end returns FCGI_END_REQUEST, FastCGI 1.0 section 5.5.
func end(id int, appStatus uint32, protocolStatus byte) string {
	return record(tEnd, id, string([]byte{
		byte(appStatus >> 24), byte(appStatus >> 16), byte(appStatus >> 8), byte(appStatus), protocolStatus, 0, 0, 0,
	}))
}

// response returns a whole response.
func response(id int, stdout string) string {
	var b strings.Builder
	for part := range slices.Chunk([]byte(stdout), 65535) {
		b.WriteString(record(tStdout, id, string(part)))
	}
	return b.String() + record(tStdout, id, "") + end(id, 0, 0)
}

const hello = "Content-Type: text/plain\r\n\r\nhello"

// A script is what an application does with one connection, which is closed when it returns.
type script func(p *peer)

// A peer is the application's end of a connection.
type peer struct {
	net.Conn
	t testing.TB
}

// say sends bytes. That the client has left already is no fault of the test.
func (p *peer) say(s ...string) { io.WriteString(p, strings.Join(s, "")) }

// next reads one record; ok is false at the end of the connection.
func (p *peer) next() (t byte, id int, content string, ok bool) {
	var h [8]byte
	if _, err := io.ReadFull(p, h[:]); err != nil {
		return 0, 0, "", false
	}
	b := make([]byte, int(h[4])<<8+int(h[5])+int(h[6]))
	if _, err := io.ReadFull(p, b); err != nil {
		return 0, 0, "", false
	}
	assert.Equal(p.t, byte(1), h[0], "version")
	return h[1], int(h[2])<<8 + int(h[3]), string(b[:len(b)-int(h[6])]), true
}

// A received is a request that an application got.
type received struct {
	id          int
	role, flags byte
	vars        map[string]string
	stdin, data string
	records     []byte // their types, in order
}

// head reads a request up to the end of FCGI_PARAMS.
func (p *peer) head() (*received, bool) {
	r := &received{vars: map[string]string{}}
	var params string
	for {
		t, id, content, ok := p.next()
		if !ok || t == tAbort { // which has crossed our FCGI_END_REQUEST
			return nil, false
		}
		r.records = append(r.records, t)
		switch {
		case t == tBegin:
			r.id, r.role, r.flags = id, content[1], content[2]
		case !assert.Equal(p.t, r.id, id) || !assert.Equal(p.t, byte(tParams), t):
			return nil, false
		case content == "":
			p.pairs(r, params)
			return r, true
		default:
			params += content
		}
	}
}

// pairs reads name-value pairs as FastCGI 1.0 section 3.4 prints them.
func (p *peer) pairs(r *received, b string) {
	length := func() int {
		if b[0] < 0x80 {
			n := int(b[0])
			b = b[1:]
			return n
		}
		n := int(b[0]&0x7f)<<24 + int(b[1])<<16 + int(b[2])<<8 + int(b[3])
		b = b[4:]
		return n
	}
	for b != "" {
		n, v := length(), length()
		assert.NotContains(p.t, r.vars, b[:n], "comes twice")
		r.vars[b[:n]] = b[n : n+v]
		b = b[n+v:]
	}
}

// request reads a whole request, for a Filter with its data.
func (p *peer) request() (*received, bool) {
	r, ok := p.head()
	for ok {
		t, id, content, more := p.next()
		if !more || !assert.Equal(p.t, r.id, id) {
			return r, false
		}
		r.records = append(r.records, t)
		switch {
		case t == tStdin && content != "":
			r.stdin += content
		case t == tData && content != "":
			r.data += content
		case t == tStdin && r.role == 3:
		case t == tStdin || t == tData:
			return r, true
		default:
			assert.Failf(p.t, "record", "type %d", t)
			return r, false
		}
	}
	return r, ok
}

// answering returns a script that answers each request of its connection.
func answering(stdout string) script {
	return func(p *peer) {
		for {
			r, ok := p.request()
			if !ok {
				return
			}
			p.say(response(r.id, stdout))
		}
	}
}

// An app is a scripted application: each connection takes the next script, and the last script all further ones.
type app struct {
	t       testing.TB
	scripts []script
	ln      net.Listener // nil if connections are pipes

	mu    sync.Mutex
	conns int
	open  []net.Conn
	wg    sync.WaitGroup
}

// listen starts an application on a Unix socket and returns a client for it.
func listen(t testing.TB, scripts ...script) (*fastcgi.Client, *app) {
	ln, err := net.Listen("unix", filepath.Join(t.TempDir(), "app.sock"))
	require.NoError(t, err)
	return listenOn(t, ln, scripts...)
}

func listenOn(t testing.TB, ln net.Listener, scripts ...script) (*fastcgi.Client, *app) {
	a := &app{t: t, scripts: scripts, ln: ln}
	a.wg.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			a.serve(conn)
		}
	})
	c := &fastcgi.Client{Network: ln.Addr().Network(), Address: ln.Addr().String()}
	t.Cleanup(func() { a.stop(c) })
	return c, a
}

// pipes is listen without a network, for tests in a bubble of package synctest; they must call the stop function.
func pipes(t testing.TB, scripts ...script) (c *fastcgi.Client, a *app, stop func()) {
	a = &app{t: t, scripts: scripts}
	c = &fastcgi.Client{Address: "pipe", Dial: func(context.Context, string, string) (net.Conn, error) {
		conn, appsEnd := net.Pipe()
		a.serve(appsEnd)
		return conn, nil
	}}
	return c, a, func() { a.stop(c) }
}

func (a *app) serve(conn net.Conn) {
	a.mu.Lock()
	defer a.mu.Unlock()
	play := a.scripts[min(a.conns, len(a.scripts)-1)]
	a.conns++
	a.open = append(a.open, conn)
	a.wg.Go(func() {
		defer conn.Close()
		play(&peer{Conn: conn, t: a.t})
	})
}

func (a *app) stop(c *fastcgi.Client) {
	c.Close()
	if a.ln != nil {
		a.ln.Close()
	}
	a.mu.Lock()
	for _, conn := range a.open {
		conn.Close()
	}
	a.mu.Unlock()
	a.wg.Wait()
}

// connections returns how many connections there have been.
func (a *app) connections() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.conns
}

func get() *adapters.Request {
	return &adapters.Request{Method: "GET", Proto: "HTTP/1.1", Script: adapters.Script{Name: "/x"}}
}

func post(body io.Reader, length int64) *adapters.Request {
	req := get()
	req.Method, req.Body, req.ContentLength = "POST", body, length
	return req
}

// do asks and reads the whole body.
func do(c *fastcgi.Client, req *adapters.Request) (*adapters.Response, string, error) {
	return doCtx(context.Background(), c, req)
}

func doCtx(ctx context.Context, c *fastcgi.Client, req *adapters.Request) (*adapters.Response, string, error) {
	resp, err := c.Serve(ctx, req)
	if err != nil {
		return nil, "", err
	}
	var b bytes.Buffer
	if _, err = adapters.Copy(&b, resp.Body); err == nil {
		_, again := resp.Body.Read(make([]byte, 1))
		if again != io.EOF {
			err = fmt.Errorf("%v behind the end", again)
		}
	}
	return resp, b.String(), errors.Join(err, resp.Body.Close())
}

func wantHello(t testing.TB, c *fastcgi.Client, req *adapters.Request) {
	t.Helper()
	resp, body, err := do(c, req)
	require.NoError(t, err)
	assert.Equal(t, 200, resp.Status)
	assert.Equal(t, "hello", body)
}

// soon fails the test unless done closes in time.
func soon(t testing.TB, done <-chan struct{}, what string) {
	t.Helper()
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		require.FailNow(t, "timed out", what)
	}
}

// A writer notes each Write and each Flush.
type writer struct {
	mu    sync.Mutex
	calls []string
	wrote chan struct{} // gets a token at each call, if not nil
}

func (w *writer) note(call string) {
	w.mu.Lock()
	w.calls = append(w.calls, call)
	w.mu.Unlock()
	if w.wrote != nil {
		w.wrote <- struct{}{}
	}
}

func (w *writer) noted() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.calls)
}

func (w *writer) Write(b []byte) (int, error) {
	w.note(fmt.Sprintf("%q", b))
	return len(b), nil
}

func (w *writer) Flush() { w.note("flush") }
