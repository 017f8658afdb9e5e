package http1

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gangway-go/gangway/adapters"
)

// framing says how the client finds the end of a response, RFC 9112 6.3.
type framing int

const (
	undecided  framing = iota // the length is not known yet
	noBody                    // HEAD, 204, 304
	byLength                  // Content-Length
	chunked                   // Transfer-Encoding
	untilClose                // to HTTP/1.0
)

const (
	writeBufferSize = 32 << 10
	// room is what is left free before the body for what is known only when it is sent: the fields about its framing and
	// the connection, the empty line and the size of the first chunk.
	room = 112
)

var writeBuffers = sync.Pool{New: func() any { return new([writeBufferSize]byte) }}

// A writer sends a response: the header and what is there of the body in one write, the rest as it comes. Until the
// first write the length of the body decides how it is framed, if the application has not said it.
type writer struct {
	x       *exchange
	store   *[writeBufferSize]byte
	buf     []byte // in store: the header, then room, then the body; once the header is out, room and body
	head    int    // length of the header in buf; 0 once it is out
	begun   bool
	framing framing
	left    int64 // bytes of Content-Length that are not in buf nor sent; -1 without one
	err     error // of the connection
	yields  bool  // see Yield
	unsent  []byte
}

// begin takes the header.
func (w *writer) begin(x *exchange, resp *adapters.Response) {
	w.x, w.begun = x, true
	if w.store == nil {
		w.store = writeBuffers.Get().(*[writeBufferSize]byte)
	}
	b := appendStatusLine(w.store[:0], resp.Status)
	dated := false
	length := int64(-1)
	for _, f := range resp.Header {
		switch {
		case adapters.EqualName(f.Name, "Content-Length"):
			if n, err := adapters.ParseLength(f.Value); err == nil {
				length = n
			}
			continue
		case adapters.EqualName(f.Name, "Date"):
			dated = true
		case hopByHop(f.Name):
			continue
		}
		b = appendField(b, f)
	}
	if !dated {
		b = append(append(append(b, "Date: "...), date()...), "\r\n"...)
	}
	w.frame(resp, length)
	w.head = len(b)
	if cap(b)-len(b) < room+1 {
		b = append(make([]byte, 0, len(b)+room+writeBufferSize/2), b...)
	}
	w.buf = b[:len(b)+room]
}

// frame decides the framing as far as the header allows.
func (w *writer) frame(resp *adapters.Response, length int64) {
	w.left = length
	switch {
	case !adapters.BodyAllowed(w.x.req.Method, resp.Status):
		w.framing = noBody
		if resp.Status == http.StatusNoContent {
			w.left = -1 // RFC 9110 8.6
		}
	case resp.Trailer != nil && w.x.head.minor > 0:
		w.framing = chunked
	case length >= 0:
		w.framing = byLength
	default:
		w.framing = undecided
	}
}

// reset forgets a response of which nothing was sent.
func (w *writer) reset() { *w = writer{store: w.store} }

func (w *writer) release() {
	if w.store != nil {
		writeBuffers.Put(w.store)
	}
	w.store, w.buf, w.unsent = nil, nil, nil
}

// failure returns what the connection failed with.
func (w *writer) failure() error { return w.x.c.writeFailure(w.err) }

// Write keeps b, or sends it with what there is if there is no room for it.
func (w *writer) Write(b []byte) (int, error) {
	if w.err != nil {
		return 0, w.failure()
	}
	if w.framing == byLength {
		if int64(len(b)) > w.left {
			return 0, fmt.Errorf("%w: body longer than its Content-Length", adapters.ErrBadResponse)
		}
		w.left -= int64(len(b))
	}
	if len(w.buf)+len(b)+len("\r\n0\r\n\r\n") <= cap(w.buf) {
		w.buf = append(w.buf, b...)
		return len(b), nil
	}
	w.send(b, false)
	return len(b), w.failure()
}

// Flush sends what is gathered.
func (w *writer) Flush() {
	switch {
	case w.err != nil:
	case w.head > 0, len(w.buf) > room:
		w.send(nil, false)
	case len(w.unsent) > 0:
		w.err = w.transmit(nil, nil)
	}
}

