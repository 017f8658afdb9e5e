//go:build !unix

package static

import (
	"io/fs"
	"path/filepath"
	"syscall"
)

const openFlags = 0

func localize(name string) (string, error) { return filepath.Localize(name) }

// isNameError reports whether opening a file failed because of its name.
func isNameError(err syscall.Errno) bool {
	const invalidName, directory = 123, 267 // ERROR_INVALID_NAME, ERROR_DIRECTORY of Windows
	switch err {
	case syscall.ENOTDIR, syscall.ENAMETOOLONG, syscall.ELOOP, syscall.EINVAL, invalidName, directory:
		return true
	}
	return false
}

func private(fs.FileInfo) bool { return false }
