//go:build !unix

package procgroup

import "syscall"

// Attr returns attr.
func Attr(attr *syscall.SysProcAttr) *syscall.SysProcAttr { return attr }

func (g *Group) terminate() {
	if g.Leader.Signal(syscall.SIGTERM) != nil { // Windows has none
		g.kill()
	}
}

func (g *Group) kill() { g.Leader.Kill() }
