package app

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/gangway-go/gangway/conformance"
	"github.com/gangway-go/gangway/conformance/echo"
	"github.com/gangway-go/gangway/fastcgi/wire"
)

// fcgi62 has the cases of FastCGI 1.0 section 6.2, Responder.
func fcgi62() []conformance.Case {
	return slices.Concat(fcgi62Sizes(), fcgi62Stdin(), fcgi62Lengths(), fcgi62Bounds(), fcgi62Output(),
		fcgi62Early(), fcgi62Memory())
}

const (
	quoteStdin = "Next the Responder application receives CGI/1.1 stdin data from the Web server over FCGI_STDIN."
	quoteMost  = "The application receives at most CONTENT_LENGTH bytes from this stream before receiving the " +
		"end-of-stream indication."
	quoteLess = "The application receives less than CONTENT_LENGTH bytes only if the HTTP client fails to provide " +
		"them, e.g. because the client crashed."
	quoteStdout = "The Responder application sends CGI/1.1 stdout data to the Web server over FCGI_STDOUT"
	quoteEarly  = "but it needn't finish reading from FCGI_STDIN before it begins writing these two streams."
)

func fcgi62Sizes() []conformance.Case {
	var cases []conformance.Case
	for _, c := range []struct {
		slug string
		size int
	}{{"stdin-zero", 0}, {"stdin-64k", 65536}, {"stdin-10mb", 10 << 20}} {
		body := func() []byte { return echo.Pattern(c.size) }
		cases = append(cases, conformance.Case{
			Name: "fcgi/6.2/" + c.slug, Family: "fcgi/6.2/stdin-size", Quote: quoteStdin, Level: conformance.Must,
			Echo:   true,
			Sends:  fmt.Sprintf("a POST request with CONTENT_LENGTH %d and such a body", c.size),
			Passes: "gets the body",
			Run:    test(func(t *T) { t.CheckBody(t.Echoes(t.Post("", body())), body()) }),
		})
	}
	return cases
}

func fcgi62Stdin() []conformance.Case {
	return []conformance.Case{{
		Name: "fcgi/6.2/stdin-exact", Quote: quoteMost, Level: conformance.Must, Echo: true,
		Sends:  "a POST request with CONTENT_LENGTH 3 and a body of three bytes, and no CONTENT_TYPE",
		Passes: "gets the body",
		Run: test(func(t *T) {
			r := t.Get("", "REQUEST_METHOD", "POST", "CONTENT_LENGTH", "3")
			r.Body = []byte("abc")
			t.CheckBody(t.Echoes(r), r.Body)
		}),
	}, {
		Name: "fcgi/6.2/stdin-many-small-records", Quote: quoteStdin, Level: conformance.Must, Echo: true,
		Sends:  "a body of 100 KB in records of one byte",
		Passes: "gets the body",
		Run: test(func(t *T) {
			c, r := t.Connect(), t.Post("", echo.Pattern(100_000))
			c.patience *= 5
			c.Send(r.Begin(), r.Params(), inPieces(wire.TypeStdin, 1, r.Body, 1), end(wire.TypeStdin, 1))
			t.CheckBody(t.Echo(c.Served(1).stdout), r.Body)
		}),
	}, {
		Name: "fcgi/6.2/stdin-later", Quote: quoteStdin, Level: conformance.Must, Echo: true,
		Sends:  "a POST request, and its body a moment later",
		Passes: "gets the body",
		Run: test(func(t *T) {
			c, r := t.Connect(), t.Post("", []byte("later"))
			c.Send(r.Begin(), r.Params())
			t.Sleep(t.Patience())
			c.Send(r.Stdin())
			t.CheckBody(t.Echo(c.Served(1).stdout), r.Body)
		}),
	}, {
		Name: "fcgi/6.2/data-record-to-responder", Level: conformance.Robustness, Echo: true,
		Quote: "Harm: bytes of a stream that the role does not have get into the body, or the body is lost and " +
			"nobody is told.",
		Sends:  "a POST request in the role Responder with FCGI_DATA before its body",
		Passes: "gets the body only, or refuses the request",
		Run: test(func(t *T) {
			c, r := t.Connect(), t.Post("", []byte("abc"))
			c.Send(r.Begin(), r.Params(), rec(wire.TypeData, 1, "evil"), end(wire.TypeData, 1), r.Stdin())
			if response := c.Settled(1); t.accepted(response) {
				t.CheckBody(t.Echo(response.stdout), r.Body)
			}
		}),
	}}
}

