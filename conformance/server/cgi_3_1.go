package server

import "github.com/gangway-go/gangway/conformance"

const (
	quoteAccess = "If the server is applying authentication to the request, then it MUST NOT execute the script unless " +
		"the request passes all defined access controls."
	quoteProtocol = "Furthermore, the server retains its responsibility to the client to conform to the relevant " +
		"network protocol even if the CGI script fails to conform to this specification."
)

var cgi31 = []conformance.Case{
	{
		Name: "cgi/3.1/http10-client", Level: conformance.Must, Quote: quoteProtocol,
		Sends:  "a request of HTTP/1.0, and as the application a response without Content-Length",
		Passes: "delivers it without Transfer-Encoding, which HTTP/1.0 does not have",
		Run: test(func(t *T) {
			x, r := t.Do(t.Raw("GET /app/old HTTP/1.0", "Host: "+t.host()), OK)
			t.Check(x != nil, "the application got no request; the server answered %v", r)
			t.Check(r.Get("Transfer-Encoding") == "", "Transfer-Encoding: %s", r.Get("Transfer-Encoding"))
			t.Intact(r, 200, t.token)
		}),
	},
	{
		Name: "cgi/3.1/access-control-first", Level: conformance.Must, Quote: quoteAccess, Needs: []string{"basic"},
		Sends:  "a request for a protected script with a wrong password",
		Passes: "answers 401 and does not run the script",
		Run:    test(func(t *T) { t.denied(t.Request("GET", "/auth/x", "", basic("bob", "wrong"))) }),
	},
	{
		Name: "cgi/3.1/access-control-no-credentials", Level: conformance.Must, Needs: []string{"basic"},
		Spec: "RFC 9110 section 15.5.2; RFC 3875",
		Quote: "The server generating a 401 response MUST send a WWW-Authenticate header field (Section 11.6.1) " +
			"containing at least one challenge applicable to the target resource.",
		Sends:  "a request for a protected script without credentials",
		Passes: "answers 401 with WWW-Authenticate and does not run the script",
		Run: test(func(t *T) {
			r := t.denied(t.Request("GET", "/auth/x", ""))
			t.Check(r.Get("WWW-Authenticate") != "", "401 without WWW-Authenticate")
		}),
	},
	{
		Name: "cgi/3.1/access-control-methods", Level: conformance.Security, Quote: quoteAccess, Needs: []string{"basic"},
		Sends:  "requests with other methods than GET for a protected script, without credentials",
		Passes: "runs the script for none of them",
		Run: test(func(t *T) {
			for _, method := range []string{"POST", "HEAD", "OPTIONS", "PUT", "DELETE", "PROPFIND", "FOO"} {
				x, _ := t.Do(t.Request(method, "/auth/x", ""), OK)
				t.Check(x == nil, "%s runs the protected script", method)
			}
		}),
	},
	{
		Name: "cgi/3.1/access-control-path-variants", Level: conformance.Security,
		Quote: quoteAccess, Needs: []string{"basic"},
		Sends:  "other ways to write the path of a protected script, without credentials",
		Passes: "runs the script for none of them",
		Run: test(func(t *T) {
			for _, path := range []string{"/%61uth/x", "//auth/x", "/./auth/x", "/app/../auth/x", "/app/%2e%2e/auth/x",
				"/auth%2fx",
				"/auth;x/y", "/AUTH/x", "/app/..%2fauth/x", "/auth\\x"} {
				x, r := t.Do(t.Request("GET", path, ""), OK)
				t.Check(x == nil || x.Get("SCRIPT_NAME") != t.At("/auth"), "%s runs the protected script: %v", path, r)
			}
		}),
	},
	{
		Name: "cgi/3.1/http-conformance-despite-script", Level: conformance.Must, Quote: quoteProtocol,
		Sends:  "as the application ten responses that are wrong, one after the other",
		Passes: "sends the client a valid response of HTTP each time",
		Run: test(func(t *T) {
			for _, wrong := range wrongResponses {
				_, r := t.Do(t.Request("GET", "/app/wrong", ""), CGI(wrong))
				t.Check(r.Status != 0, "%v to the client when the application answers %s", r, excerpt(wrong))
				t.Check(len(r.Faults) == 0, "%q when the application answers %s", r.Faults, excerpt(wrong))
			}
		}),
	},
}

var wrongResponses = []string{
	"",
	"\n",
	"no header at all\n",
	"Content-Type: text/plain\n",
	"Content-Type text/plain\n\nbody",
	"Status: abc\n\nbody",
	"Status: 99999 Many\nContent-Type: text/plain\n\nbody",
	"Content-Type: text/plain\nX-A: a\x00b\rc\n\nbody",
	"Content-Type: text/plain\nX(A): 1\n: 2\n\nbody",
	"Content-Type: text/plain\nContent-Length: 4\nTransfer-Encoding: chunked\n\nbody",
}

// denied makes sure that the request is answered with 401 and does not reach the application.
func (t *T) denied(request Request) *Response {
	t.Grace(slowHash)
	x, r := t.Do(request, OK)
	t.Check(x == nil, "the script ran")
	t.Want(r, 401)
	return r
}
