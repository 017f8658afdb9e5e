package server

import (
	"slices"
	"strings"

	"github.com/gangway-go/gangway/conformance"
)

const quoteDots = "The server should be careful of \"..\" path segments in the request URI. These should be removed " +
	"or resolved in the request URI before it is split into the script-path and extra-path."

var cgi415Security = []conformance.Case{
	{
		Name: "cgi/4.1.5/path-info-encoded-slash", Level: conformance.Security,
		Quote: "That MAY include any requests that would result in an encoded \"/\" being decoded into PATH_INFO, as this " +
			"might represent a loss of information to the script.",
		Sends:  "a request for /app/a%2Fb",
		Passes: "does not take it, or passes the slash decoded or as it is and leaves REQUEST_URI, if it sets it, as it was",
		Run: test(func(t *T) {
			if x := t.OfferGet("/app/a%2Fb"); x != nil {
				x.Want("PATH_INFO", "/a/b", "/a%2Fb")
				x.WantRaw("/app/a%2Fb")
			}
		}),
	},
	{
		Name: "cgi/4.1.5/path-info-dotdot", Level: conformance.Security, Quote: quoteDots,
		Sends:  "requests for /app/../../etc/passwd, with the dots and slashes encoded in several ways",
		Passes: "does not take them, or sets PATH_INFO and PATH_TRANSLATED to paths that stay beneath the root",
		Run: test(func(t *T) {
			t.beneath("/app/../../etc/passwd", "/app/%2e%2e/%2e%2e/etc/passwd", "/app/%2e%2e%2f%2e%2e%2fetc/passwd",
				"/app/..%2f..%2fetc/passwd", "/app/.%2e/%2E./etc/passwd", "/app/x/../../../etc/passwd")
		}),
	},
	{
		Name: "cgi/4.1.5/path-info-backslash", Level: conformance.Security, Quote: quoteDots,
		Sends:  "a request for /app/..%5c..%5cetc",
		Passes: "does not take it, or leaves the backslashes what they are: no separators",
		Run: test(func(t *T) {
			if x := t.OfferGet("/app/..%5c..%5cetc"); x != nil {
				x.Want("PATH_INFO", `/..\..\etc`)
			}
		}),
	},
	{
		Name: "cgi/4.1.5/path-info-overlong-utf8", Level: conformance.Security,
		Quote: "A dot or a slash that is hidden in an overlong form of UTF-8 must not become one after the path has been " +
			"checked.",
		Sends:  "a request for /app/%C0%AE%C0%AE%C0%AFetc",
		Passes: "does not take it, or passes the bytes as they are",
		Run: test(func(t *T) {
			if x := t.OfferGet("/app/%C0%AE%C0%AE%C0%AFetc"); x != nil {
				x.Want("PATH_INFO", "/\xc0\xae\xc0\xae\xc0\xafetc")
			}
		}),
	},
	{
		Name: "cgi/4.1.5/path-info-nul", Level: conformance.Security, Spec: "RFC 3875 section 7.2; RFC 3875",
		Quote: "The US-ASCII character set [9], excluding NUL, is used for the definition of meta-variables, header fields " +
			"and CHAR values",
		Sends:  "a request for /app/a%00b",
		Passes: "does not take it, or leaves it encoded",
		Run: test(func(t *T) {
			if x := t.OfferGet("/app/a%00b"); x != nil {
				x.Want("PATH_INFO", "/a%00b")
			}
		}),
	},
	{
		Name: "cgi/4.1.5/path-info-crlf", Level: conformance.Security,
		Quote:  "A decoded line break that is copied into a header makes a header field of the attacker's.",
		Sends:  "a request for /app/a%0d%0aX-Injected:1",
		Passes: "does not take it, or makes no field and no variable of what follows the line break",
		Run: test(func(t *T) {
			x, r := t.Do(t.Request("GET", "/app/a%0d%0aX-Injected:1", ""), OK)
			t.Check(r.Get("X-Injected") == "", "the response has a field X-Injected")
			if x == nil {
				t.Refusal(r, 300)
				return
			}
			t.Check(!slices.Contains(x.withPrefix("HTTP_"), "HTTP_X_INJECTED"), "there is a variable HTTP_X_INJECTED")
		}),
	},
	{
		Name: "cgi/4.1.5/script-split-php-extension", Level: conformance.Security, Needs: []string{"php"},
		Quote: "Where a path has two segments that end in .php, only the first can be the script: the second may be what " +
			"an attacker has uploaded.",
		Sends:  "a request for /a.php/b.php/c",
		Passes: "sets SCRIPT_NAME to /a.php and PATH_INFO to /b.php/c",
		Run: test(func(t *T) {
			x := t.Get("/a.php/b.php/c")
			x.Want("SCRIPT_NAME", "/a.php")
			x.Want("PATH_INFO", "/b.php/c")
		}),
	},
	{
		Name: "cgi/4.1.5/script-split-nonexistent", Level: conformance.Security, Needs: []string{"php"},
		Quote:  "PHP with cgi.fix_pathinfo runs the image if it gets a path to a file that does not exist and ends in .php.",
		Sends:  "a request for /img.jpg/x.php, where /img.jpg is a file",
		Passes: "does not hand it to the application",
		Run:    test(func(t *T) { t.withheld("/img.jpg/x.php") }),
	},
	{
		Name: "cgi/4.1.5/script-split-unicode-fold", Level: conformance.Security, Needs: []string{"php"},
		Quote: "Characters that only a Unicode case fold or normalisation makes equal to .php are part of other files' " +
			"names.",
		Sends:  "a request for /a.%EF%BD%90hp, whose p is a full-width letter",
		Passes: "does not hand it to the application",
		Run:    test(func(t *T) { t.withheld("/a.%EF%BD%90hp") }),
	},
}

// withheld makes sure that the application is not asked for the path; a server may have a file there.
func (t *T) withheld(path string) {
	x, r := t.Do(t.Request("GET", path, ""), OK)
	t.Check(x == nil, "the application got the request")
	t.Valid(r)
}

// beneath makes sure that none of the paths leads out of the root.
func (t *T) beneath(paths ...string) {
	for _, path := range paths {
		x, r := t.Do(t.Request("GET", path, ""), OK)
		t.Check(!strings.Contains(string(r.Body), "root:"), "%s gives the file", path)
		if x == nil {
			t.Refusal(r, 300)
			continue
		}
		for _, name := range []string{"PATH_INFO", "PATH_TRANSLATED", "SCRIPT_NAME", "SCRIPT_FILENAME"} {
			above := slices.Contains(strings.FieldsFunc(x.Get(name), func(c rune) bool { return c == '/' || c == '\\' }), "..")
			t.Check(!above, "%s: %s is %s", path, name, excerpt(x.Get(name)))
		}
		t.Check(x.Get("PATH_TRANSLATED") != "/etc/passwd", "%s: PATH_TRANSLATED is /etc/passwd", path)
	}
}
