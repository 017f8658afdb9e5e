//go:build unix

package http1

import "syscall"

// descriptors returns how many descriptors this process may have. Package os has raised that as far as it may be.
func descriptors() int {
	var limit syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) != nil {
		return 1024
	}
	return int(min(uint64(limit.Cur), 1<<20))
}
