package faulty

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestFaults(t *testing.T) {
	seen := map[string]bool{}
	for _, f := range Faults() {
		assert.False(t, seen[f.Name], "two faults are called %s", f.Name)
		seen[f.Name] = true
		peer, slug, ok := strings.Cut(f.Name, "/")
		assert.True(t, ok && peer != "" && slug != "", "%s", f.Name)
		assert.NotEmpty(t, f.Does, "%s", f.Name)
		assert.NotEmpty(t, f.Breaks, "%s", f.Name)
	}
}
