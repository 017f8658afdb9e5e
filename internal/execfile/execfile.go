// Package execfile writes programs that can be run at once.
package execfile

import (
	"io/fs"
	"os"
	"syscall"
)

// WriteFile is os.WriteFile while no process is being started. One that is has a copy of each open file until it
// executes its program, and Linux runs no file that is open for writing anywhere (ETXTBSY).
func WriteFile(path string, content []byte, mode fs.FileMode) error {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	return os.WriteFile(path, content, mode)
}
