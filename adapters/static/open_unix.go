//go:build unix

package static

import "syscall"

// openFlags keeps open(2) from waiting for the other end of a named pipe.
const openFlags = syscall.O_NONBLOCK

// isNameError reports whether opening a file failed because of its name.
func isNameError(err syscall.Errno) bool {
	switch err {
	case syscall.ENOTDIR, syscall.ENAMETOOLONG, syscall.ELOOP, syscall.EINVAL, syscall.EILSEQ,
		syscall.ENXIO, syscall.ENODEV: // a socket, a device that is not there
		return true
	}
	return false
}
