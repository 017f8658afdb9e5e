package faulty

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"github.com/gangway-go/gangway/fastcgi/wire"
)

// fcgiLinger is how long a web server that is still sending may take to see that the connection has ended.
const fcgiLinger = 500 * time.Millisecond

var errFCGIProtocol = errors.New("faulty: not FastCGI")

// fcgiConn is a connection of a web server. One goroutine reads it, and each request that is answered has another.
type fcgiConn struct {
	app     *FCGIApp
	nc      net.Conn
	br      *bufio.Reader
	content []byte // of the record that was read last
	answers sync.WaitGroup

	wmu sync.Mutex // held to write

	mu       sync.Mutex
	requests map[uint16]*fcgiRequest // the active ones
	ending   bool                    // to be closed when no request is active

	fcgiMutantConn
	fcgiConnBreaksB
}

func newFCGIConn(a *FCGIApp, nc net.Conn) *fcgiConn {
	return &fcgiConn{app: a, nc: nc, br: bufio.NewReaderSize(nc, 64<<10), requests: map[uint16]*fcgiRequest{}}
}

// serve reads records until the connection ends. A web server that only ends its direction still gets its answers.
func (c *fcgiConn) serve() {
	defer c.nc.Close()
	var err error
	for err == nil {
		var h wire.Header
		if h, err = c.read(); err == nil {
			err = c.handle(h, c.content)
		}
	}
	c.mu.Lock()
	for _, r := range c.requests {
		if err != io.EOF || !r.answered {
			r.cancel()
		}
		if !r.answered {
			c.app.active.Add(-1)
		}
	}
	c.mu.Unlock()
	if err != io.EOF {
		c.nc.Close()
	}
	c.lost(err)
	c.answers.Wait()
}

// read reads one record. The error is io.EOF only between two records.
func (c *fcgiConn) read() (wire.Header, error) {
	var head [wire.HeaderLen]byte
	if err := c.fill(head[:], nil); err != nil {
		return wire.Header{}, err
	}
	h, _ := wire.ParseHeader(head[:])
	if h.Version != wire.Version1 && !c.tolerates(h) {
		return h, errFCGIProtocol
	}
	if cap(c.content) < int(h.ContentLength) {
		c.content = make([]byte, wire.MaxContent)
	}
	c.content = c.content[:h.ContentLength]
	if err := c.fill(c.content, &h); err != nil {
		return h, err
	}
	return h, c.skip(h)
}

// handle does what a record asks for. Records of inactive requests and types that make no sense here are ignored.
func (c *fcgiConn) handle(h wire.Header, content []byte) error {
	if done, err := c.mishandle(h, content); done {
		return err
	}
	if h.RequestID == wire.NullRequestID {
		return c.manage(h.Type, content)
	}
	return c.handleRequest(h, content)
}

// request returns the active request with the id, or nil.
func (c *fcgiConn) request(id uint16) *fcgiRequest {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.requests[id]
}

func (c *fcgiConn) handleRequest(h wire.Header, content []byte) error {
	r := c.request(h.RequestID)
	if done, err := c.deviate(h, content, r); done {
		return err
	}
	switch {
	case h.Type == wire.TypeBeginRequest && r != nil:
		return errFCGIProtocol
	case h.Type == wire.TypeBeginRequest:
		return c.begin(h.RequestID, content)
	case r == nil:
	case h.Type == wire.TypeAbortRequest:
		r.abort()
	case r.answered:
	case h.Type == wire.TypeParams:
		r.params(content)
	case h.Type == wire.TypeStdin:
		r.stdin(content)
	case h.Type == wire.TypeData:
		r.data(content)
	}
	return nil
}

// manage answers a management record, FastCGI 1.0 section 4.
func (c *fcgiConn) manage(t wire.Type, content []byte) error {
	if t != wire.TypeGetValues {
		return c.unknown(t, content)
	}
	if done, err := c.misquery(content); done {
		return err
	}
	values := map[string]string{wire.MaxConns: "50", wire.MaxReqs: "50", wire.MpxsConns: "1"}
	c.app.misstate(values)
	var result []byte
	for len(content) > 0 {
		name, value, rest, err := wire.ParsePair(content)
		if err != nil {
			result = c.app.malformed(result, content)
			break
		}
		c.app.misread(content[0], value, values)
		if value, ok := values[string(name)]; ok {
			result = wire.AppendPair(result, string(name), value)
			delete(values, string(name)) // so that the result fits into a record whatever is asked
		} else {
			result = c.app.unknownName(result, name, values)
		}
		content = rest
	}
	return c.result(appendFCGI(nil, wire.TypeGetValuesResult, wire.NullRequestID, result))
}

