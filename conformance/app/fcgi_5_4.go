package app

import (
	"slices"

	"github.com/gangway-go/gangway/conformance"
	"github.com/gangway-go/gangway/fastcgi/wire"
)

const quoteAbort = "After receiving {FCGI_ABORT_REQUEST, R}, the application responds as soon as possible with " +
	"{FCGI_END_REQUEST, R, {FCGI_REQUEST_COMPLETE, appStatus}}."

// fcgi54 has the cases of FastCGI 1.0 section 5.4, FCGI_ABORT_REQUEST.
func fcgi54() []conformance.Case {
	return slices.Concat(fcgi54Input(), fcgi54Running(), fcgi54After(), fcgi54Once(), fcgi54Strange())
}

// abort is the record FCGI_ABORT_REQUEST.
func abort(id uint16) []byte { return rec(wire.TypeAbortRequest, id, "") }

// Aborted gathers the records of an aborted request and fails unless it ends as it has to.
func (c *conn) Aborted(id uint16) *response {
	r := c.Response(id)
	c.t.Check(r.end.ProtocolStatus == wire.StatusRequestComplete, "it ended with %v", r.end.ProtocolStatus)
	return r
}

// beginBody sends a request up to the middle of its body.
func (c *conn) beginBody(r *request) {
	c.Send(r.Begin(), r.Params(), rec(wire.TypeStdin, r.ID, string(r.Body[:len(r.Body)/2])))
}

func fcgi54Input() []conformance.Case {
	return []conformance.Case{{
		Name: "fcgi/5.4/abort-during-params", Quote: quoteAbort, Level: conformance.Must,
		Sends:  "FCGI_ABORT_REQUEST before the empty FCGI_PARAMS of a request",
		Passes: "ends the request with FCGI_REQUEST_COMPLETE, and does not answer what it has got of it",
		Run: test(func(t *T) {
			c, r := t.Connect(), t.Get("")
			c.Send(r.Begin(), rec(wire.TypeParams, 1, string(r.Pairs())), abort(1))
			n := len(c.Aborted(1).stdout)
			t.Check(n == 0, "it answered the request, with %d bytes, as if it were complete", n)
		}),
	}, {
		Name: "fcgi/5.4/abort-during-stdin", Quote: quoteAbort, Level: conformance.Must,
		Sends:  "FCGI_ABORT_REQUEST in the middle of the body of a request",
		Passes: "ends the request with FCGI_REQUEST_COMPLETE",
		Run: test(func(t *T) {
			c := t.Connect()
			c.beginBody(t.Post("", []byte("abcdef")))
			c.Send(abort(1))
			c.Aborted(1)
		}),
	}, {
		Name: "fcgi/5.4/abort-then-closes", Level: conformance.Must, Quote: quoteCloses,
		Sends:  "FCGI_ABORT_REQUEST in the middle of the body of a request without FCGI_KEEP_CONN",
		Passes: "ends the request and closes the connection",
		Run: test(func(t *T) {
			c := t.Connect()
			c.beginBody(t.Post("", []byte("abcdef")))
			c.Send(abort(1))
			c.Aborted(1)
			c.UntilClosed()
		}),
	}, {
		Name: "fcgi/5.4/abort-then-reuse", Quote: quoteKeeps, Level: conformance.Must, DependsOn: []string{keepCase},
		Sends: "FCGI_ABORT_REQUEST before the empty FCGI_PARAMS of a request, and after its end a plain one over " +
			"the same connection",
		Passes: "ends the first with FCGI_REQUEST_COMPLETE and serves the second",
		Run: test(func(t *T) {
			c, r := t.Connect(), t.Get("").Keep()
			c.Send(r.Begin(), rec(wire.TypeParams, 1, string(r.Pairs())), abort(1))
			c.Aborted(1)
			c.Serves()
		}),
	}}
}

func fcgi54Running() []conformance.Case {
	return []conformance.Case{{
		Name: "fcgi/5.4/abort-while-running", Quote: quoteAbort, Level: conformance.Should, Echo: true, Timing: true,
		Sends:  "FCGI_ABORT_REQUEST while the application takes long for the response",
		Passes: "ends the request with FCGI_REQUEST_COMPLETE, long before the response would be ready",
		Run: test(func(t *T) {
			c := t.Connect()
			c.Send(t.Get(t.slow(3)).Bytes())
			t.Sleep(t.Patience() / 4)
			c.Send(abort(1))
			r := c.Collect(1)[0]
			t.Check(!r.silent, "no end of the request within %v", t.Patience())
			t.Check(!r.closed, "it closed the connection without an end of the request")
			t.Check(r.end.ProtocolStatus == wire.StatusRequestComplete, "it ended with %v", r.end.ProtocolStatus)
		}),
	}, {
		Name: "fcgi/5.4/abort-during-output", Quote: quoteAbort, Level: conformance.Should, Echo: true,
		Sends:  "FCGI_ABORT_REQUEST in the middle of a response of 32 MiB, and reads no more until a moment later",
		Passes: "ends the request with FCGI_REQUEST_COMPLETE and without the rest of the response",
		Run: test(func(t *T) {
			c := t.Connect()
			c.Send(t.Get("large=33554432").Bytes())
			c.Expect(wire.TypeStdout)
			c.Send(abort(1))
			t.Sleep(t.Patience() / 2)
			r := c.Response(1)
			t.Check(r.end.ProtocolStatus == wire.StatusRequestComplete, "it ended with %v", r.end.ProtocolStatus)
			t.Check(len(r.stdout) < 30<<20, "it sent the whole response")
		}),
	}, {
		Name: "fcgi/5.4/close-is-abort", Level: conformance.Should, Echo: true, Serial: true, Timing: true,
		Quote: "When a Web server is not multiplexing requests over a transport connection, the Web server can " +
			"abort a request by closing the request's transport connection.",
		Sends: "requests that take long over all the connections that are served at once, closes these connections, " +
			"and then makes a plain request",
		Passes: "serves the last long before the others would have been ready",
		Run: test(func(t *T) {
			var all []*conn
			for range t.target.atOnce {
				all = append(all, t.Connect())
				all[len(all)-1].Send(t.Get(t.slow(3)).Bytes())
			}
			t.Sleep(t.Patience() / 4)
			for _, c := range all {
				c.Close()
			}
			t.Serves()
		}),
	}}
}

