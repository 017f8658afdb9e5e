package cgi

import (
	"os"
	"syscall"
	"unsafe"
)

var ownGroup = &syscall.SysProcAttr{Setpgid: true}

func (p *process) terminate() { syscall.Kill(-p.Pid, syscall.SIGTERM) }
func (p *process) kill()      { syscall.Kill(-p.Pid, syscall.SIGKILL) }

// reap waits for the process. Before its id, which is that of its group, becomes free, it kills what is left of the
// group of an aborted one.
func (p *process) reap() *os.ProcessState {
	const byPID, noWait = 1, 0x01000000 // P_PID, WNOWAIT
	var info [128]byte                  // siginfo_t
	for {
		_, _, errno := syscall.Syscall6(syscall.SYS_WAITID, byPID, uintptr(p.Pid),
			uintptr(unsafe.Pointer(&info)), syscall.WEXITED|noWait, 0, 0)
		if errno != syscall.EINTR {
			break
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.aborted {
		p.kill()
	}
	p.gone = true
	state, _ := p.Wait()
	return state
}
