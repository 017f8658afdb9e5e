package script

import (
	"net/url"
	"regexp"
	"strings"

	"github.com/gangway-go/gangway/conformance"
)

var redirectCases = []conformance.Case{{
	Name:   "script/6.2.1/content-type-present",
	Quote:  "The script MUST return a Content-Type header field.",
	Level:  conformance.Must,
	Sends:  "a GET and a FOO",
	Passes: "sends Content-Type with each document",
	Run: test(func(t *T) {
		t.each(func(r *response) {
			document := !r.has("Location") && len(r.body) > 0
			t.Check(!document || len(r.values("Content-Type")) > 0, "no Content-Type: %.200q", r.stdout)
		})
	}),
}, {
	Name:   "script/6.2.2/local-redirect-alone",
	Quote:  "The script MUST NOT return any other header fields or a message-body",
	Level:  conformance.Must,
	Needs:  []string{LocalRedirect, needParsed},
	Sends:  "a request for a local redirect",
	Passes: "sends Location and no other field",
	Run: test(func(t *T) {
		r := t.redirect(LocalRedirect)
		t.Check(len(r.header) == 1, "%d fields: %.200q", len(r.header), r.stdout)
	}),
}, {
	Name:   "script/6.2.2/local-redirect-no-body",
	Quote:  "The script MUST NOT return any other header fields or a message-body",
	Level:  conformance.Must,
	Needs:  []string{LocalRedirect, needParsed},
	Sends:  "a request for a local redirect",
	Passes: "sends no body",
	Run: test(func(t *T) {
		r := t.redirect(LocalRedirect)
		t.Check(len(r.body) == 0, "a body: %.80q", r.body)
	}),
}, {
	Name:   "script/6.2.3/client-redirect-alone",
	Quote:  "The script MUST not provide any other header fields, except for server-defined CGI extension fields.",
	Level:  conformance.Must,
	Needs:  []string{ClientRedirect, needParsed},
	Sends:  "a request for a client redirect",
	Passes: "sends Location and no other field, unless it begins with X-CGI-",
	Run: test(func(t *T) {
		for _, l := range t.redirect(ClientRedirect).header {
			t.Check(l.is("Location") || strings.HasPrefix(strings.ToUpper(l.name()), "X-CGI-"), "another field: %q", l.text)
		}
	}),
}, {
	Name:   "script/6.2.3/client-redirect-no-body",
	Quote:  "client-redir-response = client-Location *extension-field NL",
	Level:  conformance.Must,
	Needs:  []string{ClientRedirect, needParsed},
	Sends:  "a request for a client redirect",
	Passes: "sends no body",
	Run: test(func(t *T) {
		r := t.redirect(ClientRedirect)
		t.Check(len(r.body) == 0, "a body: %.80q", r.body)
	}),
}, {
	Name: "script/6.2.4/redirect-with-doc-status",
	Quote: "The Status header field MUST be supplied and MUST contain a status value of 302 'Found', or it MAY contain " +
		"an extension-code, that is, another valid status code that means client redirection.",
	Level:  conformance.Must,
	Needs:  []string{RedirectWith, needParsed},
	Sends:  "a request for a redirect with a document",
	Passes: "sends a Status that means redirection",
	Run: test(func(t *T) {
		r := t.redirect(RedirectWith)
		t.Check(r.has("Status"), "no Status")
		t.Check(r.status() >= 300 && r.status() < 400, "Status: %s", r.value("Status"))
	}),
}, {
	Name:   "script/6.2.4/redirect-document-type",
	Quote:  "client-redirdoc-response = client-Location Status Content-Type *other-field NL response-body",
	Level:  conformance.Must,
	Needs:  []string{RedirectWith, needParsed},
	Sends:  "a request for a redirect with a document",
	Passes: "sends the Content-Type of the document",
	Run:    test(func(t *T) { t.Check(t.redirect(RedirectWith).has("Content-Type"), "no Content-Type") }),
}, {
	Name: "script/6.3.2/location-absolute-or-slash",
	Quote: `The local URI path and query must be an absolute path, and not a relative path or NULL, and hence must ` +
		`start with a "/".`,
	Level:  conformance.Must,
	Needs:  []string{LocalRedirect},
	Sends:  "a request for a local redirect",
	Passes: `sends a Location that begins with "/"`,
	Run: test(func(t *T) {
		location := t.redirect(LocalRedirect).value("Location")
		t.Check(strings.HasPrefix(location, "/"), "Location: %s", location)
	}),
}, {
	Name:   "script/6.3.2/client-location-absolute",
	Quote:  `A valid absoluteURI always starts with the name of scheme followed by ":"`,
	Level:  conformance.Must,
	Needs:  []string{ClientRedirect},
	Sends:  "a request for a client redirect",
	Passes: "sends a Location with a scheme",
	Run: test(func(t *T) {
		location := t.redirect(ClientRedirect).value("Location")
		u, err := url.Parse(location)
		t.Check(err == nil && u.IsAbs(), "Location: %s", location)
	}),
}, {
	Name:   "script/6.3.2/location-characters",
	Quote:  `pchar           = unreserved | escaped | extra`,
	Level:  conformance.Must,
	Needs:  []string{ClientRedirect},
	Sends:  "a request for a client redirect",
	Passes: "sends a Location of characters that a URI can have",
	Run: test(func(t *T) {
		location := t.redirect(ClientRedirect).value("Location")
		t.Check(uriCharacters.MatchString(location), "Location: %q", location)
	}),
}}

// uriCharacters are those of RFC 2396 and, for addresses, RFC 2732.
var uriCharacters = regexp.MustCompile(`^([A-Za-z0-9;/?:@&=+$,_.!~*'()#\[\]-]|%[0-9A-Fa-f]{2})*$`)

// redirect runs the program with the URL of a trigger and fails if there is no Location.
func (t *T) redirect(trigger string) *response {
	r := t.send(t.trigger(trigger))
	t.Check(r.has("Location"), "no Location: %.200q", r.stdout)
	return r
}
