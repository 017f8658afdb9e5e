package script

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/gangway-go/gangway/conformance"
)

// The limits hold soon after the start of a program.
func TestLimit(t *testing.T) {
	target := shell(t, hello+`until [ "$(ulimit -n) $(ulimit -c) $(ulimit -t)" = "1024 0 60" ]; do :; done`)
	result := try(t, target, func(ct *T) { ct.answers(ct.send(ct.request("GET"))) })
	assert.Equal(t, conformance.Pass, result.Outcome, result.Got)
}
