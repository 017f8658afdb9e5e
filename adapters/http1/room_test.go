package http1

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/adapters"
)

// A syncBuffer may be written and read at once.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// logged has the log in the buffer.
func logged(to *syncBuffer) func(*Server) {
	return func(s *Server) { s.Log = slog.New(slog.NewTextHandler(to, nil)) }
}

// await waits until the connections have these states.
func await(t *testing.T, s *Server, want map[State]int) {
	t.Helper()
	assert.EventuallyWithT(t, func(c *assert.CollectT) { assert.Equal(c, want, s.Conns()) }, 20*time.Second, time.Millisecond)
}

func dialFrom(t *testing.T, from, addr string) net.Conn {
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	c, err := d.DialContext(t.Context(), "tcp", addr)
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(20 * time.Second))
	return c
}

// status sends a request and returns the status of the answer.
func status(t *testing.T, c net.Conn) int {
	io.WriteString(c, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	require.NoError(t, err)
	io.Copy(io.Discard, resp.Body)
	return resp.StatusCode
}

// held is a Handler whose requests for /hold last until release is closed; those for /stream have begun their answer.
func held(release chan struct{}) handler {
	return func(_ context.Context, req *adapters.Request) (*adapters.Response, error) {
		switch req.URI {
		case "/hold":
			<-release
		case "/stream":
			r, w := io.Pipe()
			go func() {
				io.WriteString(w, "begun")
				<-release
				w.Close()
			}()
			return text(200, r), nil
		}
		return adapters.Reply(200, "text/plain", "x"), nil
	}
}

func TestStates(t *testing.T) {
	release := make(chan struct{})
	s, addr := start(t, held(release))
	defer close(release)
	await(t, s, map[State]int{})
	dial(t, addr)
	await(t, s, map[State]int{StateNew: 1})
	io.WriteString(dial(t, addr), "GET / HT")
	idle := dial(t, addr)
	assert.Equal(t, 200, status(t, idle))
	io.WriteString(dial(t, addr), "GET /hold HTTP/1.1\r\nHost: h\r\n\r\n")
	io.WriteString(dial(t, addr), "GET /stream HTTP/1.1\r\nHost: h\r\n\r\n")
	io.WriteString(dial(t, addr), "GET /\r\n\r\n")
	all := map[State]int{StateNew: 1, StateHeader: 1, StateIdle: 1, StateRunning: 1, StateWriting: 1, StateClosing: 1}
	await(t, s, all)
	io.WriteString(idle, "G")
	all[StateHeader], all[StateIdle] = 2, 0
	delete(all, StateIdle)
	delete(all, StateClosing) // a second is over by then, or will be
	await(t, s, all)
	for state, name := range map[State]string{StateNew: "new", StateUpgraded: "upgraded", evicted: "evicted"} {
		assert.Equal(t, name, state.String())
	}
}

// TestRoom: who waits for a request makes room for others: the one whose patience is most used up.
func TestRoom(t *testing.T) {
	var log syncBuffer
	s, addr := start(t, echo, logged(&log), func(s *Server) { s.MaxConns = 3 })
	idle := dial(t, addr)
	assert.Equal(t, 200, status(t, idle))
	slow := dial(t, addr)
	io.WriteString(slow, "GET / HTTP/1.1\r\nHos")
	await(t, s, map[State]int{StateIdle: 1, StateHeader: 1})
	time.Sleep(fresh)
	dial(t, addr)
	await(t, s, map[State]int{StateIdle: 1, StateHeader: 1, StateNew: 1})
	time.Sleep(2 * fresh)
	assert.Equal(t, 200, status(t, dial(t, addr)))
	b, err := io.ReadAll(slow)
	assert.Empty(t, b)
	assert.NoError(t, err)
	await(t, s, map[State]int{StateIdle: 2, StateNew: 1})
	for range 4 {
		time.Sleep(2 * fresh)
		assert.Equal(t, 200, status(t, dial(t, addr)))
	}
	assert.EventuallyWithT(t, func(c *assert.CollectT) {
		assert.Contains(c, log.String(), "limit=connections times=")
	}, 20*time.Second, 10*time.Millisecond)
	assert.LessOrEqual(t, strings.Count(log.String(), "\n"), 4, "not a line for each")
}

func TestNoRoom(t *testing.T) {
	var log syncBuffer
	release := make(chan struct{})
	s, addr := start(t, held(release), logged(&log), func(s *Server) { s.MaxConns = 2 })
	for _, uri := range []string{"/hold", "/stream"} {
		io.WriteString(dial(t, addr), "GET "+uri+" HTTP/1.1\r\nHost: h\r\n\r\n")
	}
	await(t, s, map[State]int{StateRunning: 1, StateWriting: 1})
	assert.Contains(t, ask(t, addr, ""), "HTTP/1.1 503 ")
	var refused []net.Conn
	for range maxRefused + 20 {
		refused = append(refused, dial(t, addr))
	}
	unanswered := 0
	for _, c := range refused {
		if b, _ := io.ReadAll(c); len(b) == 0 {
			unanswered++
		}
	}
	assert.LessOrEqual(t, unanswered, 21, "the first one may still be there")
	close(release)
	await(t, s, map[State]int{StateIdle: 2})
	assert.Equal(t, 200, status(t, dial(t, addr)))
	assert.Contains(t, log.String(), `error="http1: 2 connections at once (limit connections)"`)
}

func TestConnectionsOfAClient(t *testing.T) {
	var log syncBuffer
	_, addr := start(t, echo, logged(&log), func(s *Server) { s.MaxClientConns = 2 })
	first, second := dialFrom(t, "127.0.0.1", addr), dialFrom(t, "127.0.0.1", addr)
	assert.Equal(t, 200, status(t, first))
	assert.Equal(t, 200, status(t, second))
	assert.Equal(t, 503, status(t, dialFrom(t, "127.0.0.1", addr)))
	assert.Contains(t, log.String(), "limit=client-connections")
	if other, err := (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}).Dial("tcp", addr); err == nil {
		defer other.Close()
		assert.Equal(t, 200, status(t, other))
	}
	first.Close()
	assert.Eventually(t, func() bool {
		c := dialFrom(t, "127.0.0.1", addr)
		defer c.Close()
		return status(t, c) == 200
	}, 20*time.Second, 10*time.Millisecond)
}

