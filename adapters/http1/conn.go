package http1

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/internal/crowd"
	"github.com/gangway-go/gangway/internal/proxyproto"
	"github.com/gangway-go/gangway/internal/sockio"
)

// A conn is a client's connection. Its goroutine reads one request after the other; while one is served, the reader of
// its body has the reading side.
type conn struct {
	s             *Server
	nc            *sockio.Conn
	proxied       *proxyproto.Conn                 // whose header says who the client is; nil without
	vars          []adapters.Var                   // of all requests
	inform        func(int, adapters.Header) error // informational
	remote, local adapters.Endpoint

	store    *[readBufferSize]byte // what buf is a part of; nil if it is larger, or if there is none
	buf      []byte
	part     []byte    // of a head, while the connection holds no buffer
	r, w     int       // buf[r:w] was read and not used yet
	deadline time.Time // of reading, as last set
	writeEnd time.Time // of writing, as last set
	drains   bool      // the rest of a body is read for nobody
	untaken  int       // what the client had not taken yet when a write was late, and 1; 0 if none was
	first    bool      // no request was read yet
	state    atomic.Int32
	since    atomic.Int64 // when the wait for a request, or for the rest of one, began
	refused  error        // why it is not served
	client   crowd.Client // whose connection was counted

	mu      sync.Mutex // guards what follows
	x       *exchange  // the request that is served
	watched int32      // the watcher's key, 0 without
}

const readBufferSize = 8 << 10

var readBuffers = sync.Pool{New: func() any { return new([readBufferSize]byte) }}

func newConn(s *Server, nc net.Conn) *conn {
	c := &conn{s: s, first: true}
	if c.proxied, _ = nc.(*proxyproto.Conn); c.proxied != nil {
		nc = c.proxied.NetConn()
	}
	c.nc = sockio.New(nc)
	c.remote, c.local = adapters.EndpointOf(nc.RemoteAddr()), adapters.EndpointOf(nc.LocalAddr())
	c.inform = c.informational
	c.since.Store(time.Now().UnixNano())
	return c
}

// identify learns who the client is if a balancer says it.
func (c *conn) identify() error {
	if c.proxied == nil {
		return nil
	}
	remote, local, err := c.proxied.Endpoints()
	if err == nil {
		c.vars = adapters.PeerVars(c.remote)
		c.remote, c.local = adapters.EndpointOf(remote), adapters.EndpointOf(local)
	}
	return err
}

// informational is what a Request has as Informational: made once and not for each.
func (c *conn) informational(status int, h adapters.Header) error {
	c.mu.Lock()
	x := c.x
	c.mu.Unlock()
	if x == nil {
		return adapters.ErrAborted
	}
	return x.informational(status, h)
}

// serve reads and answers requests until the connection ends.
func (c *conn) serve() {
	defer c.s.forget(c)
	defer c.close()
	if c.identify() != nil {
		return
	}
	if err := c.s.admit(c); err != nil {
		c.refuse(err)
		return
	}
	for {
		text, err := c.readHead()
		if err != nil {
			c.refuse(err)
			return
		}
		if c.first && text == http2Preface && c.s.HTTP2 != nil {
			if c.enter(StateUpgraded) {
				c.handOver()
			}
			return
		}
		if !c.exchange(text) {
			return
		}
		c.first = false
	}
}

// close closes the connection if it is still ours.
func (c *conn) close() {
	if c.nc != nil {
		c.nc.Close()
	}
	c.release()
}

// release gives the buffer back.
func (c *conn) release() {
	if c.store != nil {
		readBuffers.Put(c.store)
	}
	c.store, c.buf, c.r, c.w = nil, nil, 0, 0
}

// http2Preface is the head that a client with prior knowledge of HTTP/2 begins with, RFC 9113 3.4.
const http2Preface = "PRI * HTTP/2.0\r\n\r\n"