// Yield implements [adapters.Yielder].
func (w *writer) Yield(on bool) bool {
	w.yields = on
	return true
}

// Stuck implements [adapters.Yielder].
func (w *writer) Stuck() bool { return len(w.unsent) > 0 }

// ReadFrom sends a file with sendfile(2) where the system can and the length is known.
func (w *writer) ReadFrom(src io.Reader) (n int64, err error) {
	to, direct := w.x.c.nc.Conn.(io.ReaderFrom)
	limit, ok := src.(*io.LimitedReader)
	if !ok {
		limit = &io.LimitedReader{R: src, N: math.MaxInt64}
	}
	file, ok := limit.R.(*os.File)
	if !ok || !direct || w.framing != byLength {
		return io.Copy(struct{ io.Writer }{w}, src)
	}
	start, err := file.Seek(0, io.SeekCurrent)
	if err != nil {
		return 0, err
	}
	w.Flush()
	for sent := int64(1); sent > 0 && w.left > 0 && limit.N > 0 && w.err == nil; {
		w.x.c.setWriteDeadline()
		sent, w.err = w.sendfile(to, &io.LimitedReader{R: file, N: min(w.left, limit.N, sendfilePart)}, file, start+n)
		n += sent
		w.left -= sent
		limit.N -= sent
	}
	return n, w.failure()
}

// sendfile sends a part of file, which begins at offset, as long as the client takes it.
func (w *writer) sendfile(to io.ReaderFrom, part *io.LimitedReader, file *os.File, offset int64) (n int64, err error) {
	for all := part.N; n < all; {
		part.N = all - n
		m, err := to.ReadFrom(part)
		n += m
		switch {
		case err == nil:
			return n, nil
		case !w.x.c.taking(err, m):
			return n, err
		}
		if _, err := file.Seek(offset+n, io.SeekStart); err != nil { // more may have been read
			return n, err
		}
	}
	return n, nil
}

// sendfilePart is how much goes out between two looks at the clock.
const sendfilePart = 8 << 20

// finish sends the rest, and the end of the body if it needs one.
func (w *writer) finish(trailer adapters.Header) error {
	if w.framing == byLength && w.left > 0 {
		w.Flush()
		return fmt.Errorf("%w: %d bytes of its Content-Length missing", adapters.ErrTruncated, w.left)
	}
	if w.err == nil {
		if w.framing == undecided {
			w.framing, w.left = byLength, 0
		}
		if w.framing == chunked {
			w.send(nil, true, trailer...)
		} else {
			w.Flush()
		}
	}
	return w.failure()
}

// send writes the header if it is not out, what is gathered, more, and the end of a chunked body if last.
func (w *writer) send(more []byte, last bool, trailer ...adapters.Field) {
	if w.framing == undecided {
		w.framing = chunked
		if w.x.head.minor == 0 {
			w.framing, w.x.keep = untilClose, false
		}
	}
	body := w.buf[w.head+room:]
	size := len(body) + len(more)
	start := w.prepend(size)
	out := w.buf[start:]
	if w.framing == chunked {
		if size > 0 && len(more) == 0 {
			out = append(out, "\r\n"...)
		}
		if last {
			out = appendEnd(out, trailer)
		}
	}
	w.x.writing.Lock()
	defer w.x.writing.Unlock()
	if !w.x.sent {
		w.x.sent = true
		w.x.c.enter(StateWriting)
	}
	w.err = w.transmit(out, more)
	w.head = 0
	w.buf = w.store[:room]
}

// transmit writes what is unsent, out and more, with what ends a chunk.
func (w *writer) transmit(out, more []byte) error {
	c := w.x.c
	if w.yields {
		c.moveWriteEnd(time.Now().Add(yieldTime))
	} else {
		c.setWriteDeadline()
	}
	for len(w.unsent) == 0 && len(more) == 0 {
		n, err := c.nc.Write(out)
		if out = out[n:]; err == nil {
			return nil
		}
		if w.yields || !c.taking(err, int64(n)) {
			return w.keep(net.Buffers{out}, err)
		}
	}
	parts := make(net.Buffers, 0, 4)
	for _, part := range [][]byte{w.unsent, out, more} {
		if len(part) > 0 {
			parts = append(parts, part)
		}
	}
	if w.framing == chunked && len(more) > 0 {
		parts = append(parts, []byte("\r\n"))
	}
	for {
		n, err := parts.WriteTo(c.nc.Conn)
		if w.yields || !c.taking(err, n) {
			return w.keep(parts, err)
		}
	}
}

