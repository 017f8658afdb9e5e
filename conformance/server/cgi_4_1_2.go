package server

import (
	"slices"
	"strings"

	"github.com/gangway-go/gangway/conformance"
)

const (
	quoteLength = "The server MUST set this meta-variable if and only if the request is accompanied by a message-body " +
		"entity. The CONTENT_LENGTH value must reflect the length of the message-body after the server has removed any " +
		"transfer-codings or content-codings."
	quoteInvalidLength = "If a message is received without Transfer-Encoding and with an invalid Content-Length header " +
		"field, then the message framing is invalid and the recipient MUST treat it as an unrecoverable error, unless the " +
		"field value can be successfully parsed as a comma-separated list"
)

var cgi412Fixed = []conformance.Case{
	{
		Name: "cgi/4.1.2/content-length-absent-get", Level: conformance.Must, Quote: quoteLength,
		Sends:  "a GET request without a body",
		Passes: "leaves CONTENT_LENGTH unset or empty; behind SCGI it is 0, as that protocol demands",
		Run: test(func(t *T) {
			x := t.Get("/app/x")
			if t.target.protocol() != "scgi" || x.Get("CONTENT_LENGTH") != "0" {
				x.WantUnset("CONTENT_LENGTH")
			}
		}),
	},
	{
		Name: "cgi/4.1.2/content-length-zero-post", Level: conformance.Must, Quote: quoteLength,
		Sends:  "a POST request with Content-Length: 0",
		Passes: "sets CONTENT_LENGTH to 0, or leaves it unset, and gives no body",
		Run: test(func(t *T) {
			x := t.Post("/app/x", "")
			x.WantBody("")
			if x.Get("CONTENT_LENGTH") != "" {
				x.Want("CONTENT_LENGTH", "0")
			}
		}),
	},
	{
		Name: "cgi/4.1.2/content-length-equals-body", Level: conformance.Must, Quote: quoteLength,
		Sends:  "a POST request with a body of 3 bytes",
		Passes: "sets CONTENT_LENGTH to 3 and gives the 3 bytes",
		Run:    test(func(t *T) { t.Post("/app/x", "abc").WantBody("abc") }),
	},
	{
		Name: "cgi/4.1.2/content-length-chunked", Level: conformance.Must, Quote: quoteLength,
		Sends:  "a POST request whose body of 11 bytes is chunked",
		Passes: "sets CONTENT_LENGTH to 11, or answers 411",
		Run:    test(func(t *T) { t.Chunks("hello world", Chunked("hello world", 4)) }),
	},
	{
		Name: "cgi/4.1.2/content-length-get-with-body", Level: conformance.Must, Quote: quoteLength,
		Sends:  "a GET request with a body of 3 bytes",
		Passes: "sets CONTENT_LENGTH to 3 and gives the 3 bytes, or refuses the request",
		Run: test(func(t *T) {
			if x := t.Offer(t.Request("GET", "/app/x", "abc")); x != nil {
				x.WantBody("abc")
			}
		}),
	},
	{
		Name: "cgi/4.1.2/content-length-leading-zeros", Level: conformance.Security,
		Quote:  "A number that one reader takes for octal and another for decimal gives the body two lengths.",
		Sends:  "Content-Length: 0010 and 10 bytes",
		Passes: "gives 10 bytes and sets CONTENT_LENGTH to that number, or refuses the request",
		Run: test(func(t *T) {
			if x := t.Offer(t.Request("POST", "/app/x", "abcdefghij", "Content-Length: 0010")); x != nil {
				t.Info("CONTENT_LENGTH is %q", x.Get("CONTENT_LENGTH"))
				x.Want("CONTENT_LENGTH", "10", "0010")
				t.Check(string(x.body) == "abcdefghij", "the application got the body %s", excerpt(string(x.body)))
			}
		}),
	},
	{
		Name: "cgi/4.1.2/content-length-list", Level: conformance.Security, Spec: "RFC 9112 section 6.3; RFC 3875",
		Quote:  quoteInvalidLength,
		Sends:  "Content-Length: 3, 3 and 3 bytes",
		Passes: "sets CONTENT_LENGTH to 3 and gives 3 bytes, or refuses the request",
		Run: test(func(t *T) {
			if x := t.Offer(t.Request("POST", "/app/x", "abc", "Content-Length: 3, 3")); x != nil {
				x.WantBody("abc")
			}
		}),
	},
	{
		Name: "cgi/4.1.2/content-length-and-te", Level: conformance.Security, Spec: "RFC 9112 section 6.3; RFC 3875",
		Quote: "If a message is received with both a Transfer-Encoding and a Content-Length header field, the " +
			"Transfer-Encoding overrides the Content-Length.",
		Sends:  "a chunked body of 11 bytes with Content-Length: 3",
		Passes: "sets CONTENT_LENGTH to 11 and gives 11 bytes, or refuses the request",
		Run: test(func(t *T) {
			request := t.chunkedRequest(Chunked("hello world", 11), "Content-Length: 3")
			if x := t.Offer(request); x != nil {
				x.WantBody("hello world")
			}
		}),
	},
}

func cgi412() []conformance.Case {
	cases := slices.Clone(cgi412Fixed)
	for _, bad := range []struct{ slug, what, fields, body string }{
		{"plus-sign", "Content-Length: +3 and 3 bytes", "Content-Length: +3", "abc"},
		{"garbage", "Content-Length: 3x and 3 bytes", "Content-Length: 3x", "abc"},
		{"negative", "Content-Length: -3", "Content-Length: -3", ""},
		{"two-values", "Content-Length: 3 and Content-Length: 4, and 4 bytes", "Content-Length: 3|Content-Length: 4", "abcd"},
		{"overflow", "Content-Length: 18446744073709551617, which is 1 in 64 bits",
			"Content-Length: 18446744073709551617", "a"},
	} {
		cases = append(cases, conformance.Case{
			Name: "cgi/4.1.2/content-length-" + bad.slug, Level: conformance.Security, Spec: "RFC 9112 section 6.3; RFC 3875",
			Quote: quoteInvalidLength, Sends: bad.what, Passes: "refuses the request",
			Run: test(func(t *T) { t.Refused(t.Request("POST", "/app/x", bad.body, strings.Split(bad.fields, "|")...)) }),
		})
	}
	return cases
}
