package middleware

import (
	"io"

	"github.com/gangway-go/gangway/adapters"
)

// A watchedBody is the body of a response whose application may not be silent for too long.
type watchedBody struct{ *underway }

func (b watchedBody) Read(p []byte) (int, error) {
	b.silence.enter(response)
	n, err := b.body.Read(p)
	b.silence.enter(sending)
	return n, b.failure(err)
}

// WriteTo implements io.WriterTo.
func (b watchedBody) WriteTo(w io.Writer) (int64, error) {
	b.to = watchedWriter{w, &b.silence}
	b.silence.enter(response)
	n, err := adapters.Copy(&b.to, b.body)
	b.silence.enter(sending)
	return n, b.failure(err)
}

func (b watchedBody) failure(err error) error {
	if err == nil || err == io.EOF {
		return err
	}
	return b.silence.failure(err)
}

// Close implements io.Closer.
func (b watchedBody) Close() error {
	err := b.body.Close()
	if !b.closed.Swap(true) {
		b.release()
	}
	return err
}

// A watchedWriter is where a watchedBody goes: while it takes something it is not the application that is silent.
type watchedWriter struct {
	to      io.Writer
	silence *silence
}

func (w *watchedWriter) Write(p []byte) (int, error) {
	w.silence.enter(sending)
	n, err := w.to.Write(p)
	w.silence.enter(response)
	return n, err
}

// Flush implements [adapters.Flusher].
func (w *watchedWriter) Flush() {
	if f, ok := w.to.(adapters.Flusher); ok {
		w.silence.enter(sending)
		f.Flush()
		w.silence.enter(response)
	}
}

// Yield implements [adapters.Yielder].
func (w *watchedWriter) Yield(on bool) bool {
	y, ok := w.to.(adapters.Yielder)
	return ok && y.Yield(on)
}

// Stuck implements [adapters.Yielder].
func (w *watchedWriter) Stuck() bool {
	y, ok := w.to.(adapters.Yielder)
	return ok && y.Stuck()
}

// ReadFrom implements io.ReaderFrom, for files: what they give is never late.
func (w *watchedWriter) ReadFrom(src io.Reader) (int64, error) {
	w.silence.enter(sending)
	n, err := io.Copy(w.to, src)
	w.silence.enter(response)
	return n, err
}
