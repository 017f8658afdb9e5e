package app

import (
	"bytes"
	"slices"
	"strings"

	"github.com/gangway-go/gangway/conformance"
	"github.com/gangway-go/gangway/fastcgi/wire"
)

// fcgi61 has the cases of FastCGI 1.0 section 6.1, Role Protocols.
func fcgi61() []conformance.Case {
	return slices.Concat(fcgi61Stdout(), fcgi61Stderr(), fcgi61Waits())
}

const quoteSent = "When a role protocol calls for transmitting a stream other than FCGI_STDERR, at least one record " +
	"of the stream type is always transmitted, even if the stream is empty."

func fcgi61Stdout() []conformance.Case {
	return []conformance.Case{{
		Name: "fcgi/6.1/stdout-eos-before-end", Quote: quoteSent, Level: conformance.Must,
		Sends:  "a plain request",
		Passes: "sends an empty FCGI_STDOUT before FCGI_END_REQUEST",
		Run: test(func(t *T) {
			t.Check(t.Connect().Ask(t.Get("")).stdoutEnded, "no empty FCGI_STDOUT")
		}),
	}, {
		Name: "fcgi/6.1/stdout-eos-empty-response", Quote: quoteSent, Level: conformance.Must, Echo: true,
		Sends:  "a request whose handler writes nothing",
		Passes: "sends an empty FCGI_STDOUT and then FCGI_END_REQUEST",
		Run: test(func(t *T) {
			c := t.Connect()
			c.Send(t.Get("empty").Bytes())
			t.Check(c.Response(1).stdoutEnded, "no empty FCGI_STDOUT")
		}),
	}, {
		Name: "fcgi/6.1/nothing-after-eos", Level: conformance.Must,
		Quote: "A stream record is part of a stream, i.e. a series of zero or more non-empty records (length != 0) " +
			"of the stream type, followed by an empty record (length == 0) of the stream type.",
		Sends:  "a plain request with FCGI_KEEP_CONN",
		Passes: "sends no FCGI_STDOUT after the empty one, and nothing after FCGI_END_REQUEST",
		Run: test(func(t *T) {
			c := t.Connect()
			r := c.Ask(t.Get("").Keep())
			ended := false
			for _, r := range r.records {
				t.Check(!ended || r.Type != wire.TypeStdout, "%v after the empty FCGI_STDOUT", r)
				ended = ended || r.Type == wire.TypeStdout && r.ContentLength == 0
			}
			more, _ := c.Quiet(t.Patience() / 2)
			t.Check(len(more) == 0, "it sent %v after FCGI_END_REQUEST", more)
		}),
	}, {
		Name: "fcgi/6.1/no-nph-status-line", Level: conformance.Must,
		Quote: "Role protocols do not support the non-parsed header feature of CGI. FastCGI applications set " +
			"response status using the Status and Location CGI headers.",
		Sends:  "a plain request",
		Passes: "does not begin its output with a status line of HTTP",
		Run: test(func(t *T) {
			r := t.Connect().Ask(t.Get(""))
			t.Check(!bytes.HasPrefix(r.stdout, []byte("HTTP/")), "the output begins with %.20q", r.stdout)
		}),
	}}
}

// errorLine is a line that the mode stderr of the echo application repeats.
var errorLine = strings.Repeat("e", 63)

// hasStderr skips the case if nothing came over FCGI_STDERR: not every library has it.
func (t *T) hasStderr(r *response) {
	if len(r.stderr) == 0 {
		t.Skip("errors do not go to FCGI_STDERR")
	}
}

