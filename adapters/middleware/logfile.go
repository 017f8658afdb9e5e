package middleware

import (
	"os"
	"sync"
)

// A LogFile is a file that lines are appended to and that can be reopened after a log rotator has renamed it. It is
// safe for concurrent use. Path must be set; the file is opened, or created, by the first Write or Reopen.
type LogFile struct {
	Path string

	mu   sync.Mutex
	file *os.File
}

// Write appends b in one piece.
func (l *LogFile) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		if err := l.open(); err != nil {
			return 0, err
		}
	}
	return l.file.Write(b)
}

// Reopen opens Path anew and closes the file that was open. If that fails, the old file stays in use. Called at the
// start, it shows whether Path can be written.
func (l *LogFile) Reopen() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.open()
}

func (l *LogFile) open() error {
	f, err := os.OpenFile(l.Path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o640)
	if err != nil {
		return err
	}
	if l.file != nil {
		l.file.Close()
	}
	l.file = f
	return nil
}

// Close closes the file; a later Write opens it again.
func (l *LogFile) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		return nil
	}
	err := l.file.Close()
	l.file = nil
	return err
}
