package script

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/gangway-go/gangway/conformance"
)

// The limits hold soon after the start of a program.
func TestLimit(t *testing.T) {
	target := shell(t, hello+"while [ $(ulimit -n) != 1024 ]; do :; done; ulimit -c; ulimit -t")
	result := try(t, target, func(ct *T) {
		body := string(ct.send(ct.request("GET")).body)
		ct.Check(body == "0\n60\n", "%q", body)
	})
	assert.Equal(t, conformance.Pass, result.Outcome, result.Got)
}
