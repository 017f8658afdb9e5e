package server

import (
	"slices"
	"strings"

	"github.com/gangway-go/gangway/conformance"
)

const (
	quotePathInfo = "Unlike a URI path, the PATH_INFO is not URL-encoded, and cannot contain path-segment parameters."
	quotePathCase = "The value is considered case-sensitive and the server MUST preserve the case of the path as " +
		"presented in the request URI."
	quoteSegments = "define any restrictions on allowed path segments, in particular whether non-terminal NULL segments " +
		"are permitted"
	quotePathCut = "An application that gets a part of the path, or another one, answers for another resource."
)

// cgi415 are the cases about PATH_INFO; those about attacks are in cgi415Security.
var cgi415Fixed = []conformance.Case{
	{
		Name: "cgi/4.1.5/path-info-empty", Level: conformance.Must,
		Quote: "identifies the resource or sub-resource to be returned by the CGI script, and is derived from the portion " +
			"of the URI path hierarchy following the part that identifies the script itself.",
		Sends:  "a request for /app",
		Passes: "leaves PATH_INFO unset or empty",
		Run:    test(func(t *T) { t.Get("/app").WantUnset("PATH_INFO") }),
	},
	{
		Name: "cgi/4.1.5/path-info-semicolon-params", Level: conformance.Should,
		Quote: "URL-encoded, the PATH_INFO string forms the extra-path component of the Script-URI (see section 3.3) " +
			"which follows the SCRIPT_NAME part of that path.",
		Sends:  "a request for /app/a;v=1/b",
		Passes: "sets PATH_INFO to /a;v=1/b, and REQUEST_URI, if at all, to the target",
		Run: test(func(t *T) {
			x := t.Get("/app/a;v=1/b")
			x.Want("PATH_INFO", "/a;v=1/b")
			x.WantRaw("/app/a;v=1/b")
		}),
	},
	{
		Name: "cgi/4.1.5/path-info-double-slash", Level: conformance.Robustness, Quote: quoteSegments,
		Sends:  "a request for /app//a///b",
		Passes: "sets PATH_INFO to that path, with or without the empty segments, or does not take it",
		Run: test(func(t *T) {
			if x := t.OfferGet("/app//a///b"); x != nil {
				segments := strings.FieldsFunc(x.Get("PATH_INFO"), func(c rune) bool { return c == '/' })
				t.Check(strings.Join(segments, "/") == "a/b", "PATH_INFO is %s", excerpt(x.Get("PATH_INFO")))
			}
		}),
	},
	{
		Name: "cgi/4.1.5/path-info-dots", Level: conformance.Robustness,
		Quote: "define the behaviour for \".\" or \"..\" path segments; i.e., whether they are prohibited, treated as " +
			"ordinary path segments or interpreted in accordance with the relative URL specification",
		Sends:  "a request for /app/a/./b/../c",
		Passes: "sets PATH_INFO to /a/c or to the path as it is, or does not take it",
		Run: test(func(t *T) {
			if x := t.OfferGet("/app/a/./b/../c"); x != nil {
				x.Want("PATH_INFO", "/a/c", "/a/./b/../c")
			}
		}),
	},
	{
		Name: "cgi/4.1.5/path-info-invalid-utf8", Level: conformance.Robustness,
		Quote:  "Similarly, treatment of non US-ASCII characters in the path is system-defined.",
		Sends:  "a request for /app/%FF%FE",
		Passes: "sets PATH_INFO to a slash and these two bytes, or does not take the path; it does not replace them",
		Run: test(func(t *T) {
			if x := t.OfferGet("/app/%FF%FE"); x != nil {
				x.Want("PATH_INFO", "/\xff\xfe")
			}
		}),
	},
	{
		Name: "cgi/4.1.5/path-info-bad-escape", Level: conformance.Robustness,
		Quote: "In a URL-encoded string an escape sequence consists of a percent character (\"%\") followed by two " +
			"hexadecimal digits",
		Sends:  "requests for /app/a%zz and /app/a%4",
		Passes: "does not take them, or leaves the percent character as it is",
		Run: test(func(t *T) {
			for _, info := range []string{"/a%zz", "/a%4"} {
				if x := t.OfferGet("/app" + info); x != nil {
					x.Want("PATH_INFO", info)
				}
			}
		}),
	},
	{
		Name: "cgi/4.1.5/path-info-8k", Level: conformance.Robustness, Quote: quotePathCut,
		Sends:  "a request with a path of 8 KB",
		Passes: "sets PATH_INFO to all of it, or refuses the request",
		Run: test(func(t *T) {
			info := strings.Repeat("/segment", 1024)
			if x := t.OfferGet("/app" + info); x != nil {
				x.Want("PATH_INFO", info)
			}
		}),
	},
}

func cgi415() []conformance.Case {
	cases := slices.Clone(cgi415Fixed)
	for _, info := range []struct {
		slug          string
		level         conformance.Level
		quote         string
		path, becomes string
	}{
		{"basic", conformance.Must, quotePathInfo, "/app/foo/bar", "/foo/bar"},
		{"slash", conformance.Must, "A PATH_INFO of \"/\" represents a single void path segment.", "/app/", "/"},
		{"decoded", conformance.Must, quotePathInfo, "/app/this%2eis%2epath%3binfo", "/this.is.path;info"},
		{"double-encoded", conformance.Must, quotePathInfo, "/app/a%2520b", "/a%20b"},
		{"case", conformance.Must, quotePathCase, "/app/FoO", "/FoO"},
		{"plus", conformance.Must, quotePathInfo, "/app/a+b", "/a+b"},
		{"utf8", conformance.Robustness, quotePathCut, "/app/%C3%A9", "/\u00e9"},
	} {
		cases = append(cases, conformance.Case{
			Name: "cgi/4.1.5/path-info-" + info.slug, Level: info.level, Quote: info.quote,
			Sends: "a request for " + info.path, Passes: "sets PATH_INFO to " + info.becomes,
			Run: test(func(t *T) { t.Get(info.path).Want("PATH_INFO", info.becomes) }),
		})
	}
	return cases
}
