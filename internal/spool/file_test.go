package spool

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The way for file systems without O_TMPFILE, which the tests' own may be or not.
func TestCreateUnlinked(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	t.Setenv("TMP", dir)
	f, err := createUnlinked()
	require.NoError(t, err)
	assert.Equal(t, dir, filepath.Dir(f.Name()))
	if !named {
		assertEmpty(t, dir)
	}
	_, err = f.WriteString("body")
	require.NoError(t, err)
	_, err = f.Seek(0, io.SeekStart)
	require.NoError(t, err)
	got, err := io.ReadAll(f)
	require.NoError(t, err)
	assert.Equal(t, "body", string(got))
	require.NoError(t, discard(f))
	assertEmpty(t, dir)
}

func assertEmpty(t *testing.T, dir string) {
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Empty(t, entries)
}

// A process reads the file as its standard input from the beginning.
func TestFileIsStandardInput(t *testing.T) {
	if os.Getenv("SPOOL_TEST_STDIN") != "" {
		_, _ = io.Copy(os.Stdout, os.Stdin)
		os.Exit(0)
	}
	t.Setenv("TMPDIR", t.TempDir())
	want := strings.Repeat("0123456789", 20000)
	body, err := Read(strings.NewReader(want), 0, int64(len(want)))
	require.NoError(t, err)
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.Command(self, "-test.run=^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), "SPOOL_TEST_STDIN=1")
	cmd.Stdin = body.ReadSeeker.(*os.File)
	got, err := cmd.Output()
	require.NoError(t, err)
	assert.Equal(t, want, string(got))
	require.NoError(t, body.Close())
}