func fcgi62Bounds() []conformance.Case {
	return []conformance.Case{{
		Name: "fcgi/6.2/stdin-more-than-content-length", Quote: quoteMost, Level: conformance.Security, Echo: true,
		Sends:  "a POST request with CONTENT_LENGTH 3 and eight bytes of FCGI_STDIN",
		Passes: "gets three bytes at the most, or refuses the request",
		Run: test(func(t *T) {
			c, r := t.Connect(), t.Post("", []byte("abcdefgh"), "CONTENT_LENGTH", "3")
			c.Send(r.Bytes())
			if response := c.Settled(1); t.accepted(response) {
				n := t.Echo(response.stdout).BodyLength
				t.Check(n <= 3, "a body of %d bytes", n)
			}
		}),
	}, {
		Name: "fcgi/6.2/stdin-excess-not-parsed", Level: conformance.Security, DependsOn: []string{keepCase},
		Quote: "Harm: what a client sends beyond its length is taken for the records of another request, which the " +
			"web server has not checked.",
		Sends: "a POST request with CONTENT_LENGTH 3 whose FCGI_STDIN goes on with bytes that look like a whole " +
			"request 2",
		Passes: "answers request 1 only",
		Run: test(func(t *T) {
			c := t.Connect()
			body := append([]byte("abc"), t.Get("").As(2).Keep().Bytes()...)
			c.Send(t.Post("", body, "CONTENT_LENGTH", "3").Keep().Bytes())
			c.Settled(1)
			c.Quiet(t.Patience() / 2)
			t.Check(!slices.ContainsFunc(c.got, func(r record) bool { return r.RequestID != 1 }),
				"it answered them: %s", c.heard())
		}),
	}, {
		Name: "fcgi/6.2/stdin-less-than-content-length", Quote: quoteLess, Level: conformance.Must, Echo: true,
		Sends:  "a POST request with CONTENT_LENGTH 10, three bytes of FCGI_STDIN and its end",
		Passes: "gets three bytes, or refuses the request",
		Run: test(func(t *T) {
			c, r := t.Connect(), t.Post("", []byte("abc"), "CONTENT_LENGTH", "10")
			c.Send(r.Bytes())
			if response := c.Response(1); t.accepted(response) {
				t.CheckBody(t.Echo(response.stdout), r.Body)
			}
		}),
	}}
}

func fcgi62Lengths() []conformance.Case {
	const digits = `CONTENT_LENGTH = "" | 1*digit (RFC 3875 section 4.1.2)`
	return []conformance.Case{{
		Name: "fcgi/6.2/stdin-without-content-length", Quote: quoteStdin, Level: conformance.Should, Echo: true,
		Sends:  "a POST request with a body and without CONTENT_LENGTH, and then a plain one",
		Passes: "gets the whole body or none, or refuses the request; and serves the other",
		Run: test(func(t *T) {
			c, r := t.Connect(), t.Get("", "REQUEST_METHOD", "POST")
			r.Body = []byte("abc")
			c.Send(r.Bytes())
			if response := c.Settled(1); t.accepted(response) {
				n := t.Echo(response.stdout).BodyLength
				t.Info("without CONTENT_LENGTH %d of 3 bytes are read", n)
				t.Check(n == 0 || n == 3, "a body of %d of 3 bytes", n)
			}
			c.Close()
			t.Check(t.Echoes(t.Get("")).BodyLength == 0, "the next request has a body")
		}),
	}, {
		Name: "fcgi/6.2/content-length-malformed", Level: conformance.Security, Echo: true,
		Quote: "Harm: a length that two peers read in two ways is a way to smuggle requests; one taken at its word " +
			"fills the memory.",
		Sends: `requests with three bytes of FCGI_STDIN and CONTENT_LENGTH "abc", "-1", " 3" and ` +
			`"99999999999999999999"`,
		Passes: "refuses each, or gets three bytes or none; it may wait for the rest of the last",
		Run: test(func(t *T) {
			for _, length := range []string{"abc", "-1", " 3", "99999999999999999999"} {
				c := t.Connect()
				c.Send(t.Post("", []byte("abc"), "CONTENT_LENGTH", length).Bytes())
				response := c.Collect(1)[0]
				if waits := len(length) > 5; response.silent && !waits {
					t.Hang("CONTENT_LENGTH %q: neither a response nor the end of the connection", length)
				}
				if t.accepted(response) {
					n := t.Echo(response.stdout).BodyLength
					t.Check(n == 0 || n == 3, "CONTENT_LENGTH %q: a body of %d of 3 bytes", length, n)
				}
				c.Close()
			}
		}),
	}, {
		Name: "fcgi/6.2/content-length-leading-zeros", Quote: digits, Level: conformance.Must, Echo: true,
		Sends:  `a POST request with CONTENT_LENGTH "003" and three bytes of FCGI_STDIN`,
		Passes: "gets them",
		Run: test(func(t *T) {
			r := t.Post("", []byte("abc"), "CONTENT_LENGTH", "003")
			t.CheckBody(t.Echoes(r), r.Body)
		}),
	}, {
		Name: "fcgi/6.2/content-length-empty", Quote: digits, Level: conformance.Must, Echo: true,
		Sends:  `a GET request with CONTENT_LENGTH ""`,
		Passes: "serves it, without a body",
		Run: test(func(t *T) {
			n := t.Echoes(t.Get("", "CONTENT_LENGTH", "")).BodyLength
			t.Check(n == 0, "a body of %d bytes", n)
		}),
	}}
}

// checkLarge fails unless the output is that of the mode large.
func (t *T) checkLarge(r *response, size int) {
	body := t.Reply(r.stdout).body
	t.Check(len(body) == size, "%d of %d bytes", len(body), size)
	t.Check(bytes.Equal(body, echo.Pattern(size)), "the right number of bytes, but others")
}

