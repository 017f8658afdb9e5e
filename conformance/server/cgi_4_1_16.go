package server

import (
	"regexp"

	"github.com/gangway-go/gangway/conformance"
)

const quoteVersion = "The SERVER_PROTOCOL variable MUST be set to the name and version of the application protocol " +
	"used for this CGI request."

var cgi4116 = []conformance.Case{
	{
		Name: "cgi/4.1.16/server-protocol", Level: conformance.Must, Quote: quoteVersion,
		Sends:  "a request of HTTP/1.1 and one of HTTP/1.0",
		Passes: "sets SERVER_PROTOCOL to HTTP/1.1 and HTTP/1.0",
		Run: test(func(t *T) {
			t.Get("/app/x").Want("SERVER_PROTOCOL", "HTTP/1.1")
			t.Served(t.Raw("GET /app/x HTTP/1.0", "Host: "+t.host())).Want("SERVER_PROTOCOL", "HTTP/1.0")
		}),
	},
	{
		Name: "cgi/4.1.16/server-protocol-h2", Level: conformance.Must, Needs: []string{"h2"},
		Quote:  "HTTP-Version = \"HTTP\" \"/\" 1*digit \".\" 1*digit",
		Sends:  "a request of HTTP/2",
		Passes: "sets SERVER_PROTOCOL to HTTP/2.0, or to another version in the form MAJOR.MINOR",
		Run: test(func(t *T) {
			x, r := t.Do2("GET", "/app/x", "", OK)
			t.Check(x != nil, "the application got no request; the server answered %v", r)
			version := x.Get("SERVER_PROTOCOL")
			t.Check(regexp.MustCompile(`^HTTP/\d+\.\d+$`).MatchString(version), "SERVER_PROTOCOL is %s", excerpt(version))
		}),
	},
	{
		Name: "cgi/4.1.16/server-protocol-garbage", Level: conformance.Security, Spec: "RFC 9112 section 2.3; RFC 3875",
		Quote:  "HTTP-version = HTTP-name \"/\" DIGIT \".\" DIGIT",
		Sends:  "request lines that end in HTTP/1.1\\tX, HTTP/1.1.1, HTTP/11.1, http/1.1 and XTTP/1.1",
		Passes: "refuses them, or sets SERVER_PROTOCOL to a version of HTTP that exists",
		Run: test(func(t *T) {
			for _, version := range []string{"HTTP/1.1\tX", "HTTP/1.1.1", "HTTP/11.1", "http/1.1", "XTTP/1.1"} {
				if x := t.Offer(t.Raw("GET /app/x "+version, "Host: "+t.host())); x != nil {
					x.Want("SERVER_PROTOCOL", "HTTP/1.1", "HTTP/1.0")
				}
			}
		}),
	},
}
