package app

import (
	"bytes"
	"strconv"
	"strings"

	"github.com/gangway-go/gangway/conformance"
)

func scgi3() []conformance.Case {
	return []conformance.Case{{
		Name: "scgi/3/minimal-request",
		Quote: "In order to facilitate the transition from CGI, standard CGI environment variables should be provided as " +
			"SCGI headers.",
		Level:  conformance.Must,
		Sends:  "a request with CONTENT_LENGTH=0 and SCGI=1 alone",
		Passes: "gives a response, of whatever status",
		Run: test(func(t *T) {
			t.begin([]byte("24:CONTENT_LENGTH\x000\x00SCGI\x001\x00,")).response()
		}),
	}, {
		Name:   "scgi/3/content-length-not-first",
		Quote:  `The first header must have the name "CONTENT_LENGTH"`,
		Level:  conformance.Robustness,
		Sends:  "a GET with SCGI before CONTENT_LENGTH",
		Passes: "serves or rejects the request",
		Run: test(func(t *T) {
			headers := t.scgiGet("")
			headers[0], headers[1] = headers[1], headers[0]
			t.begin(scgi(headers, nil)).settled()
		}),
	}, {
		Name:   "scgi/3/scgi-missing",
		Quote:  `There must also always be a header with the name "SCGI" and a value of "1".`,
		Level:  conformance.Robustness,
		Sends:  "a GET without SCGI",
		Passes: "serves or rejects the request",
		Run:    test(func(t *T) { t.begin(scgi(without(t.scgiGet(""), "SCGI"), nil)).settled() }),
	}, {
		Name:   "scgi/3/scgi-2",
		Quote:  `There must also always be a header with the name "SCGI" and a value of "1".`,
		Level:  conformance.Robustness,
		Sends:  "a GET with SCGI=2",
		Passes: "rejects the request, whose protocol it does not know",
		Run:    test(func(t *T) { t.begin(scgi(set(t.scgiGet(""), "SCGI", "2"), nil)).rejected() }),
	}, {
		Name:   "scgi/3/long-value",
		Quote:  "value ::= notnull*",
		Level:  conformance.Robustness,
		Sends:  "a GET with a header of 200 KB",
		Passes: "serves or rejects the request",
		Run: test(func(t *T) {
			t.begin(scgi(t.scgiGet("", "HTTP_X_LONG", strings.Repeat("v", 200_000)), nil)).settled()
		}),
	}, {
		Name:   "scgi/3/many-headers",
		Quote:  "headers ::= header*",
		Level:  conformance.Robustness,
		Sends:  "a GET with 2000 headers more",
		Passes: "serves or rejects the request",
		Run: test(func(t *T) {
			headers := t.scgiGet("")
			for i := range 2000 {
				headers = append(headers, pair{"HTTP_X_" + strconv.Itoa(i), "v"})
			}
			t.begin(scgi(headers, nil)).settled()
		}),
	}}
}