// unknown answers a management record of a type that is not known, FastCGI 1.0 section 4.2.
func (c *fcgiConn) unknown(t wire.Type, content []byte) error {
	if done, err := c.misunderstand(t, content); done {
		return err
	}
	return c.write(wire.AppendUnknownType(nil, t))
}

// begin begins a request or rejects it, FastCGI 1.0 sections 5.1 and 5.5.
func (c *fcgiConn) begin(id uint16, content []byte) error {
	b, err := wire.ParseBeginRequest(c.app.stretch(content))
	if err != nil {
		return errFCGIProtocol
	}
	keep := b.Flags&wire.FlagKeepConn != 0 != c.mistakesFlags(b.Flags)
	if b.Role = c.cast(b.Role); b.Role < wire.RoleResponder || b.Role > wire.RoleFilter {
		if c.app.fault("closes-on-unknown-role") {
			return errFCGIProtocol
		}
		return c.reject(id, keep, wire.StatusUnknownRole)
	}
	if c.app.active.Add(1) > fcgiMaxReqs {
		c.app.active.Add(-1)
		return c.reject(id, keep, wire.StatusOverloaded)
	}
	r := &fcgiRequest{conn: c, id: id, role: b.Role, keep: keep, names: map[string]int{}}
	r.ctx, r.cancel = context.WithCancel(c.app.ctx)
	c.begun(r)
	c.mu.Lock()
	c.requests[id] = r
	c.mu.Unlock()
	return nil
}

func (c *fcgiConn) reject(id uint16, keep bool, status wire.ProtocolStatus) error {
	err := c.write(wire.EndRequest{ProtocolStatus: status}.Append(nil, id))
	if !keep {
		c.retire()
	}
	return err
}

// write writes whole records.
func (c *fcgiConn) write(records []byte) error {
	c.wmu.Lock()
	defer c.wmu.Unlock()
	_, err := c.nc.Write(c.garbled(records))
	c.written(err)
	return err
}

// retire closes the connection as soon as no request is active.
func (c *fcgiConn) retire() {
	c.mu.Lock()
	c.ending = true
	idle := len(c.requests) == 0
	c.mu.Unlock()
	if idle {
		c.hangUp()
	}
}

// hangUp ends the connection so that a web server that is still sending gets the whole answer.
func (c *fcgiConn) hangUp() {
	if half, ok := c.nc.(interface{ CloseWrite() error }); ok {
		half.CloseWrite()
	}
	c.nc.SetReadDeadline(time.Now().Add(fcgiLinger))
}

// end ends a request: from now on its id is inactive. The record FCGI_END_REQUEST is the last one in records.
func (c *fcgiConn) end(r *fcgiRequest, records []byte) {
	r.cancel()
	c.app.active.Add(-1)
	c.mu.Lock()
	delete(c.requests, r.id)
	c.ending = c.ending || !r.keep
	last := c.ending && len(c.requests) == 0
	c.misend(r)
	c.mu.Unlock()
	c.abandon(r)
	if c.write(records) != nil {
		c.nc.Close()
	}
	close(r.done)
	if last {
		c.hangUp()
	}
	if c.app.served.Add(1) == c.app.Requests {
		c.app.Shutdown()
	}
}

// appendFCGI appends a record with padding to a multiple of eight bytes, FastCGI 1.0 section 3.3.
func appendFCGI(dst []byte, t wire.Type, id uint16, content []byte) []byte {
	h := wire.Header{Version: wire.Version1, Type: t, RequestID: id, ContentLength: uint16(len(content)),
		PaddingLength: uint8(-len(content) & 7)}
	dst = append(h.Append(dst), content...)
	return append(dst, make([]byte, h.PaddingLength)...)
}
