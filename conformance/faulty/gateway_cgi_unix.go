//go:build unix

package faulty

import (
	"os"
	"syscall"
)

// ownGroup makes a process the leader of a group, so that its children can be killed with it.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// killGroup kills a process and its children.
func killGroup(p *os.Process) { syscall.Kill(-p.Pid, syscall.SIGKILL) }
