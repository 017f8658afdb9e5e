package fastcgi

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/gangway-go/gangway/adapters"
)

const (
	stdinPatience = 250 * time.Millisecond // how long, in all, other requests may have to wait for the reader of a body
	pieceSize     = 32 << 10               // what is written to the file at a time
	smallRing     = 512

	forever = time.Duration(math.MaxInt64)
)

// A serverInput is FCGI_STDIN or FCGI_DATA of a request: the goroutine of the connection fills it, and the handler
// reads it as Request.Body or Data.Body. The oldest bytes are in memory, later ones may be in a file. The zero value
// takes nothing.
type serverInput struct {
	mu     sync.Mutex
	opened bool
	left   int64 // bytes that may still come; negative if that is not known
	err    error // what follows the bytes that are there; nil while more may come

	ring     []byte
	start, n int // where in ring the bytes begin, and how many there are

	waited     time.Duration // for the reader, with the connection standing still
	srv        *Server       // owner of the quota that the file uses
	file       *os.File
	read, size int64 // of the file

	arrived sync.Cond     // wakes the reader
	taken   chan struct{} // closed to wake the connection; nil if it does not wait
}

// open begins the stream; length is negative if it is not known. The request may have been aborted already.
func (in *serverInput) open(length int64) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.opened, in.left, in.arrived.L = true, length, &in.mu
	if length == 0 && in.err == nil {
		in.err = io.EOF
	}
}

// over reports whether nothing more is to come.
func (in *serverInput) over() bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	return !in.opened || in.err != nil
}

// end is the end that the web server sent. If it had announced more, its client is gone.
func (in *serverInput) end() {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.err == nil {
		in.err = io.EOF
		if in.left > 0 {
			in.err = io.ErrUnexpectedEOF
		}
	}
	in.arrived.Broadcast()
}

// abort drops what is there, and has a Read, also one that waits, return err.
func (in *serverInput) abort(err error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.err, in.ring, in.n = err, nil, 0
	if in.file != nil {
		in.emptyFile()
		closeTemp(in.file)
		in.file = nil
	}
	in.arrived.Broadcast()
	in.wakeConn()
}

// Read waits for bytes, and returns io.ErrUnexpectedEOF if there are fewer than announced.
func (in *serverInput) Read(p []byte) (int, error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	for len(p) > 0 {
		n, err := in.take(p)
		if n > 0 {
			in.wakeConn()
			return n, nil
		}
		if err = cmp.Or(err, in.err); err != nil {
			return 0, err
		}
		in.arrived.Wait()
	}
	return 0, nil
}

// take moves what is there to p.
func (in *serverInput) take(p []byte) (n int, err error) {
	if in.n == 0 && in.size > 0 {
		n, err = in.file.ReadAt(p[:min(int64(len(p)), in.size-in.read)], in.read)
		if in.read += int64(n); in.read == in.size {
			in.emptyFile()
		}
		return n, err
	}
	for in.n > 0 && n < len(p) {
		m := copy(p[n:], in.ring[in.start:min(in.start+in.n, len(in.ring))])
		n += m
		in.n -= m
		in.start = (in.start + m) % len(in.ring)
	}
	return n, nil
}

func (in *serverInput) emptyFile() {
	in.file.Truncate(0)
	in.srv.spooled.Add(-in.size)
	in.read, in.size = 0, 0
}

// wait lets mu go until the reader has taken something, at most for limit.
func (in *serverInput) wait(limit time.Duration) {
	if in.taken == nil {
		in.taken = make(chan struct{})
	}
	taken := in.taken
	in.mu.Unlock()
	defer in.mu.Lock()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-taken:
	case <-timer.C:
	}
}

func (in *serverInput) wakeConn() {
	if in.taken != nil {
		close(in.taken)
		in.taken = nil
	}
}

// fill moves n bytes of a record from the connection to r's input in, by the rule that the documentation of Server
// gives. It drops what nobody wants.
func (c *serverConn) fill(r *serverRequest, in *serverInput, n int) error {
	c.inStream = true
	defer func() { c.inStream = false }()
	for n > 0 {
		p, toFile := in.space(r, n)
		if p == nil {
			return c.discard(n)
		}
		m, err := c.br.Read(p)
		in.put(p[:m], toFile)
		n -= m
		if err != nil {
			return err
		}
	}
	return nil
}

// space returns where some of the next n bytes shall be read to, waiting if that is right; nil if nobody wants them.
func (in *serverInput) space(r *serverRequest, n int) (p []byte, toFile bool) {
	srv := r.conn.srv
	memory, quota := cmp.Or(srv.StdinBuffer, DefaultStdinBuffer), cmp.Or(srv.MaxSpool, DefaultMaxSpool)
	in.mu.Lock()
	defer in.mu.Unlock()
	for {
		alone := r.started && r.conn.alone()
		switch {
		case !in.opened || in.err != nil:
			return nil, false
		case in.size == 0 && in.n < memory:
			return in.free(n, memory), false
		case in.size == 0 && alone && in.waited < stdinPatience:
			began := time.Now()
			in.wait(stdinPatience - in.waited)
			in.waited += time.Since(began)
		case srv.spooled.Load() < quota:
			if r.conn.piece == nil {
				r.conn.piece = make([]byte, pieceSize)
			}
			in.srv = srv
			return r.conn.piece[:in.wanted(min(n, pieceSize))], true
		case alone:
			in.wait(forever)
		default:
			in.err = fmt.Errorf("%w: %d bytes of bodies wait in temporary files (limit spool)", adapters.ErrTooLarge, quota)
			in.arrived.Broadcast()
		}
	}
}

// wanted returns how many of n bytes belong to the body.
func (in *serverInput) wanted(n int) int {
	if in.left >= 0 {
		n = int(min(int64(n), in.left))
	}
	return n
}

// free returns a part of the ring for up to n bytes. The reader does not touch it.
func (in *serverInput) free(n, limit int) []byte {
	n = in.wanted(n)
	if in.n == len(in.ring) {
		ring := make([]byte, min(limit, max(in.n+n, 2*len(in.ring), smallRing)))
		used := in.n
		in.take(ring)
		in.ring, in.start, in.n = ring, 0, used
	}
	at := (in.start + in.n) % len(in.ring)
	return in.ring[at:min(at+n, at+len(in.ring)-in.n, len(in.ring))]
}

// put takes note that p, which space returned, has been filled.
func (in *serverInput) put(p []byte, toFile bool) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.err != nil {
		return
	}
	if !toFile {
		in.n += len(p)
	} else if err := in.spool(p); err != nil {
		in.err = &adapters.Error{Op: "fastcgi: store a body", Status: http.StatusInsufficientStorage, Err: err}
	}
	if in.left > 0 && in.err == nil {
		if in.left -= int64(len(p)); in.left == 0 {
			in.err = io.EOF // not every web server sends the end
		}
	}
	in.arrived.Broadcast()
}

// spool appends p to the file.
func (in *serverInput) spool(p []byte) (err error) {
	if in.file == nil {
		if in.file, err = createTemp(); err != nil {
			return err
		}
	}
	n, err := in.file.WriteAt(p, in.size)
	in.size += int64(n)
	in.srv.spooled.Add(int64(n))
	return err
}

// createTemp creates a file without a name, where the system can do that.
func createTemp() (*os.File, error) {
	f, err := os.CreateTemp("", "gangway-stdin-*")
	if err == nil {
		os.Remove(f.Name())
	}
	return f, err
}

// closeTemp closes f, and removes it where that was impossible before.
func closeTemp(f *os.File) {
	f.Close()
	os.Remove(f.Name())
}
