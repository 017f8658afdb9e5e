package faulty

import (
	"io"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gangway-go/gangway/fastcgi/wire"
)

// What the mutants of FastCGI 1.0 sections 3.5 to 5.1 and 7 do where the clean application calls these methods: the
// clean one does nothing in them, or what their names say.

// fcgiBreaksB is what mutants remember of the application.
type fcgiBreaksB struct {
	exit   func(int)    // ends the process, if the application has one of its own
	turned atomic.Int64 // connections that came
	idle   atomic.Int64 // connections that the web server closed when no request was active
	closed sync.Mutex   // held while a handler runs whose connection is gone

	shared sync.Mutex
	leaked []*os.File
	byID   map[uint16][]variable // the variables that came last for an id
	status int                   // the last one that is not 0
}

// fcgiConnBreaksB is what mutants remember of a connection.
type fcgiConnBreaksB struct {
	ended    int // requests
	queries  int
	unknowns int
	held     []byte // an answer that is sent with the next record
	keptOnce bool   // FCGI_KEEP_CONN was set
	role     wire.Role
	lasting  wire.Role // of the first request
	latest   *fcgiRequest
	early    map[uint16][]byte
	half     []byte // of a pair
	pairs    []byte // of all requests
	vars     []variable
}

// fault says whether the application is to have this fault.
func (r *fcgiRequest) fault(slug string) bool { return r.conn.app.fault(slug) }

// count says how many requests have ended.
func (c *fcgiConn) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ended
}

// turnsAway says whether a connection is closed at once.
func (a *FCGIApp) turnsAway() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.turned.Add(1) > 250 && a.fault("serves-250-connections") || len(a.conns) >= 30 &&
		a.fault("closes-when-busy")
}

// terminate obeys SIGTERM.
func (a *FCGIApp) terminate() {
	if a.fault("term-exits-with-1") {
		a.exit(1)
	}
	a.Shutdown()
}

// ended says how the process ends when Serve has ended.
func (a *FCGIApp) ended(err error) error {
	if a.fault("recycles-as-crash") && a.Requests > 0 && a.served.Load() >= a.Requests {
		a.exit(1)
	}
	return err
}

// release closes what mutants have left open.
func (a *FCGIApp) release() {
	for _, f := range a.leaked {
		f.Close()
	}
}

// gate is where a connection waits that is not to be served yet.
func (c *fcgiConn) gate() {
	a := c.app
	if a.fault("closed-handler-blocks") {
		time.Sleep(100 * time.Millisecond) // what was closed before this connection was opened shall be known
	}
	a.closed.Lock() // see lost
	defer a.closed.Unlock()
	if a.fault("tires-of-idle-closes") && a.idle.Load() >= 8 {
		<-a.ctx.Done()
	}
	if a.fault("leaks-descriptors") {
		if f, err := os.Open(os.DevNull); err == nil {
			a.shared.Lock()
			a.leaked = append(a.leaked, f)
			a.shared.Unlock()
		}
	}
}

// lost is called when the connection has ended.
func (c *fcgiConn) lost(err error) {
	a := c.app
	c.mu.Lock()
	active, closedIdle := len(c.requests), err == io.EOF && c.ended > 0 && !c.ending && len(c.requests) == 0
	c.mu.Unlock()
	if closedIdle {
		a.idle.Add(1)
	}
	if closedIdle && a.fault("loses-waiting-connections") {
		a.mu.Lock()
		for other := range a.conns {
			other.nc.Close()
		}
		a.mu.Unlock()
	}
	if active > 0 && a.fault("closed-handler-blocks") {
		a.closed.Lock()
		c.answers.Wait()
		a.closed.Unlock()
	}
}

// misstate changes the values of the application.
func (a *FCGIApp) misstate(values map[string]string) {
	switch {
	case a.fault("no-max-conns"):
		delete(values, wire.MaxConns)
	case a.fault("no-max-reqs"):
		delete(values, wire.MaxReqs)
	case a.fault("multiplexes-yes"):
		values[wire.MpxsConns] = "yes"
	case a.fault("denies-multiplexing"):
		values[wire.MpxsConns] = "0"
	case a.fault("boasts-of-connections"):
		values[wire.MaxConns] = "60"
	}
}

// misread takes values away because of how the query for one is written.
func (a *FCGIApp) misread(length byte, value []byte, values map[string]string) {
	if length >= 0x80 && a.fault("short-lengths-only") || len(value) > 0 && a.fault("minds-query-values") {
		clear(values)
	}
}

func (a *FCGIApp) malformed(result, rest []byte) []byte {
	if a.fault("repeats-malformed-queries") {
		return append(result, rest...)
	}
	return result
}

