//go:build unix

package static

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// openFlags keeps open(2) from waiting for the other end of a named pipe.
const openFlags = syscall.O_NONBLOCK

// localize is filepath.Localize for names that need not be UTF-8.
func localize(name string) (string, error) {
	_, err := filepath.Localize(strings.ToValidUTF8(name, "_"))
	return name, err
}

// isNameError reports whether opening a file failed because of its name.
func isNameError(err syscall.Errno) bool {
	switch err {
	case syscall.ENOTDIR, syscall.ENAMETOOLONG, syscall.ELOOP, syscall.EINVAL, syscall.EILSEQ,
		syscall.ENXIO, syscall.ENODEV: // a socket, a device that is not there
		return true
	}
	return false
}

// private reports whether a file is kept from others by its owner, and no secret to this process only as that is root.
func private(info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && info.Mode().Perm()&0o004 == 0 && stat.Uid != 0 && os.Geteuid() == 0
}