func scgi3Length() []conformance.Case {
	const digits = `a value that is a nonempty sequence of ASCII digits giving the of the body length in decimal.`
	cases := []conformance.Case{{
		Name:   "scgi/3/content-length-missing",
		Quote:  `The "CONTENT_LENGTH" header must always be present, even if its value is "0".`,
		Level:  conformance.Robustness,
		Sends:  "a GET without CONTENT_LENGTH",
		Passes: "serves or rejects the request, without waiting for more",
		Run:    test(func(t *T) { t.begin(scgi(without(t.scgiGet(""), "CONTENT_LENGTH"), nil)).settled() }),
	}, {
		Name:   "scgi/3/content-length-empty",
		Quote:  digits,
		Level:  conformance.Robustness,
		Sends:  "a GET with an empty CONTENT_LENGTH",
		Passes: "rejects the request",
		Run:    test(func(t *T) { t.begin(scgi(set(t.scgiGet(""), "CONTENT_LENGTH", ""), nil)).rejected() }),
	}, {
		Name:   "scgi/3/content-length-leading-zero",
		Quote:  digits,
		Level:  conformance.Robustness,
		Echo:   true,
		Sends:  "a POST with CONTENT_LENGTH=010 and 10 bytes",
		Passes: "takes 10 bytes for the body, not the 8 that 010 is in C, or rejects the request",
		Run: test(func(t *T) {
			e := t.begin(scgi(set(t.scgiPost(10), "CONTENT_LENGTH", "010"), []byte("0123456789")))
			if !e.refused() {
				t.CheckBody(t.Echo(e.got), []byte("0123456789"))
			}
		}),
	}, {
		Name:   "scgi/3/content-length-twice",
		Quote:  "Duplicate names are not allowed in the headers.",
		Level:  conformance.Security,
		Echo:   true,
		Sends:  "a POST with CONTENT_LENGTH=3, further down CONTENT_LENGTH=10, and 3 bytes",
		Passes: "rejects the request, or keeps to the first: two readers that disagree on the length let requests in",
		Run: test(func(t *T) {
			e := t.begin(scgi(append(t.scgiPost(3), pair{"CONTENT_LENGTH", "10"}), []byte("abc")))
			if !e.refused() {
				t.CheckBody(t.Echo(e.got), []byte("abc"))
			}
		}),
	}}
	for _, bad := range []struct{ slug, value string }{
		{"trailing", "1x"}, {"minus", "-1"}, {"plus", "+1"}, {"space", " 1"}, {"30-digits", "100000000000000000000000000001"},
	} {
		cases = append(cases, conformance.Case{
			Name:   "scgi/3/content-length-nondigit-" + bad.slug,
			Family: "scgi/3/content-length-nondigit",
			Quote:  digits,
			Level:  conformance.Security,
			Sends:  "a POST with CONTENT_LENGTH=" + bad.value + " and 1 byte",
			Passes: "rejects the request, without waiting for more",
			Run: test(func(t *T) {
				t.begin(scgi(set(t.scgiPost(1), "CONTENT_LENGTH", bad.value), []byte("x"))).rejected()
			}),
		})
	}
	return cases
}

func scgi3Names() []conformance.Case {
	return []conformance.Case{{
		Name:   "scgi/3/duplicate-names",
		Quote:  "Duplicate names are not allowed in the headers.",
		Level:  conformance.Security,
		Echo:   true,
		Sends:  "a GET with HTTP_X=a and HTTP_X=b",
		Passes: "rejects the request, or sees one of them",
		Run: test(func(t *T) {
			e := t.begin(scgi(append(t.scgiGet(""), pair{"HTTP_X", "a"}, pair{"HTTP_X", "b"}), nil))
			if !e.refused() {
				values := t.Echo(e.got).Values("HTTP_X")
				t.Check(len(values) == 1, "HTTP_X is %q", values)
			}
		}),
	}, {
		Name:   "scgi/3/empty-name",
		Quote:  "name ::= notnull+",
		Level:  conformance.Robustness,
		Sends:  "a GET with a header whose name is empty",
		Passes: "rejects the request",
		Run:    test(func(t *T) { t.begin(scgi(append(t.scgiGet(""), pair{"", "value"}), nil)).rejected() }),
	}, {
		Name:   "scgi/3/empty-value",
		Quote:  "value ::= notnull*",
		Level:  conformance.Must,
		Echo:   true,
		Sends:  "a GET with an empty HTTP_X",
		Passes: "sees HTTP_X with an empty value",
		Run: test(func(t *T) {
			t.CheckVar(t.Echo(t.begin(scgi(t.scgiGet("", "HTTP_X", ""), nil)).response()), "HTTP_X", "")
		}),
	}}
}

func scgi3Values() []conformance.Case {
	const pairs = "header ::= name NUL value NUL"
	return []conformance.Case{{
		Name:   "scgi/3/odd-nul-count",
		Quote:  pairs,
		Level:  conformance.Security,
		Sends:  "a GET whose last header has a name and no value",
		Passes: "rejects the request",
		Run: test(func(t *T) {
			t.begin(netstring(append(headerBlock(t.scgiGet("")), "HTTP_X\x00"...))).rejected()
		}),
	}, {
		Name:   "scgi/3/missing-final-nul",
		Quote:  pairs,
		Level:  conformance.Security,
		Sends:  "a GET whose last value has no NUL behind it",
		Passes: "rejects the request",
		Run: test(func(t *T) {
			t.begin(netstring(append(headerBlock(t.scgiGet("")), "HTTP_X\x00value"...))).rejected()
		}),
	}, {
		Name:   "scgi/3/bytes-80-ff",
		Quote:  "notnull ::= <01> | <02> | <03> | ... | <ff>",
		Level:  conformance.Must,
		Echo:   true,
		Sends:  "a GET with the bytes 0x01 to 0xFF as X_OCTETS",
		Passes: "sees the same bytes",
		Run: test(func(t *T) {
			value := string(allOctets()[1:])
			t.CheckVar(t.Echo(t.begin(scgi(t.scgiGet("", "X_OCTETS", value), nil)).response()), "X_OCTETS", value)
		}),
	}, {
		Name:   "scgi/3/name-with-equals",
		Quote:  "A name with a value in it becomes another variable when it is copied to an environment.",
		Level:  conformance.Security,
		Echo:   true,
		Sends:  "a GET with a header whose name is REMOTE_USER=root",
		Passes: "rejects the request, or sees no REMOTE_USER",
		Run:    test(func(t *T) { t.noRoot(t.begin(scgi(append(t.scgiGet(""), pair{"REMOTE_USER=root", ""}), nil))) }),
	}}
}

