package middleware

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/internal/lazyctx"
)

// Limits bounds what a request may take. In every field 0 means no limit; begin with [DefaultLimits]. A request that
// hits a limit is an error with the status given here, which names the limit the way [Limits.Set] knows it.
//
// Whether a body is too large is known at once if its length is. Else it is counted while it is read: then its Read
// returns [adapters.ErrTooLarge], and so does Serve.
type Limits struct {
	URI          int64         // bytes of Request.URI; 414
	HeaderBytes  int64         // bytes of the header fields, 4 for each added; 431
	HeaderFields int64         // number of header fields; 431
	Body         int64         // bytes of the body; 413
	Requests     int64         // requests at once; 503 with Retry-After
	Timeout      time.Duration // from the last progress of the body, or the start, to the response header; 504
}

// DefaultLimits returns the limits to begin with.
func DefaultLimits() *Limits {
	return &Limits{
		URI: 8 << 10, HeaderBytes: 64 << 10, HeaderFields: 100, Body: 1 << 30, Requests: 10000, Timeout: time.Minute,
	}
}

// Wrap is the [adapters.Middleware]. Requests are counted for each Handler that is wrapped. The fields must not change
// any more.
//
// Timeout runs while the application is silent and no part of the body arrives. If it is the client who has sent
// nothing for so long, the status is 408. It ends with the response header, so that a stream may last.
func (l *Limits) Wrap(next adapters.Handler) adapters.Handler {
	running := new(atomic.Int64)
	return adapters.HandlerFunc(func(ctx context.Context, req *adapters.Request) (*adapters.Response, error) {
		if err := l.check(req); err != nil {
			return nil, err
		}
		return l.admit(ctx, req, next, running)
	})
}

func (l *Limits) check(req *adapters.Request) error {
	if exceeds(int64(len(req.URI)), l.URI) {
		return tooLarge(http.StatusRequestURITooLong, "target of %d bytes (limit uri)", len(req.URI))
	}
	if exceeds(int64(len(req.Header)), l.HeaderFields) {
		return tooLarge(http.StatusRequestHeaderFieldsTooLarge, "%d header fields (limit header-fields)", len(req.Header))
	}
	if l.HeaderBytes > 0 {
		size := 0
		for _, f := range req.Header {
			size += len(f.Name) + len(f.Value) + len(": \r\n")
		}
		if exceeds(int64(size), l.HeaderBytes) {
			return tooLarge(http.StatusRequestHeaderFieldsTooLarge, "header of %d bytes (limit header-bytes)", size)
		}
	}
	if exceeds(req.ContentLength, l.Body) {
		return tooLarge(http.StatusRequestEntityTooLarge, "body of %d bytes (limit body)", req.ContentLength)
	}
	return nil
}

func exceeds(n, limit int64) bool { return limit > 0 && n > limit }

func tooLarge(status int, format string, size any) error {
	return limitError(status, fmt.Errorf("%w: "+format, adapters.ErrTooLarge, size))
}

func limitError(status int, err error) error {
	return &adapters.Error{Op: "middleware: limits", Status: status, Err: err}
}

// admit passes req on if there is room, and keeps the room until the response body is closed.
func (l *Limits) admit(ctx context.Context, req *adapters.Request, next adapters.Handler, running *atomic.Int64) (
	resp *adapters.Response, err error,
) {
	w := &underway{limits: l, running: running, ctx: lazyctx.Context{Parent: ctx}}
	defer func() {
		if resp == nil { // also after a panic
			w.release()
		}
	}()
	if exceeds(running.Add(1), l.Requests) {
		return nil, &adapters.Error{
			Op: "middleware: limits", RetryAfter: time.Second,
			Err: fmt.Errorf("%w: %d requests at once (limit requests)", adapters.ErrBusy, l.Requests),
		}
	}
	resp, err = next.Serve(w.start(), w.request(req))
	if late := w.silence.stop(); late != nil { // ctx is cancelled, so a response is no use
		if err == nil {
			resp.Body.Close()
		}
		return nil, late
	}
	if err != nil && w.over.Load() {
		err = w.bodyError()
	}
	if err != nil {
		return nil, err
	}
	resp.Body = adapters.OnClose(resp.Body, w.release)
	return resp, nil
}

// An underway is what Limits knows of one request that was admitted.
type underway struct {
	limits  *Limits
	running *atomic.Int64
	ctx     lazyctx.Context // with a time-out
	silence silence

	over atomic.Bool // the body was too large
}

func (w *underway) start() context.Context {
	if w.limits.Timeout <= 0 {
		return w.ctx.Parent
	}
	w.silence.start(w.limits.Timeout, w.ctx.Cancel)
	return &w.ctx
}

func (w *underway) release() {
	w.silence.stop()
	w.ctx.Cancel(nil)
	w.running.Add(-1)
}

// request returns what is passed on. A body that can seek is spooled already: it stays what it is, and can be neither
// slow nor, having a length, too large.
func (w *underway) request(req *adapters.Request) *adapters.Request {
	if _, spooled := req.Body.(io.Seeker); spooled || req.Body == nil {
		return req
	}
	b := &boundedBody{underway: w, req: *req, body: req.Body}
	b.req.Body = b
	return &b.req
}

// A boundedBody is the body of the request that is passed on.
type boundedBody struct {
	*underway
	req  adapters.Request
	body io.Reader
	read int64
}

// Len is for [adapters.ReadableAtOnce].
func (b *boundedBody) Len() int { return int(adapters.ReadableAtOnce(b.body)) }

func (b *boundedBody) Read(p []byte) (int, error) {
	b.silence.client(true)
	n, err := b.body.Read(p)
	b.silence.client(false)
	b.read += int64(n)
	if b.req.ContentLength < 0 && exceeds(b.read, b.limits.Body) {
		b.over.Store(true)
		return 0, b.bodyError()
	}
	return n, err
}

func (w *underway) bodyError() error {
	return tooLarge(http.StatusRequestEntityTooLarge, "body of more than %d bytes (limit body)", w.limits.Body)
}
