package cli

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/internal/execfile"
	"github.com/gangway-go/gangway/internal/peer"
)

// TestContrib runs the snippets for web servers with the commands that stand in them.
func TestContrib(t *testing.T) {
	for _, tt := range []struct {
		file  string
		start func(t *testing.T, snippet string) (address string)
	}{
		{"nginx.conf", startNginx},
		{"apache.conf", func(t *testing.T, snippet string) string { return "http://" + peer.Apache(t, snippet) }},
		{"lighttpd.conf", func(t *testing.T, snippet string) string { return "http://" + peer.Lighttpd(t, snippet) }},
	} {
		t.Run(tt.file, func(t *testing.T) {
			snippet := startContrib(t, tt.file)
			testContrib(t, tt.start(t, snippet))
		})
	}
}

// startContrib starts the commands in a snippet and returns it, both with the paths of this test.
func startContrib(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile("../contrib/" + name)
	require.NoError(t, err)
	snippet := inFolder(t, peer.Dir(t)).Replace(string(text))
	for _, command := range regexp.MustCompile(`(?m)^\s*#\s+gangway (.*)$`).FindAllStringSubmatch(snippet, -1) {
		runSnippet(t, command[1])
	}
	return snippet
}

// inFolder makes a folder with what snippets name, and returns what replaces their paths.
func inFolder(t *testing.T, dir string) *strings.Replacer {
	t.Helper()
	for path, content := range map[string]string{
		"run/php/x": "", "lib/cgi-bin/env.sh": script, "site/a.txt": "a file\n", "site/echo.egi": "", "www/index.php": "",
		"app": "#!/bin/sh\nexec gangway bridge --from fcgi+fd:0 --to egi:echo\n",
	} {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, path)), 0o755))
		require.NoError(t, execfile.WriteFile(filepath.Join(dir, path), []byte(content), 0o755))
	}
	return strings.NewReplacer("/run/gangway", dir+"/run", "/run/", dir+"/run/", "/usr/lib", dir+"/lib",
		"/srv/", dir+"/", "/usr/bin/app", dir+"/app", "127.0.0.1:4000", peer.FreeAddress(t), "127.0.0.1:8000", "127.0.0.1:0",
		":www-data", fmt.Sprintf(":%d", os.Getgid()))
}

// runSnippet starts gangway with arguments that are written for a shell.
func runSnippet(t *testing.T, command string) {
	t.Helper()
	var args []string
	for _, arg := range regexp.MustCompile(`'[^']*'|\S+`).FindAllString(command, -1) {
		args = append(args, strings.Trim(arg, "'"))
	}
	for _, flag := range []string{"--socket-mode", "--user"} {
		if i := slices.Index(args, flag); i >= 0 {
			args = slices.Delete(args, i, i+2)
		}
	}
	args = append(args, "--user", "self") // whom the programs belong to
	if regexp.MustCompile(`--(from|listen) \w+\+unix:`).MatchString(command) {
		args = append(args, "--socket-mode", "0666") // for who the web server runs as
	}
	gangway(t, 1, nil, args...)
}

// TestComingFrom runs the blocks of docs/coming-from.md, section by section.
func TestComingFrom(t *testing.T) {
	page, err := os.ReadFile("../docs/coming-from.md")
	require.NoError(t, err)
	fence := regexp.MustCompile("(?ms)^```(\\w+)\n(.*?)^```")
	blocks := 0
	for section := range strings.SplitSeq(string(page), "\n## ") {
		name, _, _ := strings.Cut(section, "\n")
		paths := inFolder(t, peer.Dir(t))
		for _, block := range fence.FindAllStringSubmatch(section, -1) {
			blocks++
			text := paths.Replace(block[2])
			if block[1] == "nginx" {
				t.Run(name+"/nginx", func(t *testing.T) { testPage(t, text) })
				continue
			}
			for _, command := range regexp.MustCompile(`(?m)^(?:exec )?gangway (.*)$`).FindAllStringSubmatch(text, -1) {
				if strings.Contains(command[1], "--from cgi:") {
					command[1] += " --explain /"
					require.NoError(t, exec.Command("gangway", strings.Fields(command[1])...).Run())
					continue
				}
				runSnippet(t, command[1])
			}
		}
	}
	require.Equal(t, 8, blocks)
}

// testPage asks nginx with a snippet of the page for what its location leads to.
func testPage(t *testing.T, snippet string) {
	address := startNginx(t, snippet)
	if strings.Contains(snippet, "/cgi-bin/") {
		askFor(t, address+"/cgi-bin/env.sh/more?q", "\nSCRIPT_NAME=/cgi-bin/env.sh\n", "\nPATH_INFO=/more\n")
	} else {
		askFor(t, address+"/echo.egi/x", "\nSCRIPT_NAME=/echo.egi\n", "\nPATH_INFO=/x\n")
	}
}

func startNginx(t *testing.T, snippet string) string {
	includes := regexp.MustCompile(`include (\w+_params);`)
	return "http://" + peer.Nginx(t, includes.ReplaceAllString(snippet, "include /etc/nginx/$1;"))
}

func testContrib(t *testing.T, address string) {
	askFor(t, address+"/cgi-bin/env.sh/more?q", "\nSCRIPT_NAME=/cgi-bin/env.sh\n", "\nPATH_INFO=/more\n",
		"\nQUERY_STRING=q\n")
	askFor(t, address+"/a.txt", "a file")
	askFor(t, address+"/echo.egi/x?q", "\nSCRIPT_NAME=/echo.egi\n", "\nPATH_INFO=/x\n", "\nQUERY_STRING=q\n")
	askFor(t, address+"/api/x?q", "\nSCRIPT_NAME=/api\n", "\nPATH_INFO=/x\n", "\nQUERY_STRING=q\n")
}

// askFor gets a page, which must contain some texts.
func askFor(t *testing.T, url string, wants ...string) {
	t.Helper()
	resp, err := http.Get(url)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	for _, want := range wants {
		assert.Contains(t, "\n"+string(body), want, url)
	}
}
