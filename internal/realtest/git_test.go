//go:build unix

package realtest

import (
	"context"
	"crypto/sha256"
	"io"
	"math/rand/v2"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/internal/peer"
)

// repositorySize is what a repository holds, in bytes that nothing can compress.
const repositorySize = 50 << 20

// git runs git in a folder, without anybody's settings, and returns what it prints.
func git(t *testing.T, dir string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir(), "GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0", "LC_ALL=C",
		"GIT_CONFIG_COUNT=2", "GIT_CONFIG_KEY_0=core.compression", "GIT_CONFIG_VALUE_0=0", // in vain here
		"GIT_CONFIG_KEY_1=core.fsync", "GIT_CONFIG_VALUE_1=none",
		"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.com",
		"GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.com")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "git %s: %s", strings.Join(args, " "), out)
	return strings.TrimSpace(string(out))
}

// gitBackend returns the path of git-http-backend.
func gitBackend(t *testing.T) string {
	peer.Need(t, "git")
	return peer.Need(t, filepath.Join(git(t, "", "--exec-path"), "git-http-backend"))
}

// addFile commits a file of random bytes.
func addFile(t *testing.T, dir, name string, size int64, seed byte) {
	t.Helper()
	file, err := os.Create(filepath.Join(dir, name))
	require.NoError(t, err)
	defer file.Close()
	_, err = io.CopyN(file, rand.NewChaCha8([sha256.Size]byte{seed}), size)
	require.NoError(t, err)
	git(t, dir, "add", name)
	git(t, dir, "commit", "-q", "-m", name)
}

// A repository of 50 MiB is cloned and pushed through git's CGI program.
func TestGit(t *testing.T) {
	program, root, work := gitBackend(t), peer.Dir(t), t.TempDir()
	git(t, work, "init", "-q", "-b", "main")
	for i := range byte(5) {
		addFile(t, work, string('a'+rune(i)), repositorySize/5, i)
	}
	socket := filepath.Join(peer.Dir(t), "s")
	g := start(t, 2, "bridge", "--from", "http://127.0.0.1:0", "--from", "fcgi+unix://"+socket,
		"--to", "cgi:"+program, "--user", "self",
		"--var", "GIT_PROJECT_ROOT="+root, "--var", "GIT_HTTP_EXPORT_ALL=1", "--var", "REMOTE_USER=x")
	nginx := "http://" + peer.Nginx(t, `location / {
		include /etc/nginx/fastcgi_params; fastcgi_param PATH_INFO $document_uri; fastcgi_pass unix:`+socket+`; }`)
	proxied := "http://" + peer.Nginx(t, `location / { proxy_pass `+g.addresses[0]+`; }`)
	tests := []struct {
		name, base string
		buffer     string // of git: a body that is larger is sent in chunks
	}{
		{"whole", g.addresses[0], "500m"},
		{"chunked", g.addresses[0], "64k"},
		{"nginx", nginx, "500m"},
		{"nginx chunked", nginx, "64k"},
		{"nginx by HTTP", proxied, "500m"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bare := filepath.Join(root, tt.name+".git")
			git(t, root, "init", "-q", "--bare", "-b", "main", bare)
			git(t, bare, "config", "core.compression", "0")
			git(t, bare, "config", "core.fsync", "none")
			roundTrip(t, work, bare, tt.base+"/"+url.PathEscape(filepath.Base(bare)), "http.postBuffer="+tt.buffer)
		})
	}
}

// roundTrip pushes what is in work, clones it, and pushes one more commit from the clone.
func roundTrip(t *testing.T, work, bare, url, config string) {
	head := git(t, work, "rev-parse", "HEAD")
	git(t, work, "-c", config, "push", "-q", url, "main")
	assert.Equal(t, head, git(t, bare, "rev-parse", "main"))
	clone := filepath.Join(t.TempDir(), "clone")
	git(t, "", "clone", "-q", url, clone)
	assert.Equal(t, head, git(t, clone, "rev-parse", "HEAD"))
	git(t, clone, "fsck", "--connectivity-only") // git clone has hashed everything
	addFile(t, clone, "more", 3<<20, 99)
	git(t, clone, "-c", config, "push", "-q", "origin", "main")
	assert.Equal(t, git(t, clone, "rev-parse", "HEAD"), git(t, bare, "rev-parse", "main"))
	git(t, bare, "fsck", "--strict")
}
