package sdnotify

import (
	"syscall"
	"time"
	"unsafe"
)

// monotonic returns the time of CLOCK_MONOTONIC.
func monotonic() time.Duration {
	const clockMonotonic = 1
	var ts syscall.Timespec
	syscall.Syscall(syscall.SYS_CLOCK_GETTIME, clockMonotonic, uintptr(unsafe.Pointer(&ts)), 0)
	return time.Duration(ts.Nano())
}
