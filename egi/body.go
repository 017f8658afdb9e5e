package egi

import (
	"context"
	"fmt"
	"io"
	"sync"

	"github.com/gangway-go/gangway/adapters"
)

// A body is the Response.Body of an exchange.
type body struct{ x *exchange }

// Read implements io.Reader.
func (b body) Read(p []byte) (int, error) {
	x := b.x
	x.mu.Lock()
	defer x.mu.Unlock()
	if err := x.await(nil); err != nil {
		return 0, err
	}
	n := copy(p, x.ring.bytes())
	x.take(n)
	return n, nil
}

// WriteTo implements io.WriterTo: w gets pieces of the buffer itself, and is flushed when the application flushes.
func (b body) WriteTo(w io.Writer) (int64, error) {
	x := b.x
	flusher, _ := w.(adapters.Flusher)
	var written int64
	x.mu.Lock()
	defer x.mu.Unlock()
	for {
		switch err := x.await(flusher); err {
		case nil:
		case io.EOF:
			return written, nil
		default:
			return written, err
		}
		n, err := x.passTo(w)
		written += int64(n)
		if err != nil {
			return written, err
		}
	}
}

// passTo writes one piece without the lock: only the reader moves what is in the buffer.
func (x *exchange) passTo(w io.Writer) (n int, err error) {
	piece := x.ring.bytes()
	x.mu.Unlock()
	defer func() {
		x.mu.Lock()
		x.take(n)
	}()
	return w.Write(piece)
}

// Close implements io.Closer.
func (b body) Close() error {
	b.x.close()
	return nil
}

// await waits until something is to be read, and returns how the body ended if nothing is.
func (x *exchange) await(f adapters.Flusher) error {
	for {
		switch {
		case x.over:
			return fmt.Errorf("egi: %w", adapters.ErrAborted)
		case x.ring.used > 0 && (x.flush || x.done || x.ring.used >= bufferSize/2):
			return nil
		case x.err != nil:
			return x.err
		case x.done:
			x.ring.release()
			return io.EOF
		case x.ctx.Err() != nil:
			return fmt.Errorf("egi: %w", context.Cause(&x.ctx))
		case x.flush:
			x.flush = false
			x.flushTo(f)
		default:
			x.wait(&x.readable)
		}
	}
}

func (x *exchange) flushTo(f adapters.Flusher) {
	if f == nil {
		return
	}
	x.mu.Unlock()
	defer x.mu.Lock()
	f.Flush()
}

func (x *exchange) take(n int) {
	x.ring.take(n)
	if x.ring.used <= bufferSize/2 {
		wake(x.writable)
	}
}

// bufferSize is the memory that one response takes, and the largest one that gets a Content-Length by itself.
const bufferSize = 32 << 10

var buffers = sync.Pool{New: func() any { return new([bufferSize]byte) }}

// A ring is a queue of bytes. The zero value is empty and takes its memory when it is needed.
type ring struct {
	buf         *[bufferSize]byte
	start, used int
}

// space returns free memory in one piece; it is empty if the ring is full.
func (q *ring) space() []byte {
	if q.buf == nil {
		q.buf = buffers.Get().(*[bufferSize]byte)
	}
	if end := q.start + q.used; end < bufferSize {
		return q.buf[end:]
	} else {
		return q.buf[end-bufferSize : q.start]
	}
}

// bytes returns what is in the ring, as far as it lies in one piece.
func (q *ring) bytes() []byte { return q.buf[q.start:min(q.start+q.used, bufferSize)] }

func (q *ring) take(n int) {
	q.start, q.used = (q.start+n)%bufferSize, q.used-n
	if q.used == 0 {
		q.start = 0
	}
}

func (q *ring) drop() { q.start, q.used = 0, 0 }

// release gives the memory back. Nobody may hold a piece of it.
func (q *ring) release() {
	if q.buf != nil {
		buffers.Put(q.buf)
	}
	*q = ring{}
}
