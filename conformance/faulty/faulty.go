// Package faulty has peers for the cases of package conformance to prove themselves on: applications, a gateway and a CGI program
// that are right, and mutants of them with exactly one fault each. Every case must pass with the right peer, and must not with
// the mutants that break its requirement; a case for which that does not hold says nothing about anybody's program.
//
// The peers share the alphabets fastcgi/wire, scgi/wire and scgi/uwsgi with the rest of the project and nothing else, so that
// an error in gangway's servers and clients cannot hide itself here.
package faulty

import "slices"

// Fault is one deviation of one peer.
type Fault struct {
	Name   string   // peer/slug
	Does   string   // what the mutant does, a sentence
	Breaks []string // the cases whose requirement it breaks: none of them may pass
}

// Faults returns all faults of all peers.
func Faults() []Fault {
	return slices.Concat(scriptFaults, scgiAppFaults, uwsgiAppFaults,
		fcgiAppFaultsA, fcgiAppFaultsB, fcgiAppFaultsC, gatewayRequestFaults, gatewayVariableFaults(), gatewayResponseFaults(),
		gatewaySpeechFaults())
}
