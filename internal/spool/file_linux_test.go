package spool

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// openIn returns the open files of this process that are, or were, beneath dir.
func openIn(t *testing.T, dir string) (files []string) {
	links, err := filepath.Glob("/proc/self/fd/*")
	require.NoError(t, err)
	require.NotEmpty(t, links)
	for _, link := range links {
		if target, err := os.Readlink(link); err == nil && strings.HasPrefix(target, dir) {
			files = append(files, target)
		}
	}
	return files
}

// No descriptor waits for the garbage collector.
func TestDescriptors(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	body, err := Read(strings.NewReader("body"), 0, 100)
	require.NoError(t, err)
	open := openIn(t, dir)
	require.Len(t, open, 1)
	assert.Contains(t, open[0], "(deleted)")
	info, err := body.ReadSeeker.(*os.File).Stat()
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode())
	require.NoError(t, body.Close())
	assert.Empty(t, openIn(t, dir))

	gone := errors.New("client gone")
	long := strings.Repeat("x", DefaultMemory)
	_, err = Read(io.MultiReader(strings.NewReader(long), iotest.ErrReader(gone)), 0, 1<<20)
	require.ErrorIs(t, err, gone)
	assert.Empty(t, openIn(t, dir))

	_, err = Read(io.MultiReader(strings.NewReader(long), strings.NewReader(long)), 0, DefaultMemory)
	require.ErrorIs(t, err, ErrTooLarge)
	assert.Empty(t, openIn(t, dir))
}

// Nor does that of a Queue, which has one when the reader is slow.
func TestQueueDescriptor(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	q := NewQueue(nil, 1<<20)
	_, err := q.Write(make([]byte, 1<<20))
	require.NoError(t, err)
	assert.Len(t, openIn(t, dir), 1)
	require.NoError(t, q.Close())
	assert.Empty(t, openIn(t, dir))
}

// Without a name from the beginning, where the file system can do that.
func TestOpenUnnamed(t *testing.T) {
	dir := t.TempDir()
	f, err := openUnnamed(dir)
	if errors.Is(err, syscall.EOPNOTSUPP) {
		return
	}
	require.NoError(t, err)
	assertEmpty(t, dir)
	require.NoError(t, f.Close())
}

func TestDiskFull(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_RDWR, 0)
	require.NoError(t, err)
	defer full.Close()
	s := Spool{Limit: 100, file: full, buf: make([]byte, 0, 2)}
	err = s.Fill(strings.NewReader("body"), 4)
	require.ErrorIs(t, err, ErrStorage)
	require.ErrorIs(t, err, syscall.ENOSPC)
	assert.EqualError(t, err, "spool: cannot store the body: write /dev/full: no space left on device")
}
