package server

import (
	"net"

	"github.com/gangway-go/gangway/conformance"
)

const quotePort = "The SERVER_PORT variable MUST be set to the TCP/IP port number on which this request is received " +
	"from the client."

var cgi4115 = []conformance.Case{
	{
		Name: "cgi/4.1.15/server-port", Level: conformance.Must, Quote: quotePort,
		Sends:  "a GET request",
		Passes: "sets SERVER_PORT to the port that it listens on",
		Run:    test(func(t *T) { t.Get("/app/x").Want("SERVER_PORT", t.port()) }),
	},
	{
		Name: "cgi/4.1.15/server-port-not-from-host", Level: conformance.Security, Quote: quotePort,
		Sends:  "a request with Host: a.example:9999",
		Passes: "sets SERVER_PORT to the port that it listens on all the same",
		Run:    test(func(t *T) { t.Get("/app/x", "Host: a.example:9999").Want("SERVER_PORT", t.port()) }),
	},
}

// port is where the server listens.
func (t *T) port() string {
	_, port, err := net.SplitHostPort(t.host())
	if err != nil {
		return "80"
	}
	return port
}
