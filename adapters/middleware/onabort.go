package middleware

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gangway-go/gangway/adapters"
)

// An AbortPolicy says what becomes of a request whose client has left.
type AbortPolicy int

const (
	// Abort tells the application at once and ends it after its grace period. It is what Handlers do by themselves.
	Abort AbortPolicy = iota
	// Finish lets the application go on for some time, and drops what it answers; then it is aborted.
	Finish
	// Ignore lets the application run to its end, however long that takes.
	Ignore
)

// DefaultFinishTime is how long Finish lets an application go on.
const DefaultFinishTime = time.Minute

// OnAbort applies an AbortPolicy to an application. The zero value is Abort, which costs nothing. Its
// fields must not change once Wrap was called.
//
// An application that runs on counts as busy: it keeps its process, connection or place in a pool until it ends. Limits
// outside of it see a request that has ended. A request that has not come whole, because its client left within the
// body, is aborted all the same: nobody wants half of it. So is one over an upgraded connection.
type OnAbort struct {
	Policy AbortPolicy
	Time   time.Duration // of Finish; 0 means DefaultFinishTime
	Log    *slog.Logger  // nil is slog.Default

	mu      sync.Mutex
	closed  bool
	cancels map[*abandonable]struct{}
	running sync.WaitGroup
}

// errStopped is why what runs on for nobody is ended when the gateway is.
var errStopped = fmt.Errorf("%w: the gateway is stopped", adapters.ErrAborted)

// Wrap is the [adapters.Middleware].
func (o *OnAbort) Wrap(next adapters.Handler) adapters.Handler {
	if o.Policy == Abort {
		return next
	}
	next = Recover(o.Log)(next) // it runs in a goroutine of its own
	return adapters.HandlerFunc(func(ctx context.Context, req *adapters.Request) (*adapters.Response, error) {
		a := &abandonable{o: o, req: *req, left: make(chan struct{}), begun: time.Now()}
		return a.serve(ctx, next)
	})
}

// Close waits until nothing runs on any more; when ctx is done it ends the rest.
func (o *OnAbort) Close(ctx context.Context) error {
	done := make(chan struct{})
	go func() {
		o.running.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
	}
	o.mu.Lock()
	o.closed = true
	for a := range o.cancels {
		a.cancel(errStopped)
	}
	o.mu.Unlock()
	<-done
	return ctx.Err()
}

// An abandonable is a request whose client may leave without its application hearing of it.
type abandonable struct {
	o      *OnAbort
	req    adapters.Request
	begun  time.Time
	cancel context.CancelCauseFunc // tells the application
	unbind func() bool             // of the client's context
	left   chan struct{}           // closed when the client has left
	once   sync.Once
	late   *time.Timer
	stderr adapters.StderrLog // for what comes when the client has left
}

type outcome struct {
	resp *adapters.Response
	err  error
}

// serve has next answer, and returns before that if the client leaves.
func (a *abandonable) serve(ctx context.Context, next adapters.Handler) (*adapters.Response, error) {
	apart, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	a.cancel = cancel
	a.remember()
	a.unbind = context.AfterFunc(ctx, func() {
		if cause := context.Cause(ctx); !clientLeft(cause) {
			cancel(cause)
			return
		}
		a.leave(ctx)
	})
	answered := make(chan outcome, 1)
	a.o.running.Go(func() {
		resp, err := next.Serve(apart, a.request())
		answered <- outcome{resp, err}
	})
	select {
	case got := <-answered:
		return a.answer(ctx, got)
	case <-a.left:
		a.o.running.Go(func() {
			got := <-answered
			if got.err != nil {
				a.end(got.err)
				return
			}
			a.end(discard(got.resp))
		})
		return nil, &adapters.Error{Op: "middleware: on-abort", Err: context.Cause(ctx)}
	}
}

// discard reads a response to its end that nobody wants.
func discard(resp *adapters.Response) (err error) {
	defer adapters.Recovered(&err)
	defer resp.Body.Close()
	if resp.Status == http.StatusSwitchingProtocols { // whose application waits for the client
		return adapters.ErrAborted
	}
	_, err = io.Copy(io.Discard, resp.Body)
	return err
}

// clientLeft reports whether a request is over because nobody waits for its answer any more, and not for a limit.
func clientLeft(cause error) bool {
	return errors.Is(cause, context.Canceled) || errors.Is(cause, adapters.ErrAborted)
}

func (a *abandonable) remember() {
	a.o.mu.Lock()
	defer a.o.mu.Unlock()
	if a.o.cancels == nil {
		a.o.cancels = map[*abandonable]struct{}{}
	}
	a.o.cancels[a] = struct{}{}
	if a.o.closed {
		a.cancel(errStopped)
	}
}

// end comes when the application has ended.
func (a *abandonable) end(err error) {
	a.o.mu.Lock()
	delete(a.o.cancels, a)
	a.o.mu.Unlock()
	a.unbind()
	a.cancel(nil)
	select {
	case <-a.left:
	default:
		return
	}
	if a.late != nil {
		a.late.Stop()
	}
	a.stderr.Close()
	log := logger(a.o.Log).With("request", a.req.ID, "uri", adapters.LoggedURI(a.req.URI),
		"time", time.Since(a.begun).Round(time.Millisecond))
	if err != nil && err != io.EOF {
		log.Info("application ended without its client", "error", err)
		return
	}
	log.Debug("application ended without its client")
}

