package server

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"
	"sync"
	"time"
)

// application is the suite as the application behind the server: it listens, finds out which case a request belongs to,
// and leaves the connection to that case until the case is done with the request.
type application struct {
	mu      sync.Mutex
	address string
	dialect dialect
	ln      net.Listener
	cases   map[string]*T
	conns   map[*appConn]bool
	lost    int      // requests that belonged to no case
	scripts *scripts // the files in the directory of CGI programs; nil behind a socket
}

// dialect is how a server and an application talk.
type dialect interface {
	// sniff returns what of raw, the beginning of a connection or of what follows a request, can have the token in it, and
	// whether the meta-variables end there.
	sniff(raw []byte) (text []byte, done bool)
	// chat answers what comes before a request and is not part of one; n is how much of raw that was.
	chat(raw []byte) (answer []byte, n int)
	// refuse is a response to the request raw with status 404, after which the connection is closed.
	refuse(raw []byte) []byte
	// begin reads the meta-variables. Like all methods with an Exchange it gives a verdict if the server breaks the
	// protocol.
	begin(x *Exchange)
	// more reads a piece of the body, which it appends to x.body, and says whether there is more.
	more(x *Exchange) (bool, error)
	// stdout, stderr and end are the bytes that carry a piece of the response, a piece of the error stream (nil if there
	// is none), and a normal end.
	stdout(x *Exchange, b []byte) []byte
	stderr(x *Exchange, b []byte) []byte
	end(x *Exchange) []byte
}

// listen begins to listen, unless that has been done.
func (a *application) listen(address string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.ln != nil {
		return nil
	}
	var err error
	if dir, ok := strings.CutPrefix(address, "cgi:"); ok {
		a.dialect = processes{}
		a.ln, err = a.listenScripts(dir)
	} else {
		a.dialect, a.ln, err = listenSocket(address)
	}
	if err != nil {
		return err
	}
	a.address = address
	if a.cases == nil {
		a.cases, a.conns = map[string]*T{}, map[*appConn]bool{}
	}
	go a.accept(a.ln)
	return nil
}

// listenSocket listens for a server that speaks FastCGI, SCGI or uwsgi.
func listenSocket(address string) (d dialect, ln net.Listener, err error) {
	scheme, where, _ := strings.Cut(address, "://")
	protocol, isUnix := strings.CutSuffix(scheme, "+unix")
	d = dialects[protocol]
	if d == nil || where == "" {
		return nil, nil, fmt.Errorf("conformance: no way to be an application at %q", address)
	}
	network := "tcp"
	if isUnix {
		network = "unix"
		err = makeWay(where)
	}
	if err != nil {
		return nil, nil, err
	}
	if ln, err = net.Listen(network, where); err == nil && isUnix {
		os.Chmod(where, 0o666) // the server may be another user
	}
	return d, ln, err
}

// dialects are the protocols of applications that listen.
var dialects = map[string]dialect{"fcgi": fastCGI{}, "scgi": simpleCGI{}, "uwsgi": microWSGI{}}

// makeWay removes the Unix socket that a run before has left at path, and nothing else.
func makeWay(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return nil
	}
	if info.Mode()&fs.ModeSocket == 0 {
		return fmt.Errorf("conformance: %s exists and is no socket: remove it, or choose another path", path)
	}
	if conn, err := net.Dial("unix", path); err == nil {
		conn.Close()
		return fmt.Errorf("conformance: another program listens on %s: stop it, or choose another path", path)
	}
	return os.Remove(path)
}

// listenScripts writes the CGI programs, once, and listens for their processes.
func (a *application) listenScripts(dir string) (ln net.Listener, err error) {
	if a.scripts == nil {
		if a.scripts, err = newScripts(dir); err != nil {
			return nil, err
		}
	}
	return a.scripts.listen()
}

// deafen stops listening and closes the idle connections.
func (a *application) deafen() {
	a.mu.Lock()
	if a.ln != nil {
		a.ln.Close()
		a.ln = nil
	}
	a.mu.Unlock()
	a.closeIdle()
}

func (a *application) close() error {
	a.deafen()
	a.mu.Lock()
	defer a.mu.Unlock()
	for c := range a.conns {
		c.Close()
	}
	if a.scripts != nil {
		return a.scripts.remove()
	}
	return nil
}

