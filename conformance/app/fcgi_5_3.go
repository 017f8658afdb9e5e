package app

import (
	"bytes"
	"slices"

	"github.com/gangway-go/gangway/conformance"
	"github.com/gangway-go/gangway/fastcgi/wire"
)

// fcgi53 has the cases of FastCGI 1.0 section 5.3, Byte Streams: FCGI_STDIN, FCGI_DATA, FCGI_STDOUT, FCGI_STDERR.
func fcgi53() []conformance.Case {
	const quote = "FCGI_STDIN is a stream record type used in sending arbitrary data from the Web server to the " +
		"application."
	return []conformance.Case{{
		Name: "fcgi/5.3/stdin-binary", Quote: quote, Level: conformance.Must, Echo: true,
		Sends:  "a body of all byte values, and of bytes that look like records",
		Passes: "gets the body as it is",
		Run: test(func(t *T) {
			body := slices.Concat(rec(wire.TypeAbortRequest, 1, ""), rec(wire.TypeStdin, 1, ""), t.Get("").Bytes())
			for i := range 256 {
				body = append(body, byte(i), 0)
			}
			t.CheckBody(t.Echoes(t.Post("", body)), body)
		}),
	}, {
		Name: "fcgi/5.3/stdin-uneven-records", Quote: quote, Level: conformance.Must, Echo: true,
		Sends:  "a body in records of 1, 7, 8, 4095, 65535 and 2 bytes",
		Passes: "gets the whole body",
		Run: test(func(t *T) {
			var body, records []byte
			for i, size := range []int{1, 7, 8, 4095, 65535, 2} {
				piece := bytes.Repeat([]byte{'a' + byte(i)}, size)
				body = append(body, piece...)
				records = wire.AppendRecord(records, wire.TypeStdin, 1, piece)
			}
			c, r := t.Connect(), t.Post("", body)
			c.Send(r.Begin(), r.Params(), records, end(wire.TypeStdin, 1))
			t.CheckBody(t.Echo(c.Served(1).stdout), body)
		}),
	}, {
		Name: "fcgi/5.3/stdin-after-eos", Level: conformance.Security, Echo: true,
		Quote: "Harm: an application that reads on behind the end of a stream lets two peers disagree about where a " +
			"body ends.",
		Sends:  "CONTENT_LENGTH 6, FCGI_STDIN with three bytes, its end, and three more bytes",
		Passes: "gets three bytes at the most, or refuses the request",
		Run: test(func(t *T) {
			c, r := t.Connect(), t.Post("", []byte("abcdef"))
			c.Send(r.Begin(), r.Params(), rec(wire.TypeStdin, 1, "abc"), end(wire.TypeStdin, 1))
			t.Sleep(t.Patience() / 10)
			c.Send(rec(wire.TypeStdin, 1, "def"), end(wire.TypeStdin, 1))
			if response := c.Settled(1); t.accepted(response) {
				t.Check(t.Echo(response.stdout).BodyLength <= 3, "it took what came after the end into the body")
			}
		}),
	}, {
		Name: "fcgi/5.3/stdin-eos-twice", Level: conformance.Robustness, DependsOn: []string{keepCase},
		Quote: "While a request ID R is inactive, the application ignores records with requestId == R, except for " +
			"FCGI_BEGIN_REQUEST records as just described.",
		Sends:  "a request with two empty records FCGI_STDIN at its end, and a plain one over the same connection",
		Passes: "serves both requests",
		Run: test(func(t *T) {
			c := t.Connect()
			c.Send(t.Get("").Keep().Bytes(), end(wire.TypeStdin, 1))
			c.Served(1)
			c.Serves()
		}),
	}}
}
