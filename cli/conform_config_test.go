package cli

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/conformance"
	"github.com/gangway-go/gangway/internal/peer"
)

// TestConformConfigCGI: the two commands that conform config prints start the server and test it.
func TestConformConfigCGI(t *testing.T) {
	for server, program := range map[string]string{"apache": "apache2", "lighttpd": "lighttpd"} {
		t.Run(server, func(t *testing.T) {
			peer.Need(t, program)
			t.Setenv("PATH", os.Getenv("PATH")+":/usr/sbin")
			dir, http := peer.Dir(t), peer.FreeAddress(t)
			var out, diag bytes.Buffer
			require.Zero(t, run([]string{"gangway", "conform", "config", server, "--cgi-dir", filepath.Join(dir, "programs"),
				"--http", http, "--dir", filepath.Join(dir, "server")}, streams{nil, &out, &diag}), diag.String())
			lines := regexp.MustCompile(`(?s)^start: (.+)\ntest:  (.+)\n$`).FindStringSubmatch(diag.String())
			require.NotNil(t, lines, diag.String())
			peer.Start(t, exec.Command("sh", "-c", "exec "+lines[1]), "tcp", http)
			path := filepath.Join(dir, "r.json")
			cases := []string{"cgi/4.1.5/path-info-basic", "cgi/4.1.12/request-method-get", "cgi/7.2/cwd-is-script-dir"}
			test := exec.Command("sh", "-c", "exec "+lines[2]+` --all-wire --report json="$0" "$@"`, path)
			test.Args = append(test.Args, cases...)
			text, err := test.CombinedOutput()
			require.NoError(t, err, string(text))
			assert.Equal(t, len(cases), readReportFile(t, path).Counts()[conformance.Pass], string(text))
		})
	}
}
