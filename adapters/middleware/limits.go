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
// hits a limit is an [adapters.Error] with the status given here and the limit's name in the command line.
//
// Whether a body is too large is known at once if its length is. Else it is counted while it is read: then its Read
// returns [adapters.ErrTooLarge], and so does Serve.
//
// What takes too long is cancelled, up to a quarter of the shortest time late. If that happens after the response
// header, the response is cut short. Neither streams nor long uploads are stopped as long as something of them moves,
// unless RequestTimeout says so; and nothing stops an upgraded connection (101).
type Limits struct {
	URI          int64 // uri: bytes of Request.URI; 414
	HeaderBytes  int64 // header-bytes: bytes of the header fields, 4 for each added; 431
	HeaderFields int64 // header-fields: number of header fields; 431
	Body         int64 // body: bytes of the body; 413
	Requests     int64 // requests: requests at once; 503 with Retry-After

	Timeout         time.Duration // timeout: from the last progress of the body, or the start, to the response header; 504
	BodyTimeout     time.Duration // body-timeout: between two parts of the request body that the client sends; 408
	ResponseTimeout time.Duration // response-timeout: between two parts of the response body that the application sends
	RequestTimeout  time.Duration // request-timeout: from the request header to the end of the response; 504
}

// DefaultLimits returns the limits to begin with. There is none for the whole of a request.
func DefaultLimits() *Limits {
	return &Limits{
		URI: 8 << 10, HeaderBytes: 64 << 10, HeaderFields: 100, Body: 1 << 30, Requests: 10000,
		Timeout: 3 * time.Minute, BodyTimeout: time.Minute, ResponseTimeout: 5 * time.Minute,
	}
}

// opLimits is what the errors of Limits begin with.
const opLimits = "middleware: limits"

// Wrap is the [adapters.Middleware]. Requests are counted for each Handler that is wrapped. The fields must not change
// any more.
func (l *Limits) Wrap(next adapters.Handler) adapters.Handler {
	running, times := new(atomic.Int64), l.times()
	return adapters.HandlerFunc(func(ctx context.Context, req *adapters.Request) (*adapters.Response, error) {
		if err := l.check(req); err != nil {
			return nil, err
		}
		w := &underway{limits: l, running: running, ctx: lazyctx.Context{Parent: ctx}}
		return w.serve(next, req, times)
	})
}

func (l *Limits) check(req *adapters.Request) error {
	if exceeds(int64(len(req.URI)), l.URI) {
		return tooLarge("uri", http.StatusRequestURITooLong, "target of %d bytes", len(req.URI))
	}
	if exceeds(int64(len(req.Header)), l.HeaderFields) {
		return tooLarge("header-fields", http.StatusRequestHeaderFieldsTooLarge, "%d header fields", len(req.Header))
	}
	if l.HeaderBytes > 0 {
		size := 0
		for _, f := range req.Header {
			size += len(f.Name) + len(f.Value) + len(": \r\n")
		}
		if exceeds(int64(size), l.HeaderBytes) {
			return tooLarge("header-bytes", http.StatusRequestHeaderFieldsTooLarge, "header of %d bytes", size)
		}
	}
	if exceeds(req.ContentLength, l.Body) {
		return tooLarge("body", http.StatusRequestEntityTooLarge, "body of %d bytes", req.ContentLength)
	}
	return nil
}

func exceeds(n, limit int64) bool { return limit > 0 && n > limit }

func tooLarge(limit string, status int, format string, size any) error {
	err := fmt.Errorf("%w: "+format, adapters.ErrTooLarge, size)
	return &adapters.Error{Op: opLimits, Status: status, Limit: limit, Err: err}
}

// An underway is what Limits knows of one request that was admitted.
type underway struct {
	limits  *Limits
	running *atomic.Int64
	ctx     lazyctx.Context // with a time-out
	silence silence

	over   atomic.Bool   // the request body was too large
	body   io.ReadCloser // of the response
	to     watchedWriter // where it goes
	closed atomic.Bool
}

// serve passes req on if there is room, and keeps the room until the response body is closed.
func (w *underway) serve(next adapters.Handler, req *adapters.Request, times *timeLimits) (
	resp *adapters.Response, err error,
) {
	defer func() {
		if resp == nil { // also after a panic
			w.release()
		}
	}()
	if exceeds(w.running.Add(1), w.limits.Requests) {
		err := fmt.Errorf("%w: %d requests at once", adapters.ErrBusy, w.limits.Requests)
		return nil, &adapters.Error{Op: opLimits, RetryAfter: time.Second, Limit: "requests", Err: err}
	}
	ctx := w.ctx.Parent
	if times.tick > 0 {
		ctx = &w.ctx
		w.silence.start(times, &w.ctx)
	}
	resp, err = next.Serve(ctx, w.request(req))
	if late := w.silence.answer(); late != nil { // ctx is cancelled, so a response is no use
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
	w.wrap(resp)
	return resp, nil
}

// wrap has the end of the response seen, and its progress.
func (w *underway) wrap(resp *adapters.Response) {
	if resp.Status == http.StatusSwitchingProtocols {
		w.silence.stop()
	}
	if _, writes := resp.Body.(io.Writer); writes || w.silence.limits == nil {
		resp.Body = adapters.OnClose(resp.Body, w.release)
		return
	}
	w.body = resp.Body
	resp.Body = watchedBody{w}
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
	b.silence.enter(body)
	n, err := b.body.Read(p)
	b.silence.leave()
	b.read += int64(n)
	if b.req.ContentLength < 0 && exceeds(b.read, b.limits.Body) {
		b.over.Store(true)
		return 0, b.bodyError()
	}
	return n, err
}

func (w *underway) bodyError() error {
	return tooLarge("body", http.StatusRequestEntityTooLarge, "body of more than %d bytes", w.limits.Body)
}
