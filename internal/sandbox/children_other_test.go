//go:build !linux

package sandbox

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

var children map[string]func() any

func TestUnsupported(t *testing.T) {
	_, err := NewSpawner(Policy{Profile: Standard})
	assert.ErrorIs(t, err, ErrUnsupported)
}
