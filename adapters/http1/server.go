package http1

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gangway-go/gangway/adapters"
)

// A Server lets a [adapters.Handler] answer the requests that come over plain HTTP/1 connections. The fields must not
// change once Serve was called. A Server is safe for concurrent use and must not be copied.
//
// A response that its application cuts short never looks complete: it gets no last chunk, fewer bytes than announced,
// or, to HTTP/1.0, a reset connection. On Linux a Handler hears within 100 ms that its client has gone, or has closed its
// end of the connection: by its context, also while the body is not read.
type Server struct {
	Handler adapters.Handler
	// Log takes failures and the diagnostics of applications; nil is slog.Default.
	Log *slog.Logger
	// ServerName is SERVER_NAME; empty is the host that the client asked for, or the local address without one.
	ServerName string
	// HTTP2 takes connections that begin with HTTP/2's preface; nil refuses them.
	HTTP2 func(net.Conn)

	HeaderTimeout time.Duration // for a header to come, from its first byte; 0 means 30 s
	IdleTimeout   time.Duration // between two requests; 0 means 2 min. It may be up to a sixteenth shorter
	BodyTimeout   time.Duration // between two pieces of a request's body; 0 means 1 min. Likewise; 408
	WriteTimeout  time.Duration // for the client to take a piece of the response; 0 means 1 min. Likewise
	MaxHeader     int           // bytes of the request line and the fields; 0 means 64 KiB. 414 or 431

	mu        sync.Mutex
	conns     map[*conn]struct{}
	listeners map[net.Listener]struct{}
	watch     *watcher
	ended     chan struct{} // closed when the last connection has, after Shutdown began
	draining  atomic.Bool

	active atomic.Int64  // requests under way
	asleep atomic.Bool   // nobody looks for clients that went away, because no request is under way
	awake  chan struct{} // ends that

	next  chan *conn // leads to goroutines that wait for a connection
	spare atomic.Int64
}

func (s *Server) log() *slog.Logger { return cmp.Or(s.Log, slog.Default()) }

func (s *Server) headerTimeout() time.Duration { return cmp.Or(s.HeaderTimeout, 30*time.Second) }
func (s *Server) idleTimeout() time.Duration   { return cmp.Or(s.IdleTimeout, 2*time.Minute) }
func (s *Server) bodyTimeout() time.Duration   { return cmp.Or(s.BodyTimeout, time.Minute) }
func (s *Server) writeTimeout() time.Duration  { return cmp.Or(s.WriteTimeout, time.Minute) }
func (s *Server) maxHeader() int               { return cmp.Or(s.MaxHeader, 64<<10) }

// Serve accepts connections of ln until it fails or the server is shut down: then it returns net.ErrClosed. It closes
// ln. Serve may be called for several listeners. Only Shutdown ends the goroutines that wait for connections.
func (s *Server) Serve(ln net.Listener) error {
	defer ln.Close()
	if !s.begun(ln) {
		return net.ErrClosed
	}
	for delay := time.Duration(0); ; {
		nc, err := ln.Accept()
		var temporary interface{ Temporary() bool }
		switch {
		case err == nil:
			delay = 0
			c := newConn(s, nc)
			if !s.remember(c) {
				nc.Close()
				return net.ErrClosed
			}
			s.dispatch(c)
		case s.draining.Load():
			return net.ErrClosed
		case errors.As(err, &temporary) && temporary.Temporary(): // out of descriptors, most likely
			delay = min(max(2*delay, 5*time.Millisecond), time.Second)
			s.log().Error("no connection accepted", "error", err, "pause", delay)
			time.Sleep(delay)
		default:
			return err
		}
	}
}

// maxSpare is how many goroutines without a connection wait for one: those that have served one have a stack that is
// large enough.
const maxSpare = 64

// dispatch has a goroutine serve c.
func (s *Server) dispatch(c *conn) {
	select {
	case s.next <- c:
	default:
		go s.work(c)
	}
}

// work serves c, and then other connections.
func (s *Server) work(c *conn) {
	for c != nil {
		c.serve()
		c = nil
		if s.spare.Add(1) <= maxSpare {
			select {
			case c = <-s.next:
			case <-s.ended:
			}
		}
		s.spare.Add(-1)
	}
}

func (s *Server) begun(ln net.Listener) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.draining.Load() {
		return false
	}
	if s.listeners == nil {
		s.listeners = map[net.Listener]struct{}{}
		s.conns = map[*conn]struct{}{}
		s.ended = make(chan struct{})
		s.awake = make(chan struct{}, 1)
		s.next = make(chan *conn)
		if s.watch = newWatcher(); s.watch != nil {
			go s.watchClients()
		}
	}
	s.listeners[ln] = struct{}{}
	return true
}

func (s *Server) remember(c *conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.draining.Load() {
		return false
	}
	s.conns[c] = struct{}{}
	return true
}

func (s *Server) forget(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
	s.last()
}

// last ends Shutdown's wait if no connection is left.
func (s *Server) last() {
	if !s.draining.Load() || len(s.conns) > 0 {
		return
	}
	select {
	case <-s.ended:
	default:
		close(s.ended)
		if s.watch != nil {
			s.watch.close()
		}
	}
}

// Conns returns how many connections there are, and how many requests are under way.
func (s *Server) Conns() (open, active int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns), int(s.active.Load())
}

// Shutdown stops accepting, closes idle connections and waits for the requests under way. When ctx is done before, it
// closes their connections and returns ctx's error.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	s.draining.Store(true)
	for ln := range s.listeners {
		ln.Close()
	}
	if s.listeners == nil {
		s.mu.Unlock()
		return nil
	}
	for c := range s.conns {
		if c.idle.Load() {
			c.nc.SetReadDeadline(time.Unix(1, 0))
		}
	}
	s.last()
	ended := s.ended
	s.mu.Unlock()
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		s.cut()
		<-ended
		return ctx.Err()
	}
}

// cut closes all connections.
func (s *Server) cut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		c.mu.Lock()
		if c.x != nil {
			c.x.ctx.cancel()
		}
		if c.nc != nil {
			c.nc.Close()
		}
		c.mu.Unlock()
	}
}
