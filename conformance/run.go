package conformance

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// Target is a program under test. Alive and Restart are never called at the same time as one another; Alive may be called while
// cases run.
type Target interface {
	// Subject describes the target; it is called after Preflight.
	Subject() Subject
	// Preflight makes sure that the target answers one plain request and finds out what it can do. It runs before all
	// cases and makes its verdicts through t.
	Preflight(t *T)
	// Lacks says why a case cannot be run with this target, or "".
	Lacks(c *Case) string
	// Jobs is how many cases may run side by side, at least 1.
	Jobs() int
	// Alive makes one plain request on a new connection.
	Alive(t *T)
	// Restart brings a dead target back. It returns errors.ErrUnsupported if nobody said how. A Target may also have a
	// method Dead() bool, by which nobody waits for it to come back by itself.
	Restart(ctx context.Context) error
}

// Options are the choices of a run. The zero value is ready to use.
type Options struct {
	// Patience is how long the target may take for an answer that it owes at once; 1 s if 0. A target that is slow with
	// the plain request of the preflight gets more.
	Patience time.Duration
	// Limit is the most time that a case may take; 20 s if 0.
	Limit time.Duration
	// Total is the most time that the run may take; cases that are not run then are skipped. No limit if 0.
	Total time.Duration
	// Jobs is the most cases that run side by side; the target's own limit if 0.
	Jobs int
	// Force runs the cases although the preflight failed. Then nobody asks after each case whether the target is alive.
	Force bool
	// AllWire keeps the wire logs of the cases that passed too.
	AllWire bool
	// Done is called with each result when it is known, never concurrently; results can come in any order. A case that is run
	// again, because the target died after it or soon after, comes again.
	Done func(Result)
}

// ErrUnreachable is why nothing was run.
var ErrUnreachable = errors.New("conformance: the target does not answer")

// Run runs the cases against the target. It returns an error that wraps ErrUnreachable if the target does not answer the
// plain request that comes first, one that wraps ErrSelector if there are no cases, another if the suite cannot ask, and
// else a report with a result for each case: also if the target dies, or ctx or Options.Total end, in the middle.
func Run(ctx context.Context, target Target, cases []Case, options Options) (*Report, error) {
	if len(cases) == 0 {
		return nil, fmt.Errorf("%w: no cases", ErrSelector)
	}
	r := newRunner(ctx, target, options)
	defer r.cancel()
	started := time.Now()
	err := r.preflight()
	if err != nil && !options.Force {
		return nil, err
	}
	r.blind = err != nil
	report := &Report{Schema: SchemaVersion, Suite: "gangway", Target: target.Subject(), Started: started}
	results := r.runAll(cases)
	for i := range cases {
		result := results[cases[i].Name]
		report.Results = append(report.Results, *result)
		if result.Got == timeOver || result.Got == timeEnds {
			report.Unrun++
		}
	}
	report.Gone = r.gone
	report.Ended = time.Now()
	return report, nil
}

// runner is one call of Run.
type runner struct {
	ctx     context.Context
	cancel  context.CancelFunc
	target  Target
	options Options

	// alone is held for reading while a case runs that others may run beside.
	alone     sync.RWMutex
	autopsies int // changes only while alone is held

	blind bool // the target never answered: nobody asks whether it is alive

	mu      sync.Mutex
	results map[string]*Result
	jobs    int
	recent  []ended // the cases that ended last, two for each job, the latest last
	gone    bool
}

func newRunner(ctx context.Context, target Target, options Options) *runner {
	if options.Patience == 0 {
		options.Patience = time.Second
	}
	if options.Limit == 0 {
		options.Limit = 20 * time.Second
	}
	r := &runner{target: target, options: options, results: map[string]*Result{}}
	if options.Total > 0 {
		r.ctx, r.cancel = context.WithTimeout(ctx, options.Total)
	} else {
		r.ctx, r.cancel = context.WithCancel(ctx)
	}
	return r
}

// preflight makes patience fit how fast the target is.
func (r *runner) preflight() error {
	c := &Case{Name: "preflight", Level: Must, Run: r.target.Preflight}
	result := r.attempt(c)
	switch result.Outcome {
	case Pass:
	case SuiteError:
		return errors.New(result.Got)
	default:
		return fmt.Errorf("%w: %s", ErrUnreachable, result.Got)
	}
	pace := result.pace
	if pace == 0 {
		pace = result.Duration
	}
	r.options.Patience = max(r.options.Patience, min(10*pace, 5*time.Second))
	return nil
}

// runAll runs the cases on which others depend first and the serial ones last, and of each those first that wait for time
// to go by, beside which the others can run.
func (r *runner) runAll(cases []Case) map[string]*Result {
	var phases [3][]*Case
	for i := range cases {
		c := &cases[i]
		phase := 0
		if len(c.DependsOn) > 0 {
			phase = 1
		}
		if c.Serial {
			phase = 2
		}
		phases[phase] = append(phases[phase], c)
	}
	jobs := max(1, r.target.Jobs())
	if r.options.Jobs > 0 {
		jobs = min(jobs, r.options.Jobs)
	}
	r.jobs = jobs
	for i, phase := range phases {
		slices.SortStableFunc(phase, func(a, b *Case) int { return b.waits() - a.waits() })
		if i == len(phases)-1 {
			jobs = 1
		}
		queue := make(chan *Case)
		var workers sync.WaitGroup
		for range jobs {
			workers.Go(func() {
				for c := range queue {
					r.runOne(c)
				}
			})
		}
		for _, c := range phase {
			queue <- c
		}
		close(queue)
		workers.Wait()
	}
	return r.results
}

