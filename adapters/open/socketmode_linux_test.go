package open

import (
	"io/fs"
	"os"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The file of a socket never has more rights than it is to have, whatever the umask leaves.
func TestSocketModeFromTheFirst(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0))
	path := t.TempDir() + "/s"
	ln, err := bindUnix(path, 0o640)
	require.NoError(t, err)
	defer ln.Close()
	info, err := os.Lstat(path)
	require.NoError(t, err)
	assert.Equal(t, fs.FileMode(0o640), info.Mode().Perm())
}
