package server

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/conformance"
	"github.com/gangway-go/gangway/conformance/faulty"
	"github.com/gangway-go/gangway/internal/killmatrix"
)

// TestKillMatrix runs all cases on all mutants, and runs only if it is asked for.
func TestKillMatrix(t *testing.T) {
	matrix := killmatrix.From("server.txt")
	if matrix == nil {
		return
	}
	t.Run("each", func(t *testing.T) {
		for _, fault := range faulty.Faults() {
			if !strings.HasPrefix(fault.Name, "gateway/") {
				continue
			}
			t.Run(fault.Name, func(t *testing.T) {
				t.Parallel()
				assert.NoError(t, matrix.Add(fault.Name, broken(t, fault), fault.Breaks, len(Cases()), len(Cases())))
			})
		}
	})
}

// broken are the cases that fail with the fault, each over the protocol for which it is.
func broken(t *testing.T, fault faulty.Fault) (names []string) {
	byScheme := map[string][]conformance.Case{}
	for _, c := range Cases() {
		c.DependsOn = nil
		byScheme[schemeFor(&c)] = append(byScheme[schemeFor(&c)], c)
	}
	for scheme, cases := range byScheme {
		report, err := conformance.Run(context.Background(), gateway(t, scheme, fault.Name), cases, usual)
		require.NoError(t, err)
		for i, r := range report.Results {
			if failed(&cases[i], r) {
				names = append(names, r.Name)
			}
		}
	}
	slices.Sort(names)
	return names
}
