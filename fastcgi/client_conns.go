package fastcgi

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/internal/sockio"
)

// connPatience is how long a new connection may be without an answer before it is taken to wait in the backlog of an
// application whose workers all have connections; and how long connections beyond MaxIdle are kept, so that a burst of
// requests does not open one for each.
const connPatience = 100 * time.Millisecond

// rashness is how long a connection may be idle and be taken unseen, to save a system call, for a request that is sent
// again if the connection turns out to be dead.
const rashness = 10 * time.Millisecond

// retryAfter is what a client is told if no connection is free.
const retryAfter = time.Second

var errClosed = errors.New("the client was closed")

// connPool are the connections of a Client. All slices are in the order of arrival.
type connPool struct {
	mu      sync.Mutex
	closed  bool
	open    int     // connections, and those being opened
	idle    []*conn // the last one is taken first
	fresh   []*conn // nothing came from them yet
	pinned  []*conn // their request was aborted, and the application is silent
	waiting []turn
	timer   *time.Timer // looks at idle
	wake    time.Time   // when it does; zero if it is not set
}

// A turn is a request that waits. Its channel gets a connection, or nil to open one, and is closed with the Client.
type turn struct {
	ch    chan *conn
	fresh bool // it must open one
}

// A conn is one connection to the application.
type conn struct {
	*sockio.Conn
	id        uint16 // of the last request
	opened    time.Time
	idleSince time.Time
	fresh     bool // is in connPool.fresh; under its lock
}

// acquire returns a connection for req: a kept one unless it must be new, else as soon as MaxConns allows.
func (c *Client) acquire(ctx context.Context, req *adapters.Request, fresh bool) (*conn, error) {
	for !fresh {
		cn := c.takeIdle()
		if cn == nil {
			break
		}
		rash := req.Idempotent() && !req.HasBody() && time.Since(cn.idleSince) < rashness
		if rash || cn.Quiet() {
			return cn, nil
		}
		c.steady.Store(0)
		c.discard(cn)
	}
	cn, err := c.admit(ctx, fresh)
	if cn != nil || err != nil {
		return cn, err
	}
	return c.dial(ctx)
}

func (c *Client) takeIdle() *conn {
	p := &c.conns
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.idle) == 0 {
		return nil
	}
	cn := p.idle[len(p.idle)-1]
	p.idle = p.idle[:len(p.idle)-1]
	return cn
}

// admit waits until one of MaxConns is free. It returns a connection or, to open one, nil.
func (c *Client) admit(ctx context.Context, fresh bool) (*conn, error) {
	p := &c.conns
	p.mu.Lock()
	switch {
	case p.closed:
		p.mu.Unlock()
		return nil, c.fault(opDial, fmt.Errorf("%w: %w", adapters.ErrUnreachable, errClosed))
	case c.MaxConns <= 0 || p.open < c.MaxConns:
		p.open++
		p.mu.Unlock()
		return nil, nil
	case len(p.idle) > 0: // since acquire looked, or because it must be a new one
		cn := p.idle[0]
		p.idle = slices.Delete(p.idle, 0, 1)
		p.mu.Unlock()
		if !fresh {
			return cn, nil
		}
		cn.Close()
		return nil, nil
	case len(p.waiting) >= cmp.Or(c.MaxWaiting, clientMaxWaiting):
		why := fmt.Sprintf("%d requests wait (limit MaxWaiting)", len(p.waiting))
		p.mu.Unlock()
		return nil, c.busy(why)
	}
	t := turn{make(chan *conn, 1), fresh}
	p.waiting = append(p.waiting, t)
	p.mu.Unlock()
	return c.await(ctx, t.ch)
}

