package conformance

import (
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

// patient is a target whose health the cases of a test decide on.
type patient struct {
	dead     atomic.Bool
	absent   bool
	restarts atomic.Int64
	immortal bool // Restart works
	jobs     int
	lacks    string
}

func (p *patient) Subject() Subject { return Subject{Name: "patient"} }

func (p *patient) Preflight(t *T) { t.Check(!p.absent, "nobody there") }

func (p *patient) Lacks(c *Case) string {
	if slices.Contains(c.Needs, p.lacks) {
		return "it has no " + p.lacks
	}
	return ""
}

func (p *patient) Jobs() int { return max(1, p.jobs) }

func (p *patient) Alive(t *T) { t.Check(!p.dead.Load(), "dead") }

func (p *patient) Restart(context.Context) error {
	if !p.immortal {
		return errors.ErrUnsupported
	}
	p.restarts.Add(1)
	p.dead.Store(false)
	return nil
}

func passing(*T) {}

func failing(t *T) { t.Fail("nothing") }

// outcomes runs the cases in bubble time and returns how each ended.
func outcomes(t *testing.T, p *patient, o Options, cases ...Case) (map[string]Outcome, *Report) {
	var report *Report
	synctest.Test(t, func(t *testing.T) {
		var err error
		report, err = Run(t.Context(), p, cases, o)
		require.NoError(t, err)
	})
	got := map[string]Outcome{}
	for i, r := range report.Results {
		assert.Equal(t, cases[i].Name, r.Name, "the order is that of the cases")
		got[r.Name] = r.Outcome
	}
	return got, report
}

func TestOutcomes(t *testing.T) {
	runs := 0
	unsteady := func(t *T) {
		if runs++; runs == 1 {
			t.Hang("no answer")
		}
	}
	got, report := outcomes(t, &patient{lacks: "wings"}, Options{},
		Case{Name: "a/1/pass", Level: Must, Run: passing},
		Case{Name: "a/1/fail", Level: Must, Run: failing, Passes: "does it"},
		Case{Name: "a/1/security", Level: Security, Run: failing},
		Case{Name: "a/1/warn", Level: Should, Run: failing},
		Case{Name: "a/1/info", Level: May, Run: failing},
		Case{Name: "a/1/hang", Level: Must, Run: func(t *T) { t.Hang("no answer") }},
		Case{Name: "a/1/mild-hang", Level: Should, Run: func(t *T) { t.Hang("no answer") }},
		Case{Name: "a/1/flaky", Level: Must, Run: unsteady},
		Case{Name: "a/1/skip", Level: Must, Run: func(t *T) { t.Skip("no use") }},
		Case{Name: "a/1/wings", Level: Must, Needs: []string{"wings"}, Run: failing},
		Case{Name: "a/1/panic", Level: Must, Run: func(*T) { panic("oh") }},
		Case{Name: "a/1/broken", Level: Must, Run: func(t *T) { t.Broken(io.ErrClosedPipe) }},
		Case{Name: "a/1/after-fail", Level: Must, DependsOn: []string{"a/1/fail"}, Run: passing},
		Case{Name: "a/1/after-pass", Level: Must, DependsOn: []string{"a/1/pass", "a/1/not-run"}, Run: passing},
		Case{Name: "a/1/slow", Level: Must, Run: func(t *T) { t.Sleep(time.Hour); t.Check(t.Context().Err() == nil, "late") }},
	)
	assert.Equal(t, map[string]Outcome{
		"a/1/pass": Pass, "a/1/fail": Fail, "a/1/security": Fail, "a/1/warn": Warn, "a/1/info": Info, "a/1/hang": Hang,
		"a/1/mild-hang": Warn, "a/1/flaky": Flaky, "a/1/skip": Skip, "a/1/wings": Skip, "a/1/panic": SuiteError,
		"a/1/broken": SuiteError, "a/1/after-fail": DependencyFailed, "a/1/after-pass": Pass, "a/1/slow": Hang,
	}, got)
	fail := report.Results[1]
	assert.Equal(t, "nothing", fail.Got)
	assert.Equal(t, "does it", fail.Expected)
	assert.Equal(t, 1, fail.Runs)
	assert.Equal(t, 2, report.Results[5].Runs, "a verdict by time is measured twice")
	assert.Equal(t, "it has no wings", report.Results[9].Got)
	assert.Len(t, report.Failures(Security), 1)
	assert.Len(t, report.Failures(Must), 7)
	assert.Len(t, report.Failures(Should), 9)
	assert.Equal(t, 2, report.Counts()[SuiteError])
	assert.False(t, report.Gone)
}

func TestNobodyThere(t *testing.T) {
	_, err := Run(t.Context(), &patient{absent: true}, []Case{{Name: "a/1/x", Run: passing}}, Options{})
	assert.ErrorIs(t, err, ErrUnreachable)
	assert.ErrorContains(t, err, "nobody there")
	_, err = Run(t.Context(), &patient{}, nil, Options{})
	assert.ErrorIs(t, err, ErrSelector)
	report, err := Run(t.Context(), &patient{absent: true}, []Case{{Name: "a/1/x", Run: passing}}, Options{Force: true})
	require.NoError(t, err)
	assert.Equal(t, Pass, report.Results[0].Outcome)
}

// deadly kills the target, at once or a little later.
func deadly(p *patient, later time.Duration) func(*T) {
	return func(*T) {
		if later == 0 {
			p.dead.Store(true)
			return
		}
		go func() {
			time.Sleep(later)
			p.dead.Store(true)
		}()
	}
}

// victim fails if the target is dead, as a case that runs beside a deadly one does.
func victim(p *patient) func(*T) {
	return func(t *T) {
		t.Sleep(200 * time.Millisecond)
		t.Check(!p.dead.Load(), "dead")
	}
}

func TestCrashIsBlamedOnItsCase(t *testing.T) {
	for name, later := range map[string]time.Duration{"at once": 0, "a little later": 5 * time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			p := &patient{immortal: true, jobs: 3}
			cases := []Case{
				{Name: "a/1/before", Level: Must, Run: victim(p)}, {Name: "a/1/deadly", Level: Must, Run: deadly(p, later)},
				{Name: "a/1/beside", Level: Must, Run: victim(p)}, {Name: "a/1/after", Level: Must, Run: victim(p)},
				{Name: "a/1/alone", Level: Must, Serial: true, Run: victim(p)},
			}
			report, err := Run(t.Context(), p, cases, Options{Patience: 200 * time.Millisecond})
			require.NoError(t, err)
			got := map[string]Outcome{}
			for _, r := range report.Results {
				got[r.Name] = r.Outcome
			}
			assert.Equal(t, Crash, got["a/1/deadly"])
			for _, innocent := range []string{"a/1/before", "a/1/beside", "a/1/after", "a/1/alone"} {
				assert.Equal(t, Pass, got[innocent], innocent)
			}
			assert.Positive(t, p.restarts.Load())
			assert.False(t, report.Gone)
		})
	}
}

