package adapters

import (
	"io"
	"sync"

	"github.com/gangway-go/gangway/internal/spool"
)

// heldSize is how long a response is at most that needs no goroutine of its own: it is written when it is complete, and
// its application is not held any more then.
const heldSize = 32 << 10

var heldBuffers = sync.Pool{New: func() any { return new([heldSize]byte) }}

// What a [Yielder] gets at once, and so may have to keep: the larger part if the budget has room for it.
const (
	yieldSize      = 64 << 10
	largeYieldSize = 256 << 10
)

// A relay is a Response.Body whose application need not wait for the client. WriteTo reads it on the goroutine of its
// caller, as fast as it comes, and closes it at its end. It writes itself as long as the writer yields and is not
// stuck. What remains goes through a queue to another goroutine, which alone uses the writer until WriteTo returns.
type relay struct {
	body    io.ReadCloser // the application's
	bodies  *Bodies
	release func() // of the request's body
	ended   sync.Once

	to     io.Writer
	direct Yielder // nil if to is none
	held   *[heldSize]byte
	n      int   // bytes that are held: all that has come, as long as there is no queue
	taken  int64 // of the budget, for what the writer may have to keep

	mu     sync.Mutex
	queue  *spool.Queue // nil until it is needed
	closed bool

	served chan struct{} // closed when sent and err are the queue's last
	sent   int64
	err    error // of the client's writer, or of the queue
}

// newResponse returns a Response with room for that many fields and, in the same piece of memory, for a relay.
func newResponse(fields int) *Response {
	r := new(struct {
		Response
		room relay
	})
	r.Header, r.spare = make(Header, 0, fields), &r.room
	return &r.Response
}

// relay puts a relay before the body.
func (resp *Response) relay(bodies *Bodies, release func()) {
	r := resp.spare
	if resp.spare = nil; r == nil {
		r = new(relay)
	}
	r.body, r.bodies, r.release = resp.Body, bodies, release
	resp.Body = r
}

// Read implements io.Reader. Who reads at a pace of his own holds the application.
func (r *relay) Read(p []byte) (int, error) { return r.body.Read(p) }

// WriteTo implements io.WriterTo.
func (r *relay) WriteTo(w io.Writer) (int64, error) {
	r.to = w
	if y, ok := w.(Yielder); ok && y.Yield(true) {
		r.direct = y
	} else {
		r.held = heldBuffers.Get().(*[heldSize]byte)
	}
	over := false
	defer func() {
		if !over { // a panic
			r.finish(ErrAborted)
		}
	}()
	_, err := Copy(relayWriter{r}, r.body)
	if err == nil {
		r.end()
	}
	over = true
	return r.finish(err)
}

// finish has all of it sent that has come, and returns the error that the body ended with, or the client.
func (r *relay) finish(err error) (int64, error) {
	switch {
	case r.queue != nil:
		r.queue.End()
		<-r.served
		r.queue.Close()
	case r.direct != nil:
		r.direct.Yield(false)
		r.giveBack()
	default:
		var n int
		n, r.err = r.to.Write(r.held[:r.n])
		r.sent = int64(n)
		r.unhold()
	}
	if err == nil {
		err = r.err
	}
	return r.sent, err
}

func (r *relay) unhold() {
	heldBuffers.Put(r.held)
	r.held = nil
}

// end lets the application go.
func (r *relay) end() error {
	err := r.body.Close()
	r.ended.Do(r.release)
	return err
}

// Close implements io.Closer.
func (r *relay) Close() error {
	r.mu.Lock()
	r.closed = true
	if r.queue != nil {
		r.queue.Abort(ErrAborted)
	}
	r.mu.Unlock()
	return r.end()
}

// enqueue begins to serve through the queue.
func (r *relay) enqueue() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return ErrAborted
	}
	r.queue, r.served = spool.NewQueue(&r.bodies.budget, r.bodies.limit()), make(chan struct{})
	if r.direct != nil {
		r.direct.Yield(false)
		r.queue.Flush() // what is stuck
	} else {
		r.queue.Write(r.held[:r.n])
		r.unhold()
	}
	go r.serve()
	return nil
}

// serve sends what is in the queue.
func (r *relay) serve() {
	defer close(r.served)
	for {
		b, err := r.queue.Next()
		if err == nil {
			err = r.pass(b)
		}
		r.giveBack() // what was kept is sent, or never will be
		if err != nil {
			if err != io.EOF {
				r.err = err
				r.queue.Abort(err)
			}
			return
		}
	}
}

// pass writes b to the client; nothing is to be flushed.
func (r *relay) pass(b []byte) error {
	if len(b) == 0 {
		if f, ok := r.to.(Flusher); ok {
			f.Flush()
		}
		return nil
	}
	n, err := r.to.Write(b)
	r.sent += int64(n)
	return err
}

// yieldSize returns how much the writer may get at once of what is there.
func (r *relay) yieldSize(n int) int {
	if n > yieldSize && r.taken == 0 && r.bodies.budget.TakeMemory(largeYieldSize) {
		r.taken = largeYieldSize
	}
	return max(yieldSize, int(r.taken))
}

func (r *relay) giveBack() {
	r.bodies.budget.TakeMemory(-r.taken)
	r.taken = 0
}

// A relayWriter is where the application's body goes.
type relayWriter struct{ *relay }

// Write takes a part of the body.
func (w relayWriter) Write(b []byte) (n int, err error) {
	for r := w.relay; n < len(b); {
		part := b[n:]
		switch {
		case r.queue != nil:
			m, err := r.queue.Write(part)
			return n + m, err
		case r.direct != nil:
			part = part[:min(len(part), r.yieldSize(len(part)))]
			if err = r.pass(part); err == nil && r.direct.Stuck() {
				err = r.enqueue()
			}
			n += len(part)
		case r.n+len(part) <= heldSize:
			r.n += copy(r.held[r.n:], part)
			n += len(part)
		default:
			err = r.enqueue()
		}
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// Flush says that the application has nothing more to give at the moment.
func (w relayWriter) Flush() {
	r := w.relay
	if r.queue == nil && r.direct != nil {
		r.pass(nil)
		if r.direct.Stuck() {
			r.enqueue()
		}
		return
	}
	if r.queue != nil || r.enqueue() == nil {
		r.queue.Flush()
	}
}