func fcgi62Output() []conformance.Case {
	return []conformance.Case{{
		Name: "fcgi/6.2/response-10mb", Quote: quoteStdout, Level: conformance.Must, Echo: true,
		Sends:  "a request for a response of 10 MiB",
		Passes: "sends all of it",
		Run:    test(func(t *T) { t.checkLarge(t.Connect().Ask(t.Get("large=10485760")), 10<<20) }),
	}, {
		Name: "fcgi/6.2/response-binary", Quote: quoteStdout, Level: conformance.Must, Echo: true,
		Sends:  "a request for a response with all byte values",
		Passes: "sends them as they are",
		Run: test(func(t *T) {
			body := t.Reply(t.Connect().Ask(t.Get("binary")).stdout).body
			t.Check(len(body) == 256, "%d of 256 bytes", len(body))
			for i, b := range body {
				t.Check(int(b) == i, "byte %d instead of byte %d", b, i)
			}
		}),
	}, {
		Name: "fcgi/6.2/flush-streams", Quote: quoteStdout, Level: conformance.May, Echo: true, Timing: true,
		Sends:  "a request whose handler writes and flushes three lines with pauses in between",
		Passes: "sends each line when it is flushed",
		Run: test(func(t *T) {
			c := t.Connect()
			c.Send(t.Get(fmt.Sprintf("flush=%d", t.Patience().Milliseconds()/2)).Bytes())
			var came []byte
			for !bytes.Contains(came, []byte("tick 1")) {
				came = append(came, c.Expect(wire.TypeStdout, wire.TypeEndRequest).content...)
			}
			t.Check(!bytes.Contains(came, []byte("tick 3")), "the three lines came at once")
			_, done := c.next(t.Patience() / 10)
			t.Check(isTimeout(done), "the second line came at once behind the first")
			c.Response(1)
		}),
	}}
}

func fcgi62Early() []conformance.Case {
	return []conformance.Case{{
		Name: "fcgi/6.2/early-response", Quote: quoteEarly, Level: conformance.May, Echo: true,
		Sends:  "a POST request without its body, whose handler answers without reading it, and the body later",
		Passes: "sends the response before the body is there",
		Run: test(func(t *T) {
			c, r := t.Connect(), t.Post("noread", []byte("abc")).Keep()
			c.Send(r.Begin(), r.Params())
			early, _ := c.Quiet(t.Patience())
			t.Check(slices.ContainsFunc(early, func(r record) bool { return r.Type == wire.TypeStdout }),
				"it waits for the body")
		}),
	}, {
		Name: "fcgi/6.2/unread-stdin-keepconn", Quote: quoteKeeps, Level: conformance.Must, Echo: true,
		DependsOn: []string{keepCase},
		Sends: "a POST request whose handler does not read the body of 200 KB, and a plain one over the same " +
			"connection",
		Passes: "serves both",
		Run: test(func(t *T) {
			c := t.Connect()
			c.Ask(t.Post("noread", make([]byte, 200_000)).Keep())
			c.Ask(t.Get("").As(2))
		}),
	}}
}

// fcgi62Memory has the cases that look at the memory of the target.
func fcgi62Memory() []conformance.Case {
	const allowed = 32 << 20
	return []conformance.Case{{
		Name: "fcgi/6.2/stdin-100mb-memory", Level: conformance.Robustness, Echo: true, Serial: true,
		Needs:  []string{needPID},
		Quote:  "Harm: a client that uploads a large body makes the application run out of memory.",
		Sends:  "a body of 100 MiB",
		Passes: "needs less than 32 MiB of memory more",
		Run: test(func(t *T) {
			c, r := t.Connect(), t.Post("", nil, "CONTENT_LENGTH", fmt.Sprint(100<<20))
			before, most := t.Memory(), int64(0)
			c.Send(r.Begin(), r.Params())
			c.patience *= 5
			piece := wire.AppendStream(nil, wire.TypeStdin, 1, make([]byte, 4<<20))
			for range 25 {
				c.Send(piece)
				most = max(most, t.Memory())
			}
			c.Send(end(wire.TypeStdin, 1))
			c.Settled(1)
			t.Check(most-before < allowed, "%d MiB more", (most-before)>>20)
		}),
	}, {
		Name: "fcgi/6.2/slow-reader-backpressure", Level: conformance.Robustness, Echo: true, Serial: true,
		Needs:  []string{needPID},
		Quote:  "Harm: a client that reads slowly makes the application keep the whole response in memory.",
		Sends:  "a request for a response of 60 MiB, and does not read it for a while",
		Passes: "needs less than 32 MiB of memory more, and sends all of it then",
		Run: test(func(t *T) {
			c := t.Connect()
			before := t.Memory()
			c.Send(t.Get("large=62914560").Bytes())
			t.Sleep(2 * t.Patience())
			more := t.Memory() - before
			t.checkLarge(c.Served(1), 60<<20)
			t.Check(more < allowed, "%d MiB more", more>>20)
		}),
	}}
}
