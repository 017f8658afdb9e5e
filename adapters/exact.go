package adapters

import (
	"fmt"
	"io"
	"sync"
	"sync/atomic"
)

// ReadableAtOnce returns how many bytes of a body are there already, so that reading them does not wait: what its
// method Len says, as that of [bytes.Reader] does. Without one it is 0.
func ReadableAtOnce(body io.Reader) int64 {
	if there, ok := body.(interface{ Len() int }); ok {
		return int64(there.Len())
	}
	return 0
}

// An ExactBody is a message-body of known length: it reads N bytes of R, neither less nor more. Only Shut may be called
// while Read runs.
type ExactBody struct {
	R io.Reader
	N int64 // bytes to come
	// Err is what R failed with, for telling the errors of a copy apart. It wraps [ErrAborted] if R ended early.
	Err error

	reading sync.Mutex
	shut    atomic.Bool
}

// Read implements io.Reader.
func (b *ExactBody) Read(p []byte) (int, error) {
	b.reading.Lock()
	defer b.reading.Unlock()
	switch {
	case b.shut.Load():
		return 0, ErrAborted
	case b.Err != nil:
		return 0, b.Err
	case b.N == 0:
		return 0, io.EOF
	}
	n, err := b.R.Read(p[:min(int64(len(p)), b.N)])
	b.N -= int64(n)
	switch {
	case b.shut.Load():
		err = ErrAborted
	case err == io.EOF && b.N > 0:
		err = fmt.Errorf("%w: %d bytes of the request body missing", ErrAborted, b.N)
		b.Err = err
	case err == io.EOF:
		err = nil
	default:
		b.Err = err
	}
	return n, err
}

// Shut makes Read fail with [ErrAborted] from now on, as a frontend must when the response is over. interrupt makes a
// pending Read of R return; if it can, Shut returns when no Read is under way any more.
func (b *ExactBody) Shut(interrupt func() error) {
	b.shut.Store(true)
	if interrupt() == nil {
		b.reading.Lock()
		defer b.reading.Unlock()
	}
}

// Discard reads what is left of R, once Shut was called, so that its sender can finish.
func (b *ExactBody) Discard() {
	b.reading.Lock()
	defer b.reading.Unlock()
	n, _ := io.CopyN(io.Discard, b.R, b.N)
	b.N -= n
}
