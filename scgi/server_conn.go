package scgi

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"slices"
	"time"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/internal/stack"
	"github.com/gangway-go/gangway/scgi/wire"
)

var errConnLost = fmt.Errorf("scgi: connection to the web server lost: %w", adapters.ErrAborted)

// watchPeriod is how soon a request learns that the web server has gone.
const watchPeriod = 50 * time.Millisecond

// lingerTime is how long the web server may take to see an answer that comes before its body.
const lingerTime = 2 * time.Second

// serve answers the request on conn.
func (s *Server) serve(conn net.Conn) {
	stack.Grow()
	defer conn.Close()
	defer context.AfterFunc(s.ctx, func() { adapters.ResetConn(conn) })()
	buf := getBuffer()
	defer putBuffer(buf)
	h, body := s.Handler, &requestBody{conn: conn}
	req, rest, err := s.readRequest(conn, buf)
	switch {
	case err == nil:
		body.R, body.N = io.MultiReader(bytes.NewReader(rest), conn), req.ContentLength
	case adapters.StatusOf(err) == adapters.StatusClientGone:
		return
	default:
		h = adapters.HandlerFunc(func(context.Context, *adapters.Request) (*adapters.Response, error) { return nil, err })
		req, body.N = new(adapters.Request), 1 // there may be more to read
	}
	log := cmp.Or(s.Log, slog.Default()).With("peer", conn.RemoteAddr(), "method", req.Method,
		"uri", adapters.LoggedURI(req.URI))
	stderr := &adapters.StderrLog{Log: log, Limit: s.MaxStderr}
	defer stderr.Close()
	ctx, cancel := context.WithCancelCause(s.ctx)
	defer cancel(nil)
	req.Stderr, body.cancel = stderr, cancel
	if req.Body = body; body.N == 0 {
		req.Body = nil
	}
	defer time.AfterFunc(watchPeriod, func() { body.watch(ctx) }).Stop()
	whole := false
	defer func() { // also if the handler calls runtime.Goexit
		if body.Shut(func() error { return conn.SetReadDeadline(time.Unix(1, 0)) }); !whole {
			adapters.ResetConn(conn)
		} else if body.N > 0 {
			linger(conn)
		}
	}()
	if whole, err = adapters.Answer(ctx, conn, h, req, s.Reporter); err != nil {
		adapters.LogFailure(ctx, log, err)
	}
}

// readRequest reads the header and returns the bytes that came behind it, a part of buf. The error wraps ErrAborted if
// there is nobody to answer.
func (s *Server) readRequest(conn net.Conn, buf *[]byte) (req *adapters.Request, rest []byte, err error) {
	conn.SetReadDeadline(time.Now().Add(cmp.Or(s.HeaderTimeout, DefaultHeaderTimeout)))
	for {
		header, rest, err := wire.ParseNetstring(*buf, cmp.Or(s.HeaderLimit, DefaultHeaderLimit))
		switch {
		case err == nil:
			conn.SetReadDeadline(time.Time{})
			req, err = parseHeader(string(header))
			return req, rest, err
		case err == wire.ErrTooLong:
			err = fmt.Errorf("%w: %w", adapters.ErrTooLarge, err)
			return nil, nil, &adapters.Error{Op: "scgi: read header", Status: 431, Limit: "variables", Err: err}
		case err != wire.ErrShort:
			return nil, nil, fmt.Errorf("%w: %w", adapters.ErrBadRequest, err)
		}
		*buf = slices.Grow(*buf, 1)
		n, err := conn.Read((*buf)[len(*buf):cap(*buf)])
		*buf = (*buf)[:len(*buf)+n]
		if errors.Is(err, os.ErrDeadlineExceeded) {
			cmp.Or(s.Log, slog.Default()).Warn("no request header in time", "limit", "header-timeout", "peer", conn.RemoteAddr())
		}
		if n == 0 && err != nil {
			return nil, nil, fmt.Errorf("%w: %w", adapters.ErrAborted, err)
		}
	}
}

// parseHeader makes a Request of the pairs in block, SCGI section 3. A name may come twice, though the protocol forbids
// it: nginx 1.22 sends each field of a repeated header; but CONTENT_LENGTH must be the first and only one.
func parseHeader(block string) (*adapters.Request, error) {
	var bad error
	req, err := adapters.ParseVars(func(yield func(name, value string) bool) {
		for rest := block; rest != "" && bad == nil; {
			var name, value string
			first := len(rest) == len(block)
			switch name, value, rest, bad = wire.ParsePair(rest); {
			case bad != nil:
			case first != (name == "CONTENT_LENGTH"), name == "SCGI" && value != "1":
				bad = fmt.Errorf("%w: %s=%.40q", wire.ErrSyntax, name, value)
			case name != "SCGI" && !yield(name, value):
				return
			}
		}
	})
	switch {
	case bad != nil:
		return nil, fmt.Errorf("%w: %w", adapters.ErrBadRequest, bad)
	case err == nil && req.ContentLength < 0:
		return nil, fmt.Errorf("%w: scgi: no CONTENT_LENGTH", adapters.ErrBadRequest)
	}
	return req, err
}

// A requestBody is Request.Body, and knows whether the web server is still there.
type requestBody struct {
	adapters.ExactBody
	conn   net.Conn
	cancel context.CancelCauseFunc
}

// Read implements io.Reader.
func (b *requestBody) Read(p []byte) (int, error) {
	n, err := b.ExactBody.Read(p)
	if b.Err != nil {
		err = fmt.Errorf("%w: %w", errConnLost, b.Err)
		b.cancel(err)
	}
	return n, err
}

// watch cancels the request when the web server is gone, and looks again in a while: an empty write tells, as far as we
// can know, whether it has closed both directions, also if bytes that nobody has taken lie before the end.
func (b *requestBody) watch(ctx context.Context) {
	if _, err := b.conn.Write(nil); err != nil {
		b.cancel(errConnLost)
	} else if ctx.Err() == nil {
		time.AfterFunc(watchPeriod, func() { b.watch(ctx) })
	}
}

// linger reads what the web server still sends: to close the connection before would reset it, and the response could
// be lost on the way.
func linger(conn net.Conn) {
	if half, ok := conn.(interface{ CloseWrite() error }); ok && half.CloseWrite() == nil {
		conn.SetReadDeadline(time.Now().Add(lingerTime))
		io.Copy(io.Discard, conn)
	}
}
