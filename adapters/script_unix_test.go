//go:build unix

package adapters_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	. "github.com/gangway-go/gangway/adapters"
)

// A file that we fail to look at is not one that is not there: a 404 would be believed, and kept.
func TestResolveWithoutDescriptors(t *testing.T) {
	root := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(root, "a.php"), nil, 0o600))
	r := &ScriptResolver{Root: root}
	_, err := r.Resolve("/a.php")
	require.NoError(t, err)
	var limit syscall.Rlimit
	require.NoError(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit))
	none := limit
	none.Cur = 0
	require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &none))
	_, err = r.Resolve("/a.php")
	require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit))
	assert.ErrorIs(t, err, syscall.EMFILE)
	assert.NotErrorIs(t, err, ErrNotFound)
	assert.Equal(t, 500, StatusOf(err))
}

// What a web server says is the path may be anything.
func TestResolveNoPath(t *testing.T) {
	root := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(root, "a.php"), nil, 0o600))
	for _, path := range []string{"xa.php", "a.php"} {
		_, err := (&ScriptResolver{Root: root}).Resolve(path)
		assert.ErrorIs(t, err, ErrNotFound, path)
	}
}
