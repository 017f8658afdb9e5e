package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/fastcgi/wire"
)

// traceVars writes the variables that an application without a connection gets.
func (x *caller) traceVars(next adapters.Handler) adapters.Handler {
	return adapters.HandlerFunc(func(ctx context.Context, req *adapters.Request) (*adapters.Response, error) {
		var text bytes.Buffer
		for name, value := range req.All() {
			fmt.Fprintf(&text, "> %s=%s\n", name, value)
		}
		x.std.err.Write(text.Bytes())
		return next.Serve(ctx, req)
	})
}

// traced returns conn with a line on w for each record, or for each piece if they are no records of FastCGI, that goes
// through it: ">" is to the application, "<" from it.
func traced(conn net.Conn, w io.Writer, records bool) net.Conn {
	c := &tracedConn{Conn: conn, w: w}
	c.sent, c.received = &tracer{mark: ">", raw: !records}, &tracer{mark: "<", raw: !records}
	return c
}

type tracedConn struct {
	net.Conn
	sent, received *tracer

	mu sync.Mutex
	w  io.Writer
}

func (c *tracedConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.trace(c.received, b[:n])
	return n, err
}

func (c *tracedConn) Write(b []byte) (int, error) {
	c.trace(c.sent, b)
	return c.Conn.Write(b)
}

func (c *tracedConn) trace(t *tracer, b []byte) {
	if len(b) == 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	var text bytes.Buffer
	t.trace(&text, b)
	c.w.Write(text.Bytes())
}

// A tracer describes one direction of a connection.
type tracer struct {
	mark   string
	raw    bool
	rest   []byte // of a record that is not complete
	params []byte // of FCGI_PARAMS so far
}

func (t *tracer) trace(text *bytes.Buffer, b []byte) {
	if t.raw {
		t.piece(text, b)
		return
	}
	t.rest = append(t.rest, b...)
	for len(t.rest) > 0 {
		if t.rest[0] != wire.Version1 {
			t.raw = true
			fmt.Fprintf(text, "%s not FastCGI\n", t.mark)
			t.piece(text, t.rest)
			return
		}
		h, content, rest, err := wire.ParseRecord(t.rest)
		if errors.Is(err, wire.ErrShort) {
			return
		}
		t.record(text, h, content)
		t.rest = rest
	}
}

// maxPiece is how much is shown of a piece that is no record.
const maxPiece = 1 << 10

func (t *tracer) piece(text *bytes.Buffer, b []byte) {
	fmt.Fprintf(text, "%s %d bytes: %q\n", t.mark, len(b), b[:min(len(b), maxPiece)])
}

func (t *tracer) record(text *bytes.Buffer, h wire.Header, content []byte) {
	fmt.Fprintf(text, "%s %s id=%d", t.mark, h.Type, h.RequestID)
	switch h.Type {
	case wire.TypeBeginRequest:
		if begin, err := wire.ParseBeginRequest(content); err == nil {
			fmt.Fprintf(text, " role=%s flags=%d", begin.Role, begin.Flags)
		}
	case wire.TypeEndRequest:
		if end, err := wire.ParseEndRequest(content); err == nil {
			fmt.Fprintf(text, " appStatus=%d protocolStatus=%s", end.AppStatus, end.ProtocolStatus)
		}
	default:
		fmt.Fprintf(text, " %d bytes", len(content))
	}
	text.WriteByte('\n')
	if h.Type == wire.TypeParams {
		t.pairs(text, content)
	}
}

// pairs describes the whole of FCGI_PARAMS at its end.
func (t *tracer) pairs(text *bytes.Buffer, content []byte) {
	t.params = append(t.params, content...)
	if len(content) > 0 {
		return
	}
	for len(t.params) > 0 {
		name, value, rest, err := wire.ParsePair(t.params)
		if err != nil {
			return
		}
		fmt.Fprintf(text, "%s   %s=%s\n", t.mark, name, value)
		t.params = rest
	}
}