func (c *Client) await(ctx context.Context, ch chan *conn) (*conn, error) {
	wait := cmp.Or(c.Wait, clientWait)
	timer := time.NewTimer(wait)
	defer timer.Stop()
	var err error
	select {
	case cn, ok := <-ch:
		if !ok {
			return nil, c.fault(opDial, fmt.Errorf("%w: %w", adapters.ErrUnreachable, errClosed))
		}
		return cn, nil
	case <-timer.C:
		err = c.busy(fmt.Sprintf("all %d connections in use for %v (limits MaxConns, Wait)", c.MaxConns, wait))
	case <-ctx.Done():
		err = c.fault(opRequest, context.Cause(ctx))
	}
	c.leave(ch)
	return nil, err
}

// leave gives up a turn, and passes on what came in the last moment.
func (c *Client) leave(ch chan *conn) {
	p := &c.conns
	p.mu.Lock()
	if i := slices.IndexFunc(p.waiting, func(t turn) bool { return t.ch == ch }); i >= 0 {
		p.waiting = slices.Delete(p.waiting, i, i+1)
		p.mu.Unlock()
		return
	}
	p.mu.Unlock()
	switch cn, ok := <-ch; {
	case cn != nil:
		c.put(cn)
	case ok:
		c.release()
	}
}

func (c *Client) busy(why string) error {
	return &adapters.Error{
		Op: opDial, Addr: c.name(), RetryAfter: retryAfter,
		Err: fmt.Errorf("%w: %s", adapters.ErrBusy, why),
	}
}

func (c *Client) dial(ctx context.Context) (*conn, error) {
	nc, late, err := c.connect(ctx)
	if err != nil {
		c.release()
		return nil, c.dialError(ctx, err, late)
	}
	now := time.Now()
	cn := &conn{Conn: sockio.New(nc), opened: now, fresh: true}
	p := &c.conns
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fresh = append(p.fresh, cn)
	c.schedule(now)
	return cn, nil
}

// connect opens a connection, or says whether that took too long.
func (c *Client) connect(ctx context.Context) (nc net.Conn, late bool, err error) {
	network, dial := c.network(), c.Dial
	switch {
	case dial == nil && network == "unix": // which opens at once or not at all
		nc, err = net.Dial(network, c.Address)
		return nc, false, err
	case dial == nil:
		dial = new(net.Dialer).DialContext
	}
	timed, cancel := context.WithTimeout(ctx, cmp.Or(c.ConnectTimeout, clientConnectTimeout))
	defer cancel()
	nc, err = dial(timed, network, c.Address)
	return nc, sockio.Over(timed) != nil, err
}

func (c *Client) dialError(ctx context.Context, err error, late bool) error {
	if op := (*net.OpError)(nil); errors.As(err, &op) {
		err = op.Err // the rest is in adapters.Error
	}
	over := sockio.Over(ctx)
	switch {
	case over != nil:
		err = over
	case late:
		err = adapters.ConnectTimeout(fmt.Errorf("%w: no connection within %v", adapters.ErrTimeout,
			cmp.Or(c.ConnectTimeout, clientConnectTimeout)))
		return &adapters.Error{Op: opDial, Addr: c.name(), Limit: "connect-timeout", Err: err}
	case errors.Is(err, syscall.EAGAIN):
		return c.busy("its backlog is full")
	default:
		err = fmt.Errorf("%w: %w", adapters.ErrUnreachable, err)
	}
	return c.fault(opDial, err)
}

// answered notes that the application has accepted cn.
func (c *Client) answered(cn *conn) {
	c.conns.mu.Lock()
	defer c.conns.mu.Unlock()
	c.conns.forget(cn)
}

// forget takes cn out of fresh. The lock is held.
func (p *connPool) forget(cn *conn) {
	if cn.fresh {
		i := slices.Index(p.fresh, cn)
		p.fresh = slices.Delete(p.fresh, i, i+1)
		cn.fresh = false
	}
}

// crowded reports whether a connection seems to wait for a worker. MaxConns is to keep it from that. The lock is held.
func (c *Client) crowded(now time.Time) bool {
	fresh := c.conns.fresh
	return c.MaxConns <= 0 && len(fresh) > 0 && now.Sub(fresh[0].opened) >= connPatience
}

