package open

import (
	"cmp"
	"io/fs"
	"syscall"
)

// limitMode is for net.ListenConfig.Control. It has the file of a Unix socket begin with no more rights than mode: who
// connects between bind(2) and chmod(2) would stay.
func limitMode(mode fs.FileMode) func(network, address string, c syscall.RawConn) error {
	return func(_, _ string, c syscall.RawConn) (err error) {
		failed := c.Control(func(fd uintptr) { err = syscall.Fchmod(int(fd), uint32(mode)) })
		return cmp.Or(failed, err)
	}
}
