package gofast

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/gangway-go/gangway/adapters"
)

// The records that an application sends, FastCGI 1.0 section 8.
const (
	typeEndRequest      = 3
	typeStdout          = 6
	typeStderr          = 7
	typeGetValuesResult = 10
	typeUnknownType     = 11

	version1  = 1
	headerLen = 8
	bodyLen   = 8

	requestID = 1 // of the only request of a gofast client
)

// preface is a record of FCGI_STDOUT that gofast reads before the application's first. It takes this for the response
// header, and then passes on all that really comes, header included, as a body, without a look at it.
const preface = "\x01\x06\x00\x01\x00\x0f\x00\x00" + "Status: 200\r\n\r\n"

// A guard is the connection as gofast's client sees it: one that carries the records of FCGI_STDOUT alone, until the
// exchange is over. All other records are for the exchange.
type guard struct {
	net.Conn
	x *exchange

	// These belong to the goroutine in which gofast reads.
	br       *bufio.Reader
	head     []byte // what gofast is to read next
	rest     int    // of the record, behind that
	answered bool   // some FCGI_STDOUT came

	begun bool // FCGI_BEGIN_REQUEST was written
}

func newGuard(x *exchange) *guard {
	return &guard{Conn: x.conn, x: x, br: bufio.NewReader((*arrivals)(x)), head: []byte(preface)}
}

// Write writes a record. gofast writes one at a time.
func (g *guard) Write(p []byte) (int, error) {
	if !g.begun {
		g.begun = true
		p = bytes.Clone(p)
		p[headerLen+2] = 0 // no FCGI_KEEP_CONN, which gofast always asks for
	}
	n, err := g.Conn.Write(p)
	g.x.progress(false)
	g.x.req.Trace.Mark(adapters.Sent)
	return n, err
}

// Read reads records of FCGI_STDOUT.
func (g *guard) Read(p []byte) (n int, err error) {
	if len(g.head) == 0 && g.rest == 0 {
		if err := g.next(); err != nil {
			g.x.over(adapters.ErrBadResponse, err)
			return 0, err
		}
	}
	if len(g.head) > 0 {
		n = copy(p, g.head)
		g.head = g.head[n:]
		return n, nil
	}
	if n, err = g.br.Read(p[:min(len(p), g.rest)]); err != nil {
		g.x.over(adapters.ErrBadResponse, g.lost(err))
	}
	g.rest -= n
	return n, err
}

// next finds the next record of FCGI_STDOUT. io.EOF is the end of the response.
func (g *guard) next() error {
	for {
		h, err := g.br.Peek(headerLen)
		if err != nil {
			return g.lost(err)
		}
		kind, id := h[1], binary.BigEndian.Uint16(h[2:])
		length, padding := int(binary.BigEndian.Uint16(h[4:])), int(h[6])
		switch {
		case h[0] != version1:
			return fmt.Errorf("%w: record of version %d", adapters.ErrBadResponse, h[0])
		case id == 0 && (kind == typeGetValuesResult || kind == typeUnknownType):
			err = g.skip(headerLen + length)
		case id != requestID:
			return fmt.Errorf("%w: record for request %d", adapters.ErrBadResponse, id)
		case kind == typeStdout && length > 0:
			g.answered = true
			g.head, g.rest = bytes.Clone(h), length+padding
			return g.skip(headerLen)
		case kind == typeStdout:
			err = g.skip(headerLen) // gofast's pipe would pass on that nothing came
		case kind == typeStderr:
			err = g.stderr(length)
		case kind == typeEndRequest && length == bodyLen:
			return g.end(padding)
		default:
			return fmt.Errorf("%w: record of type %d with %d bytes", adapters.ErrBadResponse, kind, length)
		}
		if err == nil {
			err = g.skip(padding)
		}
		if err != nil {
			return err
		}
	}
}

func (g *guard) skip(n int) error {
	if _, err := g.br.Discard(n); err != nil {
		return g.lost(err)
	}
	return nil
}

// stderr passes on the content of FCGI_STDERR.
func (g *guard) stderr(n int) error {
	if err := g.skip(headerLen); err != nil {
		return err
	}
	for n > 0 {
		if _, err := g.br.Peek(1); err != nil {
			return g.lost(err)
		}
		b, _ := g.br.Peek(min(n, g.br.Buffered()))
		g.x.writeStderr(b)
		g.br.Discard(len(b))
		n -= len(b)
	}
	return nil
}

// end takes FCGI_END_REQUEST, FastCGI 1.0 section 5.5, and returns what the exchange ends with.
func (g *guard) end(padding int) error {
	record, err := g.br.Peek(headerLen + bodyLen + padding)
	if err != nil {
		return g.lost(err)
	}
	body := record[headerLen:]
	g.x.appStatus = int(int32(binary.BigEndian.Uint32(body)))
	switch body[4] {
	case 0:
		return io.EOF
	case 1:
		return fmt.Errorf("%w: FCGI_CANT_MPX_CONN", adapters.ErrBadResponse)
	case 2:
		return &adapters.Error{
			Op: "FCGI_OVERLOADED", Status: http.StatusServiceUnavailable, RetryAfter: time.Second, Err: adapters.ErrBusy,
		}
	case 3:
		return fmt.Errorf("%w: FCGI_UNKNOWN_ROLE %v", adapters.ErrBadResponse, g.x.req.Role)
	}
	return fmt.Errorf("%w: protocolStatus %d", adapters.ErrBadResponse, body[4])
}

// lost returns the error for a connection that failed with err before FCGI_END_REQUEST.
func (g *guard) lost(err error) error {
	if errors.Is(err, adapters.ErrTimeout) {
		return err
	}
	kind := adapters.ErrTruncated
	if !g.answered {
		kind = adapters.ErrUnreachable
	}
	if op := (*net.OpError)(nil); errors.As(err, &op) {
		err = op.Err
	}
	return fmt.Errorf("%w: it closed the connection before FCGI_END_REQUEST (%w)", kind, err)
}

// arrivals reads what comes from the application, for as long as that may take.
type arrivals exchange

// Read implements io.Reader. Its error may wrap adapters.ErrTimeout.
func (a *arrivals) Read(p []byte) (int, error) {
	x := (*exchange)(a)
	limit := cmp.Or(x.engine.Timeout, timeout)
	for wait := limit; ; {
		deadline := time.Time{}
		if limit > 0 {
			deadline = time.Now().Add(wait)
		}
		x.conn.SetReadDeadline(deadline)
		n, err := x.conn.Read(p)
		if n > 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			return n, err
		}
		if wait = x.reprieve(limit); wait <= 0 {
			return 0, fmt.Errorf("%w: it moved no byte for %v (limit Timeout)", adapters.ErrTimeout, limit)
		}
	}
}
