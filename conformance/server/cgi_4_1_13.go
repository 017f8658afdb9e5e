package server

import (
	"fmt"
	"strings"

	"github.com/gangway-go/gangway/conformance"
)

const quoteScript = "The SCRIPT_NAME variable MUST be set to a URI path (not URL-encoded) which could identify the " +
	"CGI script (rather than the script's output)."

var cgi4113 = []conformance.Case{
	{
		Name: "cgi/4.1.13/script-name", Level: conformance.Must, Quote: quoteScript,
		Sends:  "a request for /app/x",
		Passes: "sets SCRIPT_NAME to /app",
		Run:    test(func(t *T) { t.Get("/app/x").Want("SCRIPT_NAME", t.At("/app")) }),
	},
	{
		Name: "cgi/4.1.13/script-name-decoded", Level: conformance.Must, Quote: quoteScript,
		Sends:  "a request for /%61pp/x",
		Passes: "sets SCRIPT_NAME to /app and PATH_INFO to /x, or does not take it for the script's path",
		Run: test(func(t *T) {
			if x := t.OfferGet("/%61pp/x"); x != nil {
				x.Want("SCRIPT_NAME", t.At("/app"))
				x.Want("PATH_INFO", "/x")
			}
		}),
	},
	{
		Name: "cgi/4.1.13/script-uri-roundtrip", Level: conformance.Must, Spec: "RFC 3875 section 3.3; RFC 3875",
		Quote: "This MUST have the property that if the client had accessed this URI instead, then the script would have " +
			"been executed with the same values for the SCRIPT_NAME, PATH_INFO and QUERY_STRING meta-variables.",
		Sends:  "a request for /app/a%20b%3Fc/%25d?x=%41+y, and then one for the Script-URI that the variables make",
		Passes: "sets SCRIPT_NAME, PATH_INFO and QUERY_STRING to the same values both times",
		Run: test(func(t *T) {
			x := t.Get("/app/a%20b%3Fc/%25d?x=%41+y")
			uri := encodePath(x.Get("SCRIPT_NAME") + x.Get("PATH_INFO"))
			if query := x.Get("QUERY_STRING"); query != "" {
				uri += "?" + query
			}
			again := t.Get(uri)
			for _, name := range []string{"SCRIPT_NAME", "PATH_INFO", "QUERY_STRING"} {
				t.Check(again.Get(name) == x.Get(name), "%s is %s with %s", name, excerpt(again.Get(name)), uri)
			}
			t.Check(x.Get("PATH_INFO") == "/a b?c/%d", "PATH_INFO is %s", excerpt(x.Get("PATH_INFO")))
		}),
	},
}

// encodePath URL-encodes a path as section 3.3 wants it.
func encodePath(path string) string {
	var b strings.Builder
	for i := range len(path) {
		c := path[i]
		plain := 'a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9' || strings.IndexByte("/-_.!~*'():@&+$,", c) >= 0
		if plain {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}
