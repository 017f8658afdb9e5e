package report

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/gangway-go/gangway/conformance"
)

// ErrExpectations reports a list of expected failures that is not in order.
var ErrExpectations = errors.New("report: expected failures")

// Terms say which results make a run fail. With the zero value those do that speak against the target or the suite, of
// cases with level robustness or graver.
type Terms struct {
	Level    conformance.Level   // the least grave level that counts; robustness if "", and warnings count from SHOULD on
	Baseline *conformance.Report // what failed there already does not count
	Expected Expectations        // what is in it does not count, and counts if it passes
}

// Expectations are the names of cases that are known to fail, and why.
type Expectations map[string]string

// Ruling is what a result means for a run.
type Ruling int

// The rulings.
const (
	Good  Ruling = iota // no failure
	Known               // a failure that was expected
	Wrong               // a failure
)

// Rule says what a result means, and why if it is not as its outcome says.
func (t *Terms) Rule(r *conformance.Result) (Ruling, string) {
	why, expected := t.Expected[r.Name]
	switch {
	case expected && r.Outcome == conformance.Pass:
		return Wrong, "expected to fail, and passes: " + why
	case !t.counts(r):
		return Good, ""
	case expected:
		return Known, why
	case t.Baseline != nil && t.failed(t.Baseline, r.Name):
		return Known, "as in the baseline"
	}
	return Wrong, ""
}

// Failures are the results of r that make the run fail.
func (t *Terms) Failures(r *conformance.Report) []conformance.Result {
	var failures []conformance.Result
	for i := range r.Results {
		if ruling, _ := t.Rule(&r.Results[i]); ruling == Wrong {
			failures = append(failures, r.Results[i])
		}
	}
	return failures
}

// counts says whether r is a failure at the level of the terms.
func (t *Terms) counts(r *conformance.Result) bool {
	level := t.Level
	if level == "" {
		level = conformance.Robustness
	}
	o := r.Outcome
	return r.Level.AtLeast(level) && (o.Bad() || o == conformance.Warn || o == conformance.Info)
}

func (t *Terms) failed(r *conformance.Report, name string) bool {
	for i := range r.Results {
		if r.Results[i].Name == name {
			return t.counts(&r.Results[i])
		}
	}
	return false
}

// ReadExpectations reads a list of expected failures: a name of a case in each line, and behind "#" why. Empty lines
// are skipped. A name that is none of the cases, or stands there twice, is an error that wraps ErrExpectations.
func ReadExpectations(r io.Reader, cases []conformance.Case) (Expectations, error) {
	known := map[string]bool{}
	for i := range cases {
		known[cases[i].Name] = true
	}
	e := Expectations{}
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		name, why, _ := strings.Cut(lines.Text(), "#")
		name = strings.TrimSpace(name)
		_, twice := e[name]
		switch {
		case name == "":
			continue
		case !known[name]:
			return nil, fmt.Errorf("%w: line %d: there is no case %q", ErrExpectations, n, name)
		case twice:
			return nil, fmt.Errorf("%w: line %d: %s is there twice", ErrExpectations, n, name)
		}
		e[name] = strings.TrimSpace(why)
	}
	return e, lines.Err()
}

// Change is a case that ended in another way than before.
type Change struct {
	Name        string
	Before, Now conformance.Outcome // "" if the case was not there
}

// Compare returns the cases that ended in another way now than in the baseline, in the order of now; those that are no
// more come last.
func Compare(baseline, now *conformance.Report) []Change {
	before := map[string]conformance.Outcome{}
	for i := range baseline.Results {
		before[baseline.Results[i].Name] = baseline.Results[i].Outcome
	}
	var changes []Change
	for i := range now.Results {
		r := &now.Results[i]
		if before[r.Name] != r.Outcome {
			changes = append(changes, Change{r.Name, before[r.Name], r.Outcome})
		}
		delete(before, r.Name)
	}
	for i := range baseline.Results {
		if name := baseline.Results[i].Name; before[name] != "" {
			changes = append(changes, Change{Name: name, Before: before[name]})
		}
	}
	return changes
}
