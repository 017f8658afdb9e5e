package server

import "github.com/gangway-go/gangway/conformance"

var cgi4110 = []conformance.Case{
	{
		Name: "cgi/4.1.10/remote-ident", Level: conformance.May,
		Quote: "The REMOTE_IDENT variable MAY be used to provide identity information reported about the connection by an " +
			"RFC 1413 [20] request to the remote agent, if available.",
		Sends:  "a GET request, from a host without an ident server",
		Passes: "leaves REMOTE_IDENT unset or empty",
		Run:    test(func(t *T) { t.Get("/app/x").WantUnset("REMOTE_IDENT") }),
	},
}
