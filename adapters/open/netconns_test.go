package open_test

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/adapters/open"
	"github.com/gangway-go/gangway/egi"
)

// A sharedBuffer may be written and read at once.
type sharedBuffer struct {
	mu sync.Mutex
	bytes.Buffer
}

func (b *sharedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.Write(p)
}

func (b *sharedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.String()
}

// startNet starts a listener of net/http with these limits.
func startNet(t *testing.T, h adapters.Handler, limits open.ListenLimits) (l *open.Listener, log *sharedBuffer) {
	log = &sharedBuffer{}
	l, err := open.Listen("http://127.0.0.1:0", h, open.ListenOptions{
		NetHTTP: true, Limits: limits, Log: slog.New(slog.NewTextHandler(log, nil)),
	})
	require.NoError(t, err)
	served := make(chan error, 1)
	go func() { served <- l.Serve() }()
	t.Cleanup(func() {
		over, cancel := context.WithCancel(context.Background())
		cancel()
		l.Shutdown(over)
		assert.NoError(t, <-served)
	})
	return l, log
}

// dialNet connects to l, and asks for path unless that is empty. The answer may be that there is none.
func dialNet(t *testing.T, l *open.Listener, path string) (c net.Conn, status int) {
	c, err := net.Dial("tcp", strings.TrimPrefix(l.String(), "http://"))
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(20 * time.Second))
	if path == "" {
		return c, 0
	}
	io.WriteString(c, "GET "+path+" HTTP/1.1\r\nHost: h\r\n\r\n")
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return c, 0
	}
	io.Copy(io.Discard, resp.Body)
	return c, resp.StatusCode
}

func TestConnectionsOfNetHTTP(t *testing.T) {
	l, log := startNet(t, egi.Echo, open.ListenLimits{MaxConns: 2})
	states := func(want map[string]int) func(*assert.CollectT) {
		return func(c *assert.CollectT) { assert.Equal(c, want, l.Conns()) }
	}
	idle, status := dialNet(t, l, "/")
	assert.Equal(t, 200, status)
	require.EventuallyWithT(t, states(map[string]int{"idle": 1}), 20*time.Second, time.Millisecond)
	dialNet(t, l, "")
	assert.EventuallyWithT(t, states(map[string]int{"idle": 1, "new": 1}), 20*time.Second, time.Millisecond)
	time.Sleep(200 * time.Millisecond)
	_, status = dialNet(t, l, "/")
	assert.Equal(t, 200, status)
	b, err := io.ReadAll(idle)
	assert.NoError(t, err)
	assert.Empty(t, b, "who waits longest makes room")
	assert.EventuallyWithT(t, states(map[string]int{"idle": 1, "new": 1}), 20*time.Second, time.Millisecond)
	assert.Contains(t, log.String(), "limit=connections times=1")
}

func TestBusyConnectionsOfNetHTTP(t *testing.T) {
	begun, release := make(chan struct{}), make(chan struct{})
	h := adapters.HandlerFunc(func(context.Context, *adapters.Request) (*adapters.Response, error) {
		begun <- struct{}{}
		<-release
		return adapters.Reply(200, "text/plain", "x"), nil
	})
	l, _ := startNet(t, h, open.ListenLimits{MaxConns: 1})
	statuses := make(chan int)
	go func() {
		_, status := dialNet(t, l, "/")
		statuses <- status
	}()
	<-begun
	time.Sleep(200 * time.Millisecond)
	_, status := dialNet(t, l, "/")
	assert.Zero(t, status, "closed")
	close(release)
	assert.Equal(t, 200, <-statuses)
}

func TestConnectionsOfAClientOfNetHTTP(t *testing.T) {
	l, log := startNet(t, egi.Echo, open.ListenLimits{MaxClientConns: 1})
	first, status := dialNet(t, l, "/")
	assert.Equal(t, 200, status)
	_, status = dialNet(t, l, "/")
	assert.Zero(t, status, "closed")
	assert.Contains(t, log.String(), "limit=client-connections")
	first.Close()
	assert.Eventually(t, func() bool {
		_, status := dialNet(t, l, "/")
		return status == 200
	}, 20*time.Second, 10*time.Millisecond)
}
