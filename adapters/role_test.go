package adapters_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/gangway-go/gangway/adapters"
)

func TestAuthorizerGetsNoScriptName(t *testing.T) {
	for role, want := range map[adapters.Role]bool{adapters.Responder: true, adapters.Authorizer: false} {
		found := false
		for name := range (&adapters.Request{Role: role}).All() {
			found = found || name == "SCRIPT_NAME"
		}
		assert.Equal(t, want, found, role)
	}
}
