package app

import (
	"slices"

	"github.com/gangway-go/gangway/conformance"
)

// Cases returns all cases of the role: FastCGI, SCGI, uwsgi, each in the order of its specification. [Target.Cases] has
// those that fit a target.
func Cases() []conformance.Case {
	return slices.Concat(fcgiCases(), scgiCases(), uwsgiCases())
}

// fcgiCases has the cases of each section.
func fcgiCases() []conformance.Case {
	return slices.Concat(fcgi22, fcgi32(), fcgi33(), fcgi34(), fcgi35(), fcgi41(), fcgi42(),
		fcgi51(), fcgi52(), fcgi53(), fcgi54(), fcgi55(), fcgi61(), fcgi62(), fcgi63(), fcgi64(), fcgi7())
}

// protocol is what the target needs to know of the protocol that it speaks.
type protocol struct {
	name  string // as reports have it
	cases func() []conformance.Case
	// ask sends one plain GET with the query over a new connection, which it closes, and returns the response of the
	// program.
	ask func(t *T, query string) []byte
	// begin are the first bytes of a request: with them a connection is taken, and not yet served.
	begin string
}

func protocolOf(scheme string) protocol {
	switch scheme {
	case "fcgi":
		return protocol{"fastcgi", fcgiCases, (*T).fcgiAsk, "\x01\x01\x00\x01\x00\x08\x00\x00"}
	case "scgi":
		return protocol{"scgi", scgiCases, (*T).scgiAsk, "7"}
	default:
		return protocol{"uwsgi", uwsgiCases, (*T).uwsgiAsk, "\x00"}
	}
}
