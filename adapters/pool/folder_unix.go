//go:build unix && !aix && !solaris

package pool

import (
	"os"
	"syscall"
)

// lockFolder opens a folder, which is no symbolic link, and locks it. It fails if somebody else has.
func lockFolder(path string) (*os.File, error) {
	f, err := os.OpenFile(path, syscall.O_DIRECTORY|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		return nil, &os.PathError{Op: "flock", Path: path, Err: err}
	}
	return f, nil
}
