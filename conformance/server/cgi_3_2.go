package server

import "github.com/gangway-go/gangway/conformance"

var cgi32 = []conformance.Case{
	{
		Name: "cgi/3.2/script-path-boundary", Level: conformance.Must,
		Quote: "For any particular request, the server will identify all or a leading part of this path with an individual " +
			"script, thus placing the script at a particular point in the path hierarchy.",
		Sends:  "a request for /application, where only /app is a script",
		Passes: "does not take the beginning of a path segment for the script",
		Run: test(func(t *T) {
			if x := t.OfferGet("/application"); x != nil {
				t.Check(x.Get("SCRIPT_NAME") != t.At("/app"), "SCRIPT_NAME is /app and PATH_INFO %s", excerpt(x.Get("PATH_INFO")))
			}
		}),
	},
}
