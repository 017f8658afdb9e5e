package app_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/conformance"
	"github.com/gangway-go/gangway/conformance/app"
	"github.com/gangway-go/gangway/conformance/faulty"
	"github.com/gangway-go/gangway/internal/killmatrix"
)

// TestKillMatrix runs all cases on all mutants, and runs only if it is asked for.
func TestKillMatrix(t *testing.T) {
	matrix := killmatrix.From("app.txt")
	if matrix == nil {
		return
	}
	t.Run("each", func(t *testing.T) {
		for _, fault := range faulty.Faults() {
			if _, ok := peers[schemeOf(fault)]; !ok {
				continue
			}
			t.Run(fault.Name, func(t *testing.T) {
				t.Parallel()
				url := command(t, schemeOf(fault), fault.Name)
				cases := independent(app.New(url).Cases())
				var broken []string
				for _, r := range run(t, url, cases, enough).Results {
					if r.Outcome.Bad() || r.Outcome == conformance.Warn || r.Outcome == conformance.Info {
						broken = append(broken, r.Name)
					}
				}
				assert.NoError(t, matrix.Add(fault.Name, broken, fault.Breaks, len(app.Cases())))
			})
		}
	})
	require.NoError(t, matrix.Write())
}

// independent are the cases without what they depend on.
func independent(cases []conformance.Case) []conformance.Case {
	for i := range cases {
		cases[i].DependsOn = nil
	}
	return cases
}
