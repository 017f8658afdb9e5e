//go:build unix

package static_test

import (
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/adapters/static"
)

func TestOddFiles(t *testing.T) {
	base := tree(t, map[string]string{
		"secret": "secret", "root/inside": "inside", "root/locked": "locked", "root/d/x": "x", "root/latin\xe4": "", "other/x": "secret",
		`root/d\x`: "one name here, two elsewhere",
	})
	root := filepath.Join(base, "root")
	in := func(name string) string { return filepath.Join(root, name) }
	require.NoError(t, syscall.Mkfifo(in("fifo"), 0o644))
	require.NoError(t, os.Chmod(in("locked"), 0))
	t.Chdir(root) // the path of a socket is short
	socket, err := net.Listen("unix", "socket")
	require.NoError(t, err)
	defer socket.Close()
	for name, target := range map[string]string{
		"link": "inside", "dirlink": "d", "out": "../secret", "absolute": filepath.Join(base, "secret"),
		"outdir": "../other", "loop": "loop", "dangling": "missing", "device": "/dev/null",
	} {
		require.NoError(t, os.Symlink(target, in(name)))
	}
	locked := 403
	if os.Getuid() == 0 { // root may read everything
		locked = 200
	}
	tests := []struct {
		path             string
		status, followed int
	}{
		{"/inside", 200, 200},
		{"/link", 200, 200},
		{"/dirlink/x", 200, 200},
		{"/out", 404, 200},
		{"/absolute", 404, 200},
		{"/outdir/x", 404, 200},
		{"/loop", 404, 404},
		{"/dangling", 404, 404},
		{"/fifo", 404, 404},
		{"/socket", 404, 404},
		{"/device", 404, 404},
		{"/locked", locked, locked},
		{"/inside\x00", 404, 404},
		{"/latin\xe4", 200, 200},
		{"/latin\xe4\x00", 404, 404},
		{`/d\x`, 404, 404},
	}
	for _, tt := range tests {
		t.Run(tt.path, func(t *testing.T) {
			h := &static.Files{Root: root}
			status, _, _ := ask(t, h, newRequest("GET", tt.path))
			assert.Equal(t, tt.status, status)
			h.FollowSymlinks = true
			status, _, _ = ask(t, h, newRequest("GET", tt.path))
			assert.Equal(t, tt.followed, status, "followed")
		})
	}
}

// Root may read everything, but not everything below the root is meant for everybody.
func TestPrivateFiles(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root reads what it may not")
	}
	root := tree(t, map[string]string{"x": "x", "d/index.html": "index"})
	h := static.Dir(root)
	for _, tt := range []struct {
		mode   os.FileMode
		uid    int
		status int
	}{
		{0o600, 0, 200}, {0o600, 1234, 403}, {0o640, 1234, 403}, {0o644, 1234, 200}, {0o004, 1234, 200},
	} {
		for path, name := range map[string]string{"/x": "x", "/d/": "d/index.html"} {
			file := filepath.Join(root, name)
			require.NoError(t, os.Chown(file, tt.uid, -1))
			require.NoError(t, os.Chmod(file, tt.mode))
			status, _, _ := ask(t, h, newRequest("GET", path))
			assert.Equal(t, tt.status, status, "%s: %v of %d", path, tt.mode, tt.uid)
			resp, err := h.ServeFile(newRequest("GET", "/"), name)
			require.NoError(t, err, "an application names the file")
			resp.Body.Close()
		}
	}
}
