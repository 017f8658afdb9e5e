package http1

import (
	"context"
	"io"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/adapters"
)

// The watch sleeps when there are no requests, also while an upgraded connection lasts, and is awake for the next one.
func TestWatchSleeps(t *testing.T) {
	told := make(chan bool, 1)
	s, addr := start(t, func(ctx context.Context, req *adapters.Request) (*adapters.Response, error) {
		if req.Header.Has("Upgrade") {
			app, _ := net.Pipe()
			return &adapters.Response{Status: 101, Body: app}, nil
		}
		<-ctx.Done()
		told <- true
		return nil, adapters.ErrAborted
	})
	upgraded := dial(t, addr)
	io.WriteString(upgraded, "GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n")
	for range 2 {
		require.Eventually(t, s.asleep.Load, 20*time.Second, time.Millisecond)
		c := dial(t, addr)
		io.WriteString(c, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
		require.Eventually(t, func() bool { return s.Conns()[StateRunning] == 1 }, 20*time.Second, time.Millisecond)
		assert.False(t, s.asleep.Load())
		c.Close()
		<-told
	}
}
