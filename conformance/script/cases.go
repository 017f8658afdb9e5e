package script

import (
	"slices"

	"github.com/gangway-go/gangway/conformance"
)

// Cases returns all cases of the role, in the order of RFC 3875.
func Cases() []conformance.Case {
	return slices.Concat(
		variableCases(), bodyLengthCases(), urlVariableCases(), bodyCases, methodCases(), argumentCases(),
		nphCases(),
		outputCases, redirectCases, headerCases, fieldCases(), responseBodyCases(),
		unixCases(), signalCases(),
		pathCases(), clientDataCases(), resourceCases(), commandCases(),
	)
}
