package cgi

import (
	"errors"
	"io"
	"os"
	"sync/atomic"
	"time"
)

// lingerTime is how long the reader of an output waits for processes that the script has left behind.
const lingerTime = 250 * time.Millisecond

// An output is our end of a pipe that the script writes to. What is in the pipe when the script ends is read; others
// that hold the pipe may then add to it for a moment.
type output struct {
	*os.File
	ended  atomic.Pointer[time.Time] // when the script did
	waited time.Duration             // since then
}

// Read implements io.Reader.
func (o *output) Read(p []byte) (int, error) {
	for o.ended.Load() == nil {
		n, err := o.File.Read(p)
		ended := o.ended.Load()
		if !errors.Is(err, os.ErrDeadlineExceeded) || ended == nil {
			return n, err
		}
		o.waited = time.Since(*ended)
	}
	if o.waited >= lingerTime {
		return 0, io.EOF
	}
	began := time.Now()
	o.SetReadDeadline(began.Add(lingerTime - o.waited))
	n, err := o.File.Read(p)
	o.waited += time.Since(began)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = io.EOF
	}
	return n, err
}

// end tells the reader that the script has ended.
func (o *output) end() {
	now := time.Now()
	o.ended.Store(&now)
	o.SetReadDeadline(now.Add(lingerTime))
}
