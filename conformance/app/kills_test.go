package app_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

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
				broken := brokenBy(t, url, cases, usual)
				meant := slices.DeleteFunc(slices.Clone(cases), func(c conformance.Case) bool {
					return !slices.Contains(fault.Breaks, c.Name) || slices.Contains(broken, c.Name)
				})
				if len(meant) > 0 { // some faults show with a listener and little patience only, as in TestMutants
					broken = append(broken, brokenBy(t, listen(t, "tcp", schemeOf(fault), fault.Name), meant, hasty)...)
				}
				assert.NoError(t, matrix.Add(fault.Name, broken, fault.Breaks, len(cases), len(app.Cases())))
			})
		}
	})
}

// brokenBy returns the names of the cases that do not pass.
func brokenBy(t *testing.T, url string, cases []conformance.Case, patience time.Duration) (names []string) {
	for _, r := range run(t, url, cases, patience).Results {
		if r.Outcome.Bad() || r.Outcome == conformance.Warn || r.Outcome == conformance.Info {
			names = append(names, r.Name)
		}
	}
	return names
}

// independent are the cases without what they depend on.
func independent(cases []conformance.Case) []conformance.Case {
	for i := range cases {
		cases[i].DependsOn = nil
	}
	return cases
}
