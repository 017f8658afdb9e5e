package fastcgi

import (
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/fastcgi/wire"
)

// bodyBuffer holds one record and the empty one that ends the stream.
type bodyBuffer [64 << 10]byte

const maxBodyPart = len(bodyBuffer{}) - 2*wire.HeaderLen

var bodyBuffers = sync.Pool{New: func() any { return new(bodyBuffer) }}

// The states of sending, in their order.
type sending int

const (
	sent      sending = iota // nothing is left to send
	readsBody                // waits for Request.Body
	writes                   // waits for the application
	writesEnd                // waits for the application to take the last record
	gaveUp                   // the connection takes no more
)

// send sends x.streams. It runs beside the reading of the response.
func (x *exchange) send() {
	defer close(x.sendDone)
	buf := bodyBuffers.Get().(*bodyBuffer)
	defer bodyBuffers.Put(buf)
	err := x.sendStreams(buf)
	x.mu.Lock()
	x.sending, x.moved = sent, time.Now()
	if err != nil {
		x.sending = gaveUp
	}
	heir, reusable := x.heir, x.reusable
	x.mu.Unlock()
	switch {
	case heir:
		x.giveBack(reusable && err == nil)
	case err != nil && err != errGaveUp:
		x.abort(err)
	}
}

// errGaveUp is the end of sending without a fault of the body: reading the response shows what happened.
var errGaveUp = errors.New("the connection takes no more")

func (x *exchange) sendStreams(buf *bodyBuffer) error {
	for i := range x.streams {
		if err := x.sendStream(buf[:0], &x.streams[i], i == len(x.streams)-1); err != nil {
			return err
		}
	}
	return nil
}

// sendStream sends one stream, exactly as long as it was announced; each record as soon as there is something for it.
func (x *exchange) sendStream(buf []byte, s *stream, last bool) error {
	for {
		b := buf
		if s.left > 0 {
			if !x.enter(readsBody) {
				return errGaveUp
			}
			room := min(s.left, int64(maxBodyPart))
			n, err := io.ReadAtLeast(s.from, buf[wire.HeaderLen:wire.HeaderLen+int(room)], 1)
			if n == 0 {
				return bodyError(s.t, err)
			}
			s.left -= int64(n)
			h := wire.Header{
				Version: wire.Version1, Type: s.t, RequestID: x.conn.id, ContentLength: uint16(n),
			}
			b = h.Append(buf)[:wire.HeaderLen+n]
		}
		state := writes
		if s.left <= 0 {
			b = wire.AppendEnd(b, s.t, x.conn.id)
			if last {
				state = writesEnd
			}
		}
		if !x.write(b, state) {
			return errGaveUp
		}
		if s.left <= 0 {
			return nil
		}
	}
}

// enter notes what sending waits for next, and reports whether the request still goes on.
func (x *exchange) enter(state sending) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.sending, x.moved = state, time.Now()
	return x.err == nil
}

// write sends whole records.
func (x *exchange) write(records []byte, state sending) bool {
	x.writing.Lock()
	defer x.writing.Unlock()
	if !x.enter(state) {
		return false
	}
	_, err := x.conn.Write(records)
	x.cutShort = err != nil
	return !x.cutShort
}

// bodyError is the error for a stream that ended before its announced length. The application must not take what it
// got for the whole: the caller aborts the request.
func bodyError(t wire.Type, err error) error {
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	err = fmt.Errorf("%v: %w", t, err)
	if t == wire.TypeStdin && adapters.StatusOf(err) >= 500 {
		return fmt.Errorf("%w: %w", adapters.ErrAborted, err) // the client's fault, or the client has gone
	}
	return err
}
