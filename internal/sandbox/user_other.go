//go:build !unix

package sandbox

import (
	"fmt"
	"io/fs"
	"runtime"
	"syscall"
)

// Root reports whether this process can become any user. Here it never can.
func Root() bool { return false }

// Owner fails with an error that wraps [ErrUnsupported].
func Owner(fs.FileInfo) (*User, error) {
	return nil, fmt.Errorf("%w: running as another user (%s)", ErrUnsupported, runtime.GOOS)
}

// Apply fails with an error that wraps [ErrUnsupported].
func (u *User) Apply(*syscall.SysProcAttr) error {
	_, err := Owner(nil)
	return err
}
