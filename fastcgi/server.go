package fastcgi

import (
	"cmp"
	"context"
	"log/slog"
	"maps"
	"math"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/internal/sockio"
)

// The limits of a Server that sets none.
const (
	DefaultMaxConns      = 1000
	DefaultMaxRequests   = 100
	DefaultMaxParams     = 1 << 20
	DefaultParamsTimeout = 30 * time.Second
	DefaultStdinBuffer   = 64 << 10
	DefaultMaxSpool      = 256 << 20
)

// A Server is the FastCGI frontend: it takes the place of a FastCGI application and lets Handler answer what web
// servers ask, in the roles Responder, Authorizer and Filter. Set the fields before the first Serve; Serve, Shutdown
// and Close may be called from any goroutine, Serve for several listeners. A zero limit is its default.
//
// Requests share a connection (FCGI_MPXS_CONNS). What FCGI_STDIN and FCGI_DATA bring is kept for each request by
// itself, so that a slow reader never stops the other requests of its connection: up to StdinBuffer bytes in memory,
// then in a temporary file without a name. For a request that has its connection to itself the server first stops
// reading the connection, a quarter of a second in all, and again when MaxSpool is reached: then it sees neither a new
// request nor the end of the connection until the body is read. If other requests are under way at that point, it drops
// the rest of the body instead, and Body.Read returns [adapters.ErrTooLarge].
//
// The web server ends a request by FCGI_ABORT_REQUEST, or all of a connection by closing it, also if it closes only its
// sending side: their contexts are cancelled at once, with a cause that wraps [adapters.ErrAborted].
//
// A response that is cut short after its first byte has left never looks complete: the connection is reset over TCP;
// over a Unix socket, where the end of the connection would pass for the end of the response, it ends with a record
// header of version 0. That ends all other requests of the connection too, and so does what breaks the protocol.
// Trailers and 1xx responses are dropped.
type Server struct {
	Handler adapters.Handler
	// Log takes failures; nil is slog.Default.
	Log *slog.Logger
	// Reporter tells web servers about failures; nil tells the status alone.
	Reporter *adapters.Reporter

	// MaxConns is how many connections are served at once, FCGI_MAX_CONNS; a negative number is any. Further ones wait in
	// the queue of the listening socket.
	MaxConns int
	// MaxRequests is how many requests a connection carries at once; a negative number is any. FCGI_MAX_REQS is the product
	// of both. Further ones are rejected as FCGI_OVERLOADED. 1 turns multiplexing off: then they are rejected as
	// FCGI_CANT_MPX_CONN.
	MaxRequests int
	// MaxParams is how many bytes the FCGI_PARAMS of a request may have; more is status 431.
	MaxParams int
	// ParamsTimeout is how long FCGI_PARAMS, or any single record but FCGI_STDIN and FCGI_DATA, may take to arrive; then
	// the connection is closed. Between requests, a connection may be idle as long as the web server likes.
	ParamsTimeout time.Duration
	// StdinBuffer is how many bytes of FCGI_STDIN, and of FCGI_DATA, are kept in memory for a request.
	StdinBuffer int
	// MaxSpool is how many bytes of all requests are kept in temporary files; a negative number is none.
	MaxSpool int64
	// WebServerAddrs are the addresses that may connect; others, and Unix sockets, are closed at once. Nil is the list in
	// the environment variable FCGI_WEB_SERVER_ADDRS, FastCGI 1.0 section 3.2; without one, everybody may connect.
	WebServerAddrs []netip.Addr

	spooled atomic.Int64 // bytes in temporary files

	once    sync.Once
	slots   chan struct{} // one for each connection
	closing chan struct{} // closed by Shutdown and Close
	empty   chan struct{} // closed when no connection is left after that
	emptied sync.Once

	mu        sync.Mutex
	closed    bool
	listeners map[net.Listener]struct{}
	conns     map[*serverConn]struct{}
}

func (s *Server) init() {
	s.slots = make(chan struct{}, s.maxConns())
	s.closing = make(chan struct{})
	s.empty = make(chan struct{})
	s.listeners = map[net.Listener]struct{}{}
	s.conns = map[*serverConn]struct{}{}
}

func (s *Server) maxConns() int {
	if s.MaxConns < 0 {
		return math.MaxInt32 // as many as FCGI_MAX_CONNS can say to everybody
	}
	return cmp.Or(s.MaxConns, DefaultMaxConns)
}

func (s *Server) maxRequests() int {
	if s.MaxRequests < 0 {
		return math.MaxUint16 // there are no more ids
	}
	return cmp.Or(s.MaxRequests, DefaultMaxRequests)
}

