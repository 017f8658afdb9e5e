package server

import (
	"time"

	"github.com/gangway-go/gangway/conformance"
)

// silent is the reply of an application that has stopped after the beginning of a response.
func silent(beginning string) Reply {
	return func(x *Exchange) {
		if beginning != "" {
			x.Write(beginning)
		}
		x.t.Grace(2 * x.t.target.Timeout) // some look at the clock now and then only
	}
}

// RFC 3875 section 6.1, Response Handling.
func cgi61() []conformance.Case {
	return []conformance.Case{{
		Name: "cgi/6.1/empty-output", Quote: aboutConformity, Level: conformance.Must,
		Sends: "a request that the application ends without any output", Passes: "answers with a 5xx status",
		Run: test(func(t *T) { t.Want(t.Reply(""), 5) }),
	}, {
		Name: "cgi/6.1/script-timeout",
		Quote: "If a server implementation defines such a timeout and receives no data from a script within the " +
			"timeout period, the server MAY terminate the script process.",
		Level: conformance.May, Timing: true, Serial: true,
		Sends:  "a request to which the application never says anything",
		Passes: "answers with a 5xx status when its timeout is over, and ends the application's work on the request",
		Run: test(func(t *T) {
			x, r := t.Do(t.Request("GET", "/app/silent", ""), silent(""))
			t.Want(r, 5)
			t.Check(x != nil, "the application got no request")
			t.Gone(x, time.Second+t.Patience())
		}),
	}, {
		Name: "cgi/6.1/script-timeout-after-headers",
		Quote: "An application that stops in the middle must not hold a client for ever, nor what it said pass " +
			"for all.",
		Level: conformance.Robustness, Timing: true, Serial: true,
		Sends: "a request to which the application answers with a header and the beginning of a body, and then " +
			"says nothing more",
		Passes: "cuts the response off visibly when its timeout is over, and ends the application's work on the " +
			"request",
		Run: test(func(t *T) {
			x, r := t.Do(t.Request("GET", "/app/silent", ""), silent(plain+"\nbeginning"))
			t.Visible(r)
			t.Check(x != nil, "the application got no request")
			t.Gone(x, time.Second+t.Patience())
		}),
	}}
}