// leave notes that the client has left.
func (a *abandonable) leave(ctx context.Context) {
	a.once.Do(func() {
		if a.o.Policy == Finish {
			limit := cmp.Or(a.o.Time, DefaultFinishTime)
			a.late = time.AfterFunc(limit, func() {
				a.cancel(fmt.Errorf("%w: its client left %v ago (--on-abort finish)", adapters.ErrAborted, limit))
			})
		}
		logger(a.o.Log).DebugContext(ctx, "client left, its application runs on", "request", a.req.ID,
			"uri", adapters.LoggedURI(a.req.URI))
		close(a.left)
	})
}

// request returns what the application gets: nothing of it leads to the client any more when that has left.
func (a *abandonable) request() *adapters.Request {
	req := &a.req
	if inform := req.Informational; inform != nil {
		req.Informational = func(status int, h adapters.Header) error {
			select {
			case <-a.left:
				return nil
			default:
				return inform(status, h)
			}
		}
	}
	if req.Stderr != nil {
		a.stderr.Log, a.stderr.ID = logger(a.o.Log), req.ID
		req.Stderr = &detachedStderr{a, req.Stderr}
	}
	return req
}

// A detachedStderr writes to the log what comes when the client has left.
type detachedStderr struct {
	a      *abandonable
	client io.Writer
}

func (w *detachedStderr) Write(b []byte) (int, error) {
	select {
	case <-w.a.left:
		return w.a.stderr.Write(b)
	default:
		return w.client.Write(b)
	}
}

func (a *abandonable) answer(ctx context.Context, got outcome) (*adapters.Response, error) {
	if got.err != nil {
		a.end(got.err)
		return nil, got.err
	}
	resp := got.resp
	if resp.Status == http.StatusSwitchingProtocols {
		stop := context.AfterFunc(ctx, func() { a.cancel(context.Cause(ctx)) })
		resp.Body = adapters.OnClose(resp.Body, func() { stop(); a.end(nil) })
		return resp, nil
	}
	b := &pumpedBody{a: a, ctx: ctx, inner: resp.Body, pieces: make(chan []byte), taken: make(chan struct{})}
	a.o.running.Go(b.pump)
	resp.Body = b
	return resp, nil
}

// A pumpedBody is read by a goroutine that goes on when nobody wants the body any more.
type pumpedBody struct {
	a     *abandonable
	ctx   context.Context
	inner io.ReadCloser

	pieces chan []byte   // closed at the end
	taken  chan struct{} // the last piece is used up
	err    error         // io.EOF, or what failed; set before pieces is closed
	piece  []byte
	over   atomic.Bool // err was returned

	mu    sync.Mutex // held while piece is used
	stale bool       // nobody may use it any more
}

// pump reads inner to its end.
func (b *pumpedBody) pump() {
	if b.err = b.relay(); b.err == nil {
		b.err = io.EOF
	}
	b.a.end(b.err) // before anybody hears of it, and ends the client's context
	close(b.pieces)
}

func (b *pumpedBody) relay() (err error) {
	defer adapters.Recovered(&err)
	defer b.inner.Close()
	_, err = adapters.Copy(pumpWriter{b}, b.inner)
	return err
}

// A pumpWriter is where inner goes, so that one that does not wait for slow clients has its way.
type pumpWriter struct{ b *pumpedBody }

func (w pumpWriter) Write(p []byte) (int, error) {
	w.b.offer(p)
	return len(p), nil
}

// offer waits until p was read, or the client has left.
func (b *pumpedBody) offer(p []byte) {
	select {
	case b.pieces <- p:
	case <-b.a.left:
		return
	}
	select {
	case <-b.taken:
	case <-b.a.left:
		b.mu.Lock()
		defer b.mu.Unlock()
		b.stale = true
	}
}

// Read implements io.Reader.
func (b *pumpedBody) Read(p []byte) (int, error) {
	if len(b.piece) == 0 {
		var more bool
		select {
		case b.piece, more = <-b.pieces:
		case <-b.a.left:
		}
		select {
		case <-b.a.left: // pieces may be lost, and the end of the rest is none
			return 0, adapters.ErrAborted
		default:
		}
		if !more {
			b.over.Store(true)
			return 0, b.err
		}
	}
	n, err := b.copy(p)
	if err == nil && len(b.piece) == 0 {
		select {
		case b.taken <- struct{}{}:
		case <-b.a.left:
		}
	}
	return n, err
}

func (b *pumpedBody) copy(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.stale {
		return 0, adapters.ErrAborted
	}
	n := copy(p, b.piece)
	b.piece = b.piece[n:]
	return n, nil
}

// Close implements io.Closer. Before the end of the body it means that the client has left.
func (b *pumpedBody) Close() error {
	if !b.over.Load() {
		b.a.leave(b.ctx)
	}
	return nil
}
