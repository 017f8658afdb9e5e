package egi

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/gangway-go/gangway/adapters"
)

// Header implements http.ResponseWriter.
func (x *exchange) Header() http.Header {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.header == nil {
		x.header = make(http.Header)
	}
	return x.header
}

// WriteHeader implements http.ResponseWriter.
func (x *exchange) WriteHeader(status int) {
	x.mu.Lock()
	defer x.mu.Unlock()
	switch {
	case x.gone() != nil, status == http.StatusContinue: // 100 is the frontend's business
	case x.wrote:
		fmt.Fprintf(&x.diag, "egi: %s %s: superfluous WriteHeader(%d)\n", x.req.Method, x.req.URI, status)
	case status >= 200 && status <= 599:
		x.writeHeader(status)
	case status == http.StatusSwitchingProtocols:
		x.fail(adapters.ErrUpgrade)
	case status > 100 && status < 200:
		x.writeInterim(status)
	default:
		x.fail(fmt.Errorf("%w: status %d", adapters.ErrBadResponse, status))
	}
}

// fail ends the response before it has begun.
func (x *exchange) fail(err error) {
	x.err = fmt.Errorf("egi: %w", err)
	x.ctx.Cancel(x.err)
	wake(x.readable)
}

// gone returns why nothing more may be written.
func (x *exchange) gone() error {
	switch {
	case x.over:
		return fmt.Errorf("egi: %w", adapters.ErrAborted)
	case x.err != nil:
		return x.err
	case x.ctx.Err() != nil:
		return fmt.Errorf("egi: %w: %w", adapters.ErrAborted, x.ctx.Err())
	}
	return nil
}

func (x *exchange) writeInterim(status int) {
	if x.inform == nil {
		return
	}
	x.notice = &notice{status, adapters.HeaderFrom(x.header)}
	wake(x.readable)
	for x.notice != nil && x.gone() == nil {
		x.wait(&x.writable)
	}
	wake(x.writable)
}

// writeHeader takes the header as it is now.
func (x *exchange) writeHeader(status int) {
	x.wrote = true
	for _, names := range x.header["Trailer"] {
		for name := range strings.SplitSeq(names, ",") {
			x.declared = append(x.declared, http.CanonicalHeaderKey(strings.TrimSpace(name)))
		}
	}
	h := adapters.StripHopByHop(adapters.HeaderFrom(x.header))
	h = slices.DeleteFunc(h, func(f adapters.Field) bool { return strings.HasPrefix(f.Name, http.TrailerPrefix) })
	_, typed := x.header["Content-Type"]
	_, encoded := x.header["Content-Encoding"]
	x.sniff = !typed && !encoded
	if v := h.Get("Content-Length"); v != "" {
		n, err := adapters.ParseLength(v)
		if err != nil {
			fmt.Fprintf(&x.diag, "egi: %s %s: Content-Length %.40q ignored\n", x.req.Method, x.req.URI, v)
			h.Del("Content-Length")
			n = -1
		}
		x.length = n
	}
	x.resp = adapters.Response{Status: status, Header: h, Body: body{x}}
}

// commit makes the header final.
func (x *exchange) commit() {
	if x.begun {
		return
	}
	x.begun = true
	if x.sniff && x.ring.used > 0 {
		x.resp.Header.Add("Content-Type", http.DetectContentType(x.ring.bytes()))
	}
	// As net/http: beside a length no other trailer than those declared.
	if !x.done && (x.length < 0 || len(x.declared) > 0) || len(x.trailer) > 0 {
		x.resp.Trailer = x.sentTrailer
	}
	if !x.bodyAllowed() {
		x.ring.drop()
	}
	wake(x.readable)
}

func (x *exchange) sentTrailer() adapters.Header {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.trailer
}

func (x *exchange) bodyAllowed() bool { return adapters.BodyAllowed(x.req.Method, x.resp.Status) }

// Write implements http.ResponseWriter.
func (x *exchange) Write(p []byte) (int, error) { return write(x, p) }

// WriteString implements io.StringWriter.
func (x *exchange) WriteString(s string) (int, error) { return write(x, s) }

func write[T []byte | string](x *exchange, p T) (int, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if err := x.admit(len(p)); err != nil {
		return 0, err
	}
	n := 0
	for n < len(p) {
		space, err := x.space()
		if err != nil {
			return n, err
		}
		m := copy(space, p[n:])
		n += m
		x.ring.used += m
		x.written += int64(m)
		switch {
		case x.begun && !x.bodyAllowed():
			x.ring.drop()
		case x.begun && x.ring.used >= bufferSize/2:
			wake(x.readable)
		}
	}
	return n, nil
}

// admit says whether n more bytes may be written.
func (x *exchange) admit(n int) error {
	if err := x.gone(); err != nil {
		return err
	}
	if !x.wrote {
		x.writeHeader(http.StatusOK)
	}
	switch {
	case x.resp.Status == http.StatusNoContent, x.resp.Status == http.StatusNotModified:
		return http.ErrBodyNotAllowed
	case x.length >= 0 && x.written+int64(n) > x.length:
		return http.ErrContentLength
	}
	return nil
}

// space waits for room in the buffer.
func (x *exchange) space() ([]byte, error) {
	waited := false
	for {
		if err := x.gone(); err != nil {
			return nil, err
		}
		space := x.ring.space()
		switch {
		case len(space) > 0:
			if waited {
				wake(x.writable) // another goroutine of the application may wait, too
			}
			return space, nil
		case x.begun:
			waited = true
			x.wait(&x.writable)
		default:
			x.commit()
		}
	}
}

// ReadFrom implements io.ReaderFrom, with a buffer that io.Copy would have to make.
func (x *exchange) ReadFrom(src io.Reader) (int64, error) {
	buf := buffers.Get().(*[bufferSize]byte)
	defer buffers.Put(buf)
	return io.CopyBuffer(struct{ io.Writer }{x}, src, buf[:])
}

// Flush implements http.Flusher.
func (x *exchange) Flush() { x.FlushError() }

// FlushError is Flush for http.ResponseController.
func (x *exchange) FlushError() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if err := x.gone(); err != nil {
		return err
	}
	if !x.wrote {
		x.writeHeader(http.StatusOK)
	}
	x.flush = true
	x.commit()
	wake(x.readable)
	return nil
}

// EnableFullDuplex is for http.ResponseController: every exchange is full duplex.
func (x *exchange) EnableFullDuplex() error { return nil }
