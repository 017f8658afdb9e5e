package server

import "github.com/gangway-go/gangway/conformance"

const quoteType = "The server MUST set this meta-variable if an HTTP Content-Type field is present in the client " +
	"request header."

func cgi413() []conformance.Case {
	const mediaType = `Multipart/form-data; boundary="a;b = c";  Charset=UTF-8`
	return []conformance.Case{
		{
			Name: "cgi/4.1.3/content-type-copied", Level: conformance.Must, Quote: quoteType,
			Sends:  "a POST request with Content-Type: " + mediaType,
			Passes: "sets CONTENT_TYPE to just that",
			Run:    test(func(t *T) { t.Post("/app/x", "abc", "Content-Type: "+mediaType).Want("CONTENT_TYPE", mediaType) }),
		},
		{
			Name: "cgi/4.1.3/content-type-get", Level: conformance.Must, Quote: quoteType,
			Sends:  "a GET request without a body, but with Content-Type: text/x",
			Passes: "sets CONTENT_TYPE to text/x",
			Run:    test(func(t *T) { t.Get("/app/x", "Content-Type: text/x").Want("CONTENT_TYPE", "text/x") }),
		},
		{
			Name: "cgi/4.1.3/content-type-absent", Level: conformance.Should,
			Quote: "If the server receives a request with an attached entity but no Content-Type header field, it MAY attempt " +
				"to determine the correct content type, otherwise it should omit this meta-variable.",
			Sends:  "a POST request without Content-Type",
			Passes: "leaves CONTENT_TYPE unset or empty",
			Run:    test(func(t *T) { t.Post("/app/x", "abc").WantUnset("CONTENT_TYPE") }),
		},
		{
			Name: "cgi/4.1.3/content-type-twice", Level: conformance.Security,
			Quote: "Of two types, a check in front of the application reads one and the application the other.",
			Sends: "a POST request with Content-Type: text/plain and Content-Type: application/json",
			Passes: "refuses it, or sets CONTENT_TYPE once, to one of the two or to both in a list, which is no media type " +
				"that anybody takes for one of them",
			Run: test(func(t *T) {
				x := t.Offer(t.Request("POST", "/app/x", "{}", "Content-Type: text/plain", "Content-Type: application/json"))
				if x != nil {
					x.Want("CONTENT_TYPE", "text/plain", "application/json", "text/plain, application/json",
						"text/plain,application/json")
				}
			}),
		},
	}
}
