package egi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/internal/lazyctx"
	"github.com/gangway-go/gangway/internal/stack"
)

// An app answers one request, in the goroutine of the exchange.
type app interface {
	answer(x *exchange) error
}

// An exchange is one request and its response: the http.ResponseWriter of the application and, as [body], what the
// frontend reads. It is not pooled, since an application may use its ResponseWriter longer than it should.
type exchange struct {
	ctx    lazyctx.Context  // the application's; cancelled when it returns, and when nobody waits for it any more
	req    adapters.Request // the application's copy
	inform func(status int, h adapters.Header) error
	diag   diagnostics

	mu       sync.Mutex
	header   http.Header // the application's
	resp     adapters.Response
	trailer  adapters.Header
	declared []string // names of trailers
	length   int64    // Content-Length; -1 without one
	written  int64
	readable chan struct{} // wakes the frontend: there may be more, or the end; nil until it first waits
	writable chan struct{} // wakes the application: there may be room
	ring     ring
	notice   *notice // a 1xx response for Serve to pass on
	sniff    bool    // Content-Type is to be guessed
	wrote    bool    // the application has chosen its status
	begun    bool    // the header is final: Serve may return
	flush    bool    // what is in the buffer shall reach the client now
	over     bool    // the frontend is not interested any more
	done     bool    // the application has returned
	err      error   // why it failed
}

type notice struct {
	status int
	header adapters.Header
}

func serve(ctx context.Context, req *adapters.Request, a app) (*adapters.Response, error) {
	x := &exchange{
		req:    *req,
		inform: req.Informational,
		diag:   diagnostics{w: req.Stderr},
		length: -1,
	}
	x.req.Informational = nil
	x.req.Stderr = &x.diag
	x.ctx.Parent = ctx
	go x.run(a)
	runtime.Gosched() // most applications have answered then
	resp, err := x.begin()
	if err != nil {
		x.close()
	}
	return resp, err
}

// wake is called with the lock held.
func wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// wait lets go of the lock until something wakes *c or the exchange is aborted.
func (x *exchange) wait(c *chan struct{}) {
	if *c == nil {
		*c = make(chan struct{}, 1)
	}
	woken := *c
	x.mu.Unlock()
	defer x.mu.Lock()
	select {
	case <-woken:
	case <-x.ctx.Done():
	}
}

// begin waits for the response header, and passes on what comes before it, in the goroutine of Serve.
func (x *exchange) begin() (*adapters.Response, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for {
		switch {
		case x.notice != nil:
			if err := x.announce(); err != nil {
				return nil, err
			}
		case x.begun:
			return &x.resp, nil
		case x.err != nil:
			return nil, x.err
		case x.ctx.Err() != nil:
			return nil, fmt.Errorf("egi: %w", context.Cause(&x.ctx))
		default:
			x.wait(&x.readable)
		}
	}
}

func (x *exchange) announce() error {
	notice := *x.notice
	x.mu.Unlock()
	defer func() {
		x.mu.Lock()
		x.notice = nil
		wake(x.writable)
	}()
	return x.inform(notice.status, notice.header)
}

// close makes the application's writes fail, and nobody touches what belongs to the frontend's request any more.
func (x *exchange) close() {
	x.mu.Lock()
	x.over = true
	x.mu.Unlock()
	x.ctx.Cancel(adapters.ErrAborted)
	x.diag.shut()
}

var errGoexit = fmt.Errorf("%w: runtime.Goexit", adapters.ErrTruncated)

// run lets the application answer. Whatever it does, the response ends.
func (x *exchange) run(a app) {
	stack.Grow()
	err := errGoexit
	defer func() {
		if v := recover(); v != nil {
			err = x.panicked(v)
		}
		x.finish(err)
	}()
	err = a.answer(x)
}

func (x *exchange) panicked(v any) error {
	if v == http.ErrAbortHandler {
		return fmt.Errorf("%w: %w", adapters.ErrTruncated, http.ErrAbortHandler)
	}
	err := fmt.Errorf("panic: %v", v)
	stack := debug.Stack()
	report := fmt.Sprintf("egi: %s %s: %v\n%s", x.req.Method, x.req.URI, err, stack)
	if _, gone := x.diag.Write([]byte(report)); errors.Is(gone, adapters.ErrAborted) {
		slog.Error("egi: panic after the response was over", "method", x.req.Method, "uri", x.req.URI, "panic", v,
			"stack", string(stack))
	}
	return err
}

// finish ends the response when the application has returned.
func (x *exchange) finish(err error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	defer x.ctx.Cancel(nil)
	x.done = true
	if err == nil && !x.wrote {
		x.writeHeader(http.StatusOK)
	}
	switch {
	case err == nil && x.ctx.Parent.Err() != nil: // which may be why it returned
		err = context.Cause(x.ctx.Parent)
	case err == nil && x.length > x.written && x.bodyAllowed():
		err = fmt.Errorf("%w: %d of %d bytes", adapters.ErrTruncated, x.written, x.length)
	}
	switch {
	case x.err != nil:
	case err != nil && x.begun && !errors.Is(err, adapters.ErrTruncated):
		x.err = fmt.Errorf("egi: %w: %w", adapters.ErrTruncated, err)
	case err != nil:
		x.err = fmt.Errorf("egi: %w", err)
	default:
		x.complete()
	}
	wake(x.readable)
}

// complete gives a response that is still in the buffer its length.
func (x *exchange) complete() {
	x.trailer = x.trailers()
	if x.begun {
		return
	}
	known := x.length >= 0 || len(x.trailer) > 0 || x.resp.Status == http.StatusNoContent ||
		x.resp.Status == http.StatusNotModified || x.req.Method == http.MethodHead && x.written == 0
	if !known {
		x.resp.Header.Add("Content-Length", strconv.FormatInt(x.written, 10))
	}
	x.commit()
}

// trailers returns the trailer fields: those announced by the field Trailer, and those with http.TrailerPrefix.
func (x *exchange) trailers() adapters.Header {
	m := http.Header{}
	for _, name := range x.declared {
		m[name] = x.header[name]
	}
	for name, values := range x.header {
		if name, ok := strings.CutPrefix(name, http.TrailerPrefix); ok {
			m[name] = append(slices.Clip(m[name]), values...)
		}
	}
	return adapters.HeaderFrom(m)
}

// A diagnostics is the application's Stderr: it passes everything on until the frontend is not to be touched any more.
type diagnostics struct {
	mu   sync.Mutex
	w    io.Writer // nil drops everything
	over bool
}

// Write implements io.Writer.
func (d *diagnostics) Write(p []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.over:
		return 0, adapters.ErrAborted
	case d.w == nil:
		return len(p), nil
	}
	return d.w.Write(p)
}

func (d *diagnostics) shut() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.over = true
}
