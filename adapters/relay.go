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

// A relay is a Response.Body whose application need not wait for the client. WriteTo reads it on the goroutine of its
// caller, as fast as it comes, and closes it at its end. Of what is not sent with the end, another goroutine takes care:
// it alone uses the client's writer until WriteTo returns.
type relay struct {
	body    io.ReadCloser // the application's
	bodies  *Bodies
	release func() // of the request's body
	ended   sync.Once

	held *[heldSize]byte // what has come, until there is a queue
	n    int

	mu     sync.Mutex
	queue  *spool.Queue // nil until it is needed
	closed bool

	to     io.Writer
	served chan struct{} // closed when sent and err are final
	sent   int64
	err    error // of the client's writer, or of the queue
}

// Read implements io.Reader. Who reads at a pace of his own holds the application.
func (r *relay) Read(p []byte) (int, error) { return r.body.Read(p) }

// WriteTo implements io.WriterTo.
func (r *relay) WriteTo(w io.Writer) (int64, error) {
	r.to, r.held = w, heldBuffers.Get().(*[heldSize]byte)
	whole := false
	defer func() {
		if !whole { // a panic
			r.finish(ErrAborted)
		}
	}()
	_, err := Copy(relayWriter{r}, r.body)
	if err == nil {
		r.end()
	}
	whole = true
	return r.finish(err)
}

// finish has all of it sent that has come, and returns the error that the body ended with, or the client.
func (r *relay) finish(err error) (int64, error) {
	if r.queue == nil {
		n, werr := r.to.Write(r.held[:r.n])
		r.unhold()
		if err == nil {
			err = werr
		}
		return int64(n), err
	}
	r.queue.End()
	<-r.served
	r.queue.Close()
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

// start begins the serving.
func (r *relay) start() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return ErrAborted
	}
	r.queue, r.served = spool.NewQueue(&r.bodies.budget, r.bodies.limit()), make(chan struct{})
	go r.serve()
	return nil
}

// serve sends what is in the queue.
func (r *relay) serve() {
	defer close(r.served)
	for {
		b, err := r.queue.Next()
		switch {
		case err == io.EOF:
			return
		case err != nil:
			r.err = err
			return
		case len(b) == 0:
			if f, ok := r.to.(Flusher); ok {
				f.Flush()
			}
			continue
		}
		n, err := r.to.Write(b)
		r.sent += int64(n)
		if err != nil {
			r.err = err
			r.queue.Abort(err)
			return
		}
	}
}

// A relayWriter is where the application's body goes.
type relayWriter struct{ *relay }

// Write takes a part of the body.
func (w relayWriter) Write(b []byte) (int, error) {
	r := w.relay
	if r.queue == nil {
		if r.n+len(b) <= heldSize {
			r.n += copy(r.held[r.n:], b)
			return len(b), nil
		}
		if err := r.enqueue(); err != nil {
			return 0, err
		}
	}
	return r.queue.Write(b)
}

// Flush says that the application has nothing more to give at the moment.
func (w relayWriter) Flush() {
	if w.queue != nil || w.enqueue() == nil {
		w.queue.Flush()
	}
}

// enqueue begins to send, with what is held.
func (r *relay) enqueue() error {
	if err := r.start(); err != nil {
		return err
	}
	_, err := r.queue.Write(r.held[:r.n])
	r.unhold()
	return err
}
