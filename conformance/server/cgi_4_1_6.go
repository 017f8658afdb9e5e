package server

import (
	"strings"

	"github.com/gangway-go/gangway/conformance"
)

var cgi416 = []conformance.Case{
	{
		Name: "cgi/4.1.6/path-translated", Level: conformance.Should,
		Quote:  "The server SHOULD set this meta-variable if the request URI includes a path-info component.",
		Sends:  "a request for /app/foo",
		Passes: "sets PATH_TRANSLATED to where /foo would be; beneath DOCUMENT_ROOT, if it sets that too",
		Run: test(func(t *T) {
			x := t.Get("/app/foo")
			path := x.Get("PATH_TRANSLATED")
			t.Check(path != "", "PATH_TRANSLATED is not set")
			root := strings.TrimSuffix(x.Get("DOCUMENT_ROOT"), "/")
			t.Check(strings.HasPrefix(path, root) && strings.HasSuffix(path, "/foo"), "PATH_TRANSLATED is %s", excerpt(path))
		}),
	},
	{
		Name: "cgi/4.1.6/path-translated-null", Level: conformance.Must,
		Quote:  "If PATH_INFO is NULL, then the PATH_TRANSLATED variable MUST be set to NULL (or unset).",
		Sends:  "a request for /app, which has no PATH_INFO",
		Passes: "leaves PATH_TRANSLATED unset or empty",
		Run:    test(func(t *T) { t.Get("/app").WantUnset("PATH_TRANSLATED") }),
	},
}
