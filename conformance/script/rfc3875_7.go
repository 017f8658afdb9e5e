package script

import (
	"time"

	"github.com/gangway-go/gangway/conformance"
)

func unixCases() []conformance.Case {
	return []conformance.Case{{
		Name:   "script/7.2/latin-1-values",
		Quote:  "TEXT values use ISO-8859-1.",
		Level:  conformance.Must,
		Sends:  "a GET with HTTP_USER_AGENT=caf\\xE9, which is no UTF-8",
		Passes: "gives the same kind of response as to a plain GET",
		Run:    test(func(t *T) { t.works(t.send(t.request("GET").set("HTTP_USER_AGENT", "caf\xe9"))) }),
	}, {
		Name:   "script/7.2/only-meta-variables",
		Quote:  "Meta-variables are passed to the script in identically named environment variables.",
		Level:  conformance.Robustness,
		Sends:  "a GET with an environment of meta-variables alone, without PATH, HOME and LANG",
		Passes: "gives the same kind of response",
		Run: test(func(t *T) {
			r := t.request("GET")
			r.untouched = true
			t.works(t.send(r))
		}),
	}, {
		Name:   "script/7.2/any-working-directory",
		Quote:  "The current working directory for the script SHOULD be set to the directory containing the script.",
		Level:  conformance.May,
		Sends:  "a GET in an empty working directory",
		Passes: "gives the same kind of response as in its own, for not every server does what it should",
		Run: test(func(t *T) {
			r := t.request("GET")
			r.dir = t.folder()
			t.works(t.send(r))
		}),
	}, {
		Name:   "script/7.2/stdin-closed",
		Quote:  "Without a body there need be no standard input: the next file that is opened gets its number.",
		Level:  conformance.Robustness,
		Sends:  "a GET; descriptor 0 is closed",
		Passes: "gives the same kind of response",
		Run: test(func(t *T) {
			r := t.request("GET")
			r.shell = "exec <&-; "
			t.works(t.send(r))
		}),
	}}
}

func signalCases() []conformance.Case {
	return []conformance.Case{{
		Name:   "script/7.2/sigpipe-on-close",
		Quote:  "When the client is gone the server closes its end; a program that goes on writing runs for ever.",
		Level:  conformance.Robustness,
		Sends:  "a GET (the echo application: for 4 MB); nobody reads standard output",
		Passes: "ends",
		Run:    test(func(t *T) { t.endsUnread("") }),
	}, {
		Name: "script/7.2/sigpipe-ignored",
		Quote: "Servers that ignore SIGPIPE, as those in Python do, leave that to their programs, which then have to see " +
			"the error.",
		Level:  conformance.Robustness,
		Sends:  "a GET (the echo application: for 4 MB) with SIGPIPE ignored; nobody reads standard output",
		Passes: "ends",
		Run:    test(func(t *T) { t.endsUnread("trap '' PIPE; ") }),
	}, {
		Name:   "script/7.2/sigterm",
		Quote:  "A server that stops, or whose client is gone, asks its programs to end, and in the end has to kill them.",
		Level:  conformance.Robustness,
		Sends:  "a POST with CONTENT_LENGTH=10 and 3 bytes, and SIGTERM while the program waits for more",
		Passes: "ends",
		Run: test(func(t *T) {
			r := t.post(form, "a=b").set("CONTENT_LENGTH", "10")
			r.hold = true
			t.terminate(t.start(r)).await()
		}),
	}}
}

// endsUnread fails if the program does not end when nobody reads what it writes.
func (t *T) endsUnread(shell string) {
	r := t.request("GET")
	if t.target.echo {
		r = t.query("large=4000000")
	}
	r.shell, r.gone = shell, true
	t.start(r).await()
}

// terminate sends SIGTERM to a program when it has had time to begin its work.
func (t *T) terminate(p *process) *process {
	select {
	case <-p.exited:
	case <-time.After(t.Patience() / 2):
		t.Note("the suite sends SIGTERM")
		terminate(p.cmd.Process)
	}
	return p
}
