package pool

import (
	"slices"
	"sync"
	"time"

	"github.com/gangway-go/gangway/adapters"
)

const (
	firstDelay = 500 * time.Millisecond // after one failure; doubled by each one that follows
	maxDelay   = time.Minute
	// livedWell is how old a process is whose death says nothing about the next one.
	livedWell = 10 * time.Second
)

// supervise starts processes, one at a time, whenever one is missing, until the Group is closed.
func (g *Group) supervise() {
	var first sync.Once
	started := func() { close(g.first) }
	defer first.Do(started)
	for g.awaitNeed() {
		p, err := g.Spawner.Spawn(g.serving)
		if err != nil {
			g.startFailed(err)
		} else {
			g.attach(p)
		}
		first.Do(started)
	}
}

// awaitNeed returns true when a process is to be started, false when the Group is closed.
func (g *Group) awaitNeed() bool {
	for {
		var due <-chan time.Time
		if missing, delay := g.missing(); missing {
			due = time.After(delay)
		}
		select {
		case <-g.serving.Done():
			return false
		case <-g.change:
		case <-due:
			return true
		}
	}
}

func (g *Group) missing() (bool, time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	fresh := 0
	for _, m := range g.members {
		if m.fresh() {
			fresh++
		}
	}
	return fresh < max(g.Processes, 1), time.Until(g.retryAt)
}

// wake makes the supervisor look.
func (g *Group) wake() {
	select {
	case g.change <- struct{}{}:
	default:
	}
}

// attach lets p serve, in the place of one that is to be replaced, if there is one.
func (g *Group) attach(p *Process) {
	g.mu.Lock()
	defer g.mu.Unlock()
	m := &member{process: p, since: time.Now(), ended: make(chan struct{})}
	g.watchAborted(m)
	if i := slices.IndexFunc(g.members, func(m *member) bool { return m.retiring && !m.detached }); i >= 0 {
		g.detach(g.members[i])
	}
	g.broken = nil
	g.members = append(g.members, m)
	g.running.Go(func() { g.watch(m) })
	g.log.Debug("process started", "pid", p.ID)
	g.share(m)
	if g.closed {
		g.stop(m)
	}
}

// detach keeps m from new sessions, and stops it when it has none.
func (g *Group) detach(m *member) {
	m.detached = true
	if m.sessions == 0 {
		g.stop(m)
	}
}

// stop ends m in the background.
func (g *Group) stop(m *member) {
	if m.stopping {
		return
	}
	m.detached, m.stopping = true, true
	g.running.Go(func() {
		m.process.closeHandler()
		m.process.Stop(g.patient)
	})
}

// watch sees the end of m.
func (g *Group) watch(m *member) {
	err := m.process.Wait()
	m.process.closeHandler()
	g.mu.Lock()
	defer g.mu.Unlock()
	g.members = slices.DeleteFunc(g.members, func(other *member) bool { return other == m })
	m.detached = true
	close(m.ended)
	if m.stopping {
		g.log.Debug("process stopped", "pid", m.process.ID)
		return
	}
	m.stopping = true // there is nothing to stop any more
	lived := time.Since(m.since)
	if lived >= livedWell {
		g.failures = 0
	} else {
		g.failed()
	}
	g.log.Error("process ended", "pid", m.process.ID, "error", err, "lived", lived)
	g.dismissIfDown()
	g.wake()
}

// startFailed makes err the answer if no process is left to serve.
func (g *Group) startFailed(err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return
	}
	g.failed()
	g.broken = err
	log := g.log
	if limit := adapters.LimitOf(err); limit != "" {
		log = log.With("limit", limit)
	}
	log.Error("app cannot be started", "error", err, "retry", time.Until(g.retryAt).Round(time.Millisecond))
	g.dismissIfDown()
}

// failed postpones the next start. What fails together counts once.
func (g *Group) failed() {
	if now := time.Now(); !now.Before(g.retryAt) {
		g.failures++
		g.retryAt = now.Add(min(firstDelay<<min(g.failures-1, 16), maxDelay))
	}
}
