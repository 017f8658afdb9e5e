//go:build !linux

package cgi

import (
	"os"
	"syscall"
)

var ownGroup *syscall.SysProcAttr

// terminate and kill reach the process alone; what it has started goes on.
func (p *process) terminate() {
	if p.Signal(syscall.SIGTERM) != nil { // Windows has none
		p.kill()
	}
}

func (p *process) kill() { p.Kill() }

func (p *process) reap() *os.ProcessState {
	state, _ := p.Wait() // Process itself never signals another one that has got its id
	return state
}
