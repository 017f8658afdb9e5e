//go:build unix

package peer

import (
	"os/exec"
	"syscall"
	"time"
)

func ownGroup(cmd *exec.Cmd) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid = true
}

// endGroup interrupts the program, which for some is more final than to terminate it, and at last kills its group.
func endGroup(cmd *exec.Cmd, done <-chan struct{}) {
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		cmd.Process.Signal(signal)
		select {
		case <-done:
		case <-time.After(3 * time.Second):
			continue
		}
		break
	}
	syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
}
