package script

import (
	"flag"
	"os"
	"path/filepath"
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

func outcomes(t *testing.T, target *Target, cases []conformance.Case, patience time.Duration) []conformance.Result {
	report, err := conformance.Run(t.Context(), target, cases, conformance.Options{Patience: patience})
	require.NoError(t, err)
	return report.Results
}

// judged are the results by name. Here much runs side by side, with little patience to save time: what does not come out
// as wanted is run again with the patience that counts.
func judged(
	t *testing.T, target *Target, cases []conformance.Case, tries int, wanted func(conformance.Result) bool,
) map[string]conformance.Result {
	results := map[string]conformance.Result{}
	for i, result := range outcomes(t, target, cases, 500*time.Millisecond) {
		for try := 1; try < tries && !wanted(result); try++ {
			t.Logf("once more: %s: %s %s", result.Name, result.Outcome, result.Got)
			alone := cases[i]
			alone.DependsOn = nil
			result = outcomes(t, target, []conformance.Case{alone}, 3*time.Second)[0]
		}
		results[result.Name] = result
	}
	return results
}

// How often a case is tried: one that a right peer does not pass, and one that lets a mutant pass, since a fault that is
// a race may not show each time.
const passTries, killTries = 3, 5

func well(r conformance.Result) bool {
	return r.Outcome == conformance.Pass || r.Outcome == conformance.Skip
}

func failed(r conformance.Result) bool {
	return r.Outcome.Bad() || r.Outcome == conformance.Warn || r.Outcome == conformance.Info
}

// Every case passes with the CGI program that is right, or with the NPH script that is.
func TestClean(t *testing.T) {
	plain, nph := judged(t, program(t, "script"), Cases(), passTries, well), judged(t, program(t, "nph-script"), Cases(), passTries, well)
	for _, c := range Cases() {
		p, n := plain[c.Name], nph[c.Name]
		assert.True(t, p.Outcome == conformance.Pass || n.Outcome == conformance.Pass, c.Name)
		for _, result := range []conformance.Result{p, n} {
			assert.True(t, well(result), "%s: %s: %s", c.Name, result.Outcome, result.Got)
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
				for name, result := range judged(t, program(t, fault.Name), cases, killTries, failed) {
					assert.True(t, failed(result), "%s: %s %s", name, result.Outcome, result.Got)
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
				for _, result := range outcomes(t, program(t, fault.Name), cases, 500*time.Millisecond) {
					if !well(result) {
						broken = append(broken, result.Name)
					}
				}
				assert.NoError(t, matrix.Add(fault.Name, broken, fault.Breaks, len(cases), len(cases)))
			})
		}
	})
}

// Bodies are compared, if that says something.
func TestSameBody(t *testing.T) {
	for body, want := range map[string]conformance.Outcome{
		"the same": conformance.Pass, "user is ${REMOTE_USER+set}": conformance.Fail, "process $$": conformance.Skip,
	} {
		path := filepath.Join(t.TempDir(), "program")
		text := "#!/bin/sh\nprintf 'Content-Type: text/plain\n\n'\necho \"" + body + "\"\n"
		require.NoError(t, os.WriteFile(path, []byte(text), 0o755))
		cases, err := conformance.Select(Cases(), []string{"script/4.1/null-equals-unset"})
		require.NoError(t, err)
		cases[0].Needs = nil
		result := outcomes(t, New(path), cases, 3*time.Second)[0]
		assert.Equal(t, want, result.Outcome, "%s: %s", body, result.Got)
		if want == conformance.Fail {
			assert.Contains(t, result.Got, `another body: from byte 8 on "set`)
		}
	}
}
