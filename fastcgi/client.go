package fastcgi

import (
	"cmp"
	"context"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/internal/sockio"
)

// What the zero values of a Client's fields mean.
const (
	clientMaxWaiting     = 100
	clientWait           = 10 * time.Second
	clientMaxIdle        = 4
	clientKeepConn       = time.Second
	clientConnectTimeout = 5 * time.Second
	clientTimeout        = 60 * time.Second
	clientAbortGrace     = time.Second
)

// A Client is the [adapters.Handler] of one FastCGI application. Network and Address suffice; nothing may be changed
// once it is in use. It is safe for concurrent use. Close it when it is no longer needed.
//
// A connection carries one request at a time and is kept for further ones. But a php-fpm worker, or a program on
// libfcgi, serves nobody else as long as it has a connection, used or not; so connections are not kept for long. And an
// application may close a kept connection at any moment, as php-fpm does behind pm.max_requests; so a request that
// cannot be sent twice, such as any POST, gets one of its own, unless the application has kept its connections through
// the last 10,000 requests.
//
// A request is sent a second time, on a new connection, if its connection broke before any byte of the response came,
// and either nothing was written, or the method is idempotent and Request.Body is nil, empty or an io.Seeker.
//
// A body of unknown length is spooled first, because applications need CONTENT_LENGTH. Any other streams while the
// response is read already. Response.Body is an io.WriterTo. FCGI_STDERR goes to Request.Stderr.
//
// Errors are of type [*adapters.Error] and wrap adapters.ErrUnreachable: no connection, or it broke without an answer;
// ErrTimeout; ErrBusy: no connection is free, or FCGI_OVERLOADED; ErrBadResponse; ErrTruncated: it broke before
// FCGI_END_REQUEST, whatever Content-Length says; ErrAborted: Response.Body was closed, or Request.Body failed; and the
// cause of ctx. ErrBadRequest is a request that cannot be sent.
type Client struct {
	// Network and Address say where the application listens: "unix" and a path, or "tcp" and host:port. Without
	// Network, an Address that begins with "/" or "@" is a Unix socket, any other is tcp.
	Network, Address string
	// Dial opens a connection; nil is that of a net.Dialer.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)

	// MaxConns is how many connections there may be at once, kept ones included, and aborted ones as long as the
	// application is busy with them: see AbortGrace. It should not exceed what the application serves at once. 0 is no
	// limit: then requests wait in the application's backlog, and while one of them waits for longer than a moment, no
	// connection is kept.
	MaxConns int
	// MaxWaiting is how many requests may wait for one of MaxConns, others fail with ErrBusy; 0 is 100, below 0 none.
	MaxWaiting int
	// Wait is how long a request may wait for one of MaxConns before it fails with ErrBusy; 0 is 10 s.
	Wait time.Duration

	// MaxIdle is how many connections without a request are kept for longer than a moment; 0 is 4, below 0 none.
	MaxIdle int
	// KeepConn is for how long after its opening a connection takes requests (FCGI_KEEP_CONN), idle or not, and so how
	// long other clients of the application may wait for its worker; 0 is 1 s. Below 0 each request gets its own.
	KeepConn time.Duration

	// ConnectTimeout bounds the opening of a connection; 0 is 5 s.
	ConnectTimeout time.Duration
	// Timeout is how long the application may neither send nor take a byte; 0 is 60 s, below 0 for ever. The time that
	// is spent waiting for Request.Body does not count.
	Timeout time.Duration
	// AbortGrace is how long an application that was sent FCGI_ABORT_REQUEST keeps its connection to end the request;
	// 0 is 1 s, below 0 no time. With MaxConns, one that has said nothing until then counts as busy, and keeps its
	// connection, until it says something or ends, for 5 min at most: php-fpm does not look at what it is sent while a
	// script runs. What then says something is ended by the end of its connection.
	AbortGrace time.Duration

	// HeaderLimit bounds the response header in bytes; 0 is adapters.DefaultHeaderLimit.
	HeaderLimit int
	// SpoolLimit bounds a request body of unknown length in bytes; 0 is adapters.DefaultSpoolLimit.
	SpoolLimit int64

	conns     connPool
	steady    atomic.Int64 // requests since the application ended a kept connection
	onAborted func(delta int)
	named     sync.Once
	where     string
}