// handOver gives the connection to the HTTP/2 server as if nothing had been read. Until that has it, it is one of ours,
// so that Shutdown does not end between the two.
func (c *conn) handOver() {
	rest := append([]byte(http2Preface), c.buf[c.r:c.w]...)
	nc := &prefixedConn{Conn: c.nc.Conn, prefix: rest}
	if c.proxied != nil {
		nc.Conn = c.proxied
	}
	c.release()
	c.s.mu.Lock() // Shutdown may be setting the deadline
	c.nc.SetDeadline(time.Time{})
	c.s.mu.Unlock()
	c.s.HTTP2(nc)
	c.s.forget(c) // from now on nobody else uses c
	c.nc = nil
}

// A prefixedConn is a connection of which something was read already.
type prefixedConn struct {
	net.Conn
	prefix []byte
}

// NetConn returns the connection beneath.
func (c *prefixedConn) NetConn() net.Conn { return c.Conn }

func (c *prefixedConn) Read(p []byte) (int, error) {
	if len(c.prefix) == 0 {
		return c.Conn.Read(p)
	}
	n := copy(p, c.prefix)
	c.prefix = c.prefix[n:]
	return n, nil
}

// errIdle is the end of a connection on which nobody waits for an answer.
var errIdle = errors.New("http1: connection idle")

// readHead returns the next head. While it waits for its first byte the connection holds no buffer.
func (c *conn) readHead() (string, error) {
	line := 0
	hurried, skipped := false, false
	for {
		if c.r == c.w {
			c.release()
			if err := c.firstBytes(); err != nil {
				return "", errIdle
			}
		}
		b := c.buf[c.r:c.w]
		if !skipped && bytes.HasPrefix(b, []byte("\r\n")) {
			c.r += 2 // one empty line before the request line, RFC 9112 2.2
			hurried, skipped = false, true
			continue
		}
		if len(b) > 0 && !adapters.ValidName(string(b[:1])) && b[0] != '\r' {
			return "", notHTTP(b)
		}
		n, err := headEnd(b, &line)
		if err != nil {
			return "", err
		}
		if n > 0 && n <= c.s.maxHeader() {
			text := string(b[:n])
			if c.r += n; c.r == c.w {
				c.release()
			}
			return text, nil
		}
		if len(b) >= c.s.maxHeader() {
			if first := bytes.IndexByte(b, '\n'); first < 0 || first >= c.s.maxHeader() {
				return "", refuseFor("uri", http.StatusRequestURITooLong, "request line larger than %d bytes", c.s.maxHeader())
			}
			return "", refuseFor("header-bytes", 431, "header larger than %d bytes", c.s.maxHeader())
		}
		if !hurried {
			c.since.Store(c.setReadDeadline(c.s.headerTimeout(), 0).UnixNano())
			c.enter(StateHeader)
			hurried = true
		}
		if err := c.fillHead(); errors.Is(err, os.ErrDeadlineExceeded) {
			return "", refuseFor("header-timeout", http.StatusRequestTimeout, "header not complete after %v",
				c.s.headerTimeout())
		} else if err != nil {
			return "", errIdle
		}
	}
}

func notHTTP(b []byte) error {
	if b[0] == 0x16 {
		return malformed("TLS sent to a port that speaks plain HTTP")
	}
	return malformed("no HTTP request: it begins with byte %#x", b[0])
}

// firstBytes waits for the next request.
func (c *conn) firstBytes() error {
	limit, state := c.s.idleTimeout(), StateIdle
	if c.first {
		limit, state = c.s.headerTimeout(), StateNew
	}
	c.since.Store(c.setReadDeadline(limit, limit/16).UnixNano())
	c.enter(state)
	if c.s.draining.Load() {
		c.nc.SetReadDeadline(time.Now().Add(c.s.idleEnd))
	}
	n, err := c.nc.ReadLent(c)
	if errors.Is(err, os.ErrDeadlineExceeded) && !c.nc.Quiet() { // it has come just now
		c.nc.SetReadDeadline(time.Now().Add(c.s.headerTimeout()))
		n, err = c.nc.ReadLent(c)
	}
	if err == nil && !c.enter(StateHeader) {
		err = errIdle
	}
	if c.s.draining.Load() {
		c.s.mu.Lock() // Shutdown may be setting the deadline
		c.deadline = time.Time{}
		c.s.mu.Unlock()
	}
	c.w += n
	return err
}

