package app

import (
	"strings"

	"github.com/gangway-go/gangway/conformance"
)

// fcgi63 has the cases of FastCGI 1.0 section 6.3, Authorizer.
func fcgi63() []conformance.Case {
	const quote = "The Authorizer application sends stdout and stderr data in the same manner as a Responder."
	return []conformance.Case{{
		Name: "fcgi/6.3/authorizer-200", Level: conformance.May, Echo: true,
		Quote:  "An Authorizer application's 200 response may include headers whose names are prefixed with Variable-.",
		Sends:  "a request in the role Authorizer",
		Passes: "answers status 200 with Variable-ECHO",
		Run: test(func(t *T) {
			c, r := t.Connect(), t.Authorizer()
			c.Send(r.Begin(), r.Params())
			response := c.Response(1)
			t.Check(t.played(response), "it does not play the role")
			reply := t.Reply(response.stdout)
			t.Check(reply.status == 200, "status %d", reply.status)
			t.Check(reply.field("Variable-ECHO") == "1", "the fields %q", reply.fields)
		}),
	}, {
		Name: "fcgi/6.3/authorizer-with-stdin", Quote: quote, Level: conformance.Robustness,
		DependsOn: []string{keepCase},
		Sends: "a request in the role Authorizer with an empty FCGI_STDIN, as some servers send it, and a plain one " +
			"behind it",
		Passes: "serves both, or does not play the role and serves the other",
		Run: test(func(t *T) {
			c, r := t.Connect(), t.Authorizer().Keep()
			c.Send(r.Bytes())
			t.played(c.Response(1))
			c.Ask(t.Get("").As(2))
		}),
	}, {
		Name: "fcgi/6.3/authorizer-then-responder", Level: conformance.Must, Echo: true, DependsOn: []string{keepCase},
		Quote:  "The role component sets the role the Web server expects the application to play.",
		Sends:  "a request in the role Authorizer and one in the role Responder over the same connection",
		Passes: "plays for each request its role, and for the second that of a Responder",
		Run: test(func(t *T) {
			c, r := t.Connect(), t.Authorizer().Keep()
			c.Send(r.Bytes())
			t.played(c.Response(1))
			e := t.Echo(c.Ask(t.Post("", []byte("abc"))).stdout)
			t.CheckBody(e, []byte("abc"))
			t.Check(!strings.EqualFold(strings.Join(e.Values("FCGI_ROLE"), ""), "AUTHORIZER"), "FCGI_ROLE is still "+
				"AUTHORIZER")
		}),
	}}
}
