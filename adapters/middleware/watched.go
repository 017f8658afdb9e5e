package middleware

import (
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// recheck is how long a changed file may go unnoticed.
const recheck = time.Second

// A watched is what was parsed from a file; it is parsed again after the file has changed. If it then cannot be read,
// or holds something wrong, what was there before stays valid and that is logged. It is safe for concurrent use.
type watched[T any] struct {
	path   string
	parse  func(content string) (T, error)
	opened time.Time

	value atomic.Pointer[T]
	due   atomic.Int64 // when to look again, after opened

	mu   sync.Mutex
	info os.FileInfo // of the file when it was last looked at; nil if it was not there
}

// watch parses the file at path, which must be there and right.
func watch[T any](path string, parse func(content string) (T, error)) (*watched[T], error) {
	w := &watched[T]{path: path, parse: parse, opened: time.Now()}
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	w.info = info
	w.due.Store(int64(recheck))
	return w, w.load()
}

func (w *watched[T]) load() error {
	content, err := os.ReadFile(w.path)
	if err != nil {
		w.info = nil // to be read again
		return err
	}
	value, err := w.parse(string(content))
	if err != nil {
		return fmt.Errorf("%s: %w", w.path, err)
	}
	w.value.Store(&value)
	return nil
}

// get returns the content of the file as it was at most recheck ago.
func (w *watched[T]) get() T {
	now := int64(time.Since(w.opened))
	if now >= w.due.Load() && w.mu.TryLock() {
		w.refresh()
		w.due.Store(now + int64(recheck))
		w.mu.Unlock()
	}
	return *w.value.Load()
}

func (w *watched[T]) refresh() {
	info, err := os.Stat(w.path)
	if err == nil && w.info != nil && os.SameFile(info, w.info) && info.Size() == w.info.Size() &&
		info.ModTime().Equal(w.info.ModTime()) {
		return
	}
	known := w.info != nil
	w.info = info // before it is read: what is written from now on shows the next time
	if err != nil {
		w.info = nil
	} else {
		err = w.load()
	}
	if err != nil && (known || w.info != nil) {
		slog.Error("changed file not used, its old content stays valid", "error", err)
	}
}
