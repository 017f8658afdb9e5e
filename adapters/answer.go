package adapters

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/http"
	"runtime/debug"
	"strconv"
	"sync"
)

// Answer has h serve req and writes the response to w in the form of CGI (RFC 3875 section 6), for the frontends of
// SCGI and CGI: what there is in one Write, the rest as it comes. A failure becomes a response with the error's status,
// as long as nothing was written.
//
// whole reports whether w has a complete response, so that its end may look like one. err is what h, its response or w
// failed with, as r reports it; if it was w the error wraps [ErrAborted].
func Answer(ctx context.Context, w io.Writer, h Handler, req *Request, r *Reporter) (whole bool, err error) {
	a := answerWriters.Get().(*answerWriter)
	defer a.release()
	a.w = w
	err = a.ask(ctx, h, req)
	switch {
	case err == nil || a.err != nil:
	case a.sent:
		a.Flush()
	case StatusOf(err) != StatusClientGone:
		a.buf = a.buf[:0]
		err = r.Report(req, err)
		return a.answer(req, Failure(err)) == nil, err
	}
	return err == nil, err
}

// LogFailure logs why a request failed: as an error if the application is to blame, and quietly if the client is.
func LogFailure(ctx context.Context, log *slog.Logger, err error) {
	status, level := StatusOf(err), slog.LevelError
	switch {
	case status == StatusClientGone:
		level = slog.LevelDebug
	case status < http.StatusInternalServerError:
		level = slog.LevelInfo
	}
	if limit := LimitOf(err); limit != "" {
		log = log.With("limit", limit)
	}
	if id := ErrorID(err); id != "" {
		log = log.With("error_id", id)
	}
	log.Log(ctx, level, "request failed", "status", status, "error", err)
}

// LoggedURI returns what a log of failures has of a target: its first 2,000 bytes, for one may be too long.
func LoggedURI(uri string) string {
	if len(uri) > 2000 {
		return uri[:2000] + "..."
	}
	return uri
}

// Failure returns the response to a request that failed with err: nothing in it is about the inside of the gateway, but
// what an [*Incident] says.
func Failure(err error) *Response {
	status := StatusOf(err)
	text, i := ErrorText(status), (*Incident)(nil)
	if errors.As(err, &i) {
		text += "error id " + safeID(i.ID) + "\n"
	}
	resp := Reply(status, "text/plain; charset=utf-8", text)
	if i != nil && i.Status != "" {
		resp.Header.Add("Proxy-Status", i.Status)
	}
	if wait := RetryAfter(err); wait > 0 {
		resp.Header.Set("Retry-After", strconv.Itoa(int(math.Ceil(wait.Seconds()))))
	}
	return resp
}

// An answerWriter gathers the header and the first of the body until Flush.
type answerWriter struct {
	w    io.Writer
	buf  []byte // what is not written yet
	sent bool
	err  error // of w
}

var answerWriters = sync.Pool{New: func() any { return &answerWriter{buf: make([]byte, 0, copyBufferSize)} }}

func (a *answerWriter) release() {
	*a = answerWriter{buf: a.buf[:0]}
	if cap(a.buf) <= 2*copyBufferSize {
		answerWriters.Put(a)
	}
}

// ask has h answer; err is also what panics.
func (a *answerWriter) ask(ctx context.Context, h Handler, req *Request) (err error) {
	defer Recovered(&err)
	resp, err := h.Serve(ctx, req)
	if err != nil {
		return err
	}
	return a.answer(req, resp)
}

// Recovered is deferred by what calls a Handler or reads a Body in a goroutine of its own, where a panic would end the
// program: it becomes the error.
func Recovered(err *error) {
	switch v := recover(); v {
	case nil:
	case http.ErrAbortHandler:
		*err = ErrAborted
	default:
		*err = fmt.Errorf("application panics: %v\n%s", v, debug.Stack())
	}
}

func (a *answerWriter) answer(req *Request, resp *Response) error {
	defer resp.Body.Close()
	if err := resp.Check(); err != nil {
		return err
	}
	a.buf = AppendHeader(a.buf, resp)
	if resp.LocalRedirect != "" || !BodyAllowed(req.Method, resp.Status) {
		a.Flush()
		Drain(resp.Body, math.MaxInt64)
		return a.err
	}
	n, err := Copy(a, resp.Body)
	if err == nil {
		err = missing(resp.Header, n)
	}
	if err == nil {
		a.Flush()
		err = a.err
	}
	return err
}

// missing returns an error if n is less than Content-Length.
func missing(h Header, n int64) error {
	length, err := ParseLength(h.Get("Content-Length"))
	if err != nil || n >= length {
		return nil
	}
	return fmt.Errorf("%w: %d of %d bytes", ErrTruncated, n, length)
}

// Write keeps b, or writes what it has if there is no room.
func (a *answerWriter) Write(b []byte) (int, error) {
	if len(a.buf)+len(b) > cap(a.buf) {
		a.Flush()
	}
	if len(b) < cap(a.buf) {
		a.buf = append(a.buf, b...)
	} else if a.err == nil {
		a.write(b)
	}
	return len(b), a.err
}

// Flush writes what is gathered.
func (a *answerWriter) Flush() {
	if len(a.buf) > 0 && a.err == nil {
		a.write(a.buf)
	}
	a.buf = a.buf[:0]
}

func (a *answerWriter) write(b []byte) {
	a.sent = true
	if _, err := a.w.Write(b); err != nil {
		a.err = fmt.Errorf("%w: %w", ErrAborted, err)
	}
}
