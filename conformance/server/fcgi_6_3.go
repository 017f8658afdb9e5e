package server

import (
	"strings"

	"github.com/gangway-go/gangway/conformance"
)

const (
	allows = "If the application sends status 200 (OK), the Web server allows access."
	denies = "For Authorizer response status values other than \"200\" (OK), the Web server denies access and sends " +
		"the response " +
		"status, headers, and content back to the HTTP client."
)

// fcgi63 are the cases of FastCGI 1.0 section 6.3, "Authorizer", and 6.4, "Filter".
var fcgi63 = authorized([]conformance.Case{
	{
		Name: "fcgi-client/6.3/authorizer-200-grants", Level: conformance.Must, Quote: allows,
		Sends:  "GET /authorized/x; the Authorizer answers with status 200 and no body",
		Passes: "runs the Responder and delivers its response",
		Run: test(func(t *T) {
			_, r := t.Do(t.Request("GET", "/authorized/x", ""), CGI("Status: 200 OK\r\n\r\n"), OK)
			t.Check(len(t.Exchanges) == 2, "%d requests for the application: %v", len(t.Exchanges), r)
			t.Check(t.Exchanges[1].Role == 1, "role %v in the second request", t.Exchanges[1].Role)
			t.Intact(r, 200, t.token)
		}),
	},
	{
		Name: "fcgi-client/6.3/authorizer-variable-headers", Level: conformance.Must,
		Quote: "An Authorizer application's 200 response may include headers whose names are prefixed with Variable-. " +
			"[…] The server associates such name-value pairs with the HTTP request and includes them in subsequent CGI or " +
			"FastCGI requests",
		Sends:  "GET /authorized/x; the Authorizer answers with status 200 and \"Variable-REMOTE_USER: bob\"",
		Passes: "gives the Responder REMOTE_USER bob",
		Run: test(func(t *T) {
			t.authorize("Variable-REMOTE_USER: bob\r\nX-Other: 1\r\n\r\n").Want("REMOTE_USER", "bob")
		}),
	},
	{
		Name: "fcgi-client/6.3/authorizer-200-rest-ignored", Level: conformance.Must,
		Quote: "When the application gives a 200 response, the server ignores response headers whose names aren't " +
			"prefixed with Variable- prefix, and ignores any response content.",
		Sends:  "GET /authorized/x; the Authorizer answers with status 200, \"X-Other: 1\" and a body",
		Passes: "delivers the Responder's response without them",
		Run: test(func(t *T) {
			_, r := t.Do(t.Request("GET", "/authorized/x", ""), CGI("Status: 200 OK\r\nX-Other: 1\r\n\r\nignored"), OK)
			t.Intact(r, 200, t.token)
			t.Check(r.Get("X-Other") == "", "X-Other: %s from the Authorizer", r.Get("X-Other"))
		}),
	},
	{
		Name: "fcgi-client/6.3/authorizer-403-body", Level: conformance.Must, Quote: denies,
		Sends:  "GET /authorized/x; the Authorizer answers with status 403, a field and a body",
		Passes: "delivers status, field and body, and does not run the Responder",
		Run: test(func(t *T) {
			_, r := t.Do(t.Request("GET", "/authorized/x", ""),
				CGI("Status: 403 Forbidden\r\nX-Why: not you\r\n"+text+"denied"), OK)
			t.Check(len(t.Exchanges) == 1, "the Responder ran")
			t.Intact(r, 403, "denied")
			t.Check(r.Get("X-Why") == "not you", "X-Why is %q", r.Get("X-Why"))
		}),
	},
	{
		Name: "fcgi-client/6.3/authorizer-no-content-length", Level: conformance.Must,
		Quote:  "The Web server does not send CONTENT_LENGTH, PATH_INFO, PATH_TRANSLATED, and SCRIPT_NAME headers.",
		Sends:  "POST /authorized/x with 3 bytes",
		Passes: "gives the Authorizer none of them, and the Responder all of the body",
		Run: test(func(t *T) {
			x, r := t.Do(t.Request("POST", "/authorized/x", "abc"), CGI("Status: 200 OK\r\n\r\n"), OK)
			t.Intact(r, 200, t.token)
			for _, name := range []string{"CONTENT_LENGTH", "PATH_INFO", "PATH_TRANSLATED", "SCRIPT_NAME"} {
				t.Check(!x.Has(name), "the Authorizer got %s=%q", name, x.Get(name))
			}
			t.Check(len(t.Exchanges) == 2 && t.Exchanges[1].Body() == "abc", "the Responder did not get the body")
		}),
	},
	{
		Name: "fcgi-client/6.3/authorizer-error-fails-closed", Level: conformance.Security, Quote: denies,
		Sends: "requests for /authorized/x; the Authorizer closes the connection, answers nothing, or something that is " +
			"no response",
		Passes: "denies access",
		Run: test(func(t *T) {
			failures := []Reply{closed, CGI(""), CGI("garbage"), CGI("Status: 2000 OK\r\n\r\n"), CGI("Status: 20\r\n\r\n"),
				Partial("Status: 200 OK\r\n")}
			for _, failure := range failures {
				_, r := t.Do(t.Request("GET", "/authorized/x", ""), func(x *Exchange) {
					t.Check(x.Role == roleAuthorizer, "the Responder ran")
					failure(x)
				})
				t.Want(r, 4, 5)
			}
		}),
	},
	{
		Name: "fcgi-client/6.3/authorizer-variable-spoof", Level: conformance.Security,
		Quote:  "These headers communicate name-value pairs from the application to the Web server. (Not from the client.)",
		Sends:  "GET /authorized/x with the field \"Variable-REMOTE_USER: root\"; the Authorizer answers with status 200",
		Passes: "does not give the Responder REMOTE_USER root",
		Run: test(func(t *T) {
			x := t.authorize("\r\n", "Variable-REMOTE_USER: root")
			t.Check(x.Get("REMOTE_USER") != "root", "REMOTE_USER is root")
		}),
	},
})

