// Package scgi lets requests come and go over SCGI (https://python.ca/scgi/protocol.txt of 2008-06-23): a [Client]
// asks an application, a [Server] is the application of a web server. A connection carries one request; its end is the
// end of the response.
//
// What the protocol cannot say: over a Unix socket a response without Content-Length that is cut short looks complete;
// over TCP the connection is reset. There are no diagnostics (Request.Stderr), no trailers and no upgrades.
package scgi

import (
	"context"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/internal/sockio"
	"github.com/gangway-go/gangway/scgi/wire"
)

// A Client is a [adapters.Handler] that asks an SCGI application, on a new connection for each request. Its fields must
// not be changed once it is in use.
type Client struct {
	Network, Address string // as for net.Dial; without Network a path is "unix", else it is "tcp"
	// Dial opens a connection; nil is a net.Dialer.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// HeaderLimit bounds the response header, in bytes; 0 is adapters.DefaultHeaderLimit.
	HeaderLimit int
	// SpoolLimit bounds a request body of unknown length, in bytes; 0 is adapters.DefaultSpoolLimit. SCGI needs the length
	// before the body, so such a body is read to its end before the application is asked.
	SpoolLimit int64
}

// Serve implements [adapters.Handler].
func (c *Client) Serve(ctx context.Context, req *adapters.Request) (*adapters.Response, error) {
	req.Trace.Attempt(sockio.Network(c.Network, c.Address) + " " + c.Address)
	req, release, err := adapters.Spool(ctx, req, c.SpoolLimit)
	if err != nil {
		return nil, c.failed(ctx, "spool", adapters.ErrAborted, err)
	}
	body := &adapters.ExactBody{R: req.Body}
	if req.Body != nil {
		body.N = req.ContentLength
	}
	buf := getBuffer()
	defer putBuffer(buf)
	if *buf, err = appendHeader(*buf, req, body.N); err != nil {
		release()
		return nil, c.failed(ctx, "encode", adapters.ErrBadRequest, err)
	}
	dial := c.Dial
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	conn, err := dial(ctx, sockio.Network(c.Network, c.Address), c.Address)
	if err != nil {
		release()
		return nil, c.failed(ctx, "dial", adapters.ErrUnreachable, err)
	}
	req.Trace.Mark(adapters.Assigned)
	return c.exchange(ctx, sockio.New(conn), req, body, buf, release)
}

// buffers are for request headers and what fits behind them.
var buffers = sync.Pool{New: func() any { b := make([]byte, 0, bufferSize); return &b }}

const bufferSize, maxPooled = 16 << 10, 128 << 10

func getBuffer() *[]byte {
	b := buffers.Get().(*[]byte)
	*b = (*b)[:0]
	return b
}

func putBuffer(b *[]byte) {
	if cap(*b) <= maxPooled {
		buffers.Put(b)
	}
}

// appendHeader appends the header netstring of req, SCGI section 3.
func appendHeader(dst []byte, req *adapters.Request, bodyLength int64) ([]byte, error) {
	start := len(dst)
	dst = wire.AppendPair(dst, "CONTENT_LENGTH", strconv.FormatInt(bodyLength, 10))
	dst = wire.AppendPair(dst, "SCGI", "1")
	for name, value := range req.All() {
		switch {
		case name == "CONTENT_LENGTH" || name == "SCGI":
			continue
		case name == "" || strings.IndexByte(name, 0) >= 0 || strings.IndexByte(value, 0) >= 0:
			return dst, fmt.Errorf("%w: SCGI cannot carry the variable %.40q", adapters.ErrBadRequest, name)
		}
		dst = wire.AppendPair(dst, name, value)
	}
	return wire.Enclose(dst, start), nil
}

// appendBody appends all of body if it is in memory and there is room, so that one write sends it with the header.
func appendBody(dst []byte, body *adapters.ExactBody) []byte {
	if room := dst[len(dst):cap(dst)]; body.N <= min(int64(len(room)), adapters.ReadableAtOnce(body.R)) {
		n, _ := io.ReadFull(body, room[:body.N])
		return dst[:len(dst)+n]
	}
	return dst
}

// exchange sends req, whose header is in buf, with its body, and reads the response's header. Errors of writing say
// nothing: the application may answer without reading all, and if it does not, then reading fails too. The connection
// ends by a reset: a silent application could take the usual end for a half-close, and behind a response nothing can be
// lost.
func (c *Client) exchange(
	ctx context.Context, conn *sockio.Conn, req *adapters.Request, body *adapters.ExactBody, buf *[]byte, release func(),
) (*adapters.Response, error) {
	*buf = appendBody(*buf, body)
	cancel := func(error) {}
	if body.N > 0 {
		ctx, cancel = context.WithCancelCause(ctx)
	}
	stop := context.AfterFunc(ctx, func() { adapters.ResetConn(conn) })
	end := func(err error) error {
		if err == nil || err == io.EOF {
			return io.EOF
		}
		return c.failed(ctx, "read", adapters.ErrTruncated, err)
	}
	stream := adapters.NewStream(conn, end, func() {
		stop()
		cancel(nil)
		adapters.ResetConn(conn)
	})
	conn.Write(*buf)
	req.Trace.Mark(adapters.Sent)
	if body.N == 0 {
		release()
	} else {
		go func() {
			defer release()
			if adapters.Copy(conn, body); body.Err != nil {
				cancel(body.Err)
			}
		}()
	}
	resp, err := stream.ReadHeader(req, c.HeaderLimit)
	if err != nil {
		err = c.failed(ctx, "read", adapters.ErrUnreachable, err)
		stream.Close()
	}
	return resp, err
}

func (c *Client) failed(ctx context.Context, op string, kind, err error) error {
	return adapters.Failed(ctx, "scgi: "+op, sockio.Network(c.Network, c.Address)+" "+c.Address, kind, err)
}
