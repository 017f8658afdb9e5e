package gofast_test

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/fastcgi/gofast"
)

// TestSpoolGivenBack has the file of a body of unknown length be closed, whether it could be sent or not.
func TestSpoolGivenBack(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	files := func() (n int) {
		links, err := filepath.Glob("/proc/self/fd/*")
		require.NoError(t, err)
		for _, link := range links {
			if name, _ := os.Readlink(link); strings.HasPrefix(name, dir) {
				n++
			}
		}
		return n
	}
	const size = 1 << 20
	for _, e := range []*gofast.Engine{says(answer(hello)).engine(), {Network: "unix", Address: dir + "/none"}} {
		resp, err := e.Serve(t.Context(), withBody(newRequest("POST", "/"), io.LimitReader(zero{}, size), -1))
		if err == nil {
			assert.Equal(t, 1, files())
			assert.Equal(t, "hello", text(t, resp, nil))
		}
		assert.Equal(t, 0, files())
	}
}
