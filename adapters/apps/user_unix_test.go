//go:build unix

package apps_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/adapters/apps"
	"github.com/gangway-go/gangway/cgi"
	"github.com/gangway-go/gangway/internal/testlog"
)

// Started by root, an application runs as the owner of its folder, unless somebody is named.
func TestOwner(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can become somebody else")
	}
	wsgi := `import os
def app(environ, start_response):
    start_response("200 OK", [])
    return [("%d %d" % (os.getuid(), os.getgid())).encode()]
`
	php := `<?php
preg_match("/Uid:\s+(\d+).*Gid:\s+(\d+)/s", file_get_contents("/proc/self/status"), $m);
echo "$m[1] $m[2]";`
	_, err := apps.Start(t.Context(), apps.WSGI, folder(t, "app.py", wsgi), apps.Options{User: cgi.Owner})
	assert.ErrorContains(t, err, "belongs to root: name the user")
	type test struct {
		name, file, text, program string
		kind                      apps.Kind
	}
	tests := []test{{"wsgi", "app.py", wsgi, "/usr/bin/python3", apps.WSGI}}
	for name, program := range phpPrograms(t) {
		tests = append(tests, test{name, "index.php", php, program, apps.PHP})
	}
	for _, tt := range tests {
		for _, as := range []struct {
			owner int
			user  string
			want  int
		}{{0, "", 0}, {65534, "", 65534}, {65534, cgi.Self, 0}, {0, "40123:40123", 40123}} {
			t.Run(fmt.Sprintf("%s of %d as %s", tt.name, as.owner, as.user), func(t *testing.T) {
				dir := folder(t, tt.file, tt.text)
				require.NoError(t, os.Chown(dir, as.owner, as.owner))
				require.NoError(t, os.Chmod(filepath.Dir(dir), 0o755))
				log := new(testlog.Buffer)
				o := options(log)
				o.Programs, o.User = map[apps.Kind]string{tt.kind: tt.program}, as.user
				status, body := startApp(t, "", dir, o).get("/")
				assert.Equal(t, 200, status, log)
				assert.Equal(t, fmt.Sprintf("%d %d", as.want, as.want), body)
			})
		}
	}
}
