package static_test

import (
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/adapters/static"
)

// TestDescriptors has no answer leave a descriptor for the garbage collector.
func TestDescriptors(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	root := tree(t, map[string]string{"x.txt": "0123456789", "d/x": "", "e/index.html": ""})
	h := static.Dir(root)
	for _, req := range [][]string{
		{"GET", "/x.txt"},
		{"HEAD", "/x.txt"},
		{"POST", "/x.txt"},
		{"GET", "/x.txt", "If-None-Match", etag},
		{"GET", "/x.txt", "Range", "bytes=20-"},
		{"GET", "/x.txt", "Range", "bytes=0-0,2-2"},
		{"GET", "/x.txt", "Range", "bytes=20-,30-"},
		{"GET", "/x.txt/"},
		{"GET", "/d"},
		{"GET", "/d/"},
		{"GET", "/e/"},
		{"GET", "/missing"},
	} {
		ask(t, h, newRequest(req[0], req[1], req[2:]...))
		for _, fd := range descriptors(t) {
			assert.False(t, strings.HasPrefix(fd, root), "%v left %s", req, fd)
		}
	}
}

func descriptors(t *testing.T) (targets []string) {
	links, err := filepath.Glob("/proc/self/fd/*")
	require.NoError(t, err)
	for _, link := range links {
		target, _ := os.Readlink(link)
		targets = append(targets, target)
	}
	return targets
}
