package open

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/adapters/http1"
	"github.com/gangway-go/gangway/fastcgi"
	"github.com/gangway-go/gangway/internal/listenfd"
	"github.com/gangway-go/gangway/scgi"
)

// ListenOptions says how to open a listener. The zero value is usable.
type ListenOptions struct {
	CertFile, KeyFile string      // https: PEM files
	SocketMode        fs.FileMode // of a Unix socket; 0 leaves it to the umask
	SocketUID         int         // owner of a Unix socket, if SetOwner
	SocketGID         int
	SetOwner          bool
	Limits            ListenLimits
	// NetHTTP has net/http serve HTTP/1 on http listeners too, as it does HTTP/2 and TLS; else package http1 does.
	NetHTTP bool
	// Inherited is a socket of somebody else's that listens already, and which is used instead of a new one. The address
	// says which protocol is spoken. A Unix socket's file stays there when the listener is closed; see KeepSocket.
	Inherited net.Listener
	// ServerNames are the names of this server, for SERVER_NAME of HTTP; nil is the host of the address, if that is a
	// name.
	ServerNames []string
	// ProxyProtocol are the networks of balancers that begin each connection to an http or https listener with a header
	// of the PROXY protocol; nil is off. A client on a Unix socket is 127.0.0.1.
	ProxyProtocol []netip.Prefix
	// Reporter tells clients about failures; nil tells the status alone.
	Reporter *adapters.Reporter
	// Log takes failures and the diagnostics of applications; nil is slog.Default.
	Log *slog.Logger
}

// ListenLimits are the limits of a listener, as far as its protocol has them. In all fields 0 is the protocol's
// default.
type ListenLimits struct {
	HeaderTimeout  time.Duration // of http1.Server and scgi.Server; ParamsTimeout of fastcgi.Server
	IdleTimeout    time.Duration // of http1.Server
	BodyTimeout    time.Duration
	WriteTimeout   time.Duration
	MaxHeader      int
	MaxConns       int   // of http1.Server and fastcgi.Server
	MaxClientConns int   // of http1.Server
	MaxVariables   int   // MaxParams of fastcgi.Server, HeaderLimit of scgi.Server
	MaxStderr      int64 // of http1.Server
}

// A Listener accepts requests of one protocol at one address.
type Listener struct {
	addr   Address
	ln     net.Listener
	server frontend

	accepting net.Listener // ln, or what identifies its clients
	over      atomic.Bool  // Serve has returned
}

// frontend is what the frontends have in common.
type frontend interface {
	Serve(net.Listener) error
	Shutdown(context.Context) error
}

// Listen opens a listener whose requests h will answer. "cgi:" is none: the process itself is the script, see
// cgi.Serve. A Unix socket that nobody listens on any more is replaced.
func Listen(address string, h adapters.Handler, o ListenOptions) (*Listener, error) {
	a, err := ParseListener(address)
	if err != nil {
		return nil, err
	}
	o.Log = cmp.Or(o.Log, slog.Default())
	if o.ProxyProtocol != nil && a.Scheme != "http" && a.Scheme != "https" {
		return nil, fmt.Errorf("%w: the PROXY protocol is for http and https, not for %s", ErrOption, address)
	}
	l := &Listener{addr: a}
	switch a.Scheme {
	case "fcgi":
		l.server = &fastcgi.Server{
			Handler: h, Log: o.Log, Reporter: o.Reporter, MaxConns: o.Limits.MaxConns, MaxParams: o.Limits.MaxVariables,
			ParamsTimeout: o.Limits.HeaderTimeout,
		}
	case "scgi":
		l.server = &scgi.Server{
			Handler: h, Log: o.Log, HeaderLimit: o.Limits.MaxVariables, HeaderTimeout: o.Limits.HeaderTimeout,
			MaxStderr: o.Limits.MaxStderr, Reporter: o.Reporter,
		}
	case "http", "https":
		if l.server, err = newHTTPServer(a, h, o); err != nil {
			return nil, err
		}
		if a.Scheme == "http" && !o.NetHTTP {
			l.server = newHTTP1Server(l.server.(*httpServer), a, h, o)
		}
	default:
		return nil, fmt.Errorf("%w %q: no listening socket", ErrAddress, address)
	}
	if l.ln, err = listenOn(a, o); err != nil {
		return nil, err
	}
	l.setAddress()
	l.accepting = o.identifying(l.ln)
	return l, nil
}

