//go:build unix

package procgroup

import "syscall"

// Attr returns attr, or new attributes if it is nil, with what makes the process the leader of a group of its own.
func Attr(attr *syscall.SysProcAttr) *syscall.SysProcAttr {
	if attr == nil {
		attr = &syscall.SysProcAttr{}
	}
	attr.Setpgid = true
	return attr
}

func (g *Group) terminate() { g.signal(syscall.SIGTERM) }
func (g *Group) kill()      { g.signal(syscall.SIGKILL) }

func (g *Group) signal(sig syscall.Signal) {
	if syscall.Kill(-g.Leader.Pid, sig) == syscall.ESRCH { // it leads none
		g.Leader.Signal(sig)
	}
	g.signalStrays(sig)
}
