package fastcgi

import (
	"context"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/internal/peer"
)

// A request that is on its way when the server shuts down is answered, also if the web server has one after the other.
func TestServerShutdownAnswersWhatIsOnItsWay(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		t.Run(network, func(t *testing.T) {
			ts := serveTest(t, network, &Server{Handler: testApp})
			used, fresh, silent := ts.dial(), ts.dial(), ts.dial()
			used.send(get(1, responderKeep))
			used.expect(ok(1, ""))
			eventually(t, func() bool { return ts.Conns() == 3 && allIdle(ts.Server) })
			done := make(chan error, 1)
			go func() { done <- ts.Shutdown(context.Background()) }()
			eventually(t, func() bool {
				ts.mu.Lock()
				defer ts.mu.Unlock()
				return ts.closed
			})
			used.send(get(1, responderKeep, pair("X", "1")))
			fresh.send(get(1, responderKeep, pair("X", "2")))
			used.expectEnd(ok(1, "[X=1]"))
			fresh.expectEnd(ok(1, "[X=2]"))
			silent.expectEnd("")
			require.NoError(t, <-done)
		})
	}
}

// A connection without a request is not cut.
func TestServerShutdownWithIdleConnections(t *testing.T) {
	ts := serveTest(t, "unix", &Server{Handler: testApp})
	w := ts.dial()
	w.send(get(1, responderKeep))
	w.expect(ok(1, ""))
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	eventually(t, func() bool { return allIdle(ts.Server) })
	require.NoError(t, ts.Shutdown(ctx))
	w.expectEnd("")
}

// allIdle reports whether the last record of each request is written.
func allIdle(s *Server) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		c.mu.Lock()
		busy := c.busy
		c.mu.Unlock()
		if busy > 0 {
			return false
		}
	}
	return true
}

func TestServerShutdownServesWhatIsAccepted(t *testing.T) {
	s := &Server{Handler: testApp}
	near, far := net.Pipe()
	late := peer.LateListener(near)
	served := make(chan error, 1)
	go func() { served <- s.Serve(late) }()
	eventually(t, func() bool {
		s.once.Do(s.init)
		s.mu.Lock()
		defer s.mu.Unlock()
		return len(s.listeners) == 1
	})
	done := make(chan error, 1)
	go func() { done <- s.Shutdown(context.Background()) }()
	time.Sleep(50 * time.Millisecond)
	require.Empty(t, done)
	go far.Write([]byte(get(1, responderOnce)))
	b := make([]byte, len(ok(1, "")))
	far.SetDeadline(time.Now().Add(20 * time.Second))
	n, err := far.Read(b)
	require.NoError(t, err)
	assert.Equal(t, ok(1, "")[:n], string(b[:n]))
	far.Close()
	require.NoError(t, <-done)
	require.ErrorIs(t, <-served, http.ErrServerClosed)
}
