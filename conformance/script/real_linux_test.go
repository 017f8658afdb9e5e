package script

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/conformance"
	"github.com/gangway-go/gangway/conformance/echo"
	"github.com/gangway-go/gangway/internal/peer"
)

// Programs that nobody here wrote are judged to the end, with verdicts that were confirmed by hand.
func TestRealPrograms(t *testing.T) {
	tests := map[string]struct {
		target        func(t *testing.T) *Target
		passes, fails []string
	}{
		"php-cgi": {
			phpCGI,
			[]string{"script/4.2/extension-data-left", "script/4.3.3/head-no-body", "script/4.4/argv-option-s",
				"script/6.4/large-response"},
			[]string{"script/4.1.2/content-length-negative", "script/7.2/newline-is-lf"},
		},
		"git http-backend": {
			gitBackend,
			[]string{"script/4.3/unknown-method", "script/8.2/path-info-dotdot"},
			[]string{"script/4.3.3/head-no-body"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			results := judged(t, tt.target(t), Cases(), 1, func(conformance.Result) bool { return true })
			for _, result := range results {
				assert.NotContains(t, []conformance.Outcome{conformance.SuiteError, conformance.Crash}, result.Outcome,
					"%s: %s", result.Name, result.Got)
			}
			for _, name := range tt.passes {
				assert.Equal(t, conformance.Pass, results[name].Outcome, "%s: %s", name, results[name].Got)
			}
			for _, name := range tt.fails {
				assert.NotEqual(t, conformance.Pass, results[name].Outcome, name)
			}
		})
	}
}

// phpCGI is the echo application in PHP.
func phpCGI(t *testing.T) *Target {
	name, source, err := echo.Source("php")
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(file, source, 0o644))
	target := New(peer.Need(t, "php-cgi"))
	target.Env = []string{"REDIRECT_STATUS=200", "SCRIPT_FILENAME=" + file}
	return target
}

// gitBackend serves an empty repository.
func gitBackend(t *testing.T) *Target {
	git := peer.Need(t, "git")
	root := t.TempDir()
	out, err := exec.Command(git, "init", "--quiet", "--bare", filepath.Join(root, "repository.git")).CombinedOutput()
	require.NoError(t, err, string(out))
	dir, err := exec.Command(git, "--exec-path").Output()
	require.NoError(t, err)
	target := New(filepath.Join(strings.TrimSpace(string(dir)), "git-http-backend"))
	target.Env = []string{"GIT_PROJECT_ROOT=" + root, "GIT_HTTP_EXPORT_ALL=1"}
	target.URL = "/repository.git/info/refs?service=git-upload-pack"
	return target
}
