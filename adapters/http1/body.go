package http1

import (
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gangway-go/gangway/adapters"
)

// A body is the message-body of a request. One goroutine reads it at a time; shut may be called meanwhile.
type body struct {
	c       *conn
	x       *exchange
	chunked bool
	left    int64 // bytes to come, of the chunk if chunked
	data    bool  // a chunk's data was read, and its CRLF comes next
	excess  int64 // bytes of framing above what is usual
	trailer adapters.Header

	reading sync.Mutex // held while Read runs
	over    atomic.Bool
	err     error        // how it ended; io.EOF is the end
	rest    atomic.Int64 // bytes to come, as far as is known
}

// begin readies b for a length as in head.
func (b *body) begin(x *exchange, length int64) {
	b.c, b.x, b.chunked, b.left = x.c, x, length < 0, max(0, length)
	b.rest.Store(length)
	if b.chunked {
		b.rest.Store(math.MaxInt64)
	}
}

// Read implements io.Reader. The first one asks the client for a body that it holds back.
func (b *body) Read(p []byte) (int, error) {
	b.reading.Lock()
	defer b.reading.Unlock()
	switch {
	case b.over.Load():
		return 0, adapters.ErrAborted
	case b.err != nil:
		return 0, b.err
	case len(p) == 0:
		return 0, nil
	}
	if err := b.x.sendContinue(); err != nil {
		return 0, err
	}
	n, err := b.next(p)
	if b.over.Load() {
		return n, adapters.ErrAborted
	}
	if err != nil && err != io.EOF {
		err = b.x.bodyFailed(err)
	}
	b.err = err
	return n, err
}

// Len is for [adapters.ReadableAtOnce].
func (b *body) Len() int {
	b.reading.Lock()
	defer b.reading.Unlock()
	if b.chunked || b.x.awaited.Load() || b.over.Load() {
		return 0
	}
	return int(min(b.left, int64(b.c.w-b.c.r)))
}

// next reads a piece of the body, and finds its end.
func (b *body) next(p []byte) (int, error) {
	for b.left == 0 {
		if b.rest.Load() == 0 {
			return 0, io.EOF
		}
		if err := b.nextChunk(); err != nil {
			return 0, err
		}
	}
	n, err := b.c.read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	if b.chunked {
		b.data = true
		return n, err
	}
	b.rest.Store(b.left)
	if b.left == 0 && err == nil {
		err = io.EOF
	}
	return n, err
}

const (
	maxChunkLine = 4 << 10  // bytes of a chunk-size line with its extensions
	maxExcess    = 16 << 10 // bytes of framing that buy nothing
	maxTrailer   = 4 << 10  // bytes of the trailer section, as with net/http, if MaxHeader is not less
)

// nextChunk reads the line that begins a chunk, and the trailer section behind the last one, RFC 9112 7.1.
func (b *body) nextChunk() error {
	if b.data {
		if _, err := b.c.line(0); err != nil { // or the chunk is longer than its size
			return err
		}
		b.data = false
	}
	line, err := b.c.line(maxChunkLine)
	if err != nil {
		return err
	}
	if b.left, err = parseChunkSize(line); err != nil {
		return err
	}
	b.excess = max(0, b.excess+int64(len(line))-16-2*min(b.left, maxExcess))
	if b.excess > maxExcess {
		return malformed("chunks with more framing than data")
	}
	if b.left > 0 {
		return nil
	}
	return b.readTrailer()
}

// parseChunkSize reads the size of a chunk, RFC 9112 7.1; extensions (7.1.1) mean nothing to us, but their form counts.
func parseChunkSize(line string) (int64, error) {
	size, digits := int64(0), 0
	for digits < len(line) {
		d := hexDigit[line[digits]]
		if d < 0 {
			break
		}
		if size > math.MaxInt64>>4 {
			return 0, malformed("chunk size %.40q", line)
		}
		size = size<<4 | int64(d)
		digits++
	}
	rest := line[digits:]
	if digits == 0 || rest != "" && rest[0] != ';' || !validExtensions(rest) {
		return 0, malformed("chunk size %.40q", line)
	}
	return size, nil
}

var hexDigit = func() (value [256]int8) {
	for i := range value {
		value[i] = -1
	}
	for i := range 16 {
		value["0123456789abcdef"[i]] = int8(i)
		value["0123456789ABCDEF"[i]] = int8(i)
	}
	return value
}()

