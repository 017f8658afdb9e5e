package server

import (
	"slices"

	"github.com/gangway-go/gangway/conformance"
)

// fcgiCases are the cases of FastCGI 1.0.
func fcgiCases() []conformance.Case {
	return slices.Concat(fcgi3, fcgi3Answers, fcgi3Kept, fcgi3Cut(), fcgi4, fcgi51, fcgi52, fcgi55, fcgi55Dead,
		fcgi61, fcgi62, fcgi63, fcgi64)
}
