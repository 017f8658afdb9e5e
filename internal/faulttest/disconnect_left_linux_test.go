package faulttest

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/adapters/proxy"
	gangfcgi "github.com/gangway-go/gangway/fastcgi"
	"github.com/gangway-go/gangway/internal/peer"
	"github.com/gangway-go/gangway/scgi"
)

// shortGrace is how long applications have after they were told.
const shortGrace = 300 * time.Millisecond

// stubborn are applications that do nothing about it when they are told, as far as they can.
var stubborn = []backend{
	{"FastCGI", func(t *testing.T, _ *state) (adapters.Handler, *witness) {
		socket, w := holder(t)
		c := &gangfcgi.Client{Address: socket, AbortGrace: shortGrace}
		t.Cleanup(func() { c.Close() })
		return c, w
	}},
	{"SCGI", func(t *testing.T, _ *state) (adapters.Handler, *witness) {
		socket, w := holder(t)
		return &scgi.Client{Network: "unix", Address: socket}, w
	}},
	{"HTTP", func(t *testing.T, _ *state) (adapters.Handler, *witness) {
		socket, w := holder(t)
		transport := proxy.NewTransport(func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socket)
		})
		t.Cleanup(transport.CloseIdleConnections)
		return &proxy.Handler{Target: &url.URL{Scheme: "http", Host: "app"}, Transport: transport}, w
	}},
	{"EGI", openEGI},
	{"CGI, sleeping", script("", "", shortGrace)},
	{"CGI, deaf", script(deafTrap, "", shortGrace)},
	{"CGI, deaf, with a deaf child", script(deafTrap, "(trap '' TERM; echo asked >&3; "+sleeps+") &", shortGrace)},
	{"CGI, deaf, with deaf grandchildren", script(deafTrap,
		`sh -c "trap '' TERM; (trap '' TERM; echo asked >&3; `+sleeps+`) & wait" &`, shortGrace)},
	{"CGI, deaf, grandchild deaf in a session of its own", script(deafTrap,
		`sh -c "trap '' TERM; setsid sh -c 'trap \"\" TERM; echo asked >&3; `+sleeps+`' & wait" &`, shortGrace)},
}

const deafTrap = "trap 'echo told >&3' TERM"

// holder is an application that holds its connection until the other side has closed both directions.
func holder(t *testing.T) (socket string, w *witness) {
	t.Helper()
	socket, w = filepath.Join(peer.Dir(t), "app"), newWitness(t)
	ln, err := net.Listen("unix", socket)
	require.NoError(t, err)
	freed := make(chan struct{})
	go func() {
		conn, err := ln.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		conn.Read(make([]byte, 4<<10))
		w.asked <- struct{}{}
		if leaves(conn, w.over) {
			w.tell()
		}
		for _, err := conn.Write(nil); err == nil && !isClosed(w.over); _, err = conn.Write(nil) {
			time.Sleep(time.Millisecond)
		}
		close(freed)
	}()
	w.rest = func(t *testing.T) { within(t, freed, "the connection is closed") }
	t.Cleanup(func() { ln.Close() })
	return socket, w
}

// holdings are the descriptors and children of this process.
func holdings(t *testing.T) (all []string) {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	require.NoError(t, err)
	for _, entry := range entries {
		if target, err := os.Readlink("/proc/self/fd/" + entry.Name()); err == nil && !strings.HasPrefix(target, "anon_inode:") {
			all = append(all, entry.Name()+" "+target)
		}
	}
	lists, _ := filepath.Glob("/proc/self/task/*/children")
	for _, list := range lists {
		text, _ := os.ReadFile(list)
		all = append(all, strings.Fields(string(text))...)
	}
	return all
}

// A farewell is how long after its client has left an application was told, and nothing of it was left.
type farewell struct{ told, ended time.Duration }

func (b *backend) leftBy(t *testing.T, s *state) (f farewell) {
	before := holdings(t)
	t.Run(b.name+"/"+s.name, func(t *testing.T) {
		h, w := b.open(t, s)
		conn, stop := fronts[0].connect(t, h)
		_, err := io.WriteString(conn, fronts[0].request(s))
		require.NoError(t, err)
		within(t, w.asked, "the application is asked")
		began := time.Now()
		conn.Close()
		f.told = within(t, w.told, "the application is told").Sub(began)
		if w.rest != nil {
			w.rest(t)
		}
		stop(true)
		f.ended = time.Since(began)
	})
	deadline := time.Now().Add(patience)
	for {
		left := slices.DeleteFunc(holdings(t), func(h string) bool { return slices.Contains(before, h) })
		if len(left) == 0 {
			return f
		}
		if time.Now().After(deadline) {
			assert.Fail(t, "left: "+strings.Join(left, ", "))
			return f
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// uploads are the states in which nothing of a body is unread, and in which most of it is.
var uploads = []*state{&states[0], &states[4]}

// TestNothingLeft: when the grace period is over nothing is left of an application whose client has left, whatever it
// does: no process, no descriptor.
func TestNothingLeft(t *testing.T) {
	for i := range stubborn {
		for _, s := range uploads {
			f := stubborn[i].leftBy(t, s)
			t.Logf("%s, %s: told after %v, nothing left after %v", stubborn[i].name, s.name, f.told, f.ended)
		}
	}
}

// leftTable has a row for each of them.
func leftTable(t *testing.T) string {
	text := "| application | told | nothing left | told, upload unread | nothing left |\n|---|--:|--:|--:|--:|\n"
	for i := range stubborn {
		text += "| " + stubborn[i].name + " |"
		for _, s := range uploads {
			var told, ended []time.Duration
			for range rounds {
				f := stubborn[i].leftBy(t, s)
				told, ended = append(told, f.told), append(ended, f.ended)
			}
			text += fmt.Sprintf(" %d | %d |", median(told), median(ended))
		}
		text += "\n"
	}
	return text
}

// median returns it in milliseconds.
func median(all []time.Duration) int64 {
	slices.Sort(all)
	return all[len(all)/2].Round(time.Millisecond).Milliseconds()
}

const leftAbout = `
## What becomes of the application

"--on-abort [[HOST]/PREFIX=]POLICY" decides it, for all applications or for the one of a "--mount":

| policy | when its client leaves, the application |
|---|---|
| abort, the default | is told at once, as above; what is left of it after the grace period is ended |
| finish, finish:TIME | goes on for a minute, or TIME, and what it answers is dropped; then it is told |
| ignore | is never told, and runs to its end: PHP's "ignore_user_abort" |

It counts as busy as long as it runs on: its process, connection or place in a pool is nobody else's. No limit of time but
that of finish holds for it then. A request whose body has not come whole is aborted in any case. When gangway stops,
applications that run on have the time of "--grace".

php-fpm does not look at what it is sent while a script runs: FCGI_ABORT_REQUEST reaches nobody, and the worker is busy
until the script says something, which the end of its connection ends, or has ended. Where gangway knows how many
requests an application takes at once ("serve", and MaxConns of fastcgi.Client) it goes on counting such a worker as busy,
for 5 minutes at most, and gives no other request to it.

## What is left

Behind HTTP/1.1 read by gangway, milliseconds until the application is told, and until nothing of it is left: no process,
no connection, no descriptor. The applications do nothing about it when they are told, if they can; the grace period is
300 ms here, and by default 1 s for FastCGI and 5 s for CGI. A script's descendants are ended with it, also in sessions
of their own; but a daemon, whose parents have ended before, goes on until gangway ends.

`
