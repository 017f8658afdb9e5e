package server

import (
	"os"
	"strings"

	"github.com/gangway-go/gangway/conformance"
	"github.com/gangway-go/gangway/fastcgi/wire"
)

const (
	stderrUse = "All role protocols use the FCGI_STDERR stream just the way stderr is used in conventional " +
		"applications programming: " +
		"to report application-level errors in an intelligible way."
	interleaved = "role protocols that use both FCGI_STDOUT and FCGI_STDERR allow these two streams to be interleaved."
)

// fcgi61 are the cases of FastCGI 1.0 section 6.1 about the error stream, and of 5.3 about the streams from the
// application.
var fcgi61 = []conformance.Case{
	{
		Name: "fcgi-client/5.3/stdout-one-byte-records", Level: conformance.Must, Quote: streams,
		Sends:  "a response, each byte in a record by itself",
		Passes: "delivers the response as it is",
		Run: test(func(t *T) {
			t.served(func(x *Exchange) (b []byte) {
				for _, c := range []byte(text + "good") {
					b = append(b, x.out(string(c))...)
				}
				return append(b, x.normal()...)
			})
		}),
	},
	{
		Name: "fcgi-client/5.3/stdout-record-65535-padding-255", Level: conformance.Must,
		Quote: "contentData: Between 0 and 65535 bytes of data […]. paddingData: Between 0 and 255 bytes of data, which " +
			"are ignored. (section 3.3)",
		Sends:  "a response whose body is a record with the most content and the most padding that there can be",
		Passes: "delivers the response as it is",
		Run: test(func(t *T) {
			body := strings.Repeat("x", wire.MaxContent)
			t.Intact(t.answered(func(x *Exchange) []byte {
				return join(x.out(text), padded(wire.TypeStdout, x.ID, body, 255), x.normal())
			}), 200, body)
		}),
	},
	{
		Name: "fcgi-client/6.1/stderr-to-log", Level: conformance.Must, Quote: stderrUse,
		Sends:  "a response with a warning in FCGI_STDERR",
		Passes: "delivers the response without it, and writes it to the error log if the suite may look there",
		Run: test(func(t *T) {
			t.served(func(x *Exchange) []byte {
				return join(x.err("warning "+t.token+"\n"), x.out(text+"good"), x.normal())
			})
			if t.target.ErrorLog != "" {
				t.Check(strings.Contains(t.logged(t.token), t.token), "the warning is not in the error log")
			}
		}),
	},
	{
		Name: "fcgi-client/6.1/stderr-only-then-end", Level: conformance.Must,
		Quote:  stderrUse + " (A response has at least a header: RFC 3875 section 6.1.)",
		Sends:  "FCGI_STDERR and FCGI_END_REQUEST only",
		Passes: "answers with status 5xx",
		Run: test(func(t *T) {
			t.Want(t.answered(func(x *Exchange) []byte { return join(x.err("failed\n"), x.normal()) }), 5)
		}),
	},
	{
		Name: "fcgi-client/6.1/stderr-between-headers", Level: conformance.Must, Quote: interleaved,
		Sends:  "a response with 5000 bytes of FCGI_STDERR in the middle of its header",
		Passes: "delivers the response as it is",
		Run: test(func(t *T) {
			t.served(func(x *Exchange) []byte {
				return join(x.out(text[:10]), x.err(strings.Repeat("e", 4999)+"\n"), x.out(text[10:]+"good"), x.normal())
			})
		}),
	},
	{
		Name: "fcgi-client/6.1/stdout-stderr-interleaved", Level: conformance.Must, Quote: interleaved,
		Sends:  "a response with FCGI_STDERR before, between and after all records of its body",
		Passes: "delivers the response as it is",
		Run: test(func(t *T) {
			t.served(func(x *Exchange) []byte {
				b := join(x.out(text), x.err("0\n"))
				for _, c := range "good" {
					b = join(b, x.out(string(c)), x.err("1\n"))
				}
				return join(b, x.normal())
			})
		}),
	},
	{
		Name: "fcgi-client/6.1/stderr-empty-first", Level: conformance.Must,
		Quote: "If an application has no errors to report, it sends either no FCGI_STDERR records or one zero-length " +
			"FCGI_STDERR record.",
		Sends:  "a response that begins with an empty FCGI_STDERR",
		Passes: "delivers the response as it is",
		Run: test(func(t *T) {
			t.served(func(x *Exchange) []byte { return join(x.err(""), x.out(text+"good"), x.normal()) })
		}),
	},
	{
		Name: "fcgi-client/6.1/stderr-after-stdout-eos", Level: conformance.Must,
		Quote: "{FCGI_STDOUT, 1, \"\"} {FCGI_STDERR, 1, \"\"} {FCGI_END_REQUEST, 1, {938, FCGI_REQUEST_COMPLETE}} " +
			"(example B.3)",
		Sends:  "a response with FCGI_STDERR, and its end, after the empty FCGI_STDOUT",
		Passes: "delivers the response as it is",
		Run: test(func(t *T) {
			t.served(func(x *Exchange) []byte {
				return join(x.out(text+"good"), x.out(""), x.err("late\n"), x.err(""), x.last(0, 0))
			})
		}),
	},
	{
		Name: "fcgi-client/6.1/stderr-300k-before-stdout", Level: conformance.Robustness, Quote: stderrUse,
		Sends:  "300 KB of FCGI_STDERR, and then a response",
		Passes: "delivers the response as it is",
		Run: test(func(t *T) {
			t.served(func(x *Exchange) []byte {
				noise := []byte(strings.Repeat(strings.Repeat("e", 63)+"\n", 4800))
				return join(wire.AppendStream(nil, wire.TypeStderr, x.ID, noise), x.out(text+"good"), x.normal())
			})
		}),
	},
	{
		Name: "fcgi-client/6.1/stderr-log-injection", Level: conformance.Security, Needs: []string{"log"},
		Quote: "What an application writes comes in part from its clients: it must not forge lines of the error log, " +
			"nor command the terminal of who reads it.",
		Sends:  "a response with CR, LF and an escape sequence in FCGI_STDERR",
		Passes: "writes no ESC to its error log, and no line that begins with what the application wrote",
		Run: test(func(t *T) {
			t.served(func(x *Exchange) []byte {
				evil := "mark " + t.token + "\x1b[2J\r\n2030/01/01 forged " + t.token + "\n"
				return join(x.err(evil), x.out(text+"good"), x.normal())
			})
			for line := range strings.Lines(t.logged("forged " + t.token)) {
				t.Check(!strings.Contains(line, "\x1b"), "the log has ESC: %s", excerpt(line))
				t.Check(!strings.HasPrefix(line, "2030/01/01 forged"), "the log has the line %s", excerpt(line))
			}
		}),
	},
}

// logged is the part of the error log from the token on, once it has what.
func (t *T) logged(what string) string {
	for range 10 {
		b, err := os.ReadFile(t.target.ErrorLog)
		if err != nil {
			t.Broken(err)
		}
		if strings.Contains(string(b), what) {
			log := string(b)
			start := strings.LastIndexByte(log[:strings.Index(log, t.token)], '\n') + 1
			return log[start:]
		}
		t.Sleep(t.Patience() / 10)
	}
	return ""
}
