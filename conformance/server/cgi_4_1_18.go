package server

import (
	"slices"
	"strings"

	"github.com/gangway-go/gangway/conformance"
)

const (
	quoteFields = "The HTTP header field name is converted to upper case, has all occurrences of \"-\" replaced with " +
		"\"_\" and has \"HTTP_\" prepended to give the meta-variable name."
	quoteSingle = "If multiple header fields with the same field-name are received then the server MUST rewrite them as " +
		"a single value having the same semantics."
	quoteRemove = "In particular, it SHOULD remove any header fields carrying authentication information, such as " +
		"'Authorization'; or that are available to the script in other variables, such as 'Content-Length' and " +
		"'Content-Type'."
	quoteMayRemove = "The server MAY remove header fields that relate solely to client-side communication issues, such " +
		"as 'Connection'."
	quoteData = "The header data can be presented as sent by the client, or can be rewritten in ways which do not " +
		"change its semantics."
)

// cgi4118 are the cases about which fields become which variables.
var cgi4118Fixed = []conformance.Case{
	{
		Name: "cgi/4.1.18/https-variable", Level: conformance.Should, Needs: []string{"tls"},
		Quote: "The server MAY set a meta-variable with the name of the scheme to a non-NULL value if the scheme is not " +
			"the same as the protocol. The presence of such a variable indicates to a script which scheme is used by the " +
			"request.",
		Sends:  "a request over TLS and one without",
		Passes: "sets HTTPS to on for the first, and for the second leaves it unset",
		Run: test(func(t *T) {
			x, r := t.DoTLS("GET", "/app/x", "", OK)
			t.Check(x != nil, "the application got no request; the server answered %v", r)
			x.Want("HTTPS", "on")
			t.Get("/app/x").WantUnset("HTTPS")
		}),
	},
	{
		Name: "cgi/4.1.18/http-value-exact", Level: conformance.Must, Spec: "RFC 9112 section 5.1; RFC 3875",
		Quote: "The field line value does not include that leading or trailing whitespace: OWS occurring before the first " +
			"non-whitespace octet of the field line value, or after the last non-whitespace octet of the field line value, is " +
			"excluded by parsers when extracting the field line value from a field line.",
		Sends: "a field whose value has spaces, a tab, quotes, commas and a semicolon within, and spaces and a tab around " +
			"it",
		Passes: "takes away what is around it, and nothing else",
		Run: test(func(t *T) {
			t.Get("/app/x", "X-Value: \t a  \t\"b,  c\";d=\\e  ").Want("HTTP_X_VALUE", "a  \t\"b,  c\";d=\\e")
		}),
	},
	{
		Name: "cgi/4.1.18/http-value-latin1", Level: conformance.Robustness,
		Quote: "The server MUST, if necessary, change the representation of the data (for example, the character set) to " +
			"be appropriate for a CGI meta-variable.",
		Sends:  "a field with the bytes 80, E9 and FF in its value",
		Passes: "passes the bytes as they are, or refuses the request",
		Run: test(func(t *T) {
			if x := t.OfferGet("/app/x", "X-Value: a\x80\xe9\xff"); x != nil {
				x.Want("HTTP_X_VALUE", "a\x80\xe9\xff")
			}
		}),
	},
	{
		Name: "cgi/4.1.18/http-duplicate-merge", Level: conformance.Must, Quote: quoteSingle,
		Sends:  "X-Dup: a, then another field, then X-Dup: b",
		Passes: "sets HTTP_X_DUP once, to a list of a and b in that order",
		Run: test(func(t *T) {
			t.Get("/app/x", "X-Dup: a", "X-Between: 1", "X-Dup: b").Want("HTTP_X_DUP", "a, b", "a,b")
		}),
	},
	{
		Name: "cgi/4.1.18/http-duplicate-cookie", Level: conformance.Must, Quote: quoteSingle,
		Sends:  "Cookie: a=1, then Cookie: b=2, as clients of HTTP/2 do",
		Passes: "sets HTTP_COOKIE once, to a=1; b=2, for a comma does not divide cookies (RFC 6265 section 5.4)",
		Run:    test(func(t *T) { t.Get("/app/x", "Cookie: a=1", "Cookie: b=2").Want("HTTP_COOKIE", "a=1; b=2") }),
	},
	{
		Name: "cgi/4.1.18/http-folded", Level: conformance.Must,
		Quote:  "Similarly, a header field that spans multiple lines MUST be merged onto a single line.",
		Sends:  "a field whose value goes on in a second line",
		Passes: "sets the variable to both parts with white space between them, or refuses the request",
		Run: test(func(t *T) {
			if x := t.OfferGet("/app/x", "X-Fold: a\r\n  b"); x != nil {
				value := x.Get("HTTP_X_FOLD")
				ok := strings.Join(strings.Fields(value), " ") == "a b" && !strings.ContainsAny(value, "\r\n")
				t.Check(ok, "HTTP_X_FOLD is %s", excerpt(value))
			}
		}),
	},
	{
		Name: "cgi/4.1.18/http-empty-value", Level: conformance.Should, Quote: quoteData,
		Sends:  "X-Empty: without a value",
		Passes: "sets HTTP_X_EMPTY to an empty string or leaves it unset",
		Run:    test(func(t *T) { t.Get("/app/x", "X-Empty:").WantUnset("HTTP_X_EMPTY") }),
	},
	{
		Name: "cgi/4.1.18/http-host", Level: conformance.Should,
		Quote:  "The server SHOULD set meta-variables specific to the protocol and scheme for the request.",
		Sends:  "Host: a.example:8080",
		Passes: "sets HTTP_HOST to a.example:8080",
		Run:    test(func(t *T) { t.Get("/app/x", "Host: a.example:8080").Want("HTTP_HOST", "a.example:8080") }),
	},
	{
		Name: "cgi/4.1.18/http-transfer-encoding-removed", Level: conformance.Should, Spec: "RFC 3875 section 4.2; RFC 3875",
		Quote: "As transfer-codings are not supported on the request-body, the server MUST remove any such codings from " +
			"the message-body, and recalculate the CONTENT_LENGTH.",
		Sends:  "a POST request with a chunked body",
		Passes: "sets no HTTP_TRANSFER_ENCODING, which would say that the body still is chunked, or answers 411",
		Run: test(func(t *T) {
			if x := t.Chunks("abc", Chunked("abc", 3)); x != nil {
				x.WantUnset("HTTP_TRANSFER_ENCODING")
			}
		}),
	},
	{
		Name: "cgi/4.1.18/http-no-content-vars", Level: conformance.Should, Quote: quoteRemove,
		Sends:  "a POST request with Content-Length and Content-Type",
		Passes: "sets neither HTTP_CONTENT_LENGTH nor HTTP_CONTENT_TYPE",
		Run: test(func(t *T) {
			x := t.Post("/app/x", "abc", "Content-Type: text/plain")
			x.WantUnset("HTTP_CONTENT_LENGTH")
			x.WantUnset("HTTP_CONTENT_TYPE")
		}),
	},
	{
		Name: "cgi/4.1.18/http-no-authorization", Level: conformance.Should, Quote: quoteRemove, Needs: []string{"basic"},
		Sends:  "a request for a protected script with the right password",
		Passes: "does not pass the password on in HTTP_AUTHORIZATION",
		Run: test(func(t *T) {
			x := t.as("bob")
			t.Check(!x.Has("HTTP_AUTHORIZATION"), "HTTP_AUTHORIZATION is set")
		}),
	},
	{
		Name: "cgi/4.1.18/http-no-proxy-authorization", Level: conformance.Should, Spec: "RFC 3875 section 9.2; RFC 3875",
		Quote: "This also applies to the Proxy-Authorization header field and the corresponding HTTP_PROXY_AUTHORIZATION " +
			"meta-variable.",
		Sends:  "a request with Proxy-Authorization",
		Passes: "does not set HTTP_PROXY_AUTHORIZATION",
		Run: test(func(t *T) {
			t.Get("/app/x", "Proxy-Authorization: Basic Ym9iOmdhbmd3YXk=").WantUnset("HTTP_PROXY_AUTHORIZATION")
		}),
	},
	{
		Name: "cgi/4.1.18/http-connection-removed", Level: conformance.May, Quote: quoteMayRemove,
		Sends:  "a request with Connection: close and Keep-Alive",
		Passes: "sets neither HTTP_CONNECTION nor HTTP_KEEP_ALIVE",
		Run: test(func(t *T) {
			x := t.Get("/app/x", "Connection: close", "Keep-Alive: 300")
			x.WantUnset("HTTP_CONNECTION")
			x.WantUnset("HTTP_KEEP_ALIVE")
		}),
	},
	{
		Name: "cgi/4.1.18/http-connection-nominated", Level: conformance.Security,
		Quote: "A client that names fields in Connection must not be able to take away what the server itself tells the " +
			"application.",
		Sends:  "a POST request with Connection: Content-Type, Content-Length, Host, Remote-Addr",
		Passes: "sets CONTENT_TYPE, CONTENT_LENGTH, REMOTE_ADDR and SERVER_NAME all the same, or refuses the request",
		Run: test(func(t *T) {
			x := t.Offer(t.Request("POST", "/app/x", "abc", "Content-Type: text/x",
				"Connection: Content-Type, Content-Length, Host, Remote-Addr"))
			if x != nil {
				x.WantBody("abc")
				x.Want("CONTENT_TYPE", "text/x")
				t.Check(x.Get("REMOTE_ADDR") != "", "REMOTE_ADDR is not set")
				t.Check(x.Get("SERVER_NAME") != "", "SERVER_NAME is not set")
			}
		}),
	},
	{
		Name: "cgi/4.1.18/http-te-trailer", Level: conformance.Robustness, Spec: "RFC 9112 section 7.1.2; RFC 3875",
		Quote: "A recipient MUST NOT merge a received trailer field into the header section unless its corresponding " +
			"header field definition explicitly permits and instructs how the trailer field value can be safely merged.",
		Sends:  "a chunked POST request with trailers X-T: 1 and X-Forwarded-User: root",
		Passes: "makes no variables of them, or refuses the request",
		Run: test(func(t *T) {
			trailer := "X-T: 1\r\nX-Forwarded-User: root\r\n\r\n"
			coded := strings.TrimSuffix(Chunked("abc", 3), "\r\n") + trailer
			if x := t.Offer(t.chunkedRequest(coded, "Trailer: X-T")); x != nil {
				x.WantBody("abc")
				x.WantUnset("HTTP_X_T")
				x.WantUnset("HTTP_X_FORWARDED_USER")
			}
		}),
	},
}

func cgi4118() []conformance.Case {
	cases := slices.Clone(cgi4118Fixed)
	for _, field := range []struct{ slug, sends, name string }{
		{"mapping", "X-Foo-Bar2: v", "HTTP_X_FOO_BAR2"},
		{"lowercase", "x-foo: v", "HTTP_X_FOO"},
	} {
		cases = append(cases, conformance.Case{
			Name: "cgi/4.1.18/http-" + field.slug, Level: conformance.Must, Quote: quoteFields,
			Sends: "a request with " + field.sends, Passes: "sets " + field.name + " to v",
			Run: test(func(t *T) { t.Get("/app/x", field.sends).Want(field.name, "v") }),
		})
	}
	return cases
}
