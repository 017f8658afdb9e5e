package server

import (
	"slices"
	"strings"

	"github.com/gangway-go/gangway/conformance"
)

var cgi41 = []conformance.Case{
	{
		Name: "cgi/4.1/case-insensitive-names-unique", Level: conformance.Must,
		Quote: "Meta-variables are identified by case-insensitive names; there cannot be two different variables whose " +
			"names differ in case only.",
		Sends:  "a request with fields X-Case and x-cASE",
		Passes: "sets no two variables whose names differ in case only",
		Run: test(func(t *T) {
			seen := map[string]string{}
			for _, v := range t.Get("/app/case", "X-Case: 1", "x-cASE: 2").Vars {
				upper := strings.ToUpper(v.Name)
				t.Check(seen[upper] == "" || seen[upper] == v.Name, "there are %s and %s", seen[upper], v.Name)
				seen[upper] = v.Name
			}
		}),
	},
	{
		Name: "cgi/4.1/extension-vars", Level: conformance.Should,
		Quote: "The server MAY set additional implementation-defined extension meta-variables, whose names SHOULD be " +
			"prefixed with \"X_\".",
		Sends:  "a GET request",
		Passes: "sets, besides those of RFC 3875 and some that most servers have, only variables whose names begin with X_",
		Run: test(func(t *T) {
			var others []string
			for _, v := range t.Get("/app/extension").Vars {
				if !slices.Contains(knownVars, v.Name) && !strings.HasPrefix(v.Name, "HTTP_") && !strings.HasPrefix(v.Name, "X_") {
					others = append(others, v.Name)
				}
			}
			t.Check(len(others) == 0, "%s", strings.Join(others, ", "))
		}),
	},
	{
		Name: "cgi/4.1/redirect-status", Level: conformance.May, Needs: []string{"php"},
		Quote: "An extension that php-cgi wants to see: without it, it takes a request for one that did not come through a " +
			"web server (cgi.force_redirect).",
		Sends:  "a request for a PHP script",
		Passes: "sets REDIRECT_STATUS to 200",
		Run:    test(func(t *T) { t.Get("/a.php").Want("REDIRECT_STATUS", "200") }),
	},
	{
		Name: "cgi/4.1/request-uri-raw", Level: conformance.Should,
		Quote: "REQUEST_URI, an extension of Apache's that applications rely on, is the target as the client sent it: not " +
			"decoded.",
		Sends:  "a request for /app/%61%20b?x=%41",
		Passes: "sets REQUEST_URI to just that",
		Run:    test(func(t *T) { t.Get("/app/%61%20b?x=%41").Want("REQUEST_URI", t.At("/app/%61%20b?x=%41")) }),
	},
	{
		Name: "cgi/4.1/absolute-form-target", Level: conformance.Must, Spec: "RFC 9112 section 3.2.2; RFC 3875",
		Quote: "When an origin server receives a request with an absolute-form of request-target, the origin server MUST " +
			"ignore the received Host header field (if any) and instead use the host information of the request-target.",
		Sends:  "a request whose target is http://HOST/app/x?y, and then one whose field Host names another host",
		Passes: "sets the variables as for /app/x?y, and none to the other host; it may refuse the second",
		Run: test(func(t *T) {
			target := "http://" + t.host() + "/app/x?y"
			x := t.Get(target)
			x.Want("SCRIPT_NAME", t.At("/app"))
			x.Want("PATH_INFO", "/x")
			x.Want("QUERY_STRING", "y")
			x = t.OfferGet(target, "Host: other.example")
			for i := 0; x != nil && i < len(x.Vars); i++ {
				v := x.Vars[i]
				t.Check(!strings.Contains(v.Value, "other.example"), "%s is %s", v.Name, excerpt(v.Value))
			}
		}),
	},
	{
		Name: "cgi/4.1/asterisk-target", Level: conformance.Robustness, Spec: "RFC 9110 section 9.3.7; RFC 3875",
		Quote: "An OPTIONS request with an asterisk (\"*\") as the request target (Section 7.1) applies to the server in " +
			"general rather than to a specific resource.",
		Sends: "OPTIONS *",
		Passes: "answers by itself, or hands it over with the asterisk in REQUEST_URI and no PATH_INFO that could be a " +
			"file's",
		Run: test(func(t *T) {
			x, r := t.Do(t.Request("OPTIONS", "*", ""), OK)
			t.Check(r.Status >= 200, "%v", r)
			t.Valid(r)
			if x != nil {
				x.Want("REQUEST_URI", "*")
				t.Check(strings.TrimSuffix(x.Get("PATH_INFO"), "*") == "", "PATH_INFO is %s", excerpt(x.Get("PATH_INFO")))
			}
		}),
	},
}

// knownVars are the meta-variables of RFC 3875, and extensions that at least two of Apache, lighttpd and nginx have.
var knownVars = strings.Fields(`
	AUTH_TYPE CONTENT_LENGTH CONTENT_TYPE GATEWAY_INTERFACE PATH_INFO PATH_TRANSLATED QUERY_STRING REMOTE_ADDR
	REMOTE_HOST REMOTE_IDENT REMOTE_USER REQUEST_METHOD SCRIPT_NAME SERVER_NAME SERVER_PORT SERVER_PROTOCOL
	SERVER_SOFTWARE HTTPS HTTP SCGI
	DOCUMENT_ROOT REDIRECT_STATUS REMOTE_PORT REQUEST_SCHEME REQUEST_URI SCRIPT_FILENAME SERVER_ADDR SERVER_ADMIN
	SERVER_SIGNATURE SCRIPT_URI SCRIPT_URL PATH LD_LIBRARY_PATH TZ`)
