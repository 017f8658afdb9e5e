package server

import (
	"time"

	"github.com/gangway-go/gangway/conformance"
)

const quoteUser = "If the client request required HTTP Authentication [5] (e.g., the AUTH_TYPE meta-variable is set " +
	"to \"Basic\" or \"Digest\"), then the value of the REMOTE_USER meta-variable MUST be set to the user-ID supplied."

// as asks for a protected script as a user with the right password.
func (t *T) as(user string) *Exchange {
	t.Grace(slowHash)
	return t.Get("/auth/x", basic(user, "gangway"))
}

// slowHash is how long a server may take to check a password: some make that slow on purpose.
const slowHash = 3 * time.Second

var cgi4111 = []conformance.Case{
	{
		Name: "cgi/4.1.11/remote-user", Level: conformance.Must, Quote: quoteUser, Needs: []string{"basic"},
		Sends:  "a request for a protected script as user bob with his password",
		Passes: "sets REMOTE_USER to bob",
		Run:    test(func(t *T) { t.as("bob").Want("REMOTE_USER", "bob") }),
	},
	{
		Name: "cgi/4.1.11/remote-user-utf8", Level: conformance.Robustness, Quote: quoteUser, Needs: []string{"basic"},
		Sends:  "a request for a protected script as user jos\u00e9, in UTF-8, with his password",
		Passes: "sets REMOTE_USER to the same bytes",
		Run:    test(func(t *T) { t.as("jos\u00e9").Want("REMOTE_USER", "jos\u00e9") }),
	},
	{
		Name: "cgi/4.1.11/remote-user-spoof", Level: conformance.Security,
		Quote:  "An application that trusts REMOTE_USER lets in whoever can set it.",
		Sends:  "a request with fields Remote-User, Remote_User and REMOTE_USER",
		Passes: "does not set REMOTE_USER",
		Run: test(func(t *T) {
			if x := t.OfferGet("/app/x", "Remote-User: root", "Remote_User: root", "REMOTE_USER: root"); x != nil {
				x.WantUnset("REMOTE_USER")
			}
		}),
	},
}
