package fastcgi

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/fastcgi/wire"
)

// An exchange is one request on one connection and its response, of which it is the Body.
//
// Up to three goroutines touch it: the reader, who called Serve and later calls Read or WriteTo; the sender, if there
// is a body to wait for; and who aborts, by Close or by cancelling ctx. Who ends the exchange first sets err and
// decides what becomes of the connection.
type exchange struct {
	c    *Client
	conn *conn
	ctx  context.Context
	req  *adapters.Request
	keep bool        // the connection may carry another request afterwards
	stop func() bool // ends the watching of ctx; nil before it begins

	// The reader's.
	in       records
	header   adapters.HeaderReader
	inBody   bool       // the header is complete
	left     int64      // bytes of Content-Length to come; -1 without one
	excess   bool       // more than Content-Length came
	pending  []byte     // what of in's buffer is to be read next
	answered bool       // a byte came
	lost     bool       // the connection broke before one came
	status   int        // appStatus
	reading  sync.Mutex // held while the connection is read or Stderr written
	closed   atomic.Bool

	// The sender's.
	streams  []stream
	sendDone chan struct{} // nil without a sender
	writing  sync.Mutex    // held while records are written
	cutShort bool          // one was not written to its end; guarded by writing

	// For another attempt.
	written   bool   // something was sent
	consumed  bool   // Request.Body may have been read
	bodyStart int64  // where it began, if it can be read again; else -1
	inlined   []byte // what was read of it for the first write, whose buffer has it

	mu       sync.Mutex
	err      error // why the exchange is over; io.EOF after a complete response
	headOut  bool  // the first write is over
	torn     bool  // and sent only a part
	sending  sending
	moved    time.Time // when sending last went on
	heir     bool      // the sender has to give the connection back
	reusable bool      // as far as the reader knows
}

// maxRashWrite is what every socket takes at once that has nothing else to send.
const maxRashWrite = 8 << 10

// longAgo as a deadline ends a Read at once.
var longAgo = time.Unix(1, 0)

// largestID is the last request id before 1 comes again. Applications may keep requests in arrays, so ids are to be
// small (FastCGI 1.0 section 3.3); and one that just was in use must not come at once, for records of its request may
// still come.
const largestID = 32

// start sends the request, or as much of it as needs no waiting for a body.
func (x *exchange) start() error {
	x.conn.id = x.conn.id%largestID + 1
	x.noteBody()
	buf := writeBuffers.Get().(*[]byte)
	head, err := x.appendHead((*buf)[:0])
	if err != nil {
		return x.fail(err)
	}
	x.conn.SetWriteDeadline(in(x.c.timeout()))
	if len(head) > maxRashWrite || len(x.streams) > 0 {
		x.watch()
	}
	n, err := x.conn.Write(head)
	if n == 0 && err != nil {
		x.keepBody()
	}
	if cap(head) <= maxPooledWrite {
		*buf = head
		writeBuffers.Put(buf)
	}
	x.written = n > 0
	if cause := x.headIsOut(err == nil); cause != nil {
		x.c.aborted(1)
		go x.farewell()
		return cause
	}
	switch {
	case err == nil && len(x.streams) > 0:
		go x.send()
	case errors.Is(err, os.ErrDeadlineExceeded):
		return x.fail(x.timedOut())
	case err != nil && n == 0:
		x.lost = true
		return x.fail(fmt.Errorf("%w: %w", adapters.ErrUnreachable, err))
	}
	x.req.Trace.Mark(adapters.Sent) // or not all of it, but then the application may have answered
	return nil
}

// headIsOut notes what became of the first write. From then on who ends the exchange sees to the connection.
func (x *exchange) headIsOut(intact bool) (cause error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.headOut, x.torn = true, !intact
	switch {
	case !intact:
		x.sending = gaveUp
	case len(x.streams) > 0 && x.err == nil:
		x.conn.SetWriteDeadline(time.Time{}) // Reading watches over it.
		x.sending, x.moved = readsBody, time.Now()
		x.consumed, x.sendDone = true, make(chan struct{})
	}
	return x.err
}

// watch has ctx end the exchange, if that is not over. It costs more than to wait for a short time without it, so small
// requests with quick answers do; but nothing that may block for longer.
func (x *exchange) watch() {
	if x.stop == nil && x.cause() == nil {
		x.stop = context.AfterFunc(x.ctx, x.cancelled)
	}
}

// unwatch is for the goroutines that come behind watch.
func (x *exchange) unwatch() {
	if x.stop != nil {
		x.stop()
	}
}

// noteBody finds out whether the body can be read again.
func (x *exchange) noteBody() {
	x.bodyStart = -1
	if s, ok := x.req.Body.(io.Seeker); ok {
		if at, err := s.Seek(0, io.SeekCurrent); err == nil {
			x.bodyStart = at
		}
	}
}

// keepBody lets a body that was read for nothing be read again.
func (x *exchange) keepBody() {
	if x.inlined != nil && x.bodyStart < 0 {
		req := *x.req
		req.Body = bytes.NewReader(bytes.Clone(x.inlined))
		x.req, x.bodyStart = &req, 0
	}
}

