package faulty

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/gangway-go/gangway/fastcgi/wire"
)

// fcgiBackend is an application that speaks FastCGI 1.0. Connections are kept; each carries one request at a time. The
// variable FCGI_ROLE, if there is one, says the role; a Filter gets the file that SCRIPT_FILENAME names.
type fcgiBackend struct {
	dialer
	log io.Writer

	mu     sync.Mutex
	idle   []*keptConn
	made   []*keptConn   // for faults
	places chan struct{} // for a fault
}

// keptConn is a connection to the application.
type keptConn struct {
	net.Conn
	backend *fcgiBackend
	in      []byte // read and not understood yet
	reused  bool
	buf     []byte
}

// requestID is the id of all requests, for there is one on a connection.
const requestID = 1

// RoundTrip is that of backend. A request that changes nothing is sent again if a kept connection turns out to be dead.
func (b *fcgiBackend) RoundTrip(ctx context.Context, vars []Var, body io.Reader) (io.ReadCloser, error) {
	body, done, err := b.admit(ctx, body)
	if err != nil {
		return nil, err
	}
	defer done()
	for {
		if err := b.misdirect(vars); err != nil {
			return nil, err
		}
		conn, err := b.take(ctx)
		if err != nil {
			return nil, err
		}
		x := newFCGIExchange(ctx, conn, vars, body)
		if err = x.begin(); err == nil && !b.again(x) {
			return x, nil
		}
		retry := conn.reused && !x.heard.Load() &&
			!errors.Is(x.err, os.ErrDeadlineExceeded) && b.repeatable(vars) || err == nil || b.insists(vars, err)
		x.Close()
		if !retry {
			return nil, err
		}
	}
}

// repeatable says whether a request may be sent twice: RFC 9110 section 9.2.2, and the body must still be there.
func (b *fcgiBackend) repeatable(vars []Var) bool {
	method := value(vars, "REQUEST_METHOD")
	switch {
	case b.fault.in("never-retries", "trusts-idle"):
		return false
	case b.fault.is("retries-post") && method == "POST":
		return true
	}
	return (method == "GET" || method == "HEAD" || method == "OPTIONS") && value(vars, "CONTENT_LENGTH") == ""
}

// value is the value of a variable, or "".
func value(vars []Var, name string) string {
	for _, v := range vars {
		if v.Name == name {
			return v.Value
		}
	}
	return ""
}

// take returns a connection that is kept, or a new one.
func (b *fcgiBackend) take(ctx context.Context) (*keptConn, error) {
	for {
		b.mu.Lock()
		n := len(b.idle)
		if n == 0 {
			b.mu.Unlock()
			break
		}
		c := b.idle[n-1]
		b.idle = b.idle[:n-1]
		b.mu.Unlock()
		if c.quiet() || b.fault.is("trusts-idle") {
			c.reused = true
			return c, nil
		}
		c.Close()
	}
	conn, err := b.dial(ctx)
	if err != nil {
		return nil, err
	}
	c := &keptConn{Conn: conn, backend: b, buf: make([]byte, 64<<10)}
	b.opened(c)
	return c, nil
}

// quiet says whether the application has neither closed the kept connection nor sent anything that nobody asked for.
func (c *keptConn) quiet() bool {
	c.SetReadDeadline(time.Now().Add(100 * time.Microsecond))
	n, err := c.Read(c.buf[:1])
	nerr, timeout := err.(net.Error)
	return n == 0 && timeout && nerr.Timeout()
}

// wait gives the application its time.
func (c *keptConn) wait() {
	if c.backend.fault.is("waits-for-ever") {
		c.SetReadDeadline(time.Time{})
		return
	}
	c.SetReadDeadline(time.Now().Add(c.backend.timeout))
}

// keep makes the connection ready for another request.
func (b *fcgiBackend) keep(c *keptConn) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.fault.in("never-reuses", "half-closes") {
		c.Close()
		return
	}
	b.idle = append(b.idle, c)
}

// Close is that of backend.
func (b *fcgiBackend) Close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, c := range b.idle {
		c.Close()
	}
	b.idle = nil
}

// request is all that comes before the body: FCGI_BEGIN_REQUEST and FCGI_PARAMS.
func (b *fcgiBackend) request(vars []Var) []byte {
	role := wire.RoleResponder
	switch value(vars, roleVariable) {
	case "AUTHORIZER":
		role = wire.RoleAuthorizer
	case "FILTER":
		role = wire.RoleFilter
	}
	vars = b.mis.variables(unique(vars))
	out := wire.BeginRequest{Role: role, Flags: wire.FlagKeepConn}.Append(nil, requestID)
	params := wire.BeginParams(out, requestID)
	for _, v := range vars {
		params.Add(v.Name, v.Value)
	}
	return b.mis.before(vars, params.End())
}

// unique leaves the first of each name.
func unique(vars []Var) []Var {
	seen := map[string]bool{}
	return slices.DeleteFunc(slices.Clone(vars), func(v Var) bool {
		defer func() { seen[v.Name] = true }()
		return seen[v.Name]
	})
}
