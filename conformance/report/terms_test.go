package report_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/conformance"
	"github.com/gangway-go/gangway/conformance/report"
)

func TestRule(t *testing.T) {
	result := func(level conformance.Level, o conformance.Outcome) conformance.Result {
		return conformance.Result{Name: "a/b/c", Level: level, Outcome: o}
	}
	failed := &conformance.Report{Results: []conformance.Result{result(conformance.Must, conformance.Fail)}}
	warned := &conformance.Report{Results: []conformance.Result{result(conformance.Should, conformance.Warn)}}
	passed := &conformance.Report{Results: []conformance.Result{result(conformance.Must, conformance.Pass)}}
	expected := report.Expectations{"a/b/c": "bug 7"}
	tests := []struct {
		name   string
		terms  report.Terms
		result conformance.Result
		want   report.Ruling
		why    string
	}{
		{"pass", report.Terms{}, result(conformance.Must, conformance.Pass), report.Good, ""},
		{"skip", report.Terms{}, result(conformance.Must, conformance.Skip), report.Good, ""},
		{"dependency", report.Terms{}, result(conformance.Must, conformance.DependencyFailed), report.Good, ""},
		{"fail", report.Terms{}, result(conformance.Must, conformance.Fail), report.Wrong, ""},
		{"robustness by default", report.Terms{}, result(conformance.Robustness, conformance.Hang), report.Wrong, ""},
		{"warning", report.Terms{}, result(conformance.Should, conformance.Warn), report.Good, ""},
		{"warning counts", report.Terms{Level: conformance.Should}, result(conformance.Should, conformance.Warn),
			report.Wrong, ""},
		{"info", report.Terms{Level: conformance.Should}, result(conformance.May, conformance.Info), report.Good, ""},
		{"info counts", report.Terms{Level: conformance.May}, result(conformance.May, conformance.Info), report.Wrong, ""},
		{"below", report.Terms{Level: conformance.Security}, result(conformance.Must, conformance.Fail), report.Good, ""},
		{"graver", report.Terms{Level: conformance.Must}, result(conformance.Security, conformance.Flaky), report.Wrong, ""},
		{"suite error", report.Terms{}, result(conformance.Must, conformance.SuiteError), report.Wrong, ""},
		{"baseline", report.Terms{Baseline: failed}, result(conformance.Must, conformance.Crash),
			report.Known, "as in the baseline"},
		{"worse than baseline", report.Terms{Baseline: passed}, result(conformance.Must, conformance.Fail), report.Wrong, ""},
		{"a warning is no failure", report.Terms{Baseline: warned}, result(conformance.Must, conformance.Fail),
			report.Wrong, ""},
		{"not in baseline", report.Terms{Baseline: &conformance.Report{}}, result(conformance.Must, conformance.Fail),
			report.Wrong, ""},
		{"expected", report.Terms{Expected: expected}, result(conformance.Must, conformance.Fail), report.Known, "bug 7"},
		{"unexpected pass", report.Terms{Expected: expected}, result(conformance.May, conformance.Pass), report.Wrong,
			"expected to fail, and passes: bug 7"},
		{"expected and skipped", report.Terms{Expected: expected}, result(conformance.Must, conformance.Skip),
			report.Good, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, why := tt.terms.Rule(&tt.result)
			assert.Equal(t, tt.want, got)
			assert.Equal(t, tt.why, why)
			r := &conformance.Report{Results: []conformance.Result{tt.result}}
			assert.Equal(t, tt.want == report.Wrong, len(tt.terms.Failures(r)) == 1)
		})
	}
}

func TestReadExpectations(t *testing.T) {
	cases := []conformance.Case{{Name: "a/1/x"}, {Name: "a/1/y"}}
	tests := []struct {
		name, text string
		want       report.Expectations
		err        string
	}{
		{"empty", "", report.Expectations{}, ""},
		{"lines", "# known\n\na/1/x  # bug 7 # 8\n a/1/y\r\n", report.Expectations{"a/1/x": "bug 7 # 8", "a/1/y": ""}, ""},
		{"unknown", "a/1/x\na/1/z # y", nil, `line 2: there is no case "a/1/z"`},
		{"twice", "a/1/x\na/1/x", nil, "line 2: a/1/x is there twice"},
		{"twice without why", "a/1/x # y\na/1/x", nil, "line 2: a/1/x is there twice"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := report.ReadExpectations(strings.NewReader(tt.text), cases)
			if tt.err == "" {
				require.NoError(t, err)
				assert.Equal(t, tt.want, got)
				return
			}
			assert.ErrorIs(t, err, report.ErrExpectations)
			assert.ErrorContains(t, err, tt.err)
		})
	}
}

func TestCompare(t *testing.T) {
	made := func(pairs ...string) *conformance.Report {
		r := new(conformance.Report)
		for i := 0; i < len(pairs); i += 2 {
			r.Results = append(r.Results, conformance.Result{Name: pairs[i], Outcome: conformance.Outcome(pairs[i+1])})
		}
		return r
	}
	before := made("same", "fail", "worse", "pass", "gone", "pass", "better", "HANG")
	now := made("better", "pass", "same", "fail", "worse", "CRASH", "new", "pass")
	assert.Equal(t, []report.Change{
		{Name: "better", Before: "HANG", Now: "pass"}, {Name: "worse", Before: "pass", Now: "CRASH"},
		{Name: "new", Now: "pass"}, {Name: "gone", Before: "pass"},
	}, report.Compare(before, now))
	assert.Empty(t, report.Compare(before, before))
}
