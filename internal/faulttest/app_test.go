//go:build unix

package faulttest

import (
	"bytes"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/gangway-go/gangway/fastcgi/wire"
	"github.com/gangway-go/gangway/internal/peer"
)

const (
	// patience bounds what must happen.
	patience = 20 * time.Second
	// moment bounds what must not happen: whoever has not done it after a moment is taken to never do it.
	moment = 1500 * time.Millisecond
)

// An app is a FastCGI application that misbehaves as the path of a request wants it, see scenes.
type app struct {
	socket string
	calls  chan *call // every request, when its FCGI_PARAMS are complete

	mu      sync.Mutex
	conns   map[net.Conn]bool
	serving sync.WaitGroup
}

// A call is a request that the application got.
type call struct {
	app    *app
	conn   net.Conn
	id     uint16
	role   wire.Role
	flags  uint8
	params map[string]string
	nth    int   // of its connection, from 1
	before *call // on the same connection

	stdin  bytes.Buffer  // until whole or gone
	whole  chan struct{} // closed at the end of FCGI_STDIN
	gone   chan struct{} // closed at FCGI_ABORT_REQUEST and at the end of the connection
	how    string        // it went: "abort" or "close"
	next   chan struct{} // closed by the next request on the connection
	ended  chan struct{} // closed when the scene is over
	pairs  []byte
	leaves sync.Once
}

func newApp(t *testing.T) *app {
	a := &app{
		socket: filepath.Join(peer.Dir(t), "app"), calls: make(chan *call, 5000), conns: map[net.Conn]bool{},
	}
	return a
}

// startApp returns an application that listens.
func startApp(t *testing.T) *app {
	a := newApp(t)
	a.listen(t)
	return a
}

func (a *app) listen(t *testing.T) {
	ln, err := net.Listen("unix", a.socket)
	require.NoError(t, err)
	require.NoError(t, os.Chmod(a.socket, 0o666))
	a.serving.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			a.mu.Lock()
			a.conns[conn] = true
			a.mu.Unlock()
			a.serving.Go(func() { a.serve(conn) })
		}
	})
	t.Cleanup(func() {
		ln.Close()
		a.drop()
		a.serving.Wait()
	})
}

// drop closes all connections, as a restart does.
func (a *app) drop() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for conn := range a.conns {
		conn.Close()
	}
}

// open returns how many connections the other side keeps open.
func (a *app) open() (n int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for conn := range a.conns {
		if !hungUp(conn) {
			n++
		}
	}
	return n
}

// hungUp reports whether the other side has closed conn, whatever of it was not read yet.
func hungUp(conn net.Conn) (up bool) {
	raw, err := conn.(*net.UnixConn).SyscallConn()
	if err != nil {
		return true
	}
	err = raw.Control(func(fd uintptr) {
		fds := []unix.PollFd{{Fd: int32(fd)}}
		n, _ := unix.Poll(fds, 0)
		up = n > 0
	})
	return up || err != nil
}

// call returns the next request that the application gets; nil if none comes.
func (a *app) call(wait time.Duration) *call {
	if len(a.calls) == 0 && wait == 0 {
		return nil
	}
	select {
	case c := <-a.calls:
		return c
	case <-time.After(max(wait, moment)):
		return nil
	}
}

// must is call for a request that must come.
func (a *app) must(t *testing.T) *call {
	t.Helper()
	c := a.call(patience)
	require.NotNil(t, c, "the application is not asked")
	return c
}

func (a *app) serve(conn net.Conn) {
	calls := map[uint16]*call{}
	defer func() {
		for _, c := range calls {
			c.leave("close")
		}
		conn.Close()
		a.mu.Lock()
		delete(a.conns, conn)
		a.mu.Unlock()
	}()
	var last *call
	for {
		h, content, err := readRecord(conn)
		if err != nil {
			return
		}
		c := calls[h.RequestID]
		switch {
		case h.Type == wire.TypeBeginRequest:
			begin, _ := wire.ParseBeginRequest(content)
			last = newCall(a, conn, h.RequestID, begin, last)
			calls[h.RequestID] = last
		case c == nil:
		case h.Type == wire.TypeParams && len(content) > 0:
			c.pairs = append(c.pairs, content...)
		case h.Type == wire.TypeParams:
			c.begin()
		case h.Type == wire.TypeStdin && len(content) > 0:
			c.stdin.Write(content)
		case h.Type == wire.TypeStdin && !isClosed(c.whole):
			close(c.whole)
		case h.Type == wire.TypeAbortRequest:
			c.leave("abort")
		}
	}
}