func (s *Server) maxParams() int { return cmp.Or(s.MaxParams, DefaultMaxParams) }

func (s *Server) log() *slog.Logger {
	if s.Log == nil {
		return slog.Default()
	}
	return s.Log
}

// Conns returns how many connections there are.
func (s *Server) Conns() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns)
}

// Serve accepts connections on ln and answers their requests until ln fails, or until Shutdown or Close, after which it
// returns [http.ErrServerClosed]. It closes ln.
func (s *Server) Serve(ln net.Listener) error {
	defer ln.Close()
	addrs := s.WebServerAddrs
	if addrs == nil {
		var err error
		if addrs, err = webServerAddrs(); err != nil {
			return err
		}
	}
	if !s.addListener(ln) {
		return http.ErrServerClosed
	}
	defer s.removeListener(ln)
	for s.acquire() {
		nc, err := s.accept(ln)
		switch {
		case err != nil:
			s.release()
			return err
		case !isWebServer(addrs, nc.RemoteAddr()):
			s.release()
			nc.Close()
			s.log().Warn("connection refused: not a web server's address", "peer", nc.RemoteAddr())
		default:
			s.start(nc)
		}
	}
	return http.ErrServerClosed
}

func (s *Server) addListener(ln net.Listener) bool {
	s.once.Do(s.init)
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.listeners[ln] = struct{}{}
	}
	return !s.closed
}

func (s *Server) removeListener(ln net.Listener) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.listeners, ln)
	s.last()
}

// last ends Shutdown's wait if no connection is left, and none can come.
func (s *Server) last() {
	if s.closed && len(s.conns) == 0 && len(s.listeners) == 0 {
		s.emptied.Do(func() { close(s.empty) })
	}
}

// acquire waits until there may be another connection; it reports false if there will be none.
func (s *Server) acquire() bool {
	select {
	case s.slots <- struct{}{}:
		return true
	case <-s.closing:
		return false
	}
}

func (s *Server) release() { <-s.slots }

const longestAcceptPause = time.Second

// accept waits for a connection, and longer if the system has no descriptor left for it.
func (s *Server) accept(ln net.Listener) (net.Conn, error) {
	for pause := 5 * time.Millisecond; ; pause = min(2*pause, longestAcceptPause) {
		nc, err := ln.Accept()
		if err == nil {
			return nc, nil
		}
		if !sockio.Passing(err) {
			select {
			case <-s.closing:
				return nil, http.ErrServerClosed
			default:
				return nil, err
			}
		}
		s.log().Warn("accept failed, trying again", "error", err)
		select {
		case <-time.After(pause):
		case <-s.closing:
			return nil, http.ErrServerClosed
		}
	}
}

func (s *Server) start(nc net.Conn) {
	c := newServerConn(s, nc)
	s.mu.Lock()
	defer s.mu.Unlock()
	c.draining = s.closed // as if it had come before
	s.conns[c] = struct{}{}
	go c.serve()
}

// remove comes when everything of c has ended.
func (s *Server) remove(c *serverConn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
	s.last()
	s.release()
}

// Shutdown stops accepting connections, waits for the requests under way and for those that come on open connections,
// and closes each connection when its last request is answered, or when it was idle for [adapters.IdleEnd] after the
// call: a web server that sends a request meanwhile does not lose it. What begins beside another request of the same
// connection is rejected as FCGI_OVERLOADED. Shutdown returns nil when all connections are closed. If ctx is done
// before that, it cuts the rest like Close, and returns the error of ctx if there were requests.
func (s *Server) Shutdown(ctx context.Context) error {
	for _, c := range s.close() {
		c.drain()
	}
	patience := time.NewTicker(max(adapters.IdleEnd(ctx), time.Millisecond))
	defer patience.Stop()
	for {
		select {
		case <-s.empty:
			return nil
		case <-patience.C:
			for _, c := range s.close() {
				c.closeIdle()
			}
		case <-ctx.Done():
			busy := false
			for _, c := range s.close() {
				busy = busy || !c.closeIdle()
			}
			s.Close()
			if busy {
				return ctx.Err()
			}
			return nil
		}
	}
}

// Close stops accepting connections and closes all there are. The contexts of their requests are cancelled; it does not
// wait for their handlers.
func (s *Server) Close() error {
	for _, c := range s.close() {
		c.cut(errServerClosed)
	}
	return nil
}

// close ends the listeners, and returns the connections that are left.
func (s *Server) close() []*serverConn {
	s.once.Do(s.init)
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.closed = true
		close(s.closing)
		for ln := range s.listeners {
			ln.Close()
		}
		s.last()
	}
	return slices.Collect(maps.Keys(s.conns))
}
