package server

import (
	"context"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/conformance"
	"github.com/gangway-go/gangway/conformance/faulty"
	"github.com/gangway-go/gangway/internal/killmatrix"
)

// TestKillMatrix runs all cases on all mutants, and runs only if it is asked for. What does not come out as meant is looked
// at again at the end, with nothing beside it: some cases look at the memory and the children of this process, and others
// at the time or at which connection is used again.
func TestKillMatrix(t *testing.T) {
	matrix := killmatrix.From("server.txt")
	if matrix == nil {
		return
	}
	note := func(fault faulty.Fault, broken []string) error {
		return matrix.Add(fault.Name, broken, fault.Breaks, len(Cases()), len(Cases()))
	}
	var found sync.Map
	t.Run("each", func(t *testing.T) {
		for _, fault := range gatewayFaults() {
			t.Run(fault.Name, func(t *testing.T) {
				t.Parallel()
				names := broken(t, fault, Cases(), usual)
				found.Store(fault.Name, names)
				note(fault, names) // so that nothing is lost
			})
		}
	})
	for _, fault := range gatewayFaults() {
		t.Run(fault.Name, func(t *testing.T) {
			names, _ := found.Load(fault.Name)
			if names == nil {
				return
			}
			var sure []string
			var doubtful, missed []conformance.Case
			for _, c := range Cases() {
				switch failed, meant := slices.Contains(names.([]string), c.Name), slices.Contains(fault.Breaks, c.Name); {
				case failed && meant:
					sure = append(sure, c.Name)
				case failed:
					doubtful = append(doubtful, c)
				case meant:
					missed = append(missed, c)
				}
			}
			again := slices.Concat(broken(t, fault, doubtful, patient), broken(t, fault, missed, hasty))
			assert.NoError(t, note(fault, append(sure, again...)))
		})
	}
}

// broken are the cases that fail with the fault, each over the protocol for which it is.
func broken(t *testing.T, fault faulty.Fault, cases []conformance.Case, options conformance.Options) (names []string) {
	byScheme := map[string][]conformance.Case{}
	for _, c := range cases {
		c.DependsOn = nil
		byScheme[schemeFor(&c)] = append(byScheme[schemeFor(&c)], c)
	}
	for scheme, cases := range byScheme {
		report, err := conformance.Run(context.Background(), gateway(t, scheme, fault.Name), cases, options)
		require.NoError(t, err)
		for i, r := range report.Results {
			if failed(&cases[i], r) {
				names = append(names, r.Name)
			}
		}
	}
	return names
}
