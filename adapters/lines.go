package adapters

import (
	"bytes"
	"cmp"
	"fmt"
	"log/slog"
	"sync"
)

// DefaultStderrLimit is how many bytes a [StderrLog] logs that sets no Limit.
const DefaultStderrLimit = 1 << 20

const maxStderrLine = 8 << 10 // longer lines are cut into pieces

// A StderrLog is a Request.Stderr that logs an application's diagnostics line by line. The zero value with Log set is
// ready; it may be used by several goroutines.
type StderrLog struct {
	Log   *slog.Logger // with the attributes that name the request
	ID    string       // of the request: logged with each line, if it is not empty
	Limit int64        // stderr: how many bytes are logged; 0 means DefaultStderrLimit, a negative number all

	mu      sync.Mutex
	partial []byte
	taken   int64
	dropped int64
}

// Write logs the complete lines in b and keeps the rest. It never fails.
func (l *StderrLog) Write(b []byte) (int, error) {
	n := len(b)
	l.mu.Lock()
	defer l.mu.Unlock()
	if rest := cmp.Or(l.Limit, DefaultStderrLimit) - l.taken; l.Limit >= 0 && int64(len(b)) > rest {
		l.dropped += int64(len(b)) - rest
		b = b[:rest]
	}
	l.taken += int64(len(b))
	for len(b) > 0 {
		line, rest, whole := bytes.Cut(b, []byte("\n"))
		if room := maxStderrLine - len(l.partial); len(line) > room {
			line, rest, whole = b[:room], b[room:], true
		}
		l.partial = append(l.partial, line...)
		if whole {
			l.emit()
		}
		b = rest
	}
	return n, nil
}

func (l *StderrLog) emit() {
	if line := bytes.TrimRight(l.partial, "\r"); len(line) > 0 {
		l.Logger().Warn("stderr", "line", string(line))
	}
	l.partial = l.partial[:0]
}

// Logger returns Log with the name of the request. It is made when it is needed: most requests log nothing.
func (l *StderrLog) Logger() *slog.Logger {
	if l.ID == "" {
		return l.Log
	}
	return l.Log.With("request", l.ID)
}

// Close logs an unfinished line, and how much was dropped.
func (l *StderrLog) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.emit()
	if l.dropped > 0 {
		l.Logger().Warn("stderr", "line", fmt.Sprintf("%d more bytes dropped (limit stderr)", l.dropped), "limit", "stderr")
		l.dropped = 0
	}
	return nil
}
