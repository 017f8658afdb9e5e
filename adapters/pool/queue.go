package pool

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/gangway-go/gangway/adapters"
)

// The limits of a [Group] that sets none.
const (
	DefaultQueue = 100
	DefaultWait  = 30 * time.Second
)

const retryAfter = time.Second // sessions end at any time

// A waiter is a request in the queue.
type waiter struct {
	session chan *member // holds one; nil means that there will be none
}

// checkout begins a session, at once or after a wait.
func (g *Group) checkout(ctx context.Context) (*member, error) {
	m, w, err := g.assign()
	if w == nil {
		return m, err
	}
	timer := time.NewTimer(cmp.Or(g.MaxWait, DefaultWait))
	defer timer.Stop()
	select {
	case m := <-w.session:
		if m == nil {
			return g.checkout(ctx) // which says why, or finds that it has just changed
		}
		return m, nil
	case <-ctx.Done():
		err = &adapters.Error{Op: op, Addr: g.Name, Err: context.Cause(ctx)}
	case <-timer.C:
		err = g.busy("queue-wait", "waited %v for a process", cmp.Or(g.MaxWait, DefaultWait))
	}
	g.leave(w)
	return nil, err
}

// assign begins a session with a process that has room, else it queues a waiter.
func (g *Group) assign() (*member, *waiter, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if err := g.refusal(); err != nil {
		return nil, nil, err
	}
	if m := g.leastBusy(); m != nil {
		g.begin(m)
		return m, nil, nil
	}
	if limit := max(cmp.Or(g.MaxQueue, DefaultQueue), 0); len(g.waiters) >= limit {
		return nil, nil, g.busy("queue", "%d requests wait already", limit)
	}
	w := &waiter{make(chan *member, 1)}
	g.waiters = append(g.waiters, w)
	return nil, w, nil
}

// refusal returns why there is no session, and none to be waited for.
func (g *Group) refusal() error {
	switch {
	case g.closed:
		return g.unavailable(errClosed, 0)
	case g.end == nil:
		return g.unavailable(errNoStart, 0)
	case g.broken != nil && !slices.ContainsFunc(g.members, (*member).attached):
		return g.unavailable(g.broken, max(time.Until(g.retryAt), retryAfter))
	}
	return nil
}

// leastBusy returns the first of the processes with the fewest sessions, nil if all are full: the first ones stay warm.
func (g *Group) leastBusy() *member {
	var best *member
	fewest := max(g.Concurrency, 1)
	for _, m := range g.members {
		if m.attached() && m.load() < fewest {
			best, fewest = m, m.load()
		}
	}
	return best
}

func (g *Group) begin(m *member) {
	m.sessions++
	g.open++
}

// checkin ends a session. Its place goes to the first waiter, unless m may go on with the request, which ctx has ended.
func (g *Group) checkin(ctx context.Context, m *member) {
	if idle := m.process.Idle; idle != nil && ctx.Err() != nil {
		g.aborted(m, 1)
		go func() {
			defer g.aborted(m, -1)
			idle()
		}()
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	m.sessions--
	g.open--
	m.served++
	if m.served == g.MaxRequests {
		m.retiring = true
		g.wake()
	}
	g.share(m)
	if m.detached && m.sessions == 0 {
		g.stop(m)
	}
	if g.closed && g.open == 0 {
		close(g.idle)
	}
}

// watchAborted has the requests counted that m goes on with.
func (g *Group) watchAborted(m *member) {
	h, ok := m.process.Handler.(interface{ OnAborted(fn func(delta int)) })
	if !ok {
		return
	}
	h.OnAborted(func(delta int) { g.aborted(m, delta) })
	m.process.Idle = nil
}

// aborted has m busy with more or fewer requests that were aborted.
func (g *Group) aborted(m *member, delta int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	m.aborted += delta
	g.share(m)
}

// share gives the waiters the room that m has.
func (g *Group) share(m *member) {
	for len(g.waiters) > 0 && m.attached() && m.load() < max(g.Concurrency, 1) {
		g.begin(m)
		g.waiters[0].session <- m
		g.waiters = slices.Delete(g.waiters, 0, 1)
	}
}

// dismissIfDown tells the waiters when nobody will serve them.
func (g *Group) dismissIfDown() {
	if g.refusal() == nil {
		return
	}
	for _, w := range g.waiters {
		w.session <- nil
	}
	g.waiters = nil
}

// leave takes w out of the queue, and gives back the session that it got in the meantime.
func (g *Group) leave(w *waiter) {
	g.mu.Lock()
	i := slices.Index(g.waiters, w)
	if i >= 0 {
		g.waiters = slices.Delete(g.waiters, i, i+1)
	}
	g.mu.Unlock()
	if i >= 0 {
		return
	}
	if m := <-w.session; m != nil {
		g.checkin(context.Background(), m)
	}
}

// unavailable is the error while no process can serve.
func (g *Group) unavailable(err error, retry time.Duration) error {
	return &adapters.Error{Op: op, Addr: g.Name, Status: http.StatusServiceUnavailable, RetryAfter: retry, Err: err}
}

func (g *Group) busy(limit, format string, value any) error {
	err := fmt.Errorf("%w: "+format, adapters.ErrBusy, value)
	return &adapters.Error{Op: op, Addr: g.Name, RetryAfter: retryAfter, Limit: limit, Err: err}
}
