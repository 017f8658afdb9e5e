//go:build unix

package sandbox

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// Root reports whether this process can become any user.
func Root() bool { return os.Geteuid() == 0 }

// Owner returns who owns a file, shared with other callers.
func Owner(info fs.FileInfo) (*User, error) {
	stat := info.Sys().(*syscall.Stat_t)
	return userOf(stat.Uid, stat.Gid)
}

// Apply has a process that is started with attr run as u. The error is that only root can do that.
func (u *User) Apply(attr *syscall.SysProcAttr) error {
	switch {
	case int(u.UID) == os.Getuid() && int(u.GID) == os.Getgid() && !Root():
	case !Root():
		return errors.New("only root can run programs as another user")
	default:
		attr.Credential = &syscall.Credential{Uid: u.UID, Gid: u.GID, Groups: u.Groups}
	}
	return nil
}
