package script

import (
	"regexp"

	"github.com/gangway-go/gangway/conformance"
)

// diagnostics are what languages print when a program fails.
var diagnostics = regexp.MustCompile(`(?m)^Traceback \(most recent call last\)|^panic: |^goroutine \d+ \[|` +
	`^(PHP )?Fatal error: |^\s+at \S+ line \d+\.$|^Segmentation fault|^terminate called after|: (undefined method|command not found)`)

var outputCases = []conformance.Case{{
	Name:   "script/6.1/non-empty-response",
	Quote:  "A script MUST always provide a non-empty response",
	Level:  conformance.Must,
	Sends:  "a GET and a FOO",
	Passes: "writes something to standard output each time",
	Run: test(func(t *T) {
		for _, r := range t.samples() {
			t.answers(r)
		}
	}),
}, {
	Name:   "script/6.1/stderr-not-in-stdout",
	Quote:  "Messages for the administrator in the response tell strangers about the program, and break its header.",
	Level:  conformance.Robustness,
	Sends:  "what makes a program fail: a POST with CONTENT_LENGTH=abc, and the target's own trigger if it has one",
	Passes: "begins its output with a field, if it has any, and prints no diagnostics of its language",
	Run: test(func(t *T) {
		r := t.post(form, "a=b").set("CONTENT_LENGTH", "abc")
		t.cleanOutput(t.send(r))
		if _, known := t.target.Triggers[Failure]; known {
			t.cleanOutput(t.send(t.trigger(Failure)))
		}
	}),
}, {
	Name: "script/6.1/stderr-broken",
	Quote: "A server can end, or lose its log, while the program runs: that the log is gone is no reason to give no " +
		"response.",
	Level:  conformance.Robustness,
	Sends:  "a GET; nobody reads standard error",
	Passes: "gives the same kind of response",
	Run: test(func(t *T) {
		r := t.request("GET")
		r.deaf = true
		t.works(t.send(r))
	}),
}, {
	Name:   "script/6.1/exit-status-zero",
	Quote:  "Servers take another exit status for a failure, and some do not send the response.",
	Level:  conformance.Should,
	Sends:  "a GET and a HEAD",
	Passes: "exits with status 0",
	Run: test(func(t *T) {
		for _, method := range []string{"GET", "HEAD"} {
			r := t.send(t.request(method))
			t.Check(r.end == "exit status 0", "%s after a %s", r.end, method)
		}
	}),
}, {
	Name: "script/6.2/header-block-then-blank",
	Quote: "The response comprises a message-header and a message-body, separated by a blank line.  The message-header " +
		"contains one or more header fields.",
	Level:  conformance.Must,
	Needs:  []string{needParsed},
	Sends:  "a GET and a FOO",
	Passes: "sends one field or more and an empty line",
	Run: test(func(t *T) {
		for _, r := range t.samples() {
			t.Check(r.complete || len(r.stdout) == 0, "no empty line: %.200q", r.stdout)
			t.Check(len(r.header) > 0 || len(r.stdout) == 0, "no field: %.200q", r.stdout)
		}
	}),
}}

// cleanOutput fails if there is something before the header, or what languages print when a program fails.
func (t *T) cleanOutput(r *response) {
	if len(r.stdout) == 0 {
		return
	}
	t.Check(r.start != "" || len(r.header) > 0 && r.header[0].field(), "output begins with %.80q", r.stdout)
	t.Check(!diagnostics.Match(r.stdout), "diagnostics in the response: %q", diagnostics.Find(r.stdout))
}
