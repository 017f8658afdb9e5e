package gofast

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	upstream "github.com/yookoala/gofast"

	"github.com/gangway-go/gangway/adapters"
)

const bodyBuffer = 32 << 10

// An exchange is one request of an Engine and its response, of which it is the Body. gofast writes and reads in
// goroutines of its own, which end when its connection and its pipe are closed: that is what over does.
type exchange struct {
	engine  *Engine
	ctx     context.Context
	req     *adapters.Request
	conn    net.Conn
	uploads []*upload

	// The reader's.
	br     *bufio.Reader
	inBody bool // the header is complete
	closed atomic.Bool

	appStatus int        // valid when err is io.EOF
	stderr    sync.Mutex // held while Request.Stderr is written

	mu        sync.Mutex
	pipe      io.ReadCloser // gofast's FCGI_STDOUT
	stop      func() bool   // ends the watching of ctx
	err       error         // why the exchange is over; io.EOF after a complete response
	uploading bool          // gofast waits for a body
	moved     time.Time     // when sending last went on
}

// start has gofast send the request. If spooled, the body must not be touched when the exchange is over.
func (x *exchange) start(params map[string]string, spooled bool) error {
	x.mu.Lock() // until there is all that over closes
	defer x.mu.Unlock()
	r := &upstream.Request{Role: upstream.RoleResponder + upstream.Role(x.req.Role), Params: params}
	if x.req.HasBody() {
		r.Stdin = x.upload(x.req.Body, x.req.ContentLength, spooled, x.bodyFailed)
	}
	if d := x.req.Data; d != nil && x.req.Role == adapters.Filter {
		r.Data = x.upload(d.Body, d.Length, false, x.dataFailed)
	}
	session := upstream.BasicSession
	if x.req.Role == adapters.Authorizer {
		session = upstream.FilterAuthReqParams(session) // FastCGI 1.0 section 6.3
	}
	client, err := upstream.SimpleClientFactory(func() (net.Conn, error) { return newGuard(x), nil })()
	if err != nil {
		return err
	}
	pipe, err := session(client, r)
	if err != nil {
		return err
	}
	h := make(handover, 1)
	go pipe.WriteTo(h, io.Discard) // gofast's own complaints are about what over did, or less exact than the guard's
	x.pipe, x.moved = <-h, time.Now()
	x.br = bufio.NewReaderSize((*stdout)(x), bodyBuffer)
	x.stop = context.AfterFunc(x.ctx, func() { x.over(adapters.ErrAborted, context.Cause(x.ctx)) })
	return nil
}

// A handover is the http.ResponseWriter for gofast's response. It takes the pipe that it is to be copied from, which it
// gets at once, because the header that gofast waits for is the guard's preface.
type handover chan io.ReadCloser

// Header implements http.ResponseWriter.
func (handover) Header() http.Header { return http.Header{} }

// WriteHeader implements http.ResponseWriter.
func (handover) WriteHeader(int) {}

// Write implements http.ResponseWriter. io.Copy prefers ReadFrom.
func (handover) Write([]byte) (int, error) { return 0, errors.ErrUnsupported }

// ReadFrom implements io.ReaderFrom.
func (h handover) ReadFrom(r io.Reader) (int64, error) {
	h <- r.(io.ReadCloser)
	return 0, nil
}

// over ends the exchange, unless it is over already: with io.EOF if the response is complete, else with the error for
// why. Nothing is begun on the bodies from then on.
func (x *exchange) over(kind, why error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.err != nil {
		return
	}
	if x.err = why; why != io.EOF {
		x.err = x.engine.failed(x.ctx, opRequest, kind, why)
	}
	x.stop()
	x.conn.Close()
	x.pipe.Close()
	for _, u := range x.uploads {
		u.body.Shut(u.interrupt)
	}
}

// cause returns why the exchange is over, nil if it is not.
func (x *exchange) cause() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.err
}

// response reads the response header.
func (x *exchange) response() (*adapters.Response, error) {
	hr := adapters.HeaderReader{Informational: x.req.Informational, Limit: x.engine.HeaderLimit}
	if _, err := x.br.Peek(1); err == nil {
		x.req.Trace.Mark(adapters.FirstByte)
	}
	resp, err := hr.ReadHeader(x.br)
	if err == nil {
		err = resp.SetBody(x)
	}
	if err != nil {
		x.over(adapters.ErrAborted, err)
		x.Close()
		if cause := x.cause(); cause != io.EOF {
			return nil, cause
		}
		return nil, x.engine.failed(x.ctx, opRequest, adapters.ErrAborted, err)
	}
	x.inBody = true
	resp.AppStatus = func() int { return x.appStatus }
	return resp, nil
}

