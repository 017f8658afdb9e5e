package procgroup

import (
	"syscall"
	"unsafe"
)

// DieWithParent adds to attr what makes the process get SIGTERM, on Linux, when the thread that has started it ends:
// the caller keeps that thread with runtime.LockOSThread.
func DieWithParent(attr *syscall.SysProcAttr) { attr.Pdeathsig = syscall.SIGTERM }

// Wait waits for the leader with wait, which is to be its Wait or that of its exec.Cmd, and returns its error. What is
// to be killed of the rest of the group is killed before the leader's id, which is the group's, becomes free.
//
// A leader that has itself traced (PTRACE_TRACEME) and stops counts as ended otherwise, and would stay: it is killed.
func (g *Group) Wait(wait func() error) error {
	const byPID, noWait, trapped = 1, 0x01000000, 4 // P_PID, WNOWAIT, CLD_TRAPPED
	var info struct {                               // siginfo_t
		signo, errno, code int32
		_                  [116]byte
	}
	for {
		_, _, errno := syscall.Syscall6(syscall.SYS_WAITID, byPID, uintptr(g.Leader.Pid),
			uintptr(unsafe.Pointer(&info)), syscall.WEXITED|noWait, 0, 0)
		if errno == 0 && info.code == trapped {
			g.Leader.Kill()
		} else if errno != syscall.EINTR {
			break
		}
	}
	g.ended()
	return wait()
}
