package faulttest

import (
	"context"
	"io"
	"log/slog"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/adapters/open"
)

// A state is what goes on when a client leaves.
type state struct {
	name    string
	send    func(*testing.T, net.Conn) // the request
	answers bool                       // a part of the response has come
	body    bool                       // there is one
	unended bool                       // which has not come as a whole
	unread  bool                       // bytes stay unread, whatever the backend reads of the body
	floods  bool                       // so many bytes are sent that some stay unread
}

const (
	host  = " HTTP/1.1\r\nHost: localhost\r\n"
	begun = "POST /" + host + "Content-Length: 100000000\r\n\r\nbegun"
)

// pipelined are more requests than a buffer holds.
var pipelined = strings.Repeat("GET /next"+host+"\r\n", 500)

var states = []state{
	{name: "silent", send: sends("GET /" + host + "\r\n")},
	{name: "silent, next requests sent", send: sends("GET /" + host + "\r\n" + pipelined), unread: true},
	{name: "silent, upload sent", body: true, send: sends("POST /" + host + "Content-Length: 4\r\n\r\nbody")},
	{name: "silent, upload and next requests sent", body: true, unread: true,
		send: sends("POST /" + host + "Content-Length: 4\r\n\r\nbody" + pipelined)},
	{name: "silent, upload begun", send: sends(begun), body: true, unended: true},
	{name: "silent, upload stuck", send: sends(begun), body: true, unended: true, unread: true, floods: true},
	{name: "answer begun", send: sends("GET /" + host + "\r\n"), answers: true},
}

func sends(text string) func(*testing.T, net.Conn) {
	return func(t *testing.T, c net.Conn) {
		_, err := io.WriteString(c, text)
		require.NoError(t, err)
	}
}

// A departure is a way to leave.
type departure struct {
	name  string
	leave func(net.Conn)
}

var departures = []departure{
	{"FIN", func(c net.Conn) { c.Close() }},
	{"RST", func(c net.Conn) { adapters.ResetConn(c) }},
	{"half-close", func(c net.Conn) { c.(interface{ CloseWrite() error }).CloseWrite() }},
}

// A scene is a client that leaves.
type scene struct {
	state     *state
	departure *departure
	backend   *backend
	netHTTP   bool
}

// blind reports whether net/http does not notice: it reads in the background when it has read the whole body, and stops
// at the first byte of the next request.
func (s *scene) blind() bool {
	return s.netHTTP && (s.state.unread || s.state.body && s.backend.name == "EGI")
}

// toldWithin is how soon an application must be told.
const toldWithin = 2 * time.Second

// run plays the scene and returns how long it takes until the application is told; ok is false if it is not in time.
func (s *scene) run(t *testing.T) (took time.Duration, ok bool) {
	h, w := s.backend.open(t, s.state)
	ln, err := open.Listen("http://127.0.0.1:0", h, open.ListenOptions{NetHTTP: s.netHTTP, Log: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	served := make(chan error, 1)
	go func() { served <- ln.Serve() }()
	defer func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if !ok { // the application does not end
			cancel()
		}
		err := ln.Shutdown(ctx)
		assert.True(t, err == nil || !ok, "%v", err)
		assert.NoError(t, <-served)
	}()
	conn, err := net.Dial("tcp", strings.TrimPrefix(ln.String(), "http://"))
	require.NoError(t, err)
	defer conn.Close()
	s.state.send(t, conn)
	within(t, w.asked, "the application is asked")
	if s.state.answers {
		awaitPart(t, conn)
	}
	if s.state.floods {
		flood(t, conn)
	}
	began := time.Now()
	s.departure.leave(conn)
	select {
	case at := <-w.told:
		took, ok = at.Sub(began), true
	case <-time.After(toldWithin):
		return 0, false
	}
	if w.rest != nil {
		w.rest(t)
	}
	return took, ok
}

func within[T any](t *testing.T, c <-chan T, what string) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(patience):
		require.Fail(t, "not in time: "+what)
	}
	return v
}

func awaitPart(t *testing.T, conn net.Conn) {
	t.Helper()
	require.NoError(t, conn.SetReadDeadline(time.Now().Add(patience)))
	buf, n := make([]byte, 4<<10), 0
	for !strings.Contains(string(buf[:n]), part) {
		m, err := conn.Read(buf[n:])
		require.NoError(t, err)
		n += m
	}
}

// flood sends until the other side stops reading, and not so much that the end of it would not get there.
func flood(t *testing.T, conn net.Conn) {
	t.Helper()
	fd, piece := otherEnd(t, conn), make([]byte, 8<<10)
	for total := 0; total < 64<<20; total += len(piece) {
		_, err := conn.Write(piece)
		require.NoError(t, err)
		if staysUnread(fd) {
			return
		}
	}
	require.Fail(t, "the other side does not stop reading")
}

// staysUnread reports whether there is something to read from fd, and not just for the moment.
func staysUnread(fd int) bool {
	for range 20 {
		if n, err := unix.IoctlGetInt(fd, unix.TIOCINQ); n == 0 || err != nil {
			return false
		}
		time.Sleep(time.Millisecond)
	}
	return true
}

// otherEnd returns the descriptor that the server, which runs in this process, has for conn.
func otherEnd(t *testing.T, conn net.Conn) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	require.NoError(t, err)
	for _, entry := range entries {
		fd, _ := strconv.Atoi(entry.Name())
		local, err1 := unix.Getsockname(fd)
		remote, err2 := unix.Getpeername(fd)
		if err1 == nil && err2 == nil && isAddr(local, conn.RemoteAddr()) && isAddr(remote, conn.LocalAddr()) {
			return fd
		}
	}
	require.Fail(t, "the server has no such connection")
	return 0
}

func isAddr(a unix.Sockaddr, b net.Addr) bool {
	inet, ok := a.(*unix.SockaddrInet4)
	return ok && inet.Port == b.(*net.TCPAddr).Port
}

// TestDisconnects: whatever goes on, an application is told when its client has left, and nothing is left of it.
func TestDisconnects(t *testing.T) {
	for _, s := range scenesOf(false) {
		t.Run(s.String(), func(t *testing.T) {
			t.Parallel()
			took, ok := s.run(t)
			assert.True(t, ok, "the application is not told")
			t.Logf("told after %d ms", took.Milliseconds())
		})
	}
}

func (s *scene) String() string {
	front := "http1"
	if s.netHTTP {
		front = "net-http"
	}
	return strings.Join([]string{front, s.backend.name, s.state.name, s.departure.name}, "/")
}

// scenesOf returns all scenes, also those to which net/http is blind if it is to be told.
func scenesOf(withBlind bool) (all []scene) {
	for i := range states {
		for j := range departures {
			for k := range backends {
				for _, netHTTP := range []bool{false, true} {
					s := scene{&states[i], &departures[j], &backends[k], netHTTP}
					if withBlind || !s.blind() {
						all = append(all, s)
					}
				}
			}
		}
	}
	return all
}
