package faulttest

import (
	"io"
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
	"github.com/gangway-go/gangway/fastcgi/wire"
)

// A state is what goes on when a client leaves.
type state struct {
	name    string
	length  int    // of the body; -1 without one
	body    string // what is sent of it
	next    bool   // more requests are sent behind it
	floods  bool   // so much more of it is sent that some stays unread
	answers bool   // a part of the response has come
}

var states = []state{
	{name: "silent", length: -1},
	{name: "silent, next requests sent", length: -1, next: true},
	{name: "silent, upload sent", length: 4, body: "body"},
	{name: "silent, upload and next requests sent", length: 4, body: "body", next: true},
	{name: "silent, upload begun", length: 1e8, body: "begun"},
	{name: "silent, upload stuck", length: 1e8, body: "begun", floods: true},
	{name: "answer begun", length: -1, answers: true},
}

// unended reports whether more of the body is to come.
func (s *state) unended() bool { return s.length > len(s.body) }

// A departure is a way to leave.
type departure struct {
	name  string
	leave func(net.Conn)
}

var departures = []departure{
	{"FIN", func(c net.Conn) { c.Close() }},
	{"RST", func(c net.Conn) { adapters.ResetConn(c) }},
	{"half-close", func(c net.Conn) { c.(interface{ CloseWrite() error }).CloseWrite() }},
	{"abort", func(c net.Conn) { c.Write(wire.AppendRecord(nil, wire.TypeAbortRequest, 1, nil)) }},
}

// A scene is a client that leaves.
type scene struct {
	frontend  *front
	state     *state
	departure *departure
	backend   *backend
}

// run plays the scene and returns how long it takes until the application is told; ok is false if it is not in time. No
// limit of time of ours would tell it.
func (s *scene) run(t *testing.T, inTime time.Duration) (took time.Duration, ok bool) {
	h, w := s.backend.open(t, s.state)
	conn, stop := s.frontend.connect(t, h)
	defer func() { stop(ok) }()
	defer conn.Close()
	_, err := io.WriteString(conn, s.frontend.request(s.state))
	require.NoError(t, err)
	within(t, w.asked, "the application is asked")
	if s.state.answers {
		awaitPart(t, conn)
	}
	if s.state.floods {
		stuck := flood(t, conn, s.frontend.piece)
		assert.True(t, stuck || s.frontend.spools, "the other side does not stop reading")
	}
	began := time.Now()
	s.departure.leave(conn)
	select {
	case at := <-w.told:
		took, ok = at.Sub(began), true
	case <-time.After(inTime):
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

// flood sends until the other side stops reading, and not so much that the end of it would not get there. It reports
// whether that happens.
func flood(t *testing.T, conn net.Conn, piece string) bool {
	t.Helper()
	unread := unreadOf(t, conn)
	for total := 0; total < 8<<20; total += len(piece) {
		_, err := io.WriteString(conn, piece)
		require.NoError(t, err)
		for i := 0; unread(); i++ { // and not just for the moment
			if i == 20 {
				return true
			}
			time.Sleep(time.Millisecond)
		}
	}
	return false
}

// unreadOf returns what reports whether something that was sent on conn is still unread. The other end is in this
// process.
func unreadOf(t *testing.T, conn net.Conn) func() bool {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	require.NoError(t, err)
	for _, entry := range entries {
		fd, _ := strconv.Atoi(entry.Name())
		local, err1 := unix.Getsockname(fd)
		remote, err2 := unix.Getpeername(fd)
		if err1 == nil && err2 == nil && isAddr(local, conn.RemoteAddr()) && isAddr(remote, conn.LocalAddr()) {
			return func() bool {
				n, err := unix.IoctlGetInt(fd, unix.TIOCINQ)
				return n > 0 && err == nil
			}
		}
	}
	require.Fail(t, "the server has no such connection")
	return nil
}

func isAddr(a unix.Sockaddr, b net.Addr) bool {
	inet, ok := a.(*unix.SockaddrInet4)
	return ok && inet.Port == b.(*net.TCPAddr).Port
}

// TestDisconnects: whatever goes on, an application is told when its client has left, and nothing is left of it.
func TestDisconnects(t *testing.T) {
	if file := os.Getenv(disconnectTable); file != "" {
		measureDisconnects(t, file)
		return
	}
	for _, s := range allScenes() {
		if s.untold() {
			continue
		}
		t.Run(s.String(), func(t *testing.T) {
			t.Parallel()
			took, ok := s.run(t, patience)
			assert.True(t, ok, "the application is not told")
			t.Logf("told after %d ms", took.Milliseconds())
		})
	}
}

func (s *scene) String() string {
	return strings.Join([]string{s.frontend.name, s.backend.name, s.state.name, s.departure.name}, "/")
}

// allScenes returns what is possible of everything with everything. FastCGI and SCGI have one backend for all.
func allScenes() (all []scene) {
	for f := range fronts {
		for st := range states {
			for d := range departures {
				for b := range backends {
					s := scene{&fronts[f], &states[st], &departures[d], &backends[b]}
					if fronts[f].can(&s) {
						all = append(all, s)
					}
				}
			}
		}
	}
	return all
}
