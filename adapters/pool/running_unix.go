//go:build unix

package pool

import (
	"os"
	"syscall"
)

type groupSignal syscall.Signal

const (
	terminate = groupSignal(syscall.SIGTERM)
	kill      = groupSignal(syscall.SIGKILL)
)

func (s groupSignal) send(leader *os.Process) { syscall.Kill(-leader.Pid, syscall.Signal(s)) }

// prepare makes the process the leader of a group of its own, and the folder its user's.
func (r *running) prepare() error {
	if r.cmd.SysProcAttr == nil {
		r.cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	r.cmd.SysProcAttr.Setpgid = true
	r.setDeathSignal()
	if user := r.cmd.SysProcAttr.Credential; user != nil {
		return os.Chown(r.dir, int(user.Uid), int(user.Gid))
	}
	return nil
}
