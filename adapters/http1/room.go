package http1

import (
	"math"
	"net/http"
	"net/netip"
	"time"
)

// maxConns is how many connections there may be.
func (s *Server) maxConns() int {
	switch {
	case s.MaxConns < 0:
		return math.MaxInt
	case s.MaxConns == 0:
		return max(descriptors()/4*3, 1)
	}
	return s.MaxConns
}

// maxRefused is how many connections above the limit are told so at once.
const maxRefused = 64

// remember takes c in, if need be in the place of another one that waits for a request. It reports false if there are
// so many that c is not even to be answered.
func (s *Server) remember(c *conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if over := len(s.conns) - s.most; over >= 0 {
		if !s.evict() {
			c.refused = refuseFor("connections", http.StatusServiceUnavailable, "%d connections at once", s.most)
			c.enter(StateClosing)
		}
		s.crowded.note(s)
		if over >= maxRefused {
			return false
		}
	}
	s.conns[c] = struct{}{}
	return true
}

// fresh is how long a connection is not closed for others: what is on its way arrives by then.
const fresh = 100 * time.Millisecond

// evict closes a connection that waits for a request: of a few, which the order of the map takes at random, the one that
// has used up most of its time. The caller holds mu.
func (s *Server) evict() bool {
	const few = 16
	var best *conn
	var state State
	worst, looked, now := 0.0, 0, time.Now().UnixNano()
	for c := range s.conns {
		if looked++; best != nil && looked > few {
			break
		}
		current, waited := c.current(), now-c.since.Load()
		limit := s.headerTimeout()
		switch current {
		case StateIdle:
			limit = s.idleTimeout()
		case StateNew, StateHeader:
		default:
			continue
		}
		if used := float64(waited) / float64(limit); waited >= int64(fresh) && used > worst {
			best, state, worst = c, current, used
		}
	}
	if best == nil || !best.state.CompareAndSwap(int32(state), int32(evicted)) {
		return false
	}
	best.nc.Close()
	return true
}

// A tally logs something that may happen often at once, and then how often it did in each second. The server's mu guards
// it.
type tally struct {
	log   func(times int)
	timer *time.Timer // nil if nothing happened in the last second
	times int
}

func (t *tally) note(s *Server) {
	t.times++
	if t.timer == nil {
		t.timer = time.AfterFunc(time.Second, func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			t.tell()
		})
		t.tell()
	}
}

func (t *tally) tell() {
	if t.times == 0 {
		t.timer = nil
		return
	}
	t.log(t.times)
	t.times = 0
	t.timer.Reset(time.Second)
}

func (t *tally) stop() {
	if t.timer != nil {
		t.timer.Stop()
	}
}

// initTallies says what is logged.
func (s *Server) initTallies() {
	s.crowded.log = func(times int) {
		s.log().Warn("all connections taken: those that wait for a request are closed for new ones",
			"limit", "connections", "times", times, "connections", len(s.conns))
	}
	s.failed.log = func(times int) {
		s.log().Error("no connection accepted: those that wait for a request are closed, and it is tried again",
			"error", s.failure, "times", times, "connections", len(s.conns))
	}
}

// admit returns why c is not served: there are too many connections, of all clients or of this one.
func (s *Server) admit(c *conn) error {
	if c.refused != nil || s.MaxClientConns <= 0 {
		return c.refused
	}
	addr, err := netip.ParseAddr(c.remote.Addr)
	if err != nil || c.remote.Port == "" { // a Unix socket's
		return nil
	}
	if addr = addr.Unmap().WithZone(""); addr.Is6() {
		addr = netip.PrefixFrom(addr, 64).Masked().Addr()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.clients[addr] >= s.MaxClientConns {
		return refuseFor("client-connections", http.StatusServiceUnavailable, "%d connections of this client", s.MaxClientConns)
	}
	s.clients[addr]++
	c.client = addr
	return nil
}

// leave undoes admit. The caller holds mu.
func (s *Server) leave(c *conn) {
	if !c.client.IsValid() {
		return
	}
	if s.clients[c.client]--; s.clients[c.client] == 0 {
		delete(s.clients, c.client)
	}
	c.client = netip.Addr{}
}