func fcgi61Stderr() []conformance.Case {
	return []conformance.Case{{
		Name: "fcgi/6.1/stderr-eos-if-used", Level: conformance.Must, Echo: true,
		Quote: "A stream record is part of a stream, i.e. a series of zero or more non-empty records (length != 0) " +
			"of the stream type, followed by an empty record (length == 0) of the stream type.",
		Sends:  "a request whose handler writes two lines to its error stream",
		Passes: "sends an empty FCGI_STDERR before FCGI_END_REQUEST",
		Run: test(func(t *T) {
			r := t.Connect().Ask(t.Get("stderr=128"))
			t.hasStderr(r)
			t.Check(r.stderrEnded, "no empty FCGI_STDERR")
		}),
	}, {
		Name: "fcgi/6.1/stderr-unused", Level: conformance.Must,
		Quote: "If an application has no errors to report, it sends either no FCGI_STDERR records or one " +
			"zero-length FCGI_STDERR record.",
		Sends:  "a plain request",
		Passes: "sends no FCGI_STDERR, or a single empty one",
		Run: test(func(t *T) {
			r := t.Connect().Ask(t.Get(""))
			records := slices.DeleteFunc(r.records, func(r record) bool { return r.Type != wire.TypeStderr })
			if t.target.echo {
				t.Check(len(r.stderr) == 0, "it sent errors: %.80q", r.stderr)
			}
			t.Check(len(r.stderr) > 0 || len(records) <= 1, "it sent %v", records)
		}),
	}, {
		Name: "fcgi/6.1/stderr-interleaved-64k", Level: conformance.Must, Echo: true,
		Quote: "So role protocols that use both FCGI_STDOUT and FCGI_STDERR allow these two streams to be interleaved.",
		Sends: "a request whose handler writes 64 KiB to its error stream, half of it before and half within 64 KiB " +
			"of its output",
		Passes: "sends all of both streams",
		Run: test(func(t *T) {
			c := t.Connect()
			r := c.Ask(t.Get("stderr=65536&large=65536"))
			t.checkLarge(r, 65536)
			t.hasStderr(r)
			n := bytes.Count(r.stderr, []byte(errorLine)) // without its end: php-fpm puts its own between lines
			t.Check(n == 1024, "%d of 1024 lines of errors, in %d bytes", n, len(r.stderr))
		}),
	}}
}

func fcgi61Waits() []conformance.Case {
	return []conformance.Case{{
		Name: "fcgi/6.1/no-output-before-params-eos", Level: conformance.Must,
		Quote: "The application must wait to finish reading FCGI_PARAMS before it begins writing FCGI_STDOUT and " +
			"FCGI_STDERR",
		Sends:  "a request without the empty FCGI_PARAMS, which it sends later",
		Passes: "sends nothing before, and serves the request afterwards",
		Run: test(func(t *T) {
			c, r := t.Connect(), t.Get("")
			c.Send(r.Begin(), rec(wire.TypeParams, 1, string(r.Pairs())))
			early, _ := c.Quiet(t.Patience())
			t.Check(len(early) == 0, "it sent %v", early)
			c.Send(end(wire.TypeParams, 1), r.Stdin())
			c.Served(1)
		}),
	}, {
		Name: "fcgi/6.1/filter-waits-for-stdin", Level: conformance.Must,
		Quote: "The application must wait to finish reading FCGI_STDIN before it begins writing FCGI_STDOUT and " +
			"FCGI_STDERR",
		Sends:  "a request in the role Filter with half of its body, and the rest later",
		Passes: "sends nothing before, and serves the request afterwards; or does not play the role",
		Run: test(func(t *T) {
			c := t.Connect()
			r, data := t.Filter("abcdef", "data")
			c.beginBody(r)
			early, _ := c.Quiet(t.Patience())
			if slices.ContainsFunc(early, func(r record) bool {
				return r.Type == wire.TypeEndRequest &&
					len(early) == 1
			}) {
				t.Skip("no Filter: %v", early)
			}
			t.Check(len(early) == 0, "it sent %v", early)
			c.Send(rec(wire.TypeStdin, 1, "def"), end(wire.TypeStdin, 1), data)
			c.Served(1)
		}),
	}}
}
