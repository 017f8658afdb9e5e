package proxyproto

import (
	"errors"
	"net"
	"sync"
	"time"
)

// A Listener gives out connections that begin with a header, if they come from a trusted peer: those of others are
// passed on as they are, and a header on them is what it is to the protocol behind it, garbage. Accept waits for
// nothing else than a connection: the header is read when somebody first wants to read, or to know an address.
type Listener struct {
	net.Listener
	// Trusted reports whether a peer sends headers. It then has to: the specification forbids to guess.
	Trusted func(net.Addr) bool
	// Timeout is how long the header may take.
	Timeout time.Duration
	// Failed, if it is not nil, takes why a connection has no header.
	Failed func(peer net.Addr, err error)
}

// Accept implements net.Listener.
func (l *Listener) Accept() (net.Conn, error) {
	nc, err := l.Listener.Accept()
	if err != nil || !l.Trusted(nc.RemoteAddr()) {
		return nc, err
	}
	return &Conn{Conn: nc, l: l}, nil
}

// A Conn is a connection that begins with a header. After an error of that it is closed.
type Conn struct {
	net.Conn
	l *Listener

	once          sync.Once
	remote, local net.Addr
	err           error
}

// Endpoints returns who is connected to whom, as the header says; the error is why there is none.
func (c *Conn) Endpoints() (remote, local net.Addr, err error) {
	c.once.Do(c.read)
	return c.remote, c.local, c.err
}

func (c *Conn) read() {
	c.remote, c.local = c.Conn.RemoteAddr(), c.Conn.LocalAddr()
	c.Conn.SetReadDeadline(time.Now().Add(c.l.Timeout))
	h, err := Read(c.Conn)
	if err != nil {
		c.err = err
		c.Conn.Close()
		if c.l.Failed != nil && !errors.Is(err, net.ErrClosed) {
			c.l.Failed(c.remote, err)
		}
		return
	}
	c.Conn.SetReadDeadline(time.Time{})
	if h.Source.IsValid() {
		c.remote, c.local = net.TCPAddrFromAddrPort(h.Source), net.TCPAddrFromAddrPort(h.Dest)
	}
}

// NetConn returns the connection beneath, which may be used in the place of this one after Endpoints.
func (c *Conn) NetConn() net.Conn { return c.Conn }

// Read implements net.Conn.
func (c *Conn) Read(p []byte) (int, error) {
	if _, _, err := c.Endpoints(); err != nil {
		return 0, err
	}
	return c.Conn.Read(p)
}

// RemoteAddr implements net.Conn.
func (c *Conn) RemoteAddr() net.Addr {
	remote, _, _ := c.Endpoints()
	return remote
}

// LocalAddr implements net.Conn.
func (c *Conn) LocalAddr() net.Addr {
	_, local, _ := c.Endpoints()
	return local
}
