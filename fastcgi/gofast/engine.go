package gofast

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"time"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/internal/sockio"
)

// What the zero values of an Engine's fields mean.
const (
	connectTimeout = 5 * time.Second
	timeout        = 60 * time.Second
)

// An Engine is the [adapters.Handler] of a FastCGI application that is asked by gofast's client, one for each request
// and its connection. It is there to compare with; fastcgi.Client needs a fraction of its time. Network and Address
// suffice; nothing may be changed once it is in use. It is safe for concurrent use.
//
// It is guarded where gofast fails. The response header is read by [adapters.HeaderReader], of any length up to
// HeaderLimit; the connection is watched for FCGI_END_REQUEST, foreign request ids and time-outs, and closed when the
// request is over in whatever way, which ends gofast's goroutines. A body of unknown length is spooled first.
// FCGI_STDERR goes to Request.Stderr as it comes.
//
// What remains is gofast's: a body is sent, and a response passed on, in whole records, those of the body 64 KiB long;
// and FCGI_PARAMS of more than 64 KiB are divided within a pair, which php-fpm does not understand.
//
// Errors are those of fastcgi.Client: of type [*adapters.Error], wrapping adapters.ErrUnreachable, ErrTimeout, ErrBusy,
// ErrBadResponse, ErrTruncated, ErrAborted, ErrBadRequest or the cause of ctx.
type Engine struct {
	Network, Address string // as for net.Dial
	// Dial opens a connection; nil is that of a net.Dialer.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)

	// ConnectTimeout bounds the opening of a connection; 0 is 5 s.
	ConnectTimeout time.Duration
	// Timeout is how long the application may neither send nor take a byte; 0 is 60 s, below 0 for ever. The time that
	// is spent waiting for Request.Body does not count.
	Timeout time.Duration
	// HeaderLimit bounds the response header in bytes; 0 is adapters.DefaultHeaderLimit.
	HeaderLimit int
	// SpoolLimit bounds a request body of unknown length in bytes; 0 is adapters.DefaultSpoolLimit.
	SpoolLimit int64

	closed atomic.Bool
}

var errClosed = errors.New("the engine was closed")

// opRequest is what an adapters.Error mostly says was tried.
const opRequest = "request to"

// Serve implements [adapters.Handler].
func (e *Engine) Serve(ctx context.Context, req *adapters.Request) (*adapters.Response, error) {
	if req.Role == adapters.Authorizer && (req.Body != nil || req.ContentLength != 0) {
		bodiless := *req // FastCGI 1.0 section 6.3
		bodiless.Body, bodiless.ContentLength = nil, 0
		req = &bodiless
	}
	exact, release, err := adapters.Spool(ctx, req, e.SpoolLimit)
	if err != nil {
		return nil, e.failed(ctx, "spool for", adapters.ErrAborted, err)
	}
	spooled := exact != req
	resp, err := e.ask(ctx, exact, spooled)
	switch {
	case err != nil:
		release()
	case spooled:
		resp.Body = adapters.OnClose(resp.Body, release)
	}
	return resp, err
}

// Close makes later requests fail. Requests under way end as they would.
func (e *Engine) Close() error {
	e.closed.Store(true)
	return nil
}

func (e *Engine) ask(ctx context.Context, req *adapters.Request, spooled bool) (*adapters.Response, error) {
	params, err := params(req)
	if err != nil {
		return nil, e.failed(ctx, "encode for", adapters.ErrBadRequest, err)
	}
	req.Trace.Attempt(e.name())
	conn, err := e.dial(ctx)
	if err != nil {
		return nil, err
	}
	req.Trace.Mark(adapters.Assigned)
	x := &exchange{engine: e, ctx: ctx, req: req, conn: conn}
	if err := x.start(params, spooled); err != nil {
		conn.Close()
		return nil, e.failed(ctx, opRequest, adapters.ErrBadRequest, err)
	}
	return x.response()
}

// params returns what is sent as FCGI_PARAMS.
func params(req *adapters.Request) (map[string]string, error) {
	params := make(map[string]string)
	for name, value := range req.All() {
		if strings.IndexByte(name, 0) >= 0 || strings.IndexByte(value, 0) >= 0 { // FastCGI 1.0 section 6.1
			return nil, fmt.Errorf("%w: NUL in variable %.80q", adapters.ErrBadRequest, name)
		}
		params[name] = value
	}
	return params, nil
}

func (e *Engine) dial(ctx context.Context) (net.Conn, error) {
	if e.closed.Load() {
		return nil, e.failed(ctx, "dial", adapters.ErrUnreachable, errClosed)
	}
	dial := e.Dial
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	limit := cmp.Or(e.ConnectTimeout, connectTimeout)
	timed, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	conn, err := dial(timed, e.Network, e.Address)
	if err == nil {
		return conn, nil
	}
	failed := e.failed(ctx, "dial", adapters.ErrUnreachable, err)
	if sockio.Over(ctx) == nil && sockio.Over(timed) != nil {
		failed.Limit = "connect-timeout"
		failed.Err = adapters.ConnectTimeout(fmt.Errorf("%w: no connection within %v", adapters.ErrTimeout, limit))
	}
	return nil, failed
}

func (e *Engine) failed(ctx context.Context, op string, kind, err error) *adapters.Error {
	return adapters.Failed(ctx, "gofast: "+op, e.name(), kind, err)
}

func (e *Engine) name() string { return e.Network + " " + e.Address }