// Conns returns how many connections there are in each state, as http1.State and http.ConnState name them; nil if the
// frontend is none of HTTP.
func (l *Listener) Conns() (states map[string]int) {
	switch s := l.server.(type) {
	case *httpServer:
		_, states = s.conns.count()
	case *http1Server:
		_, states = s.http2.conns.count()
		for state, n := range s.Server.Conns() {
			states[state.String()] += n
		}
	}
	return states
}

// setAddress makes addr that of the socket.
func (l *Listener) setAddress() {
	switch addr := l.ln.Addr().(type) {
	case *net.TCPAddr:
		host, _, _ := net.SplitHostPort(l.addr.Target)
		if host == "" {
			host = addr.IP.String()
		}
		l.addr.Network, l.addr.Target = "tcp", net.JoinHostPort(host, strconv.Itoa(addr.Port))
	case *net.UnixAddr:
		if l.addr.Network == "fd" {
			l.addr.Network, l.addr.Target = "unix", addr.Name
		}
	}
}

// File returns the listening socket with a descriptor of its own, for a process that is to take it over.
func (l *Listener) File() (*os.File, error) {
	return listenfd.File(l.ln)
}

// KeepSocket says whether the file of a Unix socket stays there when the listener is closed, since another process
// listens on it. Other sockets have none.
func (l *Listener) KeepSocket(keep bool) {
	if unix, ok := l.ln.(*unixListener); ok {
		unix.keep.Store(keep)
	}
}

// Alive reports whether connections are still accepted. It uses what each of them needs, and hangs if that does.
func (l *Listener) Alive() bool {
	switch server := l.server.(type) {
	case *http1Server:
		server.Conns()
	case *fastcgi.Server:
		server.Conns()
	}
	return !l.over.Load()
}

// String returns the address with the real port or the absolute path.
func (l *Listener) String() string { return l.addr.String() }

// Serve accepts requests until Shutdown, and then returns nil.
func (l *Listener) Serve() error {
	defer l.over.Store(true)
	err := l.server.Serve(l.accepting)
	if errors.Is(err, http.ErrServerClosed) || errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// Shutdown stops accepting, waits for the requests under way until ctx is done, and then cuts the rest: the error is
// ctx's.
func (l *Listener) Shutdown(ctx context.Context) error {
	err := l.server.Shutdown(ctx)
	l.ln.Close() // it is open still if Serve was never called
	return err
}

// An http1Server has net/http take the connections that begin with HTTP/2.
type http1Server struct {
	http1.Server
	http2    *httpServer
	handed   *handedConns
	starting sync.Once
}

func newHTTP1Server(http2 *httpServer, a Address, h adapters.Handler, o ListenOptions) *http1Server {
	s := &http1Server{http2: http2, handed: &handedConns{conns: make(chan net.Conn), closed: make(chan struct{})}}
	s.Handler, s.Log, s.Reporter, s.ServerNames = h, o.Log, o.Reporter, o.NamesOf(a)
	l := o.Limits
	s.HeaderTimeout, s.IdleTimeout = l.HeaderTimeout, l.IdleTimeout
	s.BodyTimeout, s.WriteTimeout = l.BodyTimeout, l.WriteTimeout
	s.MaxHeader, s.MaxConns, s.MaxClientConns, s.MaxStderr = l.MaxHeader, l.MaxConns, l.MaxClientConns, l.MaxStderr
	s.HTTP2 = func(c net.Conn) {
		s.starting.Do(func() { go http2.Serve(s.handed) })
		s.handed.give(c)
	}
	return s
}

// Shutdown shuts both down. As long as package http1 has connections, they may turn out to be HTTP/2's.
func (s *http1Server) Shutdown(ctx context.Context) error {
	s.http2.draining.Store(true)
	err := s.Server.Shutdown(ctx)
	return cmp.Or(err, s.http2.Shutdown(ctx))
}

// handedConns is a net.Listener of connections that somebody else accepted.
type handedConns struct {
	conns   chan net.Conn
	closed  chan struct{}
	closing sync.Once
}

func (l *handedConns) give(c net.Conn) {
	select {
	case l.conns <- c:
	case <-l.closed:
		c.Close()
	}
}

// Accept implements net.Listener.
func (l *handedConns) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (l *handedConns) Close() error {
	l.closing.Do(func() { close(l.closed) })
	return nil
}

// Addr implements net.Listener.
func (l *handedConns) Addr() net.Addr { return &net.TCPAddr{} }
