package faulttest

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/adapters/proxy"
	"github.com/gangway-go/gangway/cgi"
	"github.com/gangway-go/gangway/egi"
	gangfcgi "github.com/gangway-go/gangway/fastcgi"
	"github.com/gangway-go/gangway/internal/peer"
	"github.com/gangway-go/gangway/scgi"
)

// part is what applications say that say something before they fall silent.
const part = "data: 1\n\n"

// A witness is an application that reads nothing of a body, and notes when it learns that its client has gone.
type witness struct {
	asked chan struct{}
	told  chan time.Time
	rest  func(*testing.T) // asserts that nothing is left of it; may be nil
	over  chan struct{}    // closed when it shall end untold
}

// newWitness returns a witness that ends with the test.
func newWitness(t *testing.T) *witness {
	w := &witness{asked: make(chan struct{}, 1), told: make(chan time.Time, 1), over: make(chan struct{})}
	t.Cleanup(func() { close(w.over) })
	return w
}

// A backend opens the way to a new application that says what it is told to say and then waits for the end.
type backend struct {
	name string
	open func(t *testing.T, s *state) (adapters.Handler, *witness)
}

var backends = []backend{
	{"FastCGI", openFastCGI},
	{"SCGI", func(t *testing.T, s *state) (adapters.Handler, *witness) {
		socket, w := connWitness(t, s.says("Content-Type: text/event-stream\r\n\r\n"))
		return &scgi.Client{Network: "unix", Address: socket}, w
	}},
	{"HTTP", func(t *testing.T, s *state) (adapters.Handler, *witness) {
		socket, w := connWitness(t, s.says("HTTP/1.1 200 OK\r\n\r\n"))
		transport := proxy.NewTransport(func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socket)
		})
		t.Cleanup(transport.CloseIdleConnections)
		return &proxy.Handler{Target: &url.URL{Scheme: "http", Host: "app"}, Transport: transport}, w
	}},
	{"EGI", openEGI},
	{"CGI", script(exits, "", time.Minute)},
	{"CGI with a child", script(exits, "("+exits+"; echo asked >&3; "+sleeps+") &", time.Minute)},
	{"CGI, sleeping", script("", "", time.Minute)},
	{"CGI with grandchildren", script(exits, `sh -c "(`+exits+`; echo asked >&3; `+sleeps+`) & wait" &`, time.Minute)},
	{"CGI, grandchild in a session of its own", script(exits,
		`sh -c 'setsid sh -c "echo asked >&3; exec sleep 1000" & wait' &`, time.Minute)},
	{"CGI, deaf", script("trap 'echo told >&3' TERM",
		"(trap '' TERM; echo asked >&3; "+sleeps+") &", 300*time.Millisecond)},
}

func init() {
	scenes["/deaf-look"] = func(c *call) {
		if leaves(c.conn, nil) {
			c.leave("close")
		}
	}
}

// openFastCGI has the application's library read records, unless there is a body that does not end: then the
// application reads nothing at all, and looks at its connection.
func openFastCGI(t *testing.T, s *state) (adapters.Handler, *witness) {
	a, w := startApp(t), newWitness(t)
	go func() {
		c := a.call(patience)
		if c == nil {
			return
		}
		w.asked <- struct{}{}
		<-c.gone
		w.tell()
		c.conn.Close()
	}()
	c := &gangfcgi.Client{Address: a.socket, AbortGrace: time.Minute} // else its end would tell
	t.Cleanup(func() { c.Close() })
	scene := "/silent"
	switch {
	case s.answers:
		scene = "/events"
	case s.unended():
		scene = "/deaf-look"
	}
	return adapters.HandlerFunc(func(ctx context.Context, req *adapters.Request) (*adapters.Response, error) {
		r := *req
		r.Script.PathInfo, r.URI = scene, scene
		return c.Serve(ctx, &r)
	}), w
}

