package script

import (
	"flag"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/conformance"
	"github.com/gangway-go/gangway/conformance/faulty"
	"github.com/gangway-go/gangway/internal/killmatrix"
	"github.com/gangway-go/gangway/internal/leak"
)

func TestMain(m *testing.M) {
	faulty.Main()
	flag.Set("test.parallel", "4") // the tests wait most of the time
	leak.Main(m)
}

// program returns this test binary as the CGI program of package faulty, or a mutant of it.
func program(t *testing.T, name string) *Target {
	executable, err := os.Executable()
	require.NoError(t, err)
	target := New(executable)
	// A program with the race detector takes a second to end unless it is told not to.
	target.Env = []string{faulty.MainEnv + "=" + name, "GORACE=atexit_sleep_ms=0"}
	target.NPH = strings.HasPrefix(name, "nph-") || strings.HasPrefix(name, "script/nph-")
	target.Triggers = map[string]string{
		LocalRedirect: faulty.ScriptLocal, ClientRedirect: faulty.ScriptClient, RedirectWith: faulty.ScriptDocument,
		Failure: "", Fetch: "",
	}
	return target
}

func outcomes(t *testing.T, target *Target, cases []conformance.Case) map[string]conformance.Result {
	report, err := conformance.Run(t.Context(), target, cases, conformance.Options{Patience: 500 * time.Millisecond})
	require.NoError(t, err)
	results := map[string]conformance.Result{}
	for _, result := range report.Results {
		results[result.Name] = result
	}
	return results
}

// Every case passes with the CGI program that is right, or with the NPH script that is.
func TestClean(t *testing.T) {
	plain, nph := outcomes(t, program(t, "script"), Cases()), outcomes(t, program(t, "nph-script"), Cases())
	for _, c := range Cases() {
		p, n := plain[c.Name], nph[c.Name]
		assert.True(t, p.Outcome == conformance.Pass || n.Outcome == conformance.Pass, c.Name)
		for _, result := range []conformance.Result{p, n} {
			well := result.Outcome == conformance.Pass || result.Outcome == conformance.Skip
			assert.True(t, well, "%s: %s: %s", c.Name, result.Outcome, result.Got)
		}
	}
}

func scriptFaults() []faulty.Fault {
	return slices.DeleteFunc(faulty.Faults(), func(f faulty.Fault) bool { return !strings.HasPrefix(f.Name, "script/") })
}

// No case that names a mutant passes with it.
func TestMutants(t *testing.T) {
	killed := map[string]bool{}
	t.Run("each", func(t *testing.T) {
		for _, fault := range scriptFaults() {
			cases, err := conformance.Select(Cases(), fault.Breaks)
			require.NoError(t, err, fault.Name)
			for _, c := range cases {
				killed[c.Name] = true
			}
			t.Run(strings.TrimPrefix(fault.Name, "script/"), func(t *testing.T) {
				t.Parallel()
				for name, result := range outcomes(t, program(t, fault.Name), cases) {
					bad := result.Outcome.Bad() || result.Outcome == conformance.Warn || result.Outcome == conformance.Info
					assert.True(t, bad, "%s: %s %s", name, result.Outcome, result.Got)
				}
			})
		}
	})
	for _, c := range Cases() {
		assert.True(t, killed[c.Name], "no mutant for %s", c.Name)
	}
}

// TestKillMatrix runs all cases on all mutants, and runs only if it is asked for.
func TestKillMatrix(t *testing.T) {
	matrix := killmatrix.From("script.txt")
	if matrix == nil {
		return
	}
	t.Run("each", func(t *testing.T) {
		for _, fault := range scriptFaults() {
			t.Run(fault.Name, func(t *testing.T) {
				t.Parallel()
				cases := Cases()
				for i := range cases {
					cases[i].DependsOn = nil
				}
				var broken []string
				for name, result := range outcomes(t, program(t, fault.Name), cases) {
					if result.Outcome != conformance.Pass && result.Outcome != conformance.Skip {
						broken = append(broken, name)
					}
				}
				assert.NoError(t, matrix.Add(fault.Name, broken, fault.Breaks, len(cases), len(cases)))
			})
		}
	})
	require.NoError(t, matrix.Write())
}
