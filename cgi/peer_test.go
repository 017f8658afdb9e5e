//go:build unix

package cgi_test

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/cgi"
	"github.com/gangway-go/gangway/internal/execfile"
	"github.com/gangway-go/gangway/internal/peer"
	"github.com/gangway-go/gangway/internal/testlog"
)

func TestPeerPHP(t *testing.T) {
	const page = `<?php
http_response_code(201); header("X-Method: $_SERVER[REQUEST_METHOD]");
header("Set-Cookie: a=1"); header("Set-Cookie: b=2", false);
fwrite(fopen("php://stderr", "w"), "note\n");
echo "$_SERVER[PATH_INFO]|$_GET[a]|$_POST[b]|", basename(getcwd()), "|", file_get_contents("php://input");`
	php := peer.Need(t, "php-cgi")
	plain := write(t, "page.php", page)
	require.NoError(t, os.Chmod(plain, 0o644))
	tests := map[string]*cgi.Script{
		"interpreter": {Interpreters: map[string]string{".php": "php-cgi"}},
		"#!":          {Path: write(t, "page.cgi", "#!"+php+"\n"+page), Env: []string{"REDIRECT_STATUS=200"}},
	}
	for name, s := range tests {
		t.Run(name, func(t *testing.T) {
			file := plain
			if s.Path != "" {
				file = s.Path
			}
			stderr := new(testlog.Buffer)
			req := put(strings.NewReader("b=body"), 6)
			req.Method, req.URI, req.Query, req.Stderr = "POST", "/page.php/x?a=1", "a=1", stderr
			req.Header = adapters.Header{{Name: "Content-Type", Value: "application/x-www-form-urlencoded"}}
			req.Script = adapters.Script{Name: "/page.php", PathInfo: "/x", Filename: file, Root: filepath.Dir(file)}
			resp, body, err := ask(t, closing(t, s), req)
			require.NoError(t, err)
			assert.Equal(t, 201, resp.Status)
			assert.Equal(t, "POST", resp.Header.Get("X-Method"))
			assert.Equal(t, []string{"a=1", "b=2"}, resp.Header.Values("Set-Cookie"))
			assert.Equal(t, "/x|1|body|"+filepath.Base(filepath.Dir(file))+"|b=body", body)
			assert.Contains(t, stderr.String(), "note")
		})
	}
	t.Run("php-cgi itself", func(t *testing.T) { // CERT CA-1996-11: nobody may have it show him any file
		req := &adapters.Request{Method: "GET", Script: adapters.Script{Name: "/php-cgi", PathInfo: "/secret", Root: "/"}}
		_, _, err := ask(t, closing(t, &cgi.Script{Path: php}), req)
		assert.ErrorContains(t, err, "Security Alert")
	})
}

// git clones and pushes through git-http-backend.
func TestPeerGit(t *testing.T) {
	git := peer.Need(t, "git")
	libexec, err := exec.Command(git, "--exec-path").Output()
	require.NoError(t, err)
	root := t.TempDir()
	script := closing(t, &cgi.Script{Path: filepath.Join(strings.TrimSpace(string(libexec)), "git-http-backend"),
		Env: []string{"GIT_PROJECT_ROOT=" + root, "GIT_HTTP_EXPORT_ALL=1", "REMOTE_USER=git"}, Log: quiet})
	server := httptest.NewServer(adapters.HTTP(script))
	defer server.Close()
	run := func(args ...string) {
		cmd := exec.CommandContext(t.Context(), git, args...)
		cmd.Env = append(os.Environ(), "HOME="+root, "GIT_CONFIG_NOSYSTEM=1", "GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@b",
			"GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@b", "GIT_TERMINAL_PROMPT=0")
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%v: %s", args, out)
	}
	bare, one, two := filepath.Join(root, "r.git"), filepath.Join(root, "one"), filepath.Join(root, "two")
	run("init", "-q", "--bare", bare)
	run("clone", "-q", server.URL+"/r.git", one)
	content := make([]byte, 5<<20) // cannot be compressed: git sends more than its buffer of 1 MiB in chunks
	rand.Read(content)
	require.NoError(t, os.WriteFile(filepath.Join(one, "file"), content, 0o644))
	run("-C", one, "add", "file")
	run("-C", one, "commit", "-q", "-m", "m")
	run("-C", one, "push", "-q", "origin", "HEAD")
	run("clone", "-q", server.URL+"/r.git", two)
	got, err := os.ReadFile(filepath.Join(two, "file"))
	require.NoError(t, err)
	assert.True(t, bytes.Equal(content, got))
}

// Web servers run scripts that serve.
func TestPeerWebServers(t *testing.T) {
	path, err := os.Executable()
	require.NoError(t, err)
	binary, err := os.ReadFile(path)
	require.NoError(t, err)
	dir := peer.Dir(t) // Apache runs scripts as a user who may not enter other folders
	self := filepath.Join(dir, "self")
	require.NoError(t, execfile.WriteFile(self, binary, 0o755))
	for _, kind := range []string{"echo", "fails"} {
		script := fmt.Appendf(nil, "#!/bin/sh\n%s %s=%s exec %s\n", noDelay, asScript, kind, self)
		require.NoError(t, execfile.WriteFile(filepath.Join(dir, kind+".cgi"), script, 0o755))
	}
	t.Run("lighttpd", func(t *testing.T) {
		serves(t, peer.Lighttpd(t, `server.modules += ("mod_alias", "mod_cgi") alias.url = ("/" => "`+dir+`/")
			cgi.assign = (".cgi" => "")`))
	})
	t.Run("Apache", func(t *testing.T) {
		serves(t, peer.Apache(t, "ScriptAlias / "+dir+"/"))
	})
}

func serves(t *testing.T, web string) {
	client := &http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
	post := func(path string, body io.Reader) (int, string) {
		resp, err := client.Post("http://"+web+path, "text/plain", body)
		require.NoError(t, err)
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		return resp.StatusCode, string(text)
	}
	status, body := post("/echo.cgi/p?q", strings.NewReader("hello"))
	assert.Equal(t, 200, status)
	assert.Equal(t, `POST /echo.cgi/p?q 5 "hello"`, body)
	status, body = post("/echo.cgi", struct{ io.Reader }{strings.NewReader("chunked")})
	assert.Equal(t, 200, status)
	assert.Contains(t, []string{`POST /echo.cgi 7 "chunked"`, `POST /echo.cgi -1 "chunked"`}, body)
	status, body = post("/fails.cgi", bytes.NewReader(make([]byte, 1<<20)))
	assert.Equal(t, 503, status)
	assert.Equal(t, "503 Service Unavailable\n", body)
}