// validExtensions reports whether s has the form *( BWS ";" BWS name [ BWS "=" BWS ( token / quoted-string ) ] ).
func validExtensions(s string) bool {
	for s != "" {
		s = skipBlank(s)
		if s == "" || s[0] != ';' {
			return false
		}
		s = skipBlank(s[1:])
		n := tokenLen(s)
		if n == 0 {
			return false
		}
		after := skipBlank(s[n:])
		if after == "" || after[0] != '=' {
			s = s[n:]
			continue
		}
		s = skipBlank(after[1:])
		if n = tokenLen(s); n == 0 {
			n = quotedLen(s)
		}
		if n == 0 {
			return false
		}
		s = s[n:]
	}
	return true
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' }

func skipBlank(s string) string {
	for s != "" && isBlank(s[0]) {
		s = s[1:]
	}
	return s
}

// trimBlank is strings.Trim, which prepares itself for any set of bytes first.
func trimBlank(s string) string {
	s = skipBlank(s)
	for s != "" && isBlank(s[len(s)-1]) {
		s = s[:len(s)-1]
	}
	return s
}

func tokenLen(s string) int {
	n := 0
	for n < len(s) && adapters.ValidName(s[n:n+1]) {
		n++
	}
	return n
}

// quotedLen returns the length of the quoted-string (RFC 9110 5.6.4) at the beginning of s, or 0.
func quotedLen(s string) int {
	if s == "" || s[0] != '"' {
		return 0
	}
	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			return i + 1
		case c == '\\':
			i++
		}
		if i < len(s) && !adapters.ValidValue(s[i:i+1]) {
			return 0
		}
	}
	return 0
}

// readTrailer reads the trailer section, RFC 9112 7.1.2. Fields that frame or route a message are dropped, RFC 9110
// 6.5.1.
func (b *body) readTrailer() error {
	limit := min(maxTrailer, b.c.s.maxHeader())
	for size := 2; ; {
		line, err := b.c.line(b.c.s.maxHeader())
		if err != nil {
			return err
		}
		if line == "" {
			b.rest.Store(0)
			return nil
		}
		if size += len(line) + 2; size > limit {
			return refuseFor("header-bytes", 431, "trailer larger than %d bytes", limit)
		}
		name, value, err := parseField(line)
		if err != nil {
			return err
		}
		if adapters.TrailerAllowed(name) {
			b.trailer = append(b.trailer, adapters.Field{Name: name, Value: value})
		}
	}
}

// Limits on what is read for nobody, so that the client sees the answer and the connection can be kept.
const (
	maxDrain  = 256 << 10
	drainTime = time.Second
)

// outlasts reports whether more of the body is to come than is worth reading for nothing. A body that the client holds
// back may come or not: then nobody knows where the next request begins.
func (b *body) outlasts() bool {
	return b.x.awaited.Load() || b.rest.Load() > maxDrain
}

// shut ends the reading: when it returns no Read is under way, and none will have an effect.
func (b *body) shut() {
	b.over.Store(true)
	if !b.reading.TryLock() {
		for ok := false; !ok; ok = b.reading.TryLock() {
			b.c.nc.SetReadDeadline(time.Unix(1, 0)) // which the reader may be about to replace
			time.Sleep(50 * time.Microsecond)
		}
		b.c.deadline = time.Unix(1, 0)
	}
	b.reading.Unlock()
}

// drain reads what is left of a body that was shut, within limits, and reports whether the next request can follow.
func (b *body) drain() bool {
	if b.err != nil {
		return b.err == io.EOF
	}
	b.c.setReadDeadline(drainTime, 0)
	b.c.drains = true
	defer func() { b.c.drains = false }()
	buf := writeBuffers.Get().(*[writeBufferSize]byte)
	defer writeBuffers.Put(buf)
	var err error
	for n := 0; n < maxDrain && err == nil; {
		var m int
		m, err = b.next(buf[:])
		n += m
	}
	return err == io.EOF
}

// bodyFailed makes of what went wrong with the body what the application and the client hear.
func (x *exchange) bodyFailed(err error) error {
	var r *adapters.Error
	switch {
	case errors.As(err, &r):
		err = fmt.Errorf("%w: %w", adapters.ErrBadRequest, r.Err)
		return &adapters.Error{Op: "http1: body", Status: r.Status, Limit: r.Limit, Err: err}
	case errors.Is(err, os.ErrDeadlineExceeded):
		return &adapters.Error{
			Op: "http1: body", Status: http.StatusRequestTimeout, Limit: "body-timeout",
			Err: fmt.Errorf("%w: the client sent nothing of the body for %v", adapters.ErrTimeout, x.c.s.bodyTimeout()),
		}
	}
	x.ctx.Cancel(nil)
	return fmt.Errorf("%w: the client closed the connection within the request body (%v)", adapters.ErrAborted, err)
}
