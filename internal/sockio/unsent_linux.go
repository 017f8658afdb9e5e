package sockio

import (
	"syscall"
	"unsafe"
)

// Unsent returns how much of what was written the other end has not acknowledged (SIOCOUTQ); 0 where nobody says.
func (c *Conn) Unsent() int {
	var n int32
	c.Control(func(fd uintptr) {
		syscall.Syscall(syscall.SYS_IOCTL, fd, syscall.TIOCOUTQ, uintptr(unsafe.Pointer(&n)))
	})
	return int(n)
}
