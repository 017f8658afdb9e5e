package http1

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/internal/peer"
)

// shutDown begins a Shutdown and returns when the server is draining.
func shutDown(t *testing.T, s *Server) (done chan error) {
	t.Helper()
	done = make(chan error, 1)
	go func() { done <- s.Shutdown(context.Background()) }()
	require.Eventually(t, s.draining.Load, 20*time.Second, time.Millisecond)
	return done
}

// A request that is on its way when the server shuts down is answered, and the client told that it is the last one.
func TestShutdownAnswersWhatIsOnItsWay(t *testing.T) {
	s, addr := start(t, echo, func(s *Server) { s.IdleTimeout, s.BodyTimeout = time.Minute, time.Minute })
	used, fresh, upload, silent := dial(t, addr), dial(t, addr), dial(t, addr), dial(t, addr)
	for _, c := range []net.Conn{used, upload} {
		io.WriteString(c, "GET /1 HTTP/1.1\r\nHost: h\r\n\r\n")
		_, err := io.ReadFull(c, make([]byte, len(ok+"Content-Length: 7\r\nDate: Mon, 02 Jan 2006 15:04:05 GMT\r\n\r\nGET /1 ")))
		require.NoError(t, err)
	}
	require.Eventually(t, func() bool { c := s.Conns(); return c[StateNew] == 2 && c[StateIdle] == 2 }, 20*time.Second,
		time.Millisecond)
	done := shutDown(t, s)
	for _, c := range []net.Conn{used, fresh} {
		io.WriteString(c, "GET /2 HTTP/1.1\r\nHost: h\r\n\r\n")
		b, err := io.ReadAll(c)
		require.NoError(t, err)
		assert.Equal(t, ok+"Content-Length: 7\r\nConnection: close\r\n\r\nGET /2 ", undated(string(b)))
	}
	io.WriteString(upload, "POST /3 HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nb")
	time.Sleep(adapters.IdleEnd(context.Background()) + 200*time.Millisecond) // its body has its own time
	assert.Empty(t, done)
	io.WriteString(upload, "ody")
	b, err := io.ReadAll(upload)
	require.NoError(t, err)
	assert.Contains(t, string(b), "POST /3 body")
	b, err = io.ReadAll(silent)
	require.NoError(t, err)
	assert.Empty(t, b)
	require.NoError(t, <-done)
}

// A connection that is being handed over is waited for, for nobody else has it yet.
func TestShutdownWaitsForTheHandOver(t *testing.T) {
	begun, release := make(chan struct{}), make(chan struct{})
	s, addr := start(t, echo, func(s *Server) {
		s.HTTP2 = func(c net.Conn) {
			close(begun)
			<-release
			c.Close()
		}
	})
	io.WriteString(dial(t, addr), http2Preface+"SM\r\n\r\n")
	<-begun
	done := shutDown(t, s)
	time.Sleep(50 * time.Millisecond)
	assert.Empty(t, done)
	close(release)
	assert.NoError(t, <-done)
}

// A connection that waits for nothing is not cut, however short the time is.
func TestShutdownWithIdleConnections(t *testing.T) {
	for _, grace := range []time.Duration{0, time.Nanosecond, 50 * time.Millisecond} {
		s, addr := start(t, echo)
		dial(t, addr)
		require.Eventually(t, func() bool { return s.Conns()[StateNew] == 1 }, 20*time.Second, time.Millisecond)
		ctx, cancel := context.WithTimeout(t.Context(), grace)
		assert.NoError(t, s.Shutdown(ctx), "%v", grace)
		cancel()
	}
}

func TestShutdownServesWhatIsAccepted(t *testing.T) {
	s := &Server{Handler: adapters.HandlerFunc(echo), Log: slog.New(slog.DiscardHandler)}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer ln.Close()
	client := dial(t, ln.Addr().String())
	accepted, err := ln.Accept()
	require.NoError(t, err)
	late := peer.LateListener(accepted)
	served := make(chan error, 1)
	go func() { served <- s.Serve(late) }()
	require.Eventually(t, func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return len(s.listeners) == 1
	}, 20*time.Second, time.Millisecond)
	done := shutDown(t, s)
	time.Sleep(50 * time.Millisecond)
	require.Empty(t, done)
	io.WriteString(client, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	b, err := io.ReadAll(client)
	require.NoError(t, err)
	assert.Contains(t, string(b), "GET / ")
	require.NoError(t, <-done)
	assert.ErrorIs(t, <-served, http.ErrServerClosed)
}