// Serve asks the application and returns when the header of its response is complete.
func (c *Client) Serve(ctx context.Context, req *adapters.Request) (*adapters.Response, error) {
	if ctx.Err() != nil {
		return nil, c.fault(opRequest, context.Cause(ctx))
	}
	if req.Role == adapters.Authorizer && (req.Body != nil || req.ContentLength != 0) {
		bodiless := *req // FastCGI 1.0 section 6.3
		bodiless.Body, bodiless.ContentLength = nil, 0
		req = &bodiless
	}
	exact, release, err := adapters.Spool(ctx, req, c.SpoolLimit)
	if err != nil {
		return nil, c.fault(opRequest, err)
	}
	resp, err := c.ask(ctx, exact)
	switch {
	case err != nil:
		release()
	case exact != req:
		resp.Body = adapters.OnClose(resp.Body, release)
	}
	return resp, err
}

// Close closes the idle connections and makes later requests fail. Requests under way end as they would.
func (c *Client) Close() error {
	c.closeConns()
	return nil
}

// OnAborted has fn called with 1 when a request is aborted that the application may still be busy with, and with -1
// when it is not any more. It is called before the first request, and fn from any goroutine; fn must not call the Client.
func (c *Client) OnAborted(fn func(delta int)) { c.onAborted = fn }

func (c *Client) aborted(delta int) {
	if c.onAborted != nil {
		c.onAborted(delta)
	}
}

// steadyAfter is after how many requests an application is taken to keep its connections.
const steadyAfter = 10_000

// shares reports whether the connection of req may be a kept one, and is kept: req can be sent twice, or need not be.
func (c *Client) shares(req *adapters.Request) bool {
	_, seeks := req.Body.(io.Seeker)
	twice := req.Idempotent() && (!req.HasBody() || seeks) && req.Role != adapters.Filter
	return c.KeepConn >= 0 && (twice || c.steady.Load() >= steadyAfter)
}

// ask sends req, and sends it again if that is safe.
func (c *Client) ask(ctx context.Context, req *adapters.Request) (*adapters.Response, error) {
	keep := c.shares(req)
	resp, x, err := c.try(ctx, req, !keep, keep)
	if err == nil || x == nil {
		return resp, err
	}
	if x.lost && x.conn.id > 1 {
		c.steady.Store(0)
	}
	if x.repeatable() {
		resp, _, err = c.try(ctx, x.req, true, keep)
	}
	return resp, err
}

// try sends req, over a new connection if that is fresh.
func (c *Client) try(ctx context.Context, req *adapters.Request, fresh, keep bool) (
	*adapters.Response, *exchange, error,
) {
	req.Trace.Attempt(c.name())
	cn, err := c.acquire(ctx, req, fresh)
	if err != nil {
		return nil, nil, err
	}
	req.Trace.Mark(adapters.Assigned)
	x := &exchange{c: c, conn: cn, ctx: ctx, req: req, keep: keep}
	if err := x.start(); err != nil {
		return nil, x, err
	}
	resp, err := x.response()
	x.watch()
	return resp, x, err
}

// opRequest and opDial are what an adapters.Error says was tried.
const (
	opRequest = "fastcgi: request to"
	opDial    = "fastcgi: dial"
)

// fault says of err where it happened.
func (c *Client) fault(op string, err error) error {
	if e, ok := err.(*adapters.Error); ok && e.Addr != "" {
		return e // It does already.
	}
	return &adapters.Error{Op: op, Addr: c.name(), Err: err}
}

// name returns the address for people.
func (c *Client) name() string {
	c.named.Do(func() { c.where = c.network() + " " + c.Address })
	return c.where
}

func (c *Client) network() string         { return sockio.Network(c.Network, c.Address) }
func (c *Client) timeout() time.Duration  { return cmp.Or(c.Timeout, clientTimeout) }
func (c *Client) keepConn() time.Duration { return cmp.Or(c.KeepConn, clientKeepConn) }
func (c *Client) maxIdle() int            { return max(cmp.Or(c.MaxIdle, clientMaxIdle), 0) }

// in returns the time after d, or the zero time, which as a deadline is none, if d is below 0.
func in(d time.Duration) time.Time {
	if d < 0 {
		return time.Time{}
	}
	return time.Now().Add(d)
}