func (a *FCGIApp) unknownName(result, name []byte, values map[string]string) []byte {
	switch {
	case a.fault("repeats-unknown-names"):
		return wire.AppendPair(result, string(name), "")
	case a.fault("stumbles-over-unknown-names"):
		clear(values)
		return nil
	}
	return result
}

// misquery mishandles FCGI_GET_VALUES.
func (c *fcgiConn) misquery(content []byte) (done bool, err error) {
	a := c.app
	c.queries++
	c.mu.Lock()
	active, ended := len(c.requests), c.ended
	c.mu.Unlock()
	switch {
	case c.held != nil:
		err = c.sendHeld()
	case len(content) == 0 && a.fault("ignores-empty-queries"),
		len(content) > 32<<10 && a.fault("ignores-large-queries"),
		active == 0 && ended > 0 && a.fault("ignores-queries-after-requests"),
		c.queries > 64 && a.fault("answers-64-queries"):
		return true, nil
	case active > 0 && !c.latest.paramsEnded && a.fault("query-ends-params"):
		return true, errFCGIProtocol
	case active > 0 && c.latest.echo.body != nil && !c.latest.answered && a.fault("query-loses-body"):
		c.latest.echo.body.limit = c.latest.echo.body.size
	case a.fault("query-waits-for-handler"):
		c.answers.Wait()
	}
	return false, err
}

// result sends the answer to FCGI_GET_VALUES.
func (c *fcgiConn) result(record []byte) error {
	if c.app.fault("holds-back-values") {
		c.held = record
		return nil
	}
	if err := c.write(record); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.requests) == 0 && c.app.fault("closes-after-query") {
		return errFCGIProtocol
	}
	return nil
}

func (c *fcgiConn) sendHeld() error {
	held := c.held
	c.held = nil
	return c.write(held)
}

// misunderstand mishandles a management record of another type.
func (c *fcgiConn) misunderstand(t wire.Type, content []byte) (bool, error) {
	a := c.app
	c.unknowns++
	record := wire.AppendUnknownType(nil, t)
	switch {
	case t == 0 && a.fault("ignores-type-0"), t > wire.TypeUnknownType && t < 128 && a.fault("ignores-new-types"),
		t >= 128 && a.fault("ignores-high-types"), c.unknowns > 1 && a.fault("answers-one-unknown-type"):
		return true, nil
	case len(content) > 1000 && a.fault("refuses-unknown-content"):
		return true, errFCGIProtocol
	case a.fault("closes-on-unknown-type"):
		c.write(record)
		return true, errFCGIProtocol
	case t == 99 && a.fault("fills-unknown-type"):
		record[wire.HeaderLen+1] = 0xFF
		return true, c.write(record)
	case a.fault("unknown-type-ends-requests"):
		c.forget(func(*fcgiRequest) bool { return true })
	}
	return false, nil
}

// forget makes requests inactive without an end.
func (c *fcgiConn) forget(which func(*fcgiRequest) bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for id, r := range c.requests {
		if which(r) && !r.answered {
			r.cancel()
			c.app.active.Add(-1)
			delete(c.requests, id)
		}
	}
}

// stretch makes a body of FCGI_BEGIN_REQUEST that is too short long enough.
func (a *FCGIApp) stretch(content []byte) []byte {
	if len(content) == 0 && a.fault("begins-from-nothing") {
		return []byte{0, 1, 0, 0, 0, 0, 0, 0}
	}
	if len(content) == 2 && a.fault("begins-from-two-bytes") {
		return append(slices.Clone(content), 0, 0, 0, 0, 0, 0)
	}
	return content
}

// mistakesFlags says whether flags are read the wrong way round.
func (c *fcgiConn) mistakesFlags(flags uint8) bool {
	keep := flags&wire.FlagKeepConn != 0
	c.keptOnce = c.keptOnce || keep
	return !keep && c.count() == 0 && c.app.fault("keeps-new-connections") ||
		!keep && c.keptOnce && c.app.fault("keeps-for-ever") ||
		!keep && flags != 0 && c.app.fault("any-flag-keeps") ||
		keep && flags != wire.FlagKeepConn && c.app.fault("keeps-for-one-flag-only")
}

// cast gives a request another role.
func (c *fcgiConn) cast(role wire.Role) wire.Role {
	if c.lasting == 0 {
		c.lasting = role
	}
	switch {
	case role > wire.RoleFilter && c.app.fault("serves-any-role"), role == 0 && c.app.fault("serves-role-0"):
		role = wire.RoleResponder
	case c.app.fault("role-has-one-byte"):
		role &= 0xFF
	case c.app.fault("role-stays"):
		role = c.lasting
	}
	c.role = role
	return role
}