// keep notes what was not sent, if it is only late.
func (w *writer) keep(rest net.Buffers, err error) error {
	if w.unsent = nil; w.yields && errors.Is(err, os.ErrDeadlineExceeded) {
		w.unsent, err = bytes.Join(rest, nil), nil
	}
	return err
}

// prepend puts the framing of size bytes before them, and the header before it. It returns where in buf the message
// begins.
func (w *writer) prepend(size int) int {
	var front [room]byte
	b := front[:0]
	if w.head > 0 {
		switch {
		case w.framing == chunked:
			b = append(b, "Transfer-Encoding: chunked\r\n"...)
		case w.left >= 0 && w.framing == noBody, w.framing == byLength:
			b = append(b, "Content-Length: "...)
			b = append(strconv.AppendInt(b, w.left+int64(size), 10), "\r\n"...)
		}
		switch {
		case !w.x.keep:
			b = append(b, "Connection: close\r\n"...)
		case w.x.head.minor == 0:
			b = append(b, "Connection: keep-alive\r\n"...)
		}
		b = append(b, "\r\n"...)
	}
	if w.framing == chunked && size > 0 {
		b = append(strconv.AppendInt(b, int64(size), 16), "\r\n"...)
	}
	start := w.head + room - len(b)
	copy(w.buf[start:], b)
	if w.head > 0 {
		start -= w.head
		copy(w.buf[start:], w.buf[:w.head])
	}
	return start
}

// appendEnd appends the last chunk and the trailer section, RFC 9112 7.1.
func appendEnd(b []byte, trailer adapters.Header) []byte {
	b = append(b, "0\r\n"...)
	for _, f := range trailer {
		if adapters.TrailerAllowed(f.Name) {
			b = appendField(b, f)
		}
	}
	return append(b, "\r\n"...)
}

// appendField appends f if it has the form of a field: nothing that an application sets may split the response.
func appendField(b []byte, f adapters.Field) []byte {
	if !adapters.ValidName(f.Name) || !adapters.ValidValue(f.Value) {
		return b
	}
	return append(append(append(append(b, f.Name...), ": "...), f.Value...), "\r\n"...)
}

// appendFields appends what of h may be sent to a client.
func appendFields(b []byte, h adapters.Header) []byte {
	for _, f := range h {
		if !hopByHop(f.Name) {
			b = appendField(b, f)
		}
	}
	return b
}

// hopByHop reports whether a field concerns one connection and not what is beyond it, RFC 9110 7.6.1.
func hopByHop(name string) bool {
	switch len(name) {
	case 2:
		return adapters.EqualName(name, "TE")
	case 7:
		return adapters.EqualName(name, "Trailer") || adapters.EqualName(name, "Upgrade")
	case 10:
		return adapters.EqualName(name, "Connection") || adapters.EqualName(name, "Keep-Alive")
	case 16:
		return adapters.EqualName(name, "Proxy-Connection")
	case 17:
		return adapters.EqualName(name, "Transfer-Encoding")
	}
	return false
}

func appendStatusLine(b []byte, status int) []byte {
	if status == http.StatusOK {
		return append(b, "HTTP/1.1 200 OK\r\n"...)
	}
	b = strconv.AppendInt(append(b, "HTTP/1.1 "...), int64(status), 10)
	return append(append(append(b, ' '), http.StatusText(status)...), "\r\n"...)
}

// A stamp is a Date field's value and the second it is for.
type stamp struct {
	second int64
	text   string
}

var lastStamp atomic.Pointer[stamp]

// date returns the value of Date, RFC 9110 6.6.1.
func date() string {
	now := time.Now()
	last := lastStamp.Load()
	if last == nil || last.second != now.Unix() {
		last = &stamp{now.Unix(), now.UTC().Format(http.TimeFormat)}
		lastStamp.Store(last)
	}
	return last.text
}