func TestClientsOfUnixSocketsAreNotCounted(t *testing.T) {
	ln, err := net.Listen("unix", t.TempDir()+"/s")
	require.NoError(t, err)
	s := &Server{Handler: adapters.HandlerFunc(echo), MaxClientConns: 1}
	go s.Serve(ln)
	for range 3 {
		c, err := net.Dial("unix", ln.Addr().String())
		require.NoError(t, err)
		defer c.Close()
		assert.Equal(t, 200, status(t, c))
	}
	assert.NoError(t, s.Shutdown(t.Context()))
}

// TestLimitsAreNamed: nobody is answered, so the log alone tells.
func TestLimitsAreNamed(t *testing.T) {
	var log syncBuffer
	_, addr := start(t, func(context.Context, *adapters.Request) (*adapters.Response, error) {
		zeros, _ := os.Open("/dev/zero")
		return text(200, zeros), nil
	}, logged(&log), func(s *Server) { s.WriteTimeout, s.HeaderTimeout, s.MaxHeader = 100*time.Millisecond, time.Second, 100 })
	io.WriteString(dial(t, addr), "GET / "+last+"\r\n")
	assert.Contains(t, ask(t, addr, "GET / HT"), "HTTP/1.1 408 ")
	assert.Contains(t, ask(t, addr, "GET /"+strings.Repeat("x", 200)), "HTTP/1.1 414 ")
	assert.Contains(t, ask(t, addr, "GET / HTTP/1.1\r\nA: "+strings.Repeat("x", 200)), "HTTP/1.1 431 ")
	assert.EventuallyWithT(t, func(c *assert.CollectT) {
		for _, limit := range []string{"write-timeout", "header-timeout", "uri", "header-bytes"} {
			assert.Contains(c, log.String(), " limit="+limit+" ")
		}
	}, 20*time.Second, 10*time.Millisecond)
}

// A shortListener has no descriptors left for some time.
type shortListener struct {
	net.Listener
	failures atomic.Int32
}

func (l *shortListener) Accept() (net.Conn, error) {
	if l.failures.Load() > 0 {
		l.failures.Add(-1)
		return nil, &net.OpError{Op: "accept", Err: os.NewSyscallError("accept", errTooMany)}
	}
	return l.Listener.Accept()
}

func TestOutOfDescriptors(t *testing.T) {
	var log syncBuffer
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ln := &shortListener{Listener: inner}
	s := &Server{Handler: adapters.HandlerFunc(echo)}
	logged(&log)(s)
	go s.Serve(ln)
	addr := inner.Addr().String()
	idle := dial(t, addr)
	assert.Equal(t, 200, status(t, idle))
	time.Sleep(2 * fresh)
	ln.failures.Store(5)
	assert.Equal(t, 200, status(t, dial(t, addr)), "accepted before")
	assert.Equal(t, 200, status(t, dial(t, addr)), "accepted afterwards")
	b, err := io.ReadAll(idle)
	assert.NoError(t, err)
	assert.Empty(t, b, "idle connections make room")
	assert.Equal(t, 1, strings.Count(log.String(), "no connection accepted"), log.String())
	assert.EventuallyWithT(t, func(c *assert.CollectT) {
		assert.Equal(c, 2, strings.Count(log.String(), "no connection accepted"))
		assert.Regexp(c, `too many open files" times=4\b`, log.String())
	}, 20*time.Second, 10*time.Millisecond)
	assert.NoError(t, s.Shutdown(t.Context()))
}