// fillHead is fill while the connection holds no buffer, but what has come: it may be all for a long time.
func (c *conn) fillHead() error {
	if c.store == nil || c.w-c.r > readBufferSize/4 {
		return c.fill()
	}
	c.part = append(c.part[:0], c.buf[c.r:c.w]...)
	c.release()
	n, err := 0, error(nil)
	for n == 0 && err == nil { // nothing is no reason to forget the part
		n, err = c.nc.ReadLent(c)
	}
	c.part = c.part[:0]
	c.w += n
	return early(err)
}

// Lend gives the buffer for what comes, with what has come before it, and Return takes it back if nothing came.
func (c *conn) Lend() []byte {
	c.store = readBuffers.Get().(*[readBufferSize]byte)
	c.buf = c.store[:]
	c.w = copy(c.buf, c.part)
	return c.buf[c.w:]
}

func (c *conn) Return() { c.release() }

// fill reads more into the buffer, which grows if it is full.
func (c *conn) fill() error {
	switch {
	case c.buf == nil:
		c.Lend()
	case c.r == c.w:
		c.r, c.w = 0, 0
	case c.w == len(c.buf) && c.r > 0:
		c.w = copy(c.buf, c.buf[c.r:c.w])
		c.r = 0
	case c.w == len(c.buf):
		old := c.buf
		c.buf = make([]byte, 2*len(old))
		copy(c.buf, old)
		if c.store != nil {
			readBuffers.Put(c.store)
			c.store = nil
		}
	}
	n, err := c.nc.Read(c.buf[c.w:])
	c.w += n
	if n > 0 {
		return nil
	}
	return early(err)
}

// early makes of the end of the connection one within a message.
func early(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// read reads a part of a body: large ones without a copy.
func (c *conn) read(p []byte) (int, error) {
	if c.r == c.w {
		c.awaitPiece()
		if len(p) >= readBufferSize/2 {
			n, err := c.nc.Read(p)
			return n, early(err)
		}
		if err := c.fill(); err != nil {
			return 0, err
		}
	}
	n := copy(p, c.buf[c.r:c.w])
	c.r += n
	return n, nil
}

// line reads a line of at most limit bytes and returns it without its CRLF.
func (c *conn) line(limit int) (string, error) {
	for searched := 0; ; {
		b := c.buf[c.r:c.w]
		i := bytes.IndexByte(b[searched:], '\n')
		if i >= 0 {
			if i += searched; i > limit+1 {
				return "", longLine(limit)
			}
			if i == 0 || b[i-1] != '\r' {
				return "", malformed("line that ends without CR")
			}
			c.r += i + 1
			return string(b[:i-1]), nil
		}
		if searched = len(b); searched > limit+1 {
			return "", longLine(limit)
		}
		c.awaitPiece()
		if err := c.fill(); err != nil {
			return "", err
		}
	}
}

func longLine(limit int) error {
	return malformed("line of a chunked body longer than %d bytes", limit)
}

// awaitPiece gives the next piece of a body its time, unless there is one for all the rest.
func (c *conn) awaitPiece() {
	if !c.drains {
		d := c.s.bodyTimeout()
		c.setReadDeadline(d, d/16)
	}
}

// setReadDeadline gives reads from now on d, or up to slack less if a deadline is set already.
func (c *conn) setReadDeadline(d, slack time.Duration) (now time.Time) {
	if now = time.Now(); slack == 0 || c.deadline.Sub(now) < d-slack || c.deadline.Sub(now) > d {
		c.deadline = now.Add(d)
		c.nc.SetReadDeadline(c.deadline)
	}
	return now
}
