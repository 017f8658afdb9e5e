package scgi

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/internal/sockio"
)

// The limits of a [Server] that sets none.
const (
	DefaultHeaderLimit   = 1 << 20
	DefaultHeaderTimeout = 30 * time.Second
)

// A Server is the frontend: it is the SCGI application of web servers and lets Handler answer. Set the fields before
// the first Serve; Serve and Shutdown may be called from any goroutine, Serve for several listeners.
//
// A request's context is cancelled when the web server resets the connection or has closed both directions of it. That
// it closed its sending side only is no reason; over TCP both look the same until the response is written.
//
// A request must begin with CONTENT_LENGTH. The variable SCGI may be missing; if it is there it must be 1.
type Server struct {
	Handler adapters.Handler
	// Log takes failures and the diagnostics of applications; nil is slog.Default.
	Log *slog.Logger
	// Reporter tells web servers about failures; nil tells the status alone.
	Reporter *adapters.Reporter
	// HeaderLimit is how many bytes the header of a request may have; more is status 431.
	HeaderLimit int
	// HeaderTimeout is how long the header of a request may take to arrive; then the connection is closed.
	HeaderTimeout time.Duration
	// MaxStderr is the Limit of an adapters.StderrLog.
	MaxStderr int64

	mu        sync.Mutex
	closed    bool
	listeners []net.Listener
	conns     sync.WaitGroup  // and what accepts them
	ctx       context.Context // of all requests
	cut       context.CancelCauseFunc
}

var errServerClosed = fmt.Errorf("scgi: server closed: %w", adapters.ErrAborted)

// Serve accepts connections on ln and answers their requests until ln fails, or until Shutdown, after which it returns
// [http.ErrServerClosed]. It closes ln.
func (s *Server) Serve(ln net.Listener) error {
	defer ln.Close()
	open := s.unlessClosed(func() {
		s.listeners = append(s.listeners, ln)
		s.conns.Add(1)
	})
	if open {
		defer s.conns.Done()
	}
	for open {
		conn, err := ln.Accept()
		switch {
		case err == nil: // also if Shutdown has begun meanwhile
			s.conns.Go(func() { s.serve(conn) })
		case sockio.Passing(err):
			cmp.Or(s.Log, slog.Default()).Warn("accept failed, trying again", "error", err)
			time.Sleep(50 * time.Millisecond) // the system has no descriptor left for it
		default:
			if open = s.unlessClosed(func() {}); open {
				return err
			}
		}
	}
	return http.ErrServerClosed
}

// unlessClosed runs fn, or reports that the server is closed.
func (s *Server) unlessClosed(fn func()) (open bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ctx == nil {
		s.ctx, s.cut = context.WithCancelCause(context.Background())
	}
	if !s.closed {
		fn()
	}
	return !s.closed
}

// Shutdown stops accepting connections and returns nil when the requests of all that there are were answered. If ctx is
// done before that, it cancels and cuts the rest without waiting for their handlers, and returns the error of ctx.
func (s *Server) Shutdown(ctx context.Context) error {
	s.unlessClosed(func() { s.closed = true })
	for _, ln := range s.listeners {
		ln.Close()
	}
	drained := make(chan struct{})
	go func() {
		s.conns.Wait()
		close(drained)
	}()
	select {
	case <-drained:
		return nil
	case <-ctx.Done():
		s.cut(errServerClosed)
		return ctx.Err()
	}
}
