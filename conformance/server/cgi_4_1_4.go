package server

import "github.com/gangway-go/gangway/conformance"

var cgi414 = []conformance.Case{
	{
		Name: "cgi/4.1.4/gateway-interface", Level: conformance.Must,
		Quote: "The GATEWAY_INTERFACE variable MUST be set to the dialect of CGI being used by the server to communicate " +
			"with the script.",
		Sends:  "a GET request",
		Passes: "sets GATEWAY_INTERFACE to CGI/1.1",
		Run:    test(func(t *T) { t.Get("/app/x").Want("GATEWAY_INTERFACE", "CGI/1.1") }),
	},
}
