//go:build !race

package allocations_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/gangway-go/gangway/adapters"
)

// atMost is how many allocations asking a FastCGI application may cost, HTTP included. The race detector adds some, as it
// has sync.Pool forget.
const atMost = 8

func TestAllocations(t *testing.T) {
	assert.LessOrEqual(t, testing.AllocsPerRun(500, connect(t, own(client(t)))), float64(atMost))
}

// The same in a middleware that keeps slow clients from holding the application.
func TestAllocationsWithBodies(t *testing.T) {
	app := new(adapters.Bodies).Wrap(adapters.BodyAuto)(client(t))
	assert.LessOrEqual(t, testing.AllocsPerRun(500, connect(t, own(app))), float64(atMost))
}
