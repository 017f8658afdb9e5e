package conformance

import (
	"errors"
	"slices"
	"strings"
	"time"
)

// revival is how many times its patience a target that no longer answers may take to come back by itself.
const revival = 5

// errDead reports a target that answered nobody for a moment at least: it does not only take its time.
var errDead = errors.New("conformance: the target does not accept requests")

// alive makes sure that the target answers. A target that is busy gets time; one that refuses is dead, even if it comes back.
func (r *runner) alive() error {
	if r.blind {
		return nil
	}
	c := &Case{Name: "liveness", Level: Must, Run: r.target.Alive}
	end := time.Now().Add(revival * r.options.Patience)
	var dead error
	for r.ctx.Err() == nil {
		switch result := r.attempt(c); {
		case result.Outcome == Pass:
			return dead
		case result.Outcome != Hang:
			dead = errDead
			if target, ok := r.target.(interface{ Dead() bool }); ok && target.Dead() {
				return errDead
			}
		}
		if time.Now().After(end) {
			return errDead
		}
		time.Sleep(50 * time.Millisecond)
	}
	return nil
}

// autopsy finds the case that killed the target: the last ones are run again, each alone, for a death can come late, and
// hits whoever runs beside. If the others have been run again since the case began (autopsies is how many there were
// before), it is the only suspect. If it turns out to be the killer, the others need not be run again but those that failed
// while it ran, maybe for that. The caller holds alone.
func (r *runner) autopsy(last *Case, result *Result, began time.Time, autopsies int) {
	suspects := []ended{{last, time.Now()}}
	if r.autopsies == autopsies {
		suspects = append(suspects, r.latest()...)
	}
	r.autopsies++
	if !r.revive() {
		names := make([]string, len(suspects))
		for i, s := range suspects {
			names[i] = s.Name
		}
		result.Outcome, result.Got = Crash, "the target does not come back; it was one of "+strings.Join(names, ", ")
		r.record(last, result)
		r.giveUp()
		return
	}
	known := false
	for _, s := range suspects {
		c := s.Case
		if known && (s.at.Before(began) || r.passed(c)) {
			continue
		}
		again := r.judge(c)
		time.Sleep(r.options.Patience / 2) // for a death that comes late
		dead := r.alive() != nil
		if dead {
			again.Outcome = Crash
			again.Got = strings.TrimSuffix("the target answers nobody any more after this case alone; "+again.Got, "; ")
		}
		r.record(c, again)
		if dead && !r.revive() {
			r.giveUp()
			return
		}
		known = known || dead && c == last
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.recent = nil // what happened before a death has no part in the next
}

// ended is a case that has been run, and when it ended.
type ended struct {
	*Case
	at time.Time
}

// latest are the cases that ended last, the latest first.
func (r *runner) latest() []ended {
	r.mu.Lock()
	defer r.mu.Unlock()
	cases := slices.Clone(r.recent)
	slices.Reverse(cases)
	return cases
}

func (r *runner) passed(c *Case) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.results[c.Name].Outcome == Pass
}

func (r *runner) isGone() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.gone
}

// giveUp skips what is still to be run.
func (r *runner) giveUp() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.gone = true
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
