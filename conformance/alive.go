package conformance

import (
	"errors"
	"slices"
	"time"
)

// revival is how long a target that no longer answers may take to come back by itself.
const revival = 5 * time.Second

// errDead reports a target that answered nobody for a moment at least: it does not only take its time.
var errDead = errors.New("conformance: the target does not accept requests")

// alive makes sure that the target answers. A target that is busy gets time; one that refuses is dead, even if it comes back.
func (r *runner) alive() error {
	if r.blind {
		return nil
	}
	c := &Case{Name: "liveness", Level: Must, Run: r.target.Alive}
	end := time.Now().Add(revival)
	var dead error
	for r.ctx.Err() == nil {
		switch result := r.attempt(c); {
		case result.Outcome == Pass:
			return dead
		case result.Outcome != Hang:
			dead = errDead
		}
		if time.Now().After(end) {
			return errDead
		}
		time.Sleep(50 * time.Millisecond)
	}
	return nil
}

// autopsy finds the case that killed the target: the last ones are run again, each alone, for a death can come late. The caller
// holds alone.
func (r *runner) autopsy(last *Case, result *Result) {
	r.mu.Lock()
	suspects := append(slices.Clone(r.recent), last)
	r.mu.Unlock()
	if !r.revive() {
		result.Outcome = Crash
		result.Got = "the target does not come back after this case, or one of the two before it; " + result.Got
		r.record(last, result)
		r.mu.Lock()
		r.gone = true
		r.mu.Unlock()
		return
	}
	r.record(last, result)
	for _, c := range suspects {
		again := r.judge(c)
		if r.alive() == nil {
			continue
		}
		again.Outcome = Crash
		again.Got = "the target answers nobody any more after this case alone; " + again.Got
		r.record(c, again)
		if !r.revive() {
			r.mu.Lock()
			r.gone = true
			r.mu.Unlock()
			return
		}
	}
}

// revive says whether the target answers again, after a restart if need be.
func (r *runner) revive() bool {
	if r.alive() == nil {
		return true
	}
	if err := r.target.Restart(r.ctx); err != nil {
		return false
	}
	r.alive() // a program that has just begun refuses for a while
	return r.alive() == nil
}
