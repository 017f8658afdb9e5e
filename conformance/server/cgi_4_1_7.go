package server

import (
	"slices"
	"strings"

	"github.com/gangway-go/gangway/conformance"
)

const (
	quoteQuery      = "The QUERY_STRING variable contains a URL-encoded search or parameter string"
	quoteEmptyQuery = "The server MUST set this variable; if the Script-URI does not include a query component, the " +
		"QUERY_STRING MUST be defined as an empty string (\"\")."
)

var cgi417Fixed = []conformance.Case{
	{
		Name: "cgi/4.1.7/query-string-8k", Level: conformance.Robustness,
		Quote:  "An application that gets a part of the query answers another question.",
		Sends:  "a query of 8 KB",
		Passes: "sets QUERY_STRING to all of it, or refuses the request",
		Run: test(func(t *T) {
			query := strings.Repeat("q=12345&", 1024)
			if x := t.OfferGet("/app/x?" + query); x != nil {
				x.Want("QUERY_STRING", query)
			}
		}),
	},
	{
		Name: "cgi/4.1.7/query-string-encoded-nul", Level: conformance.Must, Quote: quoteQuery,
		Sends:  "the query a=%00%0d%0a",
		Passes: "sets QUERY_STRING to just that, or refuses the request",
		Run: test(func(t *T) {
			if x := t.OfferGet("/app?a=%00%0d%0a"); x != nil {
				x.Want("QUERY_STRING", "a=%00%0d%0a")
			}
		}),
	},
	{
		Name: "cgi/4.1.7/query-string-raw-bytes", Level: conformance.Robustness,
		Quote: "When parsing and decoding the query string, the details of the parsing, reserved characters and support " +
			"for non US-ASCII characters depends on the context.",
		Sends:  "a query with the bytes C3 A9, not encoded",
		Passes: "passes them as they are or encoded, or refuses the request",
		Run: test(func(t *T) {
			if x := t.OfferGet("/app/x?a=\xc3\xa9"); x != nil {
				x.Want("QUERY_STRING", "a=\xc3\xa9", "a=%C3%A9", "a=%c3%a9")
			}
		}),
	},
	{
		Name: "cgi/4.1.7/query-string-fragment", Level: conformance.Robustness, Spec: "RFC 9112 section 3.2.1; RFC 3875",
		Quote:  "origin-form = absolute-path [ \"?\" query ]",
		Sends:  "the target /app/x?a#b, with a fragment, which a target cannot have",
		Passes: "refuses the request, drops the fragment, or encodes the number sign",
		Run: test(func(t *T) {
			if x := t.OfferGet("/app/x?a#b"); x != nil {
				x.Want("QUERY_STRING", "a", "a%23b")
			}
		}),
	},
}

func cgi417() []conformance.Case {
	cases := slices.Clone(cgi417Fixed)
	for _, query := range []struct{ slug, quote, target, becomes string }{
		{"", quoteQuery, "/app?a=b&c=%20", "a=b&c=%20"},
		{"-empty", quoteEmptyQuery, "/app", ""},
		{"-bare-mark", quoteEmptyQuery, "/app?", ""},
		{"-second-mark", quoteQuery, "/app?a?b", "a?b"},
	} {
		passes := "sets QUERY_STRING to " + query.becomes
		if query.becomes == "" {
			passes = "sets QUERY_STRING to an empty string"
		}
		cases = append(cases, conformance.Case{
			Name: "cgi/4.1.7/query-string" + query.slug, Level: conformance.Must, Quote: query.quote,
			Sends: "a request for " + query.target, Passes: passes,
			Run: test(func(t *T) { t.Get(query.target).Want("QUERY_STRING", query.becomes) }),
		})
	}
	return cases
}