// put takes back a connection that can carry another request.
func (c *Client) put(cn *conn) {
	now := time.Now()
	p := &c.conns
	p.mu.Lock()
	switch {
	case p.closed || now.Sub(cn.opened) >= c.keepConn() || c.crowded(now) || len(p.waiting) > 0 && p.waiting[0].fresh:
		p.mu.Unlock()
		c.discard(cn)
		return
	case len(p.waiting) > 0:
		p.waiting[0].ch <- cn
		p.waiting = slices.Delete(p.waiting, 0, 1)
	default:
		cn.idleSince = now
		p.idle = append(p.idle, cn)
		c.schedule(now)
	}
	p.mu.Unlock()
}

// discard closes a connection.
func (c *Client) discard(cn *conn) {
	cn.Close()
	c.answered(cn)
	c.release()
}

// release gives the place of a connection to the next request.
func (c *Client) release() {
	p := &c.conns
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.waiting) == 0 {
		p.open--
		return
	}
	p.waiting[0].ch <- nil
	p.waiting = slices.Delete(p.waiting, 0, 1)
}

// pinTime is how long an application that takes no notice of an abort counts as busy.
const pinTime = 5 * time.Minute

// pin keeps the connection of an aborted request open until something comes, pinTime is over or the client is closed.
func (c *Client) pin(cn *conn) bool {
	p := &c.conns
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed {
		cn.SetReadDeadline(time.Now().Add(pinTime))
		p.pinned = append(p.pinned, cn)
	}
	return !p.closed
}

func (c *Client) unpin(cn *conn) {
	p := &c.conns
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pinned = slices.DeleteFunc(p.pinned, func(other *conn) bool { return other == cn })
}

// schedule sets the timer for the next look at the idle connections. The lock is held.
func (c *Client) schedule(now time.Time) {
	p := &c.conns
	if len(p.idle) == 0 {
		return
	}
	next := now.Add(connPatience)
	if len(p.fresh) == 0 && len(p.idle) <= c.maxIdle() {
		oldest := slices.MinFunc(p.idle, func(a, b *conn) int { return a.opened.Compare(b.opened) })
		next = oldest.opened.Add(c.keepConn())
	}
	switch {
	case p.timer == nil:
		p.timer = time.AfterFunc(next.Sub(now), c.reap)
	case p.wake.IsZero() || next.Before(p.wake):
		p.timer.Reset(next.Sub(now))
	default:
		return
	}
	p.wake = next
}

// reap closes the idle connections that are not to be kept any longer.
func (c *Client) reap() {
	now := time.Now()
	p := &c.conns
	p.mu.Lock()
	p.wake = time.Time{}
	crowded := c.crowded(now)
	spare := len(p.idle) - c.maxIdle()
	var over []*conn
	p.idle = slices.DeleteFunc(p.idle, func(cn *conn) bool {
		drop := crowded || now.Sub(cn.opened) >= c.keepConn() ||
			spare > 0 && now.Sub(cn.idleSince) >= connPatience
		if drop {
			over = append(over, cn)
			spare--
		}
		return drop
	})
	c.schedule(now)
	p.mu.Unlock()
	for _, cn := range over {
		if !cn.Quiet() {
			c.steady.Store(0)
		}
		c.discard(cn)
	}
}

func (c *Client) closeConns() {
	p := &c.conns
	p.mu.Lock()
	p.closed = true
	idle := p.idle
	p.idle = nil
	for _, t := range p.waiting {
		close(t.ch)
	}
	p.waiting = nil
	for _, cn := range p.pinned {
		cn.SetReadDeadline(longAgo)
	}
	if p.timer != nil {
		p.timer.Stop()
	}
	p.mu.Unlock()
	for _, cn := range idle {
		c.discard(cn)
	}
}
