//go:build unix

package script

import (
	"os"
	"syscall"
)

// group makes a process the leader of a group of its own.
func group() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// kill kills the group of p, and what of it outlived p.
func kill(p *os.Process) { syscall.Kill(-p.Pid, syscall.SIGKILL) }

// terminate asks p alone to end, as web servers do.
func terminate(p *os.Process) { p.Signal(syscall.SIGTERM) }

// others says whether there are processes in the group of p, which has ended.
func others(p *os.Process) bool { return syscall.Kill(-p.Pid, 0) == nil }
