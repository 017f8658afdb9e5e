package http1

import "time"

// watchPeriod is how long a request lasts, up to twice as long, before its client is watched: most are over by then.
const watchPeriod = 25 * time.Millisecond

// watchClients has the watcher watch the clients of requests that take their time. It sleeps when there are none.
func (s *Server) watchClients() {
	ticker := time.NewTicker(watchPeriod)
	defer ticker.Stop()
	for quiet := 0; ; {
		select {
		case <-s.ended:
			return
		case <-ticker.C:
		}
		if quiet++; s.watchSlow() {
			quiet = 0
		}
		if quiet < 40 {
			continue
		}
		ticker.Stop()
		s.asleep.Store(true)
		if !s.watchSlow() || !s.asleep.CompareAndSwap(true, false) { // none began before that could be seen
			select {
			case <-s.ended:
				return
			case <-s.awake:
			}
		}
		quiet = 0
		ticker.Reset(watchPeriod)
	}
}

// wake has the watch go on, as a request begins.
func (s *Server) wake() {
	if s.asleep.Load() && s.asleep.CompareAndSwap(true, false) {
		s.awake <- struct{}{}
	}
}

// watchSlow looks at all requests, and reports whether there are any.
func (s *Server) watchSlow() (busy bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		busy = c.watchIfSlow() || busy
	}
	return busy
}

// watchIfSlow has the watcher look after c as long as its request lasts, if that was there the last time too. It
// reports whether there is one.
func (c *conn) watchIfSlow() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.x == nil, c.current() == StateUpgraded:
		return false
	case !c.x.slow:
		c.x.slow = true
	case c.watched == 0:
		key, ok := c.s.watch.add(c)
		if c.watched = key; !ok {
			c.unwatch()
		}
	}
	return true
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
