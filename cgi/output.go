package cgi

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"time"

	"github.com/gangway-go/gangway/adapters"
)

// lingerTime is how long the reader of an output waits for processes that the script has left behind.
const lingerTime = 250 * time.Millisecond

// An output is our end of a pipe that the script writes to. What is in the pipe when the script ends is read; others
// that hold the pipe may then add to it for a moment.
type output struct {
	file   *os.File                  // nil if there is none
	ended  atomic.Pointer[time.Time] // when the script did
	waited time.Duration             // since then
	late   bool                      // that is too long
	rest   int                       // bytes that were there then, to be read
	limit  int64                     // of its bytes; 0 is none
	read   int64
}

// Read implements io.Reader.
func (o *output) Read(p []byte) (int, error) {
	n, err := o.next(p)
	if o.read += int64(n); o.limit > 0 && o.read > o.limit {
		return 0, &adapters.Error{
			Op: "stopped", Limit: "cgi-output", Err: fmt.Errorf("%w: more than %d bytes", adapters.ErrBadResponse, o.limit),
		}
	}
	return n, err
}

func (o *output) next(p []byte) (int, error) {
	for o.ended.Load() == nil {
		n, err := o.file.Read(p)
		ended := o.ended.Load()
		if !errors.Is(err, os.ErrDeadlineExceeded) || ended == nil {
			return n, err
		}
		o.waited = time.Since(*ended)
	}
	if o.waited >= lingerTime {
		return o.readRest(p)
	}
	began := time.Now()
	o.file.SetReadDeadline(began.Add(lingerTime - o.waited))
	n, err := o.file.Read(p)
	o.waited += time.Since(began)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return o.readRest(p)
	}
	return n, err
}

// readRest reads what was there when the time was over: a Read that comes late, because the machine is busy or was
// asleep, fails by its deadline whatever the pipe holds.
func (o *output) readRest(p []byte) (int, error) {
	if !o.late {
		o.late, o.rest = true, o.pending()
	}
	if o.rest == 0 {
		return 0, io.EOF
	}
	o.file.SetReadDeadline(time.Time{})
	n, err := o.file.Read(p[:min(len(p), o.rest)])
	o.rest -= n
	return n, err
}

// SetReadDeadline is for who wants to know whether something comes soon.
func (o *output) SetReadDeadline(t time.Time) error { return o.file.SetReadDeadline(t) }

// end tells the reader that the script has ended.
func (o *output) end() {
	now := time.Now()
	o.ended.Store(&now)
	o.file.SetReadDeadline(now.Add(lingerTime))
}
