package fastcgi

import (
	"errors"
	"fmt"
	"math"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/fastcgi/wire"
)

const (
	outputBuffer = 16 << 10
	outputEnd    = 2*wire.HeaderLen + wire.HeaderLen + wire.BodyLen // ends of two streams, and FCGI_END_REQUEST
	flushDelay   = 5 * time.Millisecond                             // how long a header waits for the body
)

var outputBuffers = sync.Pool{New: func() any { return new([outputBuffer]byte) }}

// A serverOutput is the FCGI_STDOUT of a request. It collects what is small, so that a short response leaves in one
// write together with FCGI_END_REQUEST, and sends what is large without copying it.
type serverOutput struct {
	r     *serverRequest
	array *[outputBuffer]byte

	mu   sync.Mutex
	buf  []byte // a record that is not sent yet: space for its header, and content; nil before open and after end
	left int64  // bytes of the body that may still come; negative if that is not known
	body bool   // some have come
	sent bool   // something has left; to change it needs conn.wmu too
	late *time.Timer

	pair [2][]byte
	vec  net.Buffers
}

func (o *serverOutput) open() {
	o.array = outputBuffers.Get().(*[outputBuffer]byte)
	o.left = -1
	o.reset()
}

// reset drops what has not left yet, and reports whether that is everything.
func (o *serverOutput) reset() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.buf = o.array[:wire.HeaderLen]
	return !o.sent
}

// send sends resp.
func (o *serverOutput) send(resp *adapters.Response) (appStatus int, err error) {
	if err := resp.Check(); err != nil {
		return 0, err
	}
	if err := o.header(resp); err != nil {
		return 0, err
	}
	if resp.LocalRedirect != "" || !adapters.BodyAllowed(o.r.req.Method, resp.Status) {
		o.Flush()
		err = adapters.Drain(resp.Body, math.MaxInt64)
	} else if err = o.copy(resp); err != nil {
		return 0, err
	}
	if resp.AppStatus != nil && err == nil {
		appStatus = resp.AppStatus()
	}
	return appStatus, nil
}

func (o *serverOutput) header(resp *adapters.Response) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	header := adapters.AppendHeader(o.buf, resp)
	if len(header) <= outputBuffer-outputEnd {
		o.buf = header
		return nil
	}
	return o.emit(header[wire.HeaderLen:])
}

func (o *serverOutput) copy(resp *adapters.Response) error {
	length := resp.Header.Get("Content-Length")
	if n, err := adapters.ParseLength(length); err == nil {
		o.left = n
	}
	_, err := adapters.Copy(o, resp.Body)
	switch {
	case errors.Is(err, http.ErrContentLength):
		o.r.conn.srv.log().Error("application sent more than its Content-Length", "uri", adapters.LoggedURI(o.r.req.URI))
		return nil // the web server has the whole message
	case err == nil && o.left > 0:
		return fmt.Errorf("%w: %d of %s bytes are missing", adapters.ErrTruncated, o.left, length)
	}
	return err
}

// Write takes a part of the body.
func (o *serverOutput) Write(p []byte) (n int, err error) {
	if o.r.ctx.Err() != nil {
		return 0, adapters.ErrAborted
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.body = true
	if o.left >= 0 {
		if int64(len(p)) > o.left {
			p, err = p[:o.left], http.ErrContentLength
		}
		o.left -= int64(len(p))
	}
	if len(o.buf)+len(p) <= outputBuffer-outputEnd {
		o.buf = append(o.buf, p...)
	} else if werr := o.emit(p); werr != nil {
		return 0, werr
	}
	return len(p), err
}

// Flush sends what has been collected. An error shows at the next Write. A header without a body yet, and a complete
// body, wait a moment for what most probably follows at once.
func (o *serverOutput) Flush() {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case len(o.buf) <= wire.HeaderLen:
	case o.body && o.left != 0:
		o.emit(nil)
	case o.late == nil:
		o.late = time.AfterFunc(flushDelay, o.flushNow)
	}
}

func (o *serverOutput) flushNow() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.late = nil
	if len(o.buf) > wire.HeaderLen {
		o.emit(nil)
	}
}

// emit sends the record with p at its end, and what of p is too much for it in further records.
func (o *serverOutput) emit(p []byte) error {
	for again := true; again; again = len(p) > 0 {
		n := min(len(p), wire.MaxContent-(len(o.buf)-wire.HeaderLen))
		o.complete(n)
		if err := o.r.conn.writePair(o, p[:n]); err != nil {
			return err
		}
		o.buf = o.buf[:wire.HeaderLen]
		p = p[n:]
	}
	return nil
}

// complete writes the header of the record, to whose content n bytes will be added.
func (o *serverOutput) complete(n int) {
	h := wire.Header{
		Version: wire.Version1, Type: wire.TypeStdout, RequestID: o.r.id,
		ContentLength: uint16(len(o.buf) - wire.HeaderLen + n),
	}
	h.Append(o.buf[:0])
}

// writePair writes o.buf and p at once.
func (c *serverConn) writePair(o *serverOutput, p []byte) error {
	c.wmu.Lock()
	defer c.wmu.Unlock()
	o.sent = true
	if len(p) == 0 {
		return c.writeLocked(o.buf)
	}
	o.pair = [2][]byte{o.buf, p}
	o.vec = o.pair[:]
	_, err := o.vec.WriteTo(c.nc)
	if err != nil {
		c.kill(errConnLost)
	}
	return err
}

// fail puts the response for err in the place of the handler's.
func (o *serverOutput) fail(status int, err error) (appStatus int) {
	resp := adapters.Failure(err)
	o.left = -1
	o.header(resp)
	if o.r.req == nil || o.r.req.Method != http.MethodHead {
		adapters.Copy(o, resp.Body)
	}
	if status >= 500 {
		return 1
	}
	return 0
}

// end ends the stream and the request.
func (o *serverOutput) end(appStatus int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.late != nil {
		o.late.Stop()
	}
	if len(o.buf) > wire.HeaderLen {
		o.complete(0)
	} else {
		o.buf = o.buf[:0]
	}
	records := wire.AppendEnd(o.buf, wire.TypeStdout, o.r.id)
	o.r.conn.end(o.r, records, wire.EndRequest{AppStatus: uint32(appStatus)})
	o.buf = nil
	outputBuffers.Put(o.array)
}
