package server

import (
	"strings"

	"github.com/gangway-go/gangway/conformance"
)

const (
	quoteCollision = "Names of fields that differ become the same variable: a client sets one that a check in front of " +
		"the application has removed or set under the other name."
	quoteCTL = "Field values containing CR, LF, or NUL characters are invalid and dangerous, due to the varying ways " +
		"that implementations might parse and interpret those characters; a recipient of CR, LF, or NUL within a field " +
		"value MUST either reject the message or replace each of those characters with SP before further processing or " +
		"forwarding of that message."
	specCTL = "RFC 9110 section 5.5; RFC 3875"
)

// cgi4118Names are the cases about fields that must not become certain variables.
var cgi4118Names = []conformance.Case{
	{
		Name: "cgi/4.1.18/httpoxy", Level: conformance.Security,
		Quote: "Programs take HTTP_PROXY for the proxy that they are to use, and a client may not choose that " +
			"(CVE-2016-5385).",
		Sends:  "a request with Proxy: http://proxy.example",
		Passes: "does not set HTTP_PROXY",
		Run:    test(func(t *T) { t.Get("/app/x", "Proxy: http://proxy.example").WantUnset("HTTP_PROXY") }),
	},
	{
		Name: "cgi/4.1.18/underscore-collision", Level: conformance.Security, Quote: quoteCollision,
		Sends:  "X_Auth: evil and X-Auth: good",
		Passes: "sets HTTP_X_AUTH once, to good, or refuses the request",
		Run: test(func(t *T) {
			for range 4 { // some servers take one of the two by chance
				if x := t.OfferGet("/app/x", "X_Auth: evil", "X-Auth: good"); x != nil {
					x.Want("HTTP_X_AUTH", "good")
				}
			}
		}),
	},
	{
		Name: "cgi/4.1.18/underscore-alone", Level: conformance.Security, Quote: quoteCollision,
		Sends:  "X_Auth: evil",
		Passes: "sets no HTTP_X_AUTH, or refuses the request",
		Run: test(func(t *T) {
			if x := t.OfferGet("/app/x", "X_Auth: evil"); x != nil {
				x.WantUnset("HTTP_X_AUTH")
			}
		}),
	},
	{
		Name: "cgi/4.1.18/dot-in-name", Level: conformance.Security, Quote: quoteCollision,
		Sends:  "X.Auth: evil, X~Auth: evil and X!Auth: evil",
		Passes: "sets no HTTP_X_AUTH, or refuses the request",
		Run: test(func(t *T) {
			if x := t.OfferGet("/app/x", "X.Auth: evil", "X~Auth: evil", "X!Auth: evil"); x != nil {
				x.WantUnset("HTTP_X_AUTH")
			}
		}),
	},
	{
		Name: "cgi/4.1.18/content-length-underscore", Level: conformance.Security, Quote: quoteCollision,
		Sends:  "a POST request with 3 bytes, and Content_Length: 999 and Content_Type: evil/evil",
		Passes: "sets CONTENT_LENGTH to 3 and CONTENT_TYPE as it should be, or refuses the request",
		Run: test(func(t *T) {
			x := t.Offer(t.Request("POST", "/app/x", "abc", "Content_Length: 999", "Content_Type: evil/evil",
				"Content-Type: text/x"))
			if x != nil {
				x.WantBody("abc")
				x.Want("CONTENT_TYPE", "text/x")
			}
		}),
	},
	{
		Name: "cgi/4.1.18/header-named-like-metavar", Level: conformance.Security,
		Quote: "Meta-variables with names beginning with \"HTTP_\" contain values read from the client request header " +
			"fields, if the protocol used is HTTP.",
		Sends: "fields Script-Filename, Document-Root, Php-Value, Path-Info, Remote-Addr, Server-Name and more with the " +
			"value evil",
		Passes: "sets none of these variables to it but with HTTP_ in front",
		Run: test(func(t *T) {
			x := t.OfferGet("/app/x", "Script-Filename: evil", "Document-Root: evil", "Php-Value: evil", "Php-Admin-Value: evil",
				"Redirect-Status: evil", "Path-Info: evil",
				"Remote-Addr: evil", "Server-Name: evil", "Query-String: evil", "Path: evil")
			if x == nil {
				return
			}
			for _, v := range x.Vars {
				t.Check(v.Value != "evil" || strings.HasPrefix(v.Name, "HTTP_"), "%s is evil", v.Name)
			}
		}),
	},
	{
		Name: "cgi/4.1.18/header-https", Level: conformance.Security,
		Quote:  "An application that sees HTTPS set sends what only a secure connection may carry.",
		Sends:  "Https: on, without TLS",
		Passes: "does not set HTTPS",
		Run: test(func(t *T) {
			https := t.Get("/app/x", "Https: on").Get("HTTPS")
			t.Check(https == "" || strings.EqualFold(https, "off"), "HTTPS is %s", excerpt(https))
		}),
	},
	{
		Name: "cgi/4.1.18/header-space-before-colon", Level: conformance.Security, Spec: "RFC 9112 section 5.1; RFC 3875",
		Quote: "A server MUST reject, with a response status code of 400 (Bad Request), any received request message that " +
			"contains whitespace between a header field name and colon.",
		Sends:  "X-Space : v",
		Passes: "refuses the request",
		Run:    test(func(t *T) { t.Refused(t.Request("GET", "/app/x", "", "X-Space : v")) }),
	},
	{
		Name: "cgi/4.1.18/header-no-colon", Level: conformance.Robustness, Spec: "RFC 9112 section 5; RFC 3875",
		Quote:  "field-line = field-name \":\" OWS field-value OWS",
		Sends:  "a line without a colon among the fields",
		Passes: "refuses the request, or makes no variable of the line",
		Run: test(func(t *T) {
			if x := t.OfferGet("/app/x", "X-No-Colon"); x != nil {
				t.Check(!x.Has("HTTP_X_NO_COLON"), "HTTP_X_NO_COLON is set")
			}
		}),
	},
	{
		Name: "cgi/4.1.18/header-nul", Level: conformance.Security, Spec: specCTL, Quote: quoteCTL,
		Sends:  "a field whose value has a NUL",
		Passes: "refuses the request or passes a space instead",
		Run: test(func(t *T) {
			if x := t.OfferGet("/app/x", "X-Nul: a\x00b"); x != nil {
				x.Want("HTTP_X_NUL", "a b")
			}
		}),
	},
	{
		Name: "cgi/4.1.18/header-bare-cr", Level: conformance.Security, Spec: specCTL, Quote: quoteCTL,
		Sends:  "a field whose value has a CR without LF, and after it what looks like another field",
		Passes: "refuses the request or passes a space instead",
		Run: test(func(t *T) {
			if x := t.OfferGet("/app/x", "X-Cr: a\rX-Injected: b"); x != nil {
				t.Check(!x.Has("HTTP_X_INJECTED"), "HTTP_X_INJECTED is set")
				x.Want("HTTP_X_CR", "a X-Injected: b")
			}
		}),
	},
}
