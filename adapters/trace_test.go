package adapters_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/gangway-go/gangway/adapters"
)

func TestTraceUser(t *testing.T) {
	var none *adapters.Trace
	none.Authenticated("bob")
	assert.Empty(t, none.User())

	var trace adapters.Trace
	trace.Authenticated("bob")
	trace.Attempt("php")
	assert.Equal(t, "bob", trace.User())
}
