package http1

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/internal/lazyctx"
)

// usualFields is how many fields of a request take no allocation of their own.
const usualFields = 24

// An exchange is one request and its response.
type exchange struct {
	c      *conn
	head   head
	req    adapters.Request
	fields [usualFields]adapters.Field
	ctx    lazyctx.Context // ends when the client goes away, the server is closed, or the response is over
	body   body
	diag   adapters.StderrLog
	slow   bool // it was under way when the watch came by; conn.mu guards it

	awaited atomic.Bool // the client waits for 100 Continue

	writing sync.Mutex // held while something is written: interim responses come from other goroutines
	w       writer
	sent    bool // of the response proper, at least a part
	keep    bool // the connection can be used again
}

// exchange serves one request and reports whether the connection can take the next one.
func (c *conn) exchange(text string) bool {
	x := &exchange{c: c, ctx: lazyctx.Context{Parent: context.Background()}}
	c.setExchange(x)
	defer c.setExchange(nil)
	if !c.enter(StateRunning) { // an end of the server before now is seen here, and a later one sees x
		return false
	}
	c.s.wake()
	if err := x.start(text); err != nil {
		c.refuse(err)
		return false
	}
	defer x.diag.Close()
	defer x.ctx.Cancel(nil)
	x.serve()
	x.body.shut()
	x.w.release()
	if x.keep && x.req.Body != nil {
		x.keep = x.body.drain()
	}
	if !x.keep && x.sent && (x.req.Body != nil && x.body.err == nil || c.w > c.r) {
		c.linger()
	}
	return x.keep
}

// setExchange says which request is served: x, or none.
func (c *conn) setExchange(x *exchange) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.unwatch()
	c.x = x
}

// start makes the Request.
func (x *exchange) start(text string) error {
	h, c := &x.head, x.c
	header, err := h.parse(text, x.fields[:0])
	if err != nil {
		return err
	}
	x.req = adapters.Request{
		Method: h.method, URI: h.uri, Proto: h.proto, Host: h.host, Query: h.query, Scheme: "http", Header: header,
		ContentLength: h.length, Remote: c.remote, Local: c.local, ID: adapters.NewRequestID(), Stderr: &x.diag,
		Vars: c.vars,
	}
	if h.path != "" {
		if x.req.Script.PathInfo, err = adapters.CanonicalPath(h.path); err != nil {
			return malformed("path %.80q", h.path)
		}
	}
	x.req.NameServer(c.s.ServerNames)
	x.diag.Log, x.diag.ID, x.diag.Limit = c.s.log(), x.req.ID, c.s.MaxStderr
	x.keep = !h.close
	if h.minor > 0 {
		x.req.Informational = c.inform
	}
	if h.hasBody {
		x.body.begin(x, h.length)
		x.awaited.Store(h.expect && h.length != 0)
		x.req.Body = &x.body
		x.req.Trailer = func() adapters.Header { return x.body.trailer }
	}
	return nil
}

// serve has the Handler answer.
func (x *exchange) serve() {
	defer func() {
		if v := recover(); v != nil {
			x.keep = false
			if v != http.ErrAbortHandler {
				x.fail(fmt.Errorf("handler panics: %v\n%s", v, debug.Stack()))
			}
		}
	}()
	resp, err := x.c.s.Handler.Serve(&x.ctx, &x.req)
	if err != nil {
		x.fail(err)
		return
	}
	defer resp.Body.Close()
	defer x.body.shut() // before Body.Close, which then finds no reader at the request's body
	if resp.Status == http.StatusSwitchingProtocols {
		x.upgrade(resp)
		return
	}
	if err := x.answer(resp); err != nil {
		x.cut(resp, err)
	}
}

// fail answers with the status of err, as text.
func (x *exchange) fail(err error) {
	if !x.sent {
		err = x.c.s.Reporter.Report(&x.req, err)
	}
	adapters.LogFailure(&x.ctx, x.diag.Logger().With("method", x.req.Method, "uri", adapters.LoggedURI(x.req.URI)), err)
	status := adapters.StatusOf(err)
	if status == adapters.StatusClientGone {
		x.keep = false
		return
	}
	if x.sent {
		x.keep = false
		if x.w.framing == untilClose { // else the end would look like one
			adapters.ResetConn(x.c.nc)
		}
		return
	}
	x.writing.Lock()
	x.w.reset()
	x.writing.Unlock()
	if status == http.StatusBadRequest || status == http.StatusRequestTimeout {
		x.keep = false
	}
	if x.answer(adapters.Failure(err)) != nil {
		x.keep = false
	}
}