// stdout reads FCGI_STDOUT as gofast gives it.
type stdout exchange

// Read implements io.Reader.
func (s *stdout) Read(p []byte) (int, error) {
	x := (*exchange)(s)
	n, err := x.pipe.Read(p)
	if err == nil {
		return n, nil
	}
	if err = x.cause(); err == io.EOF && !x.inBody {
		err = fmt.Errorf("%w: FCGI_END_REQUEST before the end of the header", adapters.ErrBadResponse)
	}
	return n, err
}

// Read reads FCGI_STDOUT behind the header.
func (x *exchange) Read(p []byte) (int, error) {
	if x.closed.Load() {
		return 0, errBodyClosed
	}
	return x.br.Read(p)
}

// WriteTo writes what Read would read to w, and flushes w before it may have to wait.
func (x *exchange) WriteTo(w io.Writer) (int64, error) {
	flusher, _ := w.(adapters.Flusher)
	var written int64
	for {
		if flusher != nil && x.br.Buffered() == 0 {
			flusher.Flush()
		}
		_, err := x.br.Peek(1)
		switch {
		case x.closed.Load():
			return written, errBodyClosed
		case err == io.EOF:
			return written, nil
		case err != nil:
			return written, err
		}
		b, _ := x.br.Peek(x.br.Buffered())
		n, err := w.Write(b)
		written += int64(n)
		x.br.Discard(n)
		if err != nil {
			return written, err
		}
	}
}

var errBodyClosed = fmt.Errorf("%w: the response was closed before its end", adapters.ErrAborted)

// Close aborts the request unless its response is complete. When it returns, Request.Stderr is used no more.
func (x *exchange) Close() error {
	x.closed.Store(true)
	x.over(adapters.ErrAborted, errBodyClosed)
	x.stderr.Lock()
	defer x.stderr.Unlock()
	return nil
}

// writeStderr passes on a piece of FCGI_STDERR.
func (x *exchange) writeStderr(b []byte) {
	x.stderr.Lock()
	defer x.stderr.Unlock()
	if x.req.Stderr != nil && x.cause() == nil {
		x.req.Stderr.Write(b)
	}
}

// An upload is Stdin or Data as gofast reads it. If it fails, the exchange is over before gofast ends its stream as if
// it were complete.
type upload struct {
	x      *exchange
	body   adapters.ExactBody
	own    bool // whether over has to wait for Read
	failed func(error)
}

func (x *exchange) upload(r io.Reader, length int64, own bool, failed func(error)) *upload {
	u := &upload{x: x, body: adapters.ExactBody{R: r, N: length}, own: own, failed: failed}
	x.uploads = append(x.uploads, u)
	return u
}

// Read reads one byte at least, because gofast takes none for the end.
func (u *upload) Read(p []byte) (int, error) {
	u.x.progress(true)
	n, err := io.ReadAtLeast(&u.body, p, 1)
	u.x.progress(false)
	if err != nil && err != io.EOF {
		u.failed(err)
	}
	return n, err
}

// Close does nothing: the body is the frontend's.
func (u *upload) Close() error { return nil }

func (u *upload) interrupt() error {
	if u.own {
		return nil
	}
	return errors.ErrUnsupported
}

func (x *exchange) bodyFailed(err error) {
	if adapters.StatusOf(err) >= http.StatusInternalServerError {
		err = fmt.Errorf("%w: FCGI_STDIN: %w", adapters.ErrAborted, err) // the client's fault, or the client has gone
	}
	x.over(adapters.ErrAborted, err)
}

func (x *exchange) dataFailed(err error) {
	x.over(adapters.ErrTruncated, &adapters.Error{Op: "FCGI_DATA", Status: http.StatusInternalServerError, Err: err})
}

// progress takes note that sending goes on, and whether it now waits for a body.
func (x *exchange) progress(uploading bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.uploading, x.moved = uploading, time.Now()
}

// reprieve returns how much longer the application may take that sent nothing for as long as limit.
func (x *exchange) reprieve(limit time.Duration) time.Duration {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.uploading {
		return limit
	}
	return limit - time.Since(x.moved)
}
