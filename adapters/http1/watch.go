package http1

import "time"

// watchPeriod is how long a request lasts, up to twice as long, before its client is watched: most are over by then.
const watchPeriod = 25 * time.Millisecond

// begin notes that c serves a request.
func (s *Server) begin(c *conn) {
	s.active.Add(1)
	c.turn.Add(1)
	if s.asleep.Load() && s.asleep.CompareAndSwap(true, false) {
		s.awake <- struct{}{}
	}
}

func (s *Server) end(c *conn) {
	c.turn.Add(1)
	s.active.Add(-1)
}

// watchClients has the watcher watch the clients of requests that take their time.
func (s *Server) watchClients() {
	ticker := time.NewTicker(watchPeriod)
	defer ticker.Stop()
	for idle := 0; ; {
		select {
		case <-s.ended:
			return
		case <-ticker.C:
		}
		if s.active.Load() > 0 {
			idle = 0
			s.watchSlow()
			continue
		}
		if idle++; idle < 40 {
			continue
		}
		ticker.Stop()
		s.asleep.Store(true)
		if s.active.Load() == 0 || !s.asleep.CompareAndSwap(true, false) {
			select {
			case <-s.ended:
				return
			case <-s.awake:
			}
		}
		idle = 0
		ticker.Reset(watchPeriod)
	}
}

func (s *Server) watchSlow() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		turn := c.turn.Load()
		if turn&1 == 1 && turn == c.seen {
			c.beWatched(turn)
		}
		c.seen = turn
	}
}

// beWatched has the watcher look after c as long as the request of this turn lasts.
func (c *conn) beWatched(turn uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.x == nil || c.watched != 0 || c.closed || c.turn.Load() != turn {
		return
	}
	key, ok := c.s.watch.add(c)
	if c.watched = key; !ok {
		c.unwatch()
	}
}

// unwatch ends that. The caller holds mu.
func (c *conn) unwatch() {
	if c.watched != 0 {
		c.s.watch.remove(c, c.watched)
		c.watched = 0
	}
}

// gone tells the request that was served when the watch with this key began.
func (c *conn) gone(key int32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.watched == key && c.x != nil {
		c.x.ctx.Cancel(nil)
	}
}