// begun is called with a request before its parameters come.
func (c *fcgiConn) begun(r *fcgiRequest) {
	if c.latest != nil && c.app.fault("answers-in-order") {
		r.before = c.latest.done
	}
	r.done = make(chan struct{})
	c.latest = r
	r.pairs, c.half = c.half, nil
	if early := c.early[r.id]; early != nil {
		r.params(early)
	}
}

// misend is called when a request has ended. The caller holds mu.
func (c *fcgiConn) misend(r *fcgiRequest) {
	c.ended++
	if r.keep && c.app.fault("closes-idle-soon") {
		time.AfterFunc(50*time.Millisecond, c.retire)
	}
	if !r.keep && r.wrote > 512<<10 && c.app.fault("gives-up-large-responses") {
		c.nc.Close()
	}
}

// deviate handles a record wrongly. The request r is nil if it is not active.
func (c *fcgiConn) deviate(h wire.Header, content []byte, r *fcgiRequest) (done bool, err error) {
	if c.held != nil {
		if err := c.sendHeld(); err != nil {
			return true, err
		}
	}
	switch h.Type {
	case wire.TypeBeginRequest:
		return c.misbegin(h, content, r)
	case wire.TypeAbortRequest:
		return c.misabort(h, content, r)
	case wire.TypeGetValues:
		if c.app.fault("answers-queries-of-requests") {
			return true, c.write(appendFCGI(nil, wire.TypeGetValuesResult, h.RequestID, nil))
		}
	case wire.TypeParams:
		if r == nil && c.app.fault("keeps-early-params") {
			c.early = map[uint16][]byte{h.RequestID: slices.Clone(content)}
		}
	case wire.TypeStdin:
		return c.misroute(content, r)
	}
	return false, nil
}

// misbegin mishandles FCGI_BEGIN_REQUEST.
func (c *fcgiConn) misbegin(h wire.Header, content []byte, r *fcgiRequest) (bool, error) {
	c.mu.Lock()
	active := len(c.requests)
	c.mu.Unlock()
	switch {
	case r != nil && c.app.fault("begins-twice"), active >= 40 && c.app.fault("drops-above-40"):
		return true, nil
	case active > 0 && c.app.fault("one-request-replaces-another"):
		c.forget(func(*fcgiRequest) bool { return true })
	case len(content) > wire.BodyLen && c.app.fault("begin-runs-on"):
		if err := c.begin(h.RequestID, content); err != nil {
			return true, err
		}
		next, _ := wire.ParseHeader(content[wire.BodyLen:])
		return true, c.handle(next, nil)
	}
	return false, nil
}

// misabort mishandles FCGI_ABORT_REQUEST.
func (c *fcgiConn) misabort(h wire.Header, content []byte, r *fcgiRequest) (bool, error) {
	switch {
	case r == nil && c.app.fault("late-abort-closes"):
		return true, errFCGIProtocol
	case r == nil && c.app.fault("late-abort-ends-again"):
		return true, c.write(wire.EndRequest{}.Append(nil, h.RequestID))
	case c.app.fault("abort-content-is-records"):
		return false, c.handleAll(content)
	case c.app.fault("aborts-all"):
		c.mu.Lock()
		all := make([]*fcgiRequest, 0, len(c.requests))
		for _, r := range c.requests {
			all = append(all, r)
		}
		c.mu.Unlock()
		for _, r := range all {
			r.abort()
		}
		return true, nil
	}
	return false, nil
}

// handleAll takes bytes for records.
func (c *fcgiConn) handleAll(b []byte) error {
	for {
		h, content, rest, err := wire.ParseRecord(b)
		if err != nil {
			return nil
		}
		if err := c.handle(h, content); err != nil {
			return err
		}
		b = rest
	}
}

// misroute mishandles FCGI_STDIN.
func (c *fcgiConn) misroute(content []byte, r *fcgiRequest) (bool, error) {
	switch {
	case (r == nil || r.stdinEnded) && len(content) == 0 && c.app.fault("second-end-closes"),
		c.role == wire.RoleAuthorizer && c.app.fault("authorizer-stdin-closes"):
		return true, errFCGIProtocol
	case r != nil && r.answered && c.app.fault("unread-body-blocks"):
		<-r.ctx.Done()
	case len(content) > 0 && c.app.fault("stdin-to-latest") && c.latest != nil && !c.latest.answered:
		c.latest.stdin(content)
		return true, nil
	}
	return false, nil
}
