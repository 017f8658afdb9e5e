package cgi

import (
	"syscall"
	"unsafe"
)

// pending returns how many bytes can be read at once; 0 if that cannot be told.
func (o *output) pending() int {
	conn, err := o.file.SyscallConn()
	if err != nil {
		return 0
	}
	var n int32
	conn.Control(func(fd uintptr) {
		syscall.Syscall(syscall.SYS_IOCTL, fd, syscall.TIOCINQ, uintptr(unsafe.Pointer(&n)))
	})
	return int(n)
}
