package http1

import (
	"cmp"
	"context"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/internal/crowd"
	"github.com/gangway-go/gangway/internal/sockio"
)

// A Server lets a [adapters.Handler] answer the requests that come over plain HTTP/1 connections. The fields must not
// change once Serve was called. A Server is safe for concurrent use and must not be copied.
//
// A response that its application cuts short never looks complete: it gets no last chunk, fewer bytes than announced,
// or, to HTTP/1.0, a reset connection. On Linux a Handler hears within 100 ms that its client has gone, or has closed
// its end of the connection: by its context, also while the body is not read.
type Server struct {
	Handler adapters.Handler
	// Log takes failures and the diagnostics of applications; nil is slog.Default.
	Log *slog.Logger
	// Reporter tells clients about failures; nil tells the status alone.
	Reporter *adapters.Reporter
	// ServerNames are the names of this server, for SERVER_NAME: see [adapters.Request.NameServer].
	ServerNames []string
	// HTTP2 takes connections that begin with HTTP/2's preface; nil refuses them. Shutdown waits until it has returned.
	HTTP2 func(net.Conn)

	// The times are, for 0, the Default ones; all but the first may be up to a sixteenth shorter.
	HeaderTimeout time.Duration // header-timeout: for a header to come, from its first byte, and for that; 408
	IdleTimeout   time.Duration // idle-timeout: between two requests; then the connection is closed
	BodyTimeout   time.Duration // body-timeout: between two pieces of a request's body; 408
	WriteTimeout  time.Duration // write-timeout: for the client to take a piece of the response; then that is cut short
	// MaxHeader is how many bytes the request line and the fields may have, 0 means DefaultMaxHeader; 414 or 431.
	MaxHeader int
	// MaxConns (connections) is how many connections there may be, 0 means three quarters of the descriptors that this
	// process may have, a negative number any. A further one takes the place of one that waits for a request to come or to
	// become complete; if there is none, it is answered with 503.
	MaxConns int
	// MaxClientConns (client-connections) is how many of them one address may have, or one /64 network of IPv6; 0 means
	// any number. Clients on Unix sockets have no address. A further one is answered with 503.
	MaxClientConns int
	// MaxStderr (stderr) is how many bytes of an application's diagnostics about a request are logged, 0 means
	// adapters.DefaultStderrLimit, a negative number all.
	MaxStderr int64

	mu        sync.Mutex
	conns     map[*conn]struct{}
	most      int // how many there may be
	clients   crowd.Clients
	crowded   crowd.Tally               // connections that others had to make room for
	failed    crowd.Tally               // those that could not be accepted
	failure   atomic.Value              // the last reason for that
	listeners map[net.Listener]struct{} // whose Serve has not returned
	watch     *watcher
	ended     chan struct{} // closed when the last connection has, after Shutdown began
	draining  atomic.Bool
	idleEnd   time.Duration // how long a connection may be idle since then

	asleep atomic.Bool   // nobody looks for slow requests, because there were none for a while
	awake  chan struct{} // ends that

	next  chan *conn // leads to goroutines that wait for a connection
	spare atomic.Int64
}

func (s *Server) log() *slog.Logger { return cmp.Or(s.Log, slog.Default()) }

// The limits of a Server that sets none.
const (
	DefaultHeaderTimeout = 30 * time.Second
	DefaultIdleTimeout   = 2 * time.Minute
	DefaultBodyTimeout   = time.Minute
	DefaultWriteTimeout  = time.Minute
	DefaultMaxHeader     = 64 << 10
)

func (s *Server) headerTimeout() time.Duration { return cmp.Or(s.HeaderTimeout, DefaultHeaderTimeout) }
func (s *Server) idleTimeout() time.Duration   { return cmp.Or(s.IdleTimeout, DefaultIdleTimeout) }
func (s *Server) bodyTimeout() time.Duration   { return cmp.Or(s.BodyTimeout, DefaultBodyTimeout) }
func (s *Server) writeTimeout() time.Duration  { return cmp.Or(s.WriteTimeout, DefaultWriteTimeout) }
func (s *Server) maxHeader() int               { return cmp.Or(s.MaxHeader, DefaultMaxHeader) }

// Serve accepts connections of ln until it fails or the server is shut down: then it returns [http.ErrServerClosed]. It
// closes ln. Serve may be called for several listeners. Only Shutdown ends the goroutines that wait for connections.
func (s *Server) Serve(ln net.Listener) error {
	defer ln.Close()
	if !s.begun(ln) {
		return http.ErrServerClosed
	}
	defer s.over(ln)
	for pause := time.Duration(0); ; {
		nc, err := ln.Accept()
		switch {
		case err == nil:
			pause = 0
			if c := newConn(s, nc); s.remember(c) {
				s.dispatch(c)
			} else {
				nc.Close()
			}
		case s.draining.Load():
			return http.ErrServerClosed
		case sockio.Passing(err): // out of descriptors, most likely
			pause = s.cannotAccept(err, pause)
		default:
			return err
		}
	}
}

// cannotAccept makes room, as descriptors are short most likely, and pauses: longer than pause if there is no room to
// be made. It returns how long.
func (s *Server) cannotAccept(err error, pause time.Duration) time.Duration {
	s.failure.Store(err.Error())
	s.failed.Note()
	s.mu.Lock()
	room := false
	for range 4 {
		room = s.evict() || room
	}
	s.mu.Unlock()
	if pause = min(2*pause, time.Second); room || pause == 0 {
		pause = 5 * time.Millisecond
	}
	time.Sleep(pause)
	return pause
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
		s.clients.Most = s.MaxClientConns
		s.most = MaxConns(s.MaxConns)
		s.initTallies()
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

func (s *Server) over(ln net.Listener) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.listeners, ln)
	s.last()
}

func (s *Server) forget(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
	s.clients.Leave(c.client)
	c.client = crowd.Client{}
	s.last()
}

// last ends Shutdown's wait if no connection is left, and none can come.
func (s *Server) last() {
	if !s.draining.Load() || len(s.conns) > 0 || len(s.listeners) > 0 {
		return
	}
	select {
	case <-s.ended:
	default:
		close(s.ended)
		s.crowded.Stop()
		s.failed.Stop()
		if s.watch != nil {
			s.watch.close()
		}
	}
}

// Shutdown stops accepting, and waits for the requests under way and for those that come on open connections: each of
// these is closed behind its next response, or when it was idle for [adapters.IdleEnd]. A client that sends a request
// on one at the moment of Shutdown does not lose it; one whose connection waits to be accepted does, unless another
// process has the listening socket, too. When ctx is done before, Shutdown closes all connections and, unless all were
// idle, returns ctx's error.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	if !s.draining.Load() {
		s.idleEnd = adapters.IdleEnd(ctx)
	}
	s.draining.Store(true)
	for ln := range s.listeners {
		ln.Close()
	}
	if s.listeners == nil {
		s.mu.Unlock()
		return nil
	}
	for c := range s.conns {
		if c.current().isIdle() {
			c.nc.SetReadDeadline(time.Now().Add(s.idleEnd))
		}
	}
	s.last()
	ended := s.ended
	s.mu.Unlock()
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		busy := s.cut()
		<-ended
		if busy {
			return ctx.Err()
		}
		return nil
	}
}

// cut closes all connections and reports whether there was a request on one of them.
func (s *Server) cut() (busy bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		busy = !State(c.state.Swap(int32(evicted))).isIdle() || busy
		c.nc.Close()
		c.mu.Lock()
		if c.x != nil {
			c.x.ctx.Cancel(nil)
		}
		c.mu.Unlock()
	}
	return busy
}