func fcgi54After() []conformance.Case {
	return []conformance.Case{{
		Name: "fcgi/5.4/abort-after-end-ignored", Quote: quoteInactive, Level: conformance.Must,
		DependsOn: []string{keepCase},
		Sends:     "FCGI_ABORT_REQUEST for a request that has ended, and then a plain request over the same connection",
		Passes:    "ignores it and serves the request",
		Run: test(func(t *T) {
			c := t.Connect()
			c.Serves()
			c.got = nil
			c.Send(abort(1))
			c.Ask(t.Get("").As(2))
			t.Check(!slices.ContainsFunc(c.got, func(r record) bool { return r.RequestID == 1 }),
				"it answered: %s", c.heard())
		}),
	}, {
		Name: "fcgi/5.4/abort-unknown-id", Quote: quoteInactive, Level: conformance.Must,
		Sends:  "FCGI_ABORT_REQUEST for request 9, which has not begun, in the middle of the body of request 1",
		Passes: "ignores it and serves request 1",
		Run: test(func(t *T) {
			c, r := t.Connect(), t.Post("", []byte("abcdef"))
			c.beginBody(r)
			c.Send(abort(9), rec(wire.TypeStdin, 1, "def"), end(wire.TypeStdin, 1))
			response := c.Served(1)
			if t.target.echo {
				t.CheckBody(t.Echo(response.stdout), r.Body)
			}
			t.Check(!slices.ContainsFunc(c.got, func(r record) bool { return r.RequestID == 9 }),
				"it answered: %s", c.heard())
		}),
	}}
}

func fcgi54Once() []conformance.Case {
	return []conformance.Case{{
		Name: "fcgi/5.4/abort-ends-output", Level: conformance.Must, DependsOn: []string{"fcgi/5.4/abort-during-stdin"},
		Quote: "A request ID R becomes active when the application receives a record {FCGI_BEGIN_REQUEST, R, ...} " +
			"and becomes inactive when the application sends a record {FCGI_END_REQUEST, R, ...} to the Web server.",
		Sends:  "FCGI_ABORT_REQUEST in the middle of the body of a request with FCGI_KEEP_CONN",
		Passes: "sends nothing more after the end of the request",
		Run: test(func(t *T) {
			c := t.Connect()
			c.beginBody(t.Post("", []byte("abcdef")).Keep())
			c.Send(abort(1))
			c.Aborted(1)
			more, _ := c.Quiet(t.Patience() / 2)
			t.Check(len(more) == 0, "it sent %v after the end", more)
		}),
	}, {
		Name: "fcgi/5.4/abort-twice", Quote: quoteInactive, Level: conformance.Must,
		DependsOn: []string{"fcgi/5.4/abort-during-stdin"},
		Sends:     "FCGI_ABORT_REQUEST twice in one piece, in the middle of the body of a request",
		Passes:    "ends the request once",
		Run: test(func(t *T) {
			c := t.Connect()
			c.beginBody(t.Post("", []byte("abcdef")).Keep())
			c.Send(abort(1), abort(1))
			c.Aborted(1)
			more, _ := c.Quiet(t.Patience() / 2)
			t.Check(len(more) == 0, "it sent %v after the end", more)
		}),
	}}
}

func fcgi54Strange() []conformance.Case {
	return []conformance.Case{{
		Name: "fcgi/5.4/abort-with-content", Level: conformance.Robustness,
		Quote:     "contentLength: The number of bytes in the contentData component of the record.",
		DependsOn: []string{"fcgi/5.4/abort-during-stdin"},
		Sends: "FCGI_ABORT_REQUEST with 96 bytes of content that look like records, in the middle of the body of a " +
			"request",
		Passes: "skips the content, and ends the request or closes the connection",
		Run: test(func(t *T) {
			c := t.Connect()
			c.beginBody(t.Post("", []byte("abcdef")))
			c.Send(rec(wire.TypeAbortRequest, 1, string(slices.Repeat(rec(wire.TypeGetValues, 0, ""), 12))))
			c.Settled(1)
			i := slices.IndexFunc(c.got, func(r record) bool { return r.RequestID == 0 })
			t.Check(i < 0, "it took the content for records: %s", c.heard())
		}),
	}}
}
