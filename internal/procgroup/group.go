// Package procgroup ends processes together with what they have started: each leads a process group of its own, where
// the system has such groups (Unix). On Linux also those of its descendants are ended that have left the group, for a
// session of their own say, but not the process that has started them. Start a process with the attributes of [Attr],
// make a [Group] of it, and wait for it with [Group.Wait].
package procgroup

import (
	"os"
	"sync"
	"time"
)

// A Group is the process group of a started process. A process that was started without [Attr] is a group of one. The
// methods may be called by several goroutines.
type Group struct {
	// Leader is the process. Only Wait may wait for it.
	Leader *os.Process
	// KillRest has what the leader leaves behind killed also if it ends by itself, without End.
	KillRest bool

	mu     sync.Mutex // held to signal it
	ending bool
	gone   bool // it must not be signalled: its id may be somebody else's
	killer *time.Timer
	strays []stray
}

// End sends SIGTERM to the group, and SIGKILL if the leader still runs when grace is over; at once if grace is 0. It
// does not wait. Where there is no SIGTERM it kills.
func (g *Group) End(grace time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.gone:
	case grace == 0:
		g.ending = true
		g.findStrays()
		g.kill()
	case !g.ending:
		g.ending = true
		g.findStrays()
		g.terminate()
		g.killer = time.AfterFunc(grace, func() { g.End(0) })
	}
}

// ended kills what is left of a group that is to end, and keeps it from being signalled any more.
func (g *Group) ended() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.ending || g.KillRest {
		g.kill()
	}
	g.gone = true
	g.forgetStrays()
	if g.killer != nil {
		g.killer.Stop()
	}
}
