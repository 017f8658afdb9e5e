//go:build unix

package execfile_test

import (
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/gangway-go/gangway/internal/execfile"
	"github.com/gangway-go/gangway/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

// Programs that are written and run side by side are not in each other's way.
func TestWriteFile(t *testing.T) {
	dir := t.TempDir()
	var workers sync.WaitGroup
	for worker := range 8 {
		workers.Go(func() {
			for i := range 40 {
				path := filepath.Join(dir, strconv.Itoa(worker)+"-"+strconv.Itoa(i))
				if !assert.NoError(t, execfile.WriteFile(path, []byte("#!/bin/sh\n"), 0o755)) ||
					!assert.NoError(t, exec.Command(path).Run()) {
					return
				}
			}
		})
	}
	workers.Wait()
}
