package fastcgi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"runtime/debug"
	"slices"
	"sync/atomic"
	"time"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/fastcgi/wire"
	"github.com/gangway-go/gangway/internal/lazyctx"
	"github.com/gangway-go/gangway/internal/stack"
)

// A serverRequest is a request that a web server began. It is active, and may use its id, until it is in the map of its
// connection no more.
type serverRequest struct {
	conn  *serverConn
	id    uint16
	role  wire.Role
	keep  bool // FCGI_KEEP_CONN
	begun time.Time
	ctx   lazyctx.Context

	// These belong to the goroutine that reads, and then to the handler's.
	params  []byte
	named   bool  // FCGI_PARAMS have ended
	started bool  // the handler runs
	fault   error // why the handler shall not
	req     *adapters.Request

	stdin, data serverInput
	complete    atomic.Bool // FCGI_STDIN has ended
	out         serverOutput

	wroteStderr, ended bool // guarded by conn.wmu
}

// init makes r ready to be active.
func (r *serverRequest) init() {
	r.begun = time.Now()
	r.ctx.Parent = context.Background()
	r.out.r = r
}

// receiveParams takes a record of FCGI_PARAMS, FastCGI 1.0 section 5.2.
func (r *serverRequest) receiveParams(h wire.Header) error {
	n, limit := int(h.ContentLength), r.conn.srv.maxParams()
	switch {
	case r.named:
	case n == 0:
		r.endParams(h)
	case r.fault != nil:
	case len(r.params)+n > limit:
		r.params = nil
		r.fault = &adapters.Error{
			Op: "fastcgi: FCGI_PARAMS", Status: http.StatusRequestHeaderFieldsTooLarge, Limit: "variables",
			Err: fmt.Errorf("%w: more than %d bytes", adapters.ErrTooLarge, limit),
		}
	default:
		if r.params == nil {
			r.params, r.conn.params = r.conn.params[:0], nil
		}
		size := len(r.params)
		r.params = slices.Grow(r.params, n)[:size+n]
		_, err := io.ReadFull(r.conn.br, r.params[size:])
		return err
	}
	return r.conn.discard(n)
}

// endParams makes the Request and starts the handler; that of a Filter when FCGI_STDIN has ended too, because it must
// not write before that (FastCGI 1.0 section 6.4).
func (r *serverRequest) endParams(h wire.Header) {
	r.named = true
	r.conn.received(r)
	if r.fault == nil {
		r.fault = r.parse()
	}
	if r.conn.params == nil && cap(r.params) <= wire.MaxContent {
		r.conn.params = r.params
	}
	r.params = nil
	if r.fault == nil {
		r.fault = r.openInput(h)
	}
	if r.fault != nil || r.role != wire.RoleFilter || r.stdin.over() {
		r.start()
	}
}

// parse makes the Request of FCGI_PARAMS. All its strings are parts of one.
func (r *serverRequest) parse() (err error) {
	text, rest := string(r.params), r.params
	req, parseErr := adapters.ParseVars(func(yield func(name, value string) bool) {
		for len(rest) > 0 {
			var name, value []byte
			if name, value, rest, err = wire.ParsePair(rest); err != nil {
				err = fmt.Errorf("%w: FCGI_PARAMS end within a pair", adapters.ErrBadRequest)
				return
			}
			end := len(text) - len(rest)
			at := end - len(value)
			if !yield(text[at-len(name):at], text[at:end]) {
				return
			}
		}
	})
	if err != nil {
		return err
	}
	r.req = req
	return parseErr
}

// openInput gives the Request its Body, and its Data if it is for a Filter.
func (r *serverRequest) openInput(h wire.Header) error {
	req := r.req
	req.Role = adapters.Role(r.role - wire.RoleResponder)
	req.Stderr = (*serverStderr)(r)
	if r.role == wire.RoleFilter {
		length, lengthErr := r.number("FCGI_DATA_LENGTH")
		lastMod, lastModErr := r.number("FCGI_DATA_LAST_MOD")
		if err := errors.Join(lengthErr, lastModErr); err != nil {
			return err
		}
		r.data.open(length)
		req.Data = &adapters.Data{Body: &r.data, Length: length, LastMod: time.Unix(lastMod, 0)}
	}
	if req.ContentLength < 0 && r.conn.emptyStdinFollows(h) {
		r.complete.Store(true)
		req.ContentLength = 0
	}
	if r.role == wire.RoleAuthorizer { // it is sent no FCGI_STDIN, FastCGI 1.0 section 6.3
		req.ContentLength = 0
	}
	if req.ContentLength != 0 {
		r.stdin.open(req.ContentLength)
		req.Body = &r.stdin
	}
	return nil
}

// number takes a variable that is a number from the Request.
func (r *serverRequest) number(name string) (n int64, err error) {
	i := slices.IndexFunc(r.req.Vars, func(v adapters.Var) bool { return v.Name == name })
	if i < 0 {
		return 0, fmt.Errorf("%w: no %s", adapters.ErrBadRequest, name)
	}
	value := r.req.Vars[i].Value
	r.req.Vars = slices.Delete(r.req.Vars, i, i+1)
	if n, err = adapters.ParseLength(value); err != nil {
		return 0, fmt.Errorf("%w: %s %.40q", adapters.ErrBadRequest, name, value)
	}
	return n, nil
}