// cut ends a response that cannot be completed. As long as nothing of it was sent, it is replaced.
func (x *exchange) cut(resp *adapters.Response, err error) {
	x.body.shut()
	resp.Body.Close()
	if x.ctx.Err() != nil {
		err = fmt.Errorf("%w: %w", adapters.ErrAborted, err)
	}
	x.fail(err)
}

// answer writes the response.
func (x *exchange) answer(resp *adapters.Response) error {
	if resp.Status < 200 || resp.Status > 999 {
		return fmt.Errorf("%w: status %d", adapters.ErrBadResponse, resp.Status)
	}
	if x.c.s.draining.Load() || x.req.Body != nil && x.body.outlasts() {
		x.keep = false
	}
	x.writing.Lock()
	x.w.begin(x, resp)
	x.writing.Unlock()
	if x.w.framing == noBody {
		x.w.Flush()
		adapters.Drain(resp.Body, math.MaxInt64)
		return x.w.failure()
	}
	if _, err := adapters.Copy(&x.w, resp.Body); err != nil {
		if x.sent {
			x.w.Flush()
		}
		return err
	}
	var trailer adapters.Header
	if resp.Trailer != nil {
		trailer = resp.Trailer()
	}
	return x.w.finish(trailer)
}

// informational sends a 1xx response, RFC 9110 15.2.
func (x *exchange) informational(status int, h adapters.Header) error {
	if status == http.StatusSwitchingProtocols {
		return fmt.Errorf("%w: 101 as an interim response", adapters.ErrBadResponse)
	}
	x.writing.Lock()
	defer x.writing.Unlock()
	if x.sent || x.w.begun {
		return fmt.Errorf("%w: interim response after the final one", adapters.ErrBadResponse)
	}
	if status == http.StatusContinue {
		x.awaited.Store(false)
	}
	b := appendStatusLine(nil, status)
	b = append(appendFields(b, h), "\r\n"...)
	return x.write(b)
}

// sendContinue asks for the body, RFC 9110 10.1.1: once, before the first byte is wanted, and not after the response.
func (x *exchange) sendContinue() error {
	if !x.awaited.Load() {
		return nil
	}
	x.writing.Lock()
	defer x.writing.Unlock()
	if x.w.begun { // then the client never sends it, and outlasts must go on to say so
		return fmt.Errorf("%w: the response came before the body", adapters.ErrAborted)
	}
	x.awaited.Store(false)
	return x.write([]byte("HTTP/1.1 100 Continue\r\n\r\n"))
}

func (x *exchange) write(b []byte) error {
	x.c.setWriteDeadline()
	_, err := x.c.nc.Write(b)
	return x.c.writeFailure(err)
}

// upgrade joins the client's connection with the application's, RFC 9110 7.8.
func (x *exchange) upgrade(resp *adapters.Response) {
	app, ok := resp.Body.(interface {
		Read([]byte) (int, error)
		Write([]byte) (int, error)
	})
	if !ok || !x.head.upgrade {
		x.fail(adapters.ErrUpgrade)
		return
	}
	c := x.c
	x.keep = false
	x.body.shut()
	c.enter(StateUpgraded)
	c.mu.Lock()
	c.unwatch() // a half-close is for the two ends to understand
	c.mu.Unlock()
	defer context.AfterFunc(&x.ctx, func() { resp.Body.Close() })() // also while it takes nothing
	head := []byte("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n")
	for _, f := range resp.Header {
		if !adapters.EqualName(f.Name, "Connection") {
			head = appendField(head, f)
		}
	}
	x.sent = true
	if x.write(append(head, "\r\n"...)) != nil {
		return
	}
	c.nc.SetDeadline(time.Time{})
	adapters.KeepAlive(c.nc.Conn)
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		app.Write(c.buf[c.r:c.w])
		adapters.Copy(app, c.nc.Conn)
		resp.Body.Close()
	}()
	adapters.Copy(c.nc.Conn, app)
	c.nc.Close()
	<-sent
}