// runOne gets the result of one case and makes sure that the target is alive afterwards.
func (r *runner) runOne(c *Case) {
	if reason, outcome := r.obstacle(c); reason != "" {
		r.pass(c, outcome, reason)
		return
	}
	r.alone.RLock()
	autopsies, began := r.autopsies, time.Now()
	result := r.judge(c)
	died := r.alive() != nil
	if !died {
		r.record(c, result) // before an autopsy can begin, which has to know it
	}
	r.alone.RUnlock()
	if !died {
		return
	}
	r.alone.Lock()
	defer r.alone.Unlock()
	if r.isGone() {
		r.pass(c, Skip, "the target went away while this case ran")
		return
	}
	r.autopsy(c, result, began, autopsies)
}

// pass records a case that was not run.
func (r *runner) pass(c *Case, outcome Outcome, reason string) {
	result := describe(c)
	result.Outcome, result.Got = outcome, reason
	r.record(c, result)
}

// Why a case has no result of its own.
const (
	timeOver = "the time of the run is over"
	timeEnds = "the run ended during this case"
)

// obstacle says why c cannot be run.
func (r *runner) obstacle(c *Case) (string, Outcome) {
	if reason := r.target.Lacks(c); reason != "" {
		return reason, Skip
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.gone:
		return "the target is gone", Skip
	case r.ctx.Err() != nil:
		return timeOver, Skip
	}
	for _, name := range c.DependsOn {
		if before := r.results[name]; before != nil && before.Outcome.Bad() {
			return name + ": " + string(before.Outcome), DependencyFailed
		}
	}
	return "", ""
}

// judge runs a case, twice if the verdict may be a matter of time.
func (r *runner) judge(c *Case) *Result {
	first := r.attempt(c)
	if first.Outcome == Pass || first.Outcome == Skip || !c.Timing && !first.waited {
		return &first.Result
	}
	second := r.attempt(c)
	second.Runs = 2
	if second.Outcome != first.Outcome && r.ctx.Err() == nil {
		second.Got = fmt.Sprintf("first %s: %s; then %s: %s", first.Outcome, first.Got, second.Outcome, second.Got)
		second.Outcome = Flaky
		if !c.Level.AtLeast(Robustness) {
			second.Outcome = Info
		}
	}
	return &second.Result
}

func (r *runner) record(c *Case, result *Result) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if result.Outcome == Pass && !r.options.AllWire {
		result.Wire = nil
	}
	r.results[c.Name] = result
	if result.Runs > 0 { // else it was not run, and has killed nobody
		r.recent = append(r.recent, ended{c, time.Now()})
	}
	if len(r.recent) > 2*r.jobs {
		r.recent = r.recent[1:]
	}
	if r.options.Done != nil {
		r.options.Done(*result)
	}
}

func describe(c *Case) *Result {
	return &Result{Name: c.Name, Source: c.Source(), Quote: c.Quote, Level: c.Level, Sends: c.Sends, Expected: c.Passes}
}

// attempted is a result, whether its verdict is that the target was too slow, and what T.Pace got.
type attempted struct {
	Result
	waited bool
	pace   time.Duration
}

// attempt runs the case once, within its time.
func (r *runner) attempt(c *Case) attempted {
	ctx, cancel := context.WithTimeout(r.ctx, r.options.Limit)
	defer cancel()
	t := &T{Case: c, Target: r.target, ctx: ctx, patience: r.options.Patience, log: newWireLog()}
	start := time.Now()
	done := make(chan verdict, 1)
	go func() { done <- t.verdict() }()
	var v verdict
	select {
	case v = <-done:
	case <-ctx.Done():
		t.cleanup() // which closes the connections that it waits for
		select {
		case v = <-done:
		case <-time.After(5 * time.Second):
			v = verdict{SuiteError, "the case did not end in time"}
		}
		if v.outcome != Pass && v.outcome != SuiteError && r.ctx.Err() == nil {
			v = verdict{Hang, "not done within " + r.options.Limit.String()}
		}
	}
	t.cleanup()
	if r.ctx.Err() != nil {
		v = verdict{Skip, timeEnds} // which has made its verdict
	}
	result := attempted{Result: *describe(c), waited: v.outcome == Hang, pace: t.pace}
	result.Outcome, result.Got = c.weigh(v.outcome), v.got
	result.Info, result.Wire = slices.Clone(t.infos), t.log.all()
	result.Duration, result.Runs = time.Since(start), 1
	return result
}

// verdict runs the case and catches its end.
func (t *T) verdict() (v verdict) {
	defer func() {
		switch p := recover().(type) {
		case nil:
		case verdict:
			v = p
		default:
			v = verdict{SuiteError, fmt.Sprintf("panic: %v", p)}
		}
	}()
	t.Case.Run(t)
	return verdict{outcome: Pass}
}

// weigh makes of a failure what it is at the level of the case.
func (c *Case) weigh(o Outcome) Outcome {
	if o == Fail || o == Hang {
		switch c.Level {
		case Should:
			return Warn
		case May:
			return Info
		}
	}
	return o
}