// noRoot fails if the echo application sees a REMOTE_USER.
func (t *T) noRoot(e *exchange) {
	if !e.refused() {
		users := t.Echo(e.got).Values("REMOTE_USER")
		t.Check(len(users) == 0, "REMOTE_USER is %q", users)
	}
}

// allOctets are the bytes 0x00 to 0xFF.
func allOctets() []byte {
	b := make([]byte, 256)
	for i := range b {
		b[i] = byte(i)
	}
	return b
}

// bigBody is a body of 10 MiB.
func bigBody() []byte { return bytes.Repeat([]byte("0123456789abcdef"), 10<<20/16) }

func scgi3Body() []conformance.Case {
	const quote = `The body is sent following the headers and its length is specified by the "CONTENT_LENGTH" header.`
	return []conformance.Case{{
		Name:   "scgi/3/body-exact",
		Quote:  quote,
		Level:  conformance.Must,
		Echo:   true,
		Sends:  "a POST with 27 bytes, and leaves the connection open",
		Passes: "sees the body, and does not wait for the end of the connection",
		Run:    test(func(t *T) { t.scgiBody([]byte("What is the answer to life?"), nil) }),
	}, {
		Name:   "scgi/3/body-10mb",
		Quote:  quote,
		Level:  conformance.Must,
		Echo:   true,
		Sends:  "a POST with 10 MiB",
		Passes: "sees the body",
		Run:    test(func(t *T) { t.scgiBody(bigBody(), nil) }),
	}, {
		Name:   "scgi/3/body-octets",
		Quote:  quote,
		Level:  conformance.Must,
		Echo:   true,
		Sends:  "a POST with the bytes 0x00 to 0xFF",
		Passes: "sees the body",
		Run:    test(func(t *T) { t.scgiBody(allOctets(), nil) }),
	}, {
		Name:   "scgi/3/body-extra-bytes",
		Quote:  quote,
		Level:  conformance.Security,
		Echo:   true,
		Sends:  "a POST with CONTENT_LENGTH=3 and 23 bytes",
		Passes: "takes 3 bytes for the body",
		Run:    test(func(t *T) { t.scgiBody([]byte("abc"), []byte("this is beyond its end")) }),
	}, {
		Name:   "scgi/3/body-short-close",
		Quote:  "A body that breaks off is no request: what is done with half an order is worse than nothing.",
		Level:  conformance.Robustness,
		Echo:   true,
		Sends:  "a POST with CONTENT_LENGTH=20 and 10 bytes, and ends its direction of the connection",
		Passes: "rejects the request",
		Run: test(func(t *T) {
			e := t.begin(scgi(t.scgiPost(20), []byte("0123456789")))
			e.CloseWrite()
			e.rejected()
		}),
	}, {
		Name:   "scgi/3/body-split-segments",
		Quote:  "The client connects to a SCGI server over a reliable stream protocol allowing transmission of 8-bit bytes.",
		Level:  conformance.Must,
		Echo:   true,
		Sends:  "a POST one byte at a time",
		Passes: "sees the body",
		Run: test(func(t *T) {
			e := t.begin()
			e.dribble(scgi(t.scgiPost(27), []byte("What is the answer to life?")))
			t.CheckBody(t.Echo(e.response()), []byte("What is the answer to life?"))
		}),
	}}
}

// scgiBody sends a POST and fails unless the application sees the body, and not what is beyond it.
func (t *T) scgiBody(body, beyond []byte) {
	request := append(scgi(t.scgiPost(len(body)), body), beyond...)
	t.CheckBody(t.Echo(t.begin(request).response()), body)
}