// repeatable reports whether the request may be sent again, and if so makes its body ready for it.
func (x *exchange) repeatable() bool {
	switch {
	case !x.lost, x.written && !x.req.Idempotent():
		return false
	case !x.consumed:
		return true
	case x.bodyStart < 0, x.req.Role == adapters.Filter:
		return false
	case x.sendDone != nil:
		<-x.sendDone // soon, for the connection is closed and the body is no stream
	}
	_, err := x.req.Body.(io.Seeker).Seek(x.bodyStart, io.SeekStart)
	return err == nil
}

// cause returns why the exchange is over, nil if it is not.
func (x *exchange) cause() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.err
}

// complete ends the exchange after FCGI_END_REQUEST. It returns what the exchange ended with.
func (x *exchange) complete() error {
	x.mu.Lock()
	if err := x.err; err != nil {
		x.mu.Unlock()
		return err
	}
	x.err = io.EOF
	x.reusable = x.keep && x.in.empty()
	state := x.sending
	if state == writesEnd {
		x.heir = true
		x.conn.SetWriteDeadline(x.c.graceEnd())
	}
	reusable := x.reusable && state == sent // An early answer leaves the rest of the body unsent.
	x.mu.Unlock()
	x.unwatch()
	if state != writesEnd {
		x.giveBack(reusable)
	}
	return io.EOF
}

func (x *exchange) giveBack(reusable bool) {
	if reusable {
		x.c.steady.Add(1)
		x.c.put(x.conn)
	} else {
		x.c.discard(x.conn)
	}
}

// fail ends the exchange at once, since the connection or what came on it is of no use. It returns the error that the
// exchange ended with.
func (x *exchange) fail(err error) error {
	x.mu.Lock()
	first := x.err == nil
	if first {
		x.err = x.c.fault(opRequest, err)
	}
	err = x.err
	x.mu.Unlock()
	if first {
		x.unwatch()
		x.c.discard(x.conn)
	}
	return err
}

// abort ends the exchange with FCGI_ABORT_REQUEST, without waiting for what the application does about it.
func (x *exchange) abort(err error) {
	x.unwatch()
	x.cut(err)
}

func (x *exchange) cancelled() { x.cut(context.Cause(x.ctx)) }

func (x *exchange) cut(err error) {
	x.mu.Lock()
	if x.err != nil {
		x.mu.Unlock()
		return
	}
	x.err = x.c.fault(opRequest, err)
	x.conn.SetReadDeadline(longAgo)
	if x.headOut {
		x.c.aborted(1)
		go x.farewell()
	} else {
		x.conn.SetWriteDeadline(longAgo)
	}
	x.mu.Unlock()
}

// awaitReader waits until a running Read has left the connection and Stderr.
func (x *exchange) awaitReader() {
	x.reading.Lock()
	defer x.reading.Unlock()
}

// farewell gives the application time to end an aborted request. The connection is not used again: php-fpm closes it
// after FCGI_ABORT_REQUEST, which it sees only when the script has ended.
func (x *exchange) farewell() {
	x.awaitReader() // it does not come back
	if !x.torn {    // else we are within a record
		x.conn.SetReadDeadline(x.c.graceEnd())
		x.conn.SetWriteDeadline(time.Now().Add(abortWriteTime))
		go x.sendAbort()
		silent := true
		buf := getBuffer(waitSize)
		var n int
		var err error
		for ; err == nil; silent = silent && n == 0 {
			n, err = x.conn.Read(buf)
		}
		if silent && errors.Is(err, os.ErrDeadlineExceeded) && x.c.MaxConns > 0 && x.c.pin(x.conn) {
			x.conn.Read(buf)
			x.c.unpin(x.conn)
		}
		putBuffer(buf)
	}
	x.c.discard(x.conn)
	x.c.aborted(-1)
}

func (c *Client) graceEnd() time.Time {
	return time.Now().Add(max(cmp.Or(c.AbortGrace, clientAbortGrace), 0))
}

// abortWriteTime is how long an application that is behind with reading may take until there is room for
// FCGI_ABORT_REQUEST.
const abortWriteTime = 20 * time.Millisecond

// sendAbort sends FCGI_ABORT_REQUEST, FastCGI 1.0 section 5.4, and closes our direction, so that the application does
// not wait for another request. One that reads nothing can be told only by the end of the connection.
func (x *exchange) sendAbort() {
	x.writing.Lock()
	defer x.writing.Unlock()
	if !x.cutShort {
		_, err := x.conn.Write(wire.AppendRecord(nil, wire.TypeAbortRequest, x.conn.id, nil))
		x.cutShort = err != nil
	}
	if x.cutShort {
		adapters.ResetConn(x.conn)
		return
	}
	x.conn.CloseWrite()
}

// Close aborts the request unless its response is complete.
func (x *exchange) Close() error {
	x.closed.Store(true)
	if x.cause() == nil {
		x.abort(errBodyClosed)
	}
	x.awaitReader() // which may hold Stderr
	return nil
}

var errBodyClosed = fmt.Errorf("%w: the response was closed before its end", adapters.ErrAborted)
