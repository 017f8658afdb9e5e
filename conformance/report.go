package conformance

import "time"

// SchemaVersion is the version of the form that a Report has as JSON. It changes when a field goes or gets another meaning.
const SchemaVersion = 1

// Outcome is how a case ended.
type Outcome string

// The outcomes. A target that does not do what a case with level SHOULD or MAY asks for gets Warn or Info instead of Fail or Hang.
const (
	Pass             Outcome = "pass"
	Fail             Outcome = "fail"
	Warn             Outcome = "warn"
	Info             Outcome = "info"
	Skip             Outcome = "skip"
	DependencyFailed Outcome = "dependency failed"
	SuiteError       Outcome = "suite error" // the suite could not go on; nothing is known about the target
	Crash            Outcome = "CRASH"       // the target no longer answers anybody, and this case alone brought that about
	Hang             Outcome = "HANG"        // no answer and no close where one was due
	Flaky            Outcome = "flaky"       // the same case ended one way and another
)

// Outcomes are all outcomes, in the order in which reports count them.
var Outcomes = []Outcome{Pass, Fail, Hang, Crash, Flaky, Warn, Info, Skip, DependencyFailed, SuiteError}

// Bad says whether the outcome speaks against the target or the suite.
func (o Outcome) Bad() bool {
	return o == Fail || o == Crash || o == Hang || o == Flaky || o == SuiteError
}

// Result is what is known about the target after one case.
type Result struct {
	Name     string        `json:"name"`
	Source   string        `json:"source"` // the specification and its section
	Quote    string        `json:"quote"`
	Level    Level         `json:"level"`
	Outcome  Outcome       `json:"outcome"`
	Sends    string        `json:"sends"`
	Expected string        `json:"expected"`
	Got      string        `json:"got,omitempty"`  // what the target did instead, or why the case was not run
	Info     []string      `json:"info,omitempty"` // what else was seen
	Duration time.Duration `json:"duration"`       // in nanoseconds
	Runs     int           `json:"runs"`           // how often the case was run
	Wire     []Event       `json:"wire,omitempty"`
}

// Report is the result of a run. The results are in the order of the suite.
type Report struct {
	Schema  int       `json:"schema"`
	Suite   string    `json:"suite"` // "gangway" and its version
	Target  Subject   `json:"target"`
	Started time.Time `json:"started"`
	Ended   time.Time `json:"ended"`
	Gone    bool      `json:"gone,omitempty"`  // the target died, and the rest could not be run
	Unrun   int       `json:"unrun,omitempty"` // cases that were skipped because the run was to end
	Results []Result  `json:"results"`
}

// Subject describes what was tested. Who runs the suite may add to what the target says of itself.
type Subject struct {
	Name     string            `json:"name"`
	Version  string            `json:"version,omitempty"`
	Role     string            `json:"role"`              // app, server or script
	Protocol string            `json:"protocol"`          // fastcgi, scgi, uwsgi or cgi
	Address  string            `json:"address,omitempty"` // a URL, or the path of a script
	Config   string            `json:"config,omitempty"`  // its configuration as text
	Command  string            `json:"command,omitempty"` // how to repeat the run
	Facts    map[string]string `json:"facts,omitempty"`   // what the preflight found out
}

// Counts says how often each outcome occurs.
func (r *Report) Counts() map[Outcome]int {
	counts := map[Outcome]int{}
	for i := range r.Results {
		counts[r.Results[i].Outcome]++
	}
	return counts
}

// Failures are the results that speak against the target or the suite, of cases that matter as much as level or more; with
// level Should and May the warnings and remarks too.
func (r *Report) Failures(level Level) []Result {
	var failures []Result
	for _, result := range r.Results {
		o := result.Outcome
		if result.Level.AtLeast(level) && (o.Bad() || o == Warn || o == Info) {
			failures = append(failures, result)
		}
	}
	return failures
}