func TestTargetThatStaysDead(t *testing.T) {
	p := &patient{}
	got, report := outcomes(t, p, Options{},
		Case{Name: "a/1/before", Level: Must, Run: passing}, Case{Name: "a/1/deadly", Level: May, Run: deadly(p, 0)},
		Case{Name: "a/1/after", Level: Must, Run: passing})
	assert.Equal(t, map[string]Outcome{"a/1/before": Pass, "a/1/deadly": Crash, "a/1/after": Skip}, got)
	assert.True(t, report.Gone)
	assert.Zero(t, report.Unrun, "there was time")
}

func TestOneIsBlamedForTheEnd(t *testing.T) {
	p := &patient{jobs: 3}
	report, err := Run(t.Context(), p, []Case{
		{Name: "a/1/deadly", Run: deadly(p, 0)}, {Name: "a/1/beside", Run: victim(p)}, {Name: "a/1/too", Run: victim(p)},
	}, Options{Patience: 200 * time.Millisecond})
	require.NoError(t, err)
	assert.Equal(t, map[Outcome]int{Crash: 1, Skip: 2}, report.Counts())
}

func TestSerialCasesRunAlone(t *testing.T) {
	var running, most atomic.Int64
	busy := func(t *T) {
		most.Store(max(most.Load(), running.Add(1)))
		t.Sleep(time.Second)
		running.Add(-1)
	}
	var cases []Case
	for _, name := range []string{"a", "b", "c", "d", "e", "f"} {
		cases = append(cases, Case{Name: "x/1/" + name, Level: Must, Run: busy})
	}
	outcomes(t, &patient{jobs: 4}, Options{}, cases...)
	assert.Equal(t, int64(4), most.Swap(0))
	outcomes(t, &patient{jobs: 4}, Options{Jobs: 2}, cases...)
	assert.Equal(t, int64(2), most.Swap(0))
	for i := range cases {
		cases[i].Serial = true
	}
	outcomes(t, &patient{jobs: 4}, Options{}, cases...)
	assert.Equal(t, int64(1), most.Load())
}

func TestTotalTime(t *testing.T) {
	wait := func(t *T) { t.Sleep(time.Minute) }
	got, report := outcomes(t, &patient{}, Options{Total: time.Second}, Case{Name: "a/1/done", Level: Must, Run: passing},
		Case{Name: "a/1/first", Level: Must, Run: wait}, Case{Name: "a/1/second", Level: Must, Run: wait})
	assert.Equal(t, Skip, got["a/1/second"])
	assert.Equal(t, 2, report.Unrun)
}

