//go:build unix && (!linux || race || 386 || s390x)

package sockio

import "syscall"

// These tell the race detector that what is read was written before.

func read(fd uintptr, b []byte) (int, error)  { return again(syscall.Read, fd, b) }
func write(fd uintptr, b []byte) (int, error) { return again(syscall.Write, fd, b) }

func peek(fd uintptr, b []byte) (int, error) {
	return again(func(fd int, b []byte) (int, error) {
		n, _, err := syscall.Recvfrom(fd, b, syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		return n, err
	}, fd, b)
}

// again repeats a system call that a signal has interrupted.
func again(call func(fd int, b []byte) (int, error), fd uintptr, b []byte) (int, error) {
	for {
		switch n, err := call(int(fd), b); err {
		case nil:
			return n, nil
		case syscall.EINTR:
		default:
			return 0, err
		}
	}
}