func openEGI(t *testing.T, s *state) (adapters.Handler, *witness) {
	w := newWitness(t)
	return egi.Func(func(rw http.ResponseWriter, r *egi.Request) error {
		if s.answers {
			io.WriteString(rw, part)
			rw.(http.Flusher).Flush()
		}
		w.asked <- struct{}{}
		select {
		case <-r.Context().Done():
			w.tell()
		case <-w.over:
		}
		return nil
	}), w
}

// says returns the answer with this header, if there is one.
func (s *state) says(header string) string {
	if s.answers {
		return header + part
	}
	return ""
}

// connWitness is an application that takes what comes first, says its text and then only looks at its connection.
func connWitness(t *testing.T, text string) (socket string, w *witness) {
	t.Helper()
	socket, w = filepath.Join(peer.Dir(t), "app"), newWitness(t)
	ln, err := net.Listen("unix", socket)
	require.NoError(t, err)
	go func() {
		conn, err := ln.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		conn.Read(make([]byte, 4<<10))
		io.WriteString(conn, text)
		w.asked <- struct{}{}
		if leaves(conn, w.over) {
			w.tell()
		}
	}()
	t.Cleanup(func() { ln.Close() })
	return socket, w
}

// leaves waits until the other side of conn sends no more, or until over is closed.
func leaves(conn net.Conn, over chan struct{}) (left bool) {
	raw, err := conn.(*net.UnixConn).SyscallConn()
	if err != nil {
		return false
	}
	for err == nil && !left && !isClosed(over) {
		err = raw.Control(func(fd uintptr) {
			fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLRDHUP}}
			n, _ := unix.Poll(fds, 10)
			left = n > 0
		})
	}
	return left
}

const (
	sleeps = "while :; do sleep 0.2; done" // in pieces, for a signal may come when sleep is not executed yet
	exits  = "trap 'echo told >&3; exit' TERM"
)

// script returns a backend that runs a shell script, which may begin with a child of its own. What runs holds a pipe
// open and tells by it: each that it has begun, and that it got SIGTERM. To be killed is to be told, too.
func script(trap, child string, grace time.Duration) func(*testing.T, *state) (adapters.Handler, *witness) {
	return func(t *testing.T, s *state) (adapters.Handler, *witness) {
		fifo := filepath.Join(peer.Dir(t), "told")
		require.NoError(t, unix.Mkfifo(fifo, 0o600))
		r, err := os.OpenFile(fifo, os.O_RDONLY|unix.O_NONBLOCK, 0)
		require.NoError(t, err)
		keep, err := os.OpenFile(fifo, os.O_WRONLY, 0)
		require.NoError(t, err)
		text := fmt.Sprintf("exec 3>%s\n%s\n%s\n", fifo, trap, child)
		if s.answers {
			text += `printf 'Content-Type: text/event-stream\n\ndata: 1\n\n'` + "\n"
		}
		text += "echo asked >&3\n"
		if trap != "" {
			text += sleeps
		} else {
			text += "exec sleep 1000"
		}
		c := &cgi.Script{Path: newScript(t, text), Grace: grace}
		begun := 1 + strings.Count(child, "asked")
		w, end := newWitness(t), make(chan struct{})
		go func() {
			defer close(end)
			defer r.Close()
			w.listen(bufio.NewScanner(r), begun, keep)
		}()
		w.rest = func(t *testing.T) {
			select {
			case <-end:
			case <-time.After(patience):
				t.Error("processes are left")
			}
		}
		t.Cleanup(func() {
			assert.NoError(t, c.Close())
			keep.Close()
			r.SetReadDeadline(time.Now())
			<-end
		})
		return c, w
	}
}

// listen takes what processes say until all have ended. With keep it holds their pipe until they have begun.
func (w *witness) listen(lines *bufio.Scanner, begun int, keep io.Closer) {
	for lines.Scan() {
		switch lines.Text() {
		case "asked":
			if begun--; begun == 0 {
				keep.Close()
				time.Sleep(20 * time.Millisecond) // until they sleep
				w.asked <- struct{}{}
			}
		case "told":
			w.tell()
		}
	}
	w.tell()
}

// tell notes that the application is told, the first time.
func (w *witness) tell() {
	select {
	case w.told <- time.Now():
	default:
	}
}