// emptyStdinFollows looks for what comes next if there is no body: it mostly has come with FCGI_PARAMS, whose last
// record h is.
func (c *serverConn) emptyStdinFollows(h wire.Header) bool {
	padding := int(h.PaddingLength)
	if c.br.Buffered() < padding+wire.HeaderLen {
		return false
	}
	b, _ := c.br.Peek(padding + wire.HeaderLen)
	next, _ := wire.ParseHeader(b[padding:])
	return next.Version == wire.Version1 && next.Type == wire.TypeStdin &&
		next.RequestID == h.RequestID && next.ContentLength == 0
}

// receive takes a record of FCGI_STDIN or FCGI_DATA, FastCGI 1.0 section 5.3.
func (r *serverRequest) receive(in *serverInput, h wire.Header) error {
	n := int(h.ContentLength)
	if !r.named && r.fault == nil {
		r.fault = fmt.Errorf("%w: %v before the end of FCGI_PARAMS", adapters.ErrBadRequest, h.Type)
	}
	if n == 0 {
		in.end()
		if in == &r.stdin {
			r.complete.Store(true)
		}
	} else if err := r.conn.fill(r, in, n); err != nil {
		return err
	}
	if r.named && !r.started && r.stdin.over() {
		r.start()
	}
	return nil
}

// abortRequest does what FCGI_ABORT_REQUEST asks for, FastCGI 1.0 section 5.4: the answer comes when the handler has
// noticed.
func (r *serverRequest) abortRequest() {
	r.abort(errAbortRequest)
	if !r.started {
		r.conn.received(r)
		r.conn.end(r, nil, wire.EndRequest{})
	}
}

// abort cancels the handler and ends what it reads.
func (r *serverRequest) abort(cause error) {
	r.ctx.Cancel(cause)
	r.stdin.abort(cause)
	r.data.abort(cause)
}

func (r *serverRequest) start() {
	r.started = true
	r.conn.handlers.Add(1)
	go r.run()
}

// errGoexit is a handler that ends the goroutine in which it was called.
var errGoexit = errors.New("fastcgi: handler calls runtime.Goexit")

// run has the request answered. Whatever the handler does, the request ends.
func (r *serverRequest) run() {
	stack.Grow()
	defer r.conn.handlers.Done()
	defer r.ctx.Cancel(nil)
	r.out.open()
	appStatus, err := 0, errGoexit
	defer func() { r.end(appStatus, err) }()
	appStatus, err = r.answer()
}

// end ends the request with what answer has returned.
func (r *serverRequest) end(appStatus int, err error) {
	if err != nil {
		status := adapters.StatusOf(err)
		switch unsent := r.out.reset(); {
		case r.ctx.Err() != nil: // nobody is there any more
		case !unsent:
			r.logError("response cut short", status, err)
			r.conn.cut(errConnCut)
			return
		case status != adapters.StatusClientGone:
			err = r.report(err)
			r.logError("request failed", status, err)
			appStatus = r.out.fail(status, err)
		}
	}
	r.out.end(appStatus)
}

// answer asks the handler and sends what it answers; err is also what panics.
func (r *serverRequest) answer() (appStatus int, err error) {
	if r.fault != nil {
		return 0, r.fault
	}
	defer r.closeInput()
	defer func() {
		switch v := recover(); v {
		case nil:
		case http.ErrAbortHandler:
			err = adapters.ErrAborted
		default:
			err = fmt.Errorf("fastcgi: handler panics: %v\n%s", v, debug.Stack())
		}
	}()
	resp, err := r.conn.srv.Handler.Serve(&r.ctx, r.req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	defer r.closeInput() // before Body.Close, which then finds no reader at the request's body
	return r.out.send(resp)
}

func (r *serverRequest) closeInput() {
	r.stdin.abort(adapters.ErrAborted)
	r.data.abort(adapters.ErrAborted)
}

func (r *serverRequest) report(err error) error {
	req := r.req
	if req == nil {
		req = new(adapters.Request)
	}
	return r.conn.srv.Reporter.Report(req, err)
}

func (r *serverRequest) logError(what string, status int, err error) {
	level := slog.LevelError
	if status < 500 {
		level = slog.LevelInfo
	}
	attrs := []any{"status", status, "error", err}
	if r.req != nil {
		attrs = append(attrs, "method", r.req.Method, "uri", adapters.LoggedURI(r.req.URI))
		if r.req.ID != "" {
			attrs = append(attrs, "request", r.req.ID)
		}
	}
	if limit := adapters.LimitOf(err); limit != "" {
		attrs = append(attrs, "limit", limit)
	}
	if id := adapters.ErrorID(err); id != "" {
		attrs = append(attrs, "error_id", id)
	}
	r.conn.srv.log().Log(context.Background(), level, what, attrs...)
}

// A serverStderr writes FCGI_STDERR.
type serverStderr serverRequest

// Write sends p at once.
func (w *serverStderr) Write(p []byte) (int, error) {
	r := (*serverRequest)(w)
	records := wire.AppendStream(nil, wire.TypeStderr, r.id, p)
	r.conn.wmu.Lock()
	defer r.conn.wmu.Unlock()
	if r.ended {
		return 0, adapters.ErrAborted
	}
	if len(p) == 0 {
		return 0, nil
	}
	r.wroteStderr = true
	if err := r.conn.writeLocked(records); err != nil {
		return 0, err
	}
	return len(p), nil
}
