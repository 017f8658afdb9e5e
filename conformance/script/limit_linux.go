package script

import (
	"syscall"
	"unsafe"
)

// limit keeps a program that runs wild from taking the machine with it.
func limit(pid int) {
	const megabyte = 1 << 20
	for resource, most := range map[uintptr]uint64{
		syscall.RLIMIT_CORE:   0,
		syscall.RLIMIT_CPU:    60, // seconds
		syscall.RLIMIT_FSIZE:  256 * megabyte,
		syscall.RLIMIT_NOFILE: 1024,
	} {
		rlimit := syscall.Rlimit{Cur: most, Max: most}
		syscall.RawSyscall6(syscall.SYS_PRLIMIT64, uintptr(pid), resource, uintptr(unsafe.Pointer(&rlimit)), 0, 0, 0)
	}
}
