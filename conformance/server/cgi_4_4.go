package server

import (
	"strings"

	"github.com/gangway-go/gangway/conformance"
)

const quoteLine = "This is only used in the case of an 'indexed' HTTP query, which is identified by a 'GET' or " +
	"'HEAD' request with a URI query string that does not contain any unencoded \"=\" characters."

var cgi44 = []conformance.Case{
	{
		Name: "cgi/4.4/cmdline-isindex", Level: conformance.Should, Needs: []string{"exec"}, Quote: quoteLine,
		Sends: "requests for /app?a+b%20c and /app?a=b+c",
		Passes: "runs the program with the arguments \"a\" and \"b c\", or \"b\\ c\", for the first, and without arguments " +
			"for the second",
		Run: test(func(t *T) {
			x := t.Get("/app?a+b%20c")
			args := strings.ReplaceAll(strings.Join(x.Args, "|"), `\`, "")
			t.Check(args == "a|b c", "the arguments are %q", x.Args)
			x = t.Get("/app?a=b+c")
			t.Check(len(x.Args) == 0, "the arguments of the second are %q", x.Args)
		}),
	},
	{
		Name: "cgi/4.4/cmdline-dash-injection", Level: conformance.Security, Needs: []string{"exec"},
		Quote:  "An interpreter takes a word that begins with a hyphen for an option (CVE-2012-1823, CVE-2024-4577).",
		Sends:  "requests for /app?-s, /app?-d+allow_url_include%3d1, /app?%2ds, /app?a+-s and /app?%AD-s",
		Passes: "runs the program without an argument that begins with a hyphen, or a soft one",
		Run: test(func(t *T) {
			for _, query := range []string{"-s", "-d+allow_url_include%3d1", "%2ds", "a+-s", "%ADs"} {
				x := t.OfferGet("/app?" + query)
				for i := 0; x != nil && i < len(x.Args); i++ {
					first := strings.TrimPrefix(x.Args[i], `\`)
					option := strings.HasPrefix(first, "-") || strings.HasPrefix(first, "\xad")
					t.Check(!option, "the arguments for ?%s are %q", query, x.Args)
				}
			}
		}),
	},
	{
		Name: "cgi/4.4/cmdline-shell-metachar", Level: conformance.Security, Needs: []string{"exec"},
		Spec:   "RFC 3875 section 7.2; RFC 3875",
		Quote:  "The words have any characters which are 'active' in the Bourne shell escaped with a backslash.",
		Sends:  "requests for /app?a;id, /app?a%60id%60, /app?$(id) and /app?a%0aid",
		Passes: "runs the program without arguments, or with the active characters escaped",
		Run: test(func(t *T) {
			for _, query := range []string{"a;id", "a%60id%60", "$(id)", "a%0aid"} {
				x := t.OfferGet("/app?" + query)
				for i := 0; x != nil && i < len(x.Args); i++ {
					t.Check(escaped(x.Args[i]), "the arguments for ?%s are %q", query, x.Args)
				}
			}
		}),
	},
}

// escaped says whether each character that is active in the Bourne shell has a backslash before it.
func escaped(word string) bool {
	for i := 0; i < len(word); i++ {
		if word[i] == '\\' {
			i++
		} else if strings.IndexByte("&;`'\"|*?~<>^()[]{}$\n", word[i]) >= 0 {
			return false
		}
	}
	return true
}