func isClosed(c chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func readRecord(r io.Reader) (wire.Header, []byte, error) {
	head := make([]byte, wire.HeaderLen)
	if _, err := io.ReadFull(r, head); err != nil {
		return wire.Header{}, nil, err
	}
	h, _ := wire.ParseHeader(head)
	content := make([]byte, int(h.ContentLength)+int(h.PaddingLength))
	_, err := io.ReadFull(r, content)
	return h, content[:h.ContentLength], err
}

func newCall(a *app, conn net.Conn, id uint16, begin wire.BeginRequest, before *call) *call {
	c := &call{
		app: a, conn: conn, id: id, role: begin.Role, flags: begin.Flags, nth: 1, before: before, params: map[string]string{},
		whole: make(chan struct{}), gone: make(chan struct{}), next: make(chan struct{}), ended: make(chan struct{}),
	}
	if before != nil {
		c.nth = before.nth + 1
		close(before.next)
	}
	return c
}

// begin plays the scene, while a deaf one reads nothing.
func (c *call) begin() {
	for rest := c.pairs; len(rest) > 0; {
		name, value, more, err := wire.ParsePair(rest)
		if err != nil {
			break
		}
		c.params[string(name)], rest = string(value), more
	}
	c.app.calls <- c
	path := c.params["SCRIPT_NAME"] + c.params["PATH_INFO"]
	scene, ok := scenes[path]
	if !ok { // as the web server was asked
		path, _, _ = strings.Cut(c.params["REQUEST_URI"], "?")
		scene, ok = scenes[path]
	}
	if !ok {
		scene = says("Content-Length: 5\r\n" + hello)
	}
	play := func() {
		defer close(c.ended)
		scene(c)
	}
	if strings.HasPrefix(path, "/deaf") {
		play()
		return
	}
	c.app.serving.Go(play)
}

func (c *call) leave(how string) {
	c.leaves.Do(func() {
		c.how = how
		close(c.gone)
	})
}

// body waits for the end of FCGI_STDIN; it reports whether that came.
func (c *call) body() bool {
	select {
	case <-c.whole:
		return true
	case <-c.gone:
		return false
	}
}

func (c *call) raw(b []byte) { c.conn.Write(b) }

func (c *call) stream(kind wire.Type, text string) {
	c.raw(wire.AppendStream(nil, kind, c.id, []byte(text)))
}

func (c *call) stdout(text string) { c.stream(wire.TypeStdout, text) }

// end ends the request, and the connection unless it is to be kept.
func (c *call) end(status wire.ProtocolStatus) {
	c.raw(wire.EndRequest{ProtocolStatus: status}.Append(nil, c.id))
	if c.flags&wire.FlagKeepConn == 0 {
		c.conn.Close()
	}
}

// multiplex sends requests for /query at once on one connection and returns how many answers are wrong.
func multiplex(t *testing.T, conn net.Conn, requests int) (wrong int) {
	t.Helper()
	var all []byte
	for id := uint16(1); id <= uint16(requests); id++ {
		all = wire.BeginRequest{Role: wire.RoleResponder, Flags: wire.FlagKeepConn}.Append(all, id)
		var pairs []byte
		for name, value := range map[string]string{
			"REQUEST_METHOD": "GET", "REQUEST_URI": "/query", "QUERY_STRING": strconv.Itoa(int(id)), "PATH_INFO": "/query",
		} {
			pairs = wire.AppendPair(pairs, name, value)
		}
		all = wire.AppendEnd(wire.AppendRecord(all, wire.TypeParams, id, pairs), wire.TypeParams, id)
		all = wire.AppendEnd(all, wire.TypeStdin, id)
	}
	conn.SetDeadline(time.Now().Add(patience))
	_, err := conn.Write(all)
	require.NoError(t, err)
	answers := map[uint16]string{}
	for ended := 0; ended < requests; {
		h, content, err := readRecord(conn)
		require.NoError(t, err)
		switch h.Type {
		case wire.TypeStdout:
			answers[h.RequestID] += string(content)
		case wire.TypeEndRequest:
			ended++
		}
	}
	for id := uint16(1); id <= uint16(requests); id++ {
		if _, body, _ := strings.Cut(answers[id], "\r\n\r\n"); body != strconv.Itoa(int(id)) {
			wrong++
		}
	}
	return wrong
}