func TestDone(t *testing.T) {
	var names []string
	var mu sync.Mutex
	_, report := outcomes(t, &patient{jobs: 3}, Options{AllWire: true, Done: func(r Result) {
		mu.Lock()
		defer mu.Unlock()
		names = append(names, r.Name)
	}}, Case{Name: "a/1/x", Run: func(t *T) { t.Note("seen %d", 1); t.Info("fact") }}, Case{Name: "a/1/y", Run: passing})
	slices.Sort(names)
	assert.Equal(t, []string{"a/1/x", "a/1/y"}, names)
	assert.Equal(t, []string{"fact"}, report.Results[0].Info)
	require.Len(t, report.Results[0].Wire, 1)
	assert.Equal(t, "seen 1", string(report.Results[0].Wire[0].Data))
}

func TestWireLog(t *testing.T) {
	near, far := net.Pipe()
	go func() {
		io.ReadFull(far, make([]byte, 4))
		io.WriteString(far, "pong")
		far.Close()
	}()
	x := &T{log: newWireLog()}
	c := x.Wrap(near, "the other end")
	_, err := c.Write([]byte("ping"))
	require.NoError(t, err)
	_, err = io.ReadAll(c)
	require.NoError(t, err)
	x.log.add(1, Sent, make([]byte, wireLimit))
	x.cleanup()
	x.cleanup()
	var kinds []Kind
	for _, e := range x.log.all() {
		assert.Equal(t, 1, e.Conn)
		kinds = append(kinds, e.Kind)
	}
	assert.Equal(t, []Kind{Opened, Sent, Received, Ended, Sent, Closed}, kinds)
	assert.Equal(t, wireLimit, x.log.all()[4].Size, "what is too much is counted")
	assert.Len(t, x.log.all()[4].Data, wireLimit-4)
}

func TestSelect(t *testing.T) {
	cases := []Case{
		{Name: "fcgi/3.3/a", Level: Must}, {Name: "fcgi/3.30/b", Level: Should}, {Name: "fcgi/4.1/a", Level: Security},
		{Name: "fcgi-client/3.3/a", Level: Must}, {Name: "fcgi/3.3/ab", Level: May},
	}
	for selectors, want := range map[string]string{
		"":                   "fcgi/3.3/a fcgi/3.30/b fcgi/4.1/a fcgi-client/3.3/a fcgi/3.3/ab",
		"fcgi/3.3/a":         "fcgi/3.3/a",
		"fcgi/3.3":           "fcgi/3.3/a fcgi/3.3/ab",
		"fcgi/4":             "fcgi/4.1/a",
		"fcgi/3.3/":          "fcgi/3.3/a fcgi/3.3/ab",
		"fcgi":               "fcgi/3.3/a fcgi/3.30/b fcgi/4.1/a fcgi/3.3/ab",
		"*/*/a":              "fcgi/3.3/a fcgi/4.1/a fcgi-client/3.3/a",
		"level=must":         "fcgi/3.3/a fcgi-client/3.3/a",
		"fcgi !fcgi/3.3":     "fcgi/3.30/b fcgi/4.1/a",
		"!fcgi":              "fcgi-client/3.3/a",
		"fcgi level=must":    "fcgi/3.3/a",
		"level=may fcgi/3.3": "fcgi/3.3/ab",
		"fcgi/4 level=must":  "error",
		"level=may level=should fcgi/3.3 fcgi/3.30 !*/*/a": "fcgi/3.30/b fcgi/3.3/ab",
		"!level=MUST fcgi":   "fcgi/3.30/b fcgi/4.1/a fcgi/3.3/ab",
		"fcgi/5":             "error",
		"fcgi/3.3 !fcgi/5":   "error",
		"fcgi/3.3 !fcgi":     "error",
		"level=must level=x": "error",
		"fcgi/3.3/[":         "error",
	} {
		chosen, err := Select(cases, strings.Fields(selectors))
		if want == "error" {
			assert.ErrorIs(t, err, ErrSelector, selectors)
			continue
		}
		require.NoError(t, err, selectors)
		var names []string
		for _, c := range chosen {
			names = append(names, c.Name)
		}
		assert.Equal(t, want, strings.Join(names, " "), selectors)
	}
}

func TestShards(t *testing.T) {
	cases := make([]Case, 7)
	total := 0
	for i := range 3 {
		total += len(Shard(cases, i+1, 3))
	}
	assert.Equal(t, 7, total)
}

func TestCaseNames(t *testing.T) {
	c := Case{Name: "cgi/4.1.5/path-info"}
	assert.Equal(t, "cgi", c.Protocol())
	assert.Equal(t, "4.1.5", c.Section())
	assert.Equal(t, "RFC 3875 section 4.1.5", c.Source())
	assert.Equal(t, "uwsgi protocol", (&Case{Name: "uwsgi/packet/x"}).Source())
	assert.Equal(t, 3, Count([]Case{{Family: "f"}, {Family: "f"}, {}, {}}))
	assert.True(t, Security.AtLeast(Must))
	assert.False(t, May.AtLeast(Should))
}
