package http1

import (
	"math"
	"net/http"
	"time"
)

// MaxConns returns how many connections there may be with a Server.MaxConns of n.
func MaxConns(n int) int {
	switch {
	case n < 0:
		return math.MaxInt
	case n == 0:
		return max(descriptors()/4*3, 1)
	}
	return n
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
			c.refused = refuse(http.StatusServiceUnavailable, "%d connections at once (limit connections)", s.most)
			c.enter(StateClosing)
		}
		s.crowded.Note()
		if over >= maxRefused {
			return false
		}
	}
	s.conns[c] = struct{}{}
	return true
}

// fresh is how long a connection is not closed for others: what is on its way arrives by then.
const fresh = 100 * time.Millisecond

// evict closes a connection that waits for a request: of a few, which the order of the map takes at random, the one
// that has used up most of its time. The caller holds mu.
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

// initTallies says what is logged of what may happen often.
func (s *Server) initTallies() {
	s.crowded.Tell = func(times int) {
		s.log().Warn("all connections taken: new ones take the place of those that wait for a request, or are refused",
			"limit", "connections", "times", times, "connections", s.most)
	}
	s.failed.Tell = func(times int) {
		s.log().Error("no connection accepted: those that wait for a request are closed, and it is tried again",
			"error", s.failure.Load(), "times", times)
	}
}

// admit returns why c is not served: there are too many connections, of all clients or of this one.
func (s *Server) admit(c *conn) error {
	if c.refused != nil {
		return c.refused
	}
	var ok bool
	if c.client, ok = s.clients.Enter(c.remote.Addr, c.remote.Port); !ok {
		return refuseFor("client-connections", http.StatusServiceUnavailable, "%d connections of this client",
			s.MaxClientConns)
	}
	return nil
}
