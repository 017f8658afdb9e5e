package adapters

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"
)

// A Response is what a [Handler] answers.
type Response struct {
	Status int // 200 to 599, or 101
	Header Header
	// Trailer returns the trailer fields once Body has returned io.EOF; it may be nil.
	Trailer func() Header

	// Body is never nil, also when there is nothing in it. Whoever gets the Response closes it. Close may be called while
	// Read or WriteTo runs: it aborts the request and makes them return. Close does not wait for Request.Body.Read.
	// An error other than io.EOF means that the response is truncated and must not be made to look complete. Some backends
	// leave it to the frontend to compare the Body with Content-Length.
	// Body is an io.WriterTo where that saves a copy; its WriteTo calls Flush, if the writer has it, before it waits.
	// With Status 101 it is an io.ReadWriteCloser, the upgraded connection.
	Body io.ReadCloser

	// LocalRedirect is a path and query to ask for instead, RFC 3875 6.2.2; then nothing else of the Response counts but
	// Body, which is to be closed. The Dispatcher follows it.
	LocalRedirect string

	// AppStatus returns the application's exit status or FCGI_END_REQUEST's appStatus. It may be nil; the value is valid
	// after Body's io.EOF, or a nil error from its WriteTo.
	AppStatus func() int

	spare *relay // room for one; nil without
}

// Reply returns a small complete response.
func Reply(status int, contentType, body string) *Response {
	return &Response{
		Status: status,
		Header: Header{{"Content-Type", contentType}, {"Content-Length", strconv.Itoa(len(body))}},
		Body:   textBody{strings.NewReader(body)},
	}
}

type textBody struct{ *strings.Reader }

func (textBody) Close() error { return nil }

// RedirectTo returns a permanent redirect (301) to a decoded path of the same host.
func RedirectTo(path, query string) *Response {
	location := (&url.URL{Path: path, RawQuery: query}).String()
	if strings.HasPrefix(path, "//") {
		location = "/." + location // else a host
	}
	resp := Reply(http.StatusMovedPermanently, "text/plain; charset=utf-8", ErrorText(http.StatusMovedPermanently))
	resp.Header.Add("Location", location)
	return resp
}

// NoBody is a Response.Body with nothing in it.
var NoBody io.ReadCloser = noBody{}

type noBody struct{}

func (noBody) Read([]byte) (int, error)         { return 0, io.EOF }
func (noBody) WriteTo(io.Writer) (int64, error) { return 0, nil }
func (noBody) Close() error                     { return nil }

// Check returns why resp cannot be sent in the form of a CGI response: [ErrUpgrade] for 101, [ErrBadResponse] for
// another status that is none of a final response, or for a control byte in LocalRedirect.
func (resp *Response) Check() error {
	switch {
	case resp.Status == http.StatusSwitchingProtocols:
		return ErrUpgrade
	case !ValidValue(resp.LocalRedirect):
		return fmt.Errorf("%w: local redirect %.80q", ErrBadResponse, resp.LocalRedirect)
	case resp.LocalRedirect == "" && (resp.Status < 200 || resp.Status > 999):
		return fmt.Errorf("%w: status %d", ErrBadResponse, resp.Status)
	}
	return nil
}

// BodyAllowed reports whether a response of this status to this method carries a body (RFC 9110 6.4.1).
func BodyAllowed(method string, status int) bool {
	return method != "HEAD" && status >= 200 && status != 204 && status != 304
}

// OnClose returns body with fn called once, after its first Close. WriteTo and Write of body stay available.
func OnClose(body io.ReadCloser, fn func()) io.ReadCloser {
	return onClose(&closingBody{ReadCloser: body, closed: fn})
}

// OnEnd is OnClose for those who want to know how the body ended: n is the number of bytes that were taken from it. err
// is io.EOF if they were all, nil if it was closed before, else the error that ended it, be it body's or that of the
// writer it was copied to.
func OnEnd(body io.ReadCloser, fn func(n int64, err error)) io.ReadCloser {
	return onClose(&closingBody{ReadCloser: body, ended: fn})
}

func onClose(b *closingBody) io.ReadCloser {
	if w, ok := b.ReadCloser.(io.Writer); ok {
		return struct {
			*closingBody
			io.Writer
		}{b, w}
	}
	return b
}

// A closingBody tells one of closed and ended that it was closed.
type closingBody struct {
	io.ReadCloser
	closed func()
	ended  func(n int64, err error)

	once sync.Once
	mu   sync.Mutex // Close may come from another goroutine than Read
	n    int64
	err  error
}

func (b *closingBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.count(int64(n), err)
	return n, err
}

func (b *closingBody) WriteTo(w io.Writer) (int64, error) {
	n, err := Copy(w, b.ReadCloser)
	if err == nil {
		b.count(n, io.EOF)
	} else {
		b.count(n, err)
	}
	return n, err
}

func (b *closingBody) count(n int64, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.n += n
	if b.err == nil {
		b.err = err
	}
}

func (b *closingBody) Close() error {
	err := b.ReadCloser.Close()
	b.once.Do(b.tell)
	return err
}

func (b *closingBody) tell() {
	if b.closed != nil {
		b.closed()
		return
	}
	b.mu.Lock()
	n, err := b.n, b.err
	b.mu.Unlock()
	b.ended(n, err)
}

// Copy writes body to w until io.EOF, and flushes w, if it has a Flush method, before it may wait for more: an event
// stream needs no configuration. It returns body's error or w's.
func Copy(w io.Writer, body io.Reader) (int64, error) {
	if from, ok := body.(io.WriterTo); ok {
		return from.WriteTo(w)
	}
	buf := copyBuffers.Get().(*[copyBufferSize]byte)
	defer copyBuffers.Put(buf)
	flusher, _ := w.(Flusher)
	var written int64
	for n := 0; ; {
		if n < len(buf) && flusher != nil {
			flusher.Flush()
		}
		var err error
		n, err = body.Read(buf[:])
		if n > 0 {
			m, werr := w.Write(buf[:n])
			written += int64(m)
			if werr != nil {
				return written, werr
			}
		}
		if err == io.EOF {
			return written, nil
		}
		if err != nil {
			return written, err
		}
	}
}

const copyBufferSize = 32 << 10

var copyBuffers = sync.Pool{New: func() any { return new([copyBufferSize]byte) }}

// A Flusher sends what it has buffered; http.Flusher is one.
type Flusher interface{ Flush() }

// A Yielder is a frontend's writer that need not wait for its client: then [Bodies] has another goroutine write only to
// clients that are slow.
type Yielder interface {
	// Yield has Write and Flush wait a moment at most, and keep what the client has not taken until one is called that
	// waits. It reports whether it can.
	Yield(on bool) bool
	// Stuck reports whether something is kept.
	Stuck() bool
}

// drainTime is how long Drain waits for the end of a body that nobody wants.
const drainTime = time.Second

// Drain reads and drops up to limit bytes of body for at most a second, so that the backend can keep its connection,
// and closes it. It is for responses of which only the header counts: HEAD, 304, X-Sendfile, an authorizer's 200.
func Drain(body io.ReadCloser, limit int64) error {
	abort := time.AfterFunc(drainTime, func() { body.Close() })
	defer abort.Stop()
	_, err := io.CopyN(io.Discard, body, limit)
	if cerr := body.Close(); err == io.EOF {
		err = cerr
	}
	return err
}
