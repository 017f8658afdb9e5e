package server

import (
	"strings"

	"github.com/gangway-go/gangway/conformance"
)

var cgi411 = []conformance.Case{
	{
		Name: "cgi/4.1.1/auth-type-basic", Level: conformance.Must, Needs: []string{"basic"},
		Quote: "For HTTP, if the client request required authentication for external access, then the server MUST set the " +
			"value of this variable from the 'auth-scheme' token in the request Authorization header field.",
		Sends:  "a request for a protected script with the right password",
		Passes: "sets AUTH_TYPE to Basic",
		Run: test(func(t *T) {
			x := t.as("bob")
			t.Check(strings.EqualFold(x.Get("AUTH_TYPE"), "Basic"), "AUTH_TYPE is %s", excerpt(x.Get("AUTH_TYPE")))
		}),
	},
	{
		Name: "cgi/4.1.1/auth-type-unset", Level: conformance.Should,
		Quote:  "The AUTH_TYPE variable identifies any mechanism used by the server to authenticate the user.",
		Sends:  "a request for a script that is not protected, without credentials",
		Passes: "leaves AUTH_TYPE unset or empty",
		Run:    test(func(t *T) { t.Get("/app/x").WantUnset("AUTH_TYPE") }),
	},
	{
		Name: "cgi/4.1.1/auth-type-client-spoof", Level: conformance.Security,
		Quote: "An application that trusts AUTH_TYPE and REMOTE_USER takes a user for authenticated whose password nobody " +
			"checked.",
		Sends:  "a request with Authorization for a script that is not protected",
		Passes: "sets neither AUTH_TYPE nor REMOTE_USER",
		Run: test(func(t *T) {
			x := t.Get("/app/x", basic("root", "guess"))
			x.WantUnset("AUTH_TYPE")
			x.WantUnset("REMOTE_USER")
		}),
	},
}
