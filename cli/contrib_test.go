package cli

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/internal/peer"
)

// TestContrib runs the snippets for web servers with the commands that stand in them.
func TestContrib(t *testing.T) {
	for _, tt := range []struct {
		file  string
		start func(t *testing.T, snippet string) (address string)
	}{
		{"nginx.conf", func(t *testing.T, snippet string) string {
			return peer.Nginx(t, regexp.MustCompile(`include (\w+_params);`).ReplaceAllString(snippet, "include /etc/nginx/$1;"))
		}},
		{"apache.conf", func(t *testing.T, snippet string) string { return peer.Apache(t, snippet) }},
		{"lighttpd.conf", func(t *testing.T, snippet string) string { return peer.Lighttpd(t, snippet) }},
	} {
		t.Run(tt.file, func(t *testing.T) {
			snippet := startContrib(t, tt.file)
			testContrib(t, "http://"+tt.start(t, snippet))
		})
	}
}

// startContrib starts the commands in a snippet and returns it, both with the paths of this test.
func startContrib(t *testing.T, name string) string {
	t.Helper()
	dir := peer.Dir(t)
	for path, content := range map[string]string{
		"run/x": "", "lib/cgi-bin/env.sh": script, "site/a.txt": "a file\n", "site/echo.egi": "",
	} {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, path)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(dir, path), []byte(content), 0o755))
	}
	text, err := os.ReadFile("../contrib/" + name)
	require.NoError(t, err)
	snippet := strings.NewReplacer("/run/gangway", dir+"/run", "/usr/lib", dir+"/lib", "/srv/site", dir+"/site",
		"127.0.0.1:4000", peer.FreeAddress(t)).Replace(string(text))
	for _, command := range regexp.MustCompile(`(?m)^\s*#\s+gangway ((?:bridge|serve) .*)$`).FindAllStringSubmatch(snippet, -1) {
		args := strings.Fields(command[1])
		if strings.Contains(command[1], "+unix:") {
			args = append(args, "--socket-mode", "0666") // for who the web server runs as
		}
		gangway(t, 1, nil, args...)
	}
	return snippet
}

func testContrib(t *testing.T, address string) {
	for path, wants := range map[string][]string{
		"/cgi-bin/env.sh/more?q": {"\nSCRIPT_NAME=/cgi-bin/env.sh\n", "\nPATH_INFO=/more\n", "\nQUERY_STRING=q\n"},
		"/a.txt":                 {"a file"},
		"/echo.egi/x?q":          {"\nSCRIPT_NAME=/echo.egi\n", "\nPATH_INFO=/x\n", "\nQUERY_STRING=q\n"},
		"/api/x?q":               {"\nSCRIPT_NAME=/api\n", "\nPATH_INFO=/x\n", "\nQUERY_STRING=q\n"},
	} {
		resp, err := http.Get(address + path)
		require.NoError(t, err)
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		require.NoError(t, err)
		for _, want := range wants {
			assert.Contains(t, "\n"+string(body), want, path)
		}
	}
}
