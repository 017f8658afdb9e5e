//go:build unix

package pool

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// lend makes the folder the user's as whom the process is to run, until the process has made its socket there.
func (r *running) lend() error {
	if user := r.cmd.SysProcAttr.Credential; user != nil {
		return os.Chown(r.dir.path, int(user.Uid), int(user.Gid))
	}
	return nil
}

// takeBack ends that. With the folder the process could choose whom we connect to, who may be more than it.
func (r *running) takeBack(socket string) error {
	user := r.cmd.SysProcAttr.Credential
	if user == nil {
		return nil
	}
	if err := errors.Join(os.Chown(r.dir.path, os.Geteuid(), os.Getegid()), os.Chmod(r.dir.path, 0o711)); err != nil {
		return err
	}
	info, err := os.Lstat(socket)
	if err != nil {
		return err
	}
	if stat, ok := info.Sys().(*syscall.Stat_t); info.Mode()&fs.ModeSocket == 0 || !ok || stat.Uid != user.Uid {
		return errors.New("app has put something else in the place of its socket")
	}
	return nil
}
