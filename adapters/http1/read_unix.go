//go:build unix

package http1

import "syscall"

// readsFDs says whether readFD works here.
const readsFDs = true

// errAgain is that nothing can be read at the moment.
var errAgain error = syscall.EAGAIN

// readFD reads from a descriptor that does not block.
func readFD(fd uintptr, b []byte) (int, error) {
	for {
		n, err := syscall.Read(int(fd), b)
		if err != syscall.EINTR {
			return n, err
		}
	}
}