// authorize has an Authorizer allow a request with these fields and more, and returns what the Responder got.
func (t *T) authorize(more string, fields ...string) *Exchange {
	_, r := t.Do(t.Request("GET", "/authorized/x", "", fields...), CGI("Status: 200 OK\r\n"+more), OK)
	t.Check(len(t.Exchanges) == 2, "%d requests for the application: %v", len(t.Exchanges), r)
	t.Intact(r, 200, t.token)
	return t.Exchanges[1]
}

func authorized(cases []conformance.Case) []conformance.Case {
	for i := range cases {
		cases[i].Needs = []string{"authorizer"}
	}
	return cases
}

// fcgi64 is the case of FastCGI 1.0 section 6.4, "Filter".
var fcgi64 = []conformance.Case{{
	Name: "fcgi-client/6.4/filter-data", Level: conformance.May, Needs: []string{"filter"},
	Quote: "Next the Filter application receives the file data from the Web server over FCGI_DATA. This file's last " +
		"modification " +
		"time […] is FCGI_DATA_LAST_MOD; […] The application reads at most FCGI_DATA_LENGTH bytes from this stream",
	Sends:  "GET /filtered",
	Passes: "sends the file in FCGI_DATA, its length in FCGI_DATA_LENGTH and its time in FCGI_DATA_LAST_MOD",
	Run: test(func(t *T) {
		x := t.Get("/filtered")
		x.Want("FCGI_DATA_LENGTH", "37")
		t.Check(strings.Trim(x.Get("FCGI_DATA_LAST_MOD"), "0123456789") == "" && x.Has("FCGI_DATA_LAST_MOD"),
			"FCGI_DATA_LAST_MOD is %q", x.Get("FCGI_DATA_LAST_MOD"))
		t.Check(x.data() == StaticText, "FCGI_DATA is %s", excerpt(x.data()))
	}),
}}
