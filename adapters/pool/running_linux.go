package pool

import (
	"syscall"
	"unsafe"
)

func (r *running) setDeathSignal() { r.cmd.SysProcAttr.Pdeathsig = syscall.SIGTERM }

// reap waits for the process and kills what is left of its group before its id, which is the group's, becomes free.
func (r *running) reap() error {
	const pPID, noWait = 1, 0x01000000 // P_PID, WNOWAIT
	var info [128]byte                 // siginfo_t
	for {
		_, _, errno := syscall.Syscall6(syscall.SYS_WAITID, pPID, uintptr(r.cmd.Process.Pid),
			uintptr(unsafe.Pointer(&info)), syscall.WEXITED|noWait, 0, 0)
		if errno != syscall.EINTR {
			break
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	kill.send(r.cmd.Process)
	r.reaped = true
	return r.cmd.Wait()
}
