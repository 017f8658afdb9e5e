// Package crowd is for servers that many ask at once: [Clients] counts the connections of each, and a [Tally] keeps the
// log of what happens often short.
package crowd

import (
	"sync"
	"time"
)

// A Tally tells at once that something happened, and then once a second how often it did, until a second in which it
// did not. It is safe for concurrent use.
type Tally struct {
	Tell func(times int) // must be set; never called twice at once

	mu    sync.Mutex
	timer *time.Timer // nil unless something happened in the last second
	times int
}

// Note notes that it happened.
func (t *Tally) Note() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.times++; t.timer == nil {
		t.timer = time.AfterFunc(time.Second, t.next)
		t.tell()
	}
}

func (t *Tally) tell() {
	t.Tell(t.times)
	t.times = 0
}

func (t *Tally) next() {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.timer == nil: // stopped
	case t.times == 0:
		t.timer = nil
	default:
		t.tell()
		t.timer.Reset(time.Second)
	}
}

// Stop tells what is left.
func (t *Tally) Stop() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.timer == nil {
		return
	}
	t.timer.Stop()
	if t.timer = nil; t.times > 0 {
		t.tell()
	}
}
