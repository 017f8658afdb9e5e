// Package testlog has what tests let others write to: a [Buffer].
package testlog

import (
	"bytes"
	"log/slog"
	"sync"
)

// A Buffer keeps what is written to it. It may be read while others write. The zero value is ready to use. It is no
// bytes.Buffer, whose ReadFrom would go round the lock.
type Buffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements io.Writer. It never fails.
func (b *Buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

// String returns all that was written.
func (b *Buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// Logger returns a logger that writes to the buffer, on every level.
func (b *Buffer) Logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(b, &slog.HandlerOptions{Level: slog.LevelDebug}))
}