// closeIdle closes the connections that no case has.
func (a *application) closeIdle() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for c := range a.conns {
		if c.idle {
			c.Close()
		}
	}
}

func (a *application) register(token string, t *T) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.cases[token] = t
}

func (a *application) unregister(token string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.cases, token)
}

// owner is the case whose token is in text.
func (a *application) owner(text string) *T {
	a.mu.Lock()
	defer a.mu.Unlock()
	for token, t := range a.cases {
		if strings.Contains(text, token) {
			return t
		}
	}
	return nil
}

func (a *application) strays() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.lost
}

func (a *application) accept(ln net.Listener) {
	for {
		conn, err := ln.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			time.Sleep(time.Millisecond)
			continue
		}
		c := &appConn{Conn: conn, idle: true}
		a.mu.Lock()
		a.conns[c] = true
		a.mu.Unlock()
		go a.attend(c)
	}
}

// appConn is a connection from the server.
type appConn struct {
	net.Conn
	idle bool // no case has it; under application.mu
}

// attend hands the requests of a connection to their cases, one after the other.
func (a *application) attend(c *appConn) {
	defer func() {
		c.Close()
		a.mu.Lock()
		delete(a.conns, c)
		a.mu.Unlock()
	}()
	var raw []byte
	for {
		t, ok := a.identify(c, &raw)
		if !ok {
			return
		}
		l := &lease{appConn: c, raw: raw, released: make(chan []byte), ended: make(chan struct{})}
		a.setIdle(c, false)
		x := &Exchange{t: t, dialect: a.dialect, lease: l}
		x.Conn = t.Wrap(l, "the server")
		select {
		case t.arrivals <- x:
			t.touch()
		default:
			return
		}
		select {
		case raw = <-l.released:
			c.SetDeadline(time.Time{})
			a.setIdle(c, true)
		case <-l.ended:
			return
		}
	}
}

func (a *application) setIdle(c *appConn, idle bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	c.idle = idle
}

// identify reads until it knows the case of the next request, and leaves what it has read in raw.
func (a *application) identify(c *appConn, raw *[]byte) (t *T, ok bool) {
	buf := make([]byte, writeSize)
	for {
		if answer, n := a.dialect.chat(*raw); n > 0 {
			*raw = (*raw)[n:]
			c.Write(answer)
			continue
		}
		text, done := a.dialect.sniff(*raw)
		if t = a.owner(string(text)); t != nil {
			return t, true
		}
		if done {
			a.refuse(c, *raw)
			return nil, false
		}
		n, err := c.Read(buf)
		*raw = append(*raw, buf[:n]...)
		if err != nil {
			return nil, false
		}
	}
}

// refuse answers a request that belongs to no case.
func (a *application) refuse(c *appConn, raw []byte) {
	a.mu.Lock()
	a.lost++
	a.mu.Unlock()
	c.Write(a.dialect.refuse(raw))
	c.SetReadDeadline(time.Now().Add(time.Second))
	for buf := make([]byte, writeSize); ; {
		if _, err := c.Read(buf); err != nil {
			return
		}
	}
}

// lease is a connection as long as a case has it. It begins with what has been read already.
type lease struct {
	*appConn
	raw      []byte
	once     sync.Once
	released chan []byte
	ended    chan struct{}
}

func (l *lease) Read(b []byte) (int, error) {
	if len(l.raw) > 0 {
		n := copy(b, l.raw)
		l.raw = l.raw[n:]
		return n, nil
	}
	return l.appConn.Read(b)
}

// Close ends the connection unless it has been given back.
func (l *lease) Close() (err error) {
	l.once.Do(func() {
		err = l.appConn.Close()
		close(l.ended)
	})
	return err
}

// CloseWrite is that of conformance.Conn.
func (l *lease) CloseWrite() error {
	if half, ok := l.appConn.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}

// Reset makes the server see the connection broken; over a Unix socket it is a close.
func (l *lease) Reset() {
	if tcp, ok := l.appConn.Conn.(*net.TCPConn); ok {
		tcp.SetLinger(0)
	}
	l.Close()
}

// release gives the connection back; rest has been read and belongs to the next request.
func (l *lease) release(rest []byte) {
	l.once.Do(func() { l.released <- append(rest, l.raw...) })
}
