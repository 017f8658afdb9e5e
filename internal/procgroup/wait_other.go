//go:build !linux

package procgroup

import "syscall"

// DieWithParent does nothing: only Linux tells a process of its parent's death.
func DieWithParent(*syscall.SysProcAttr) {}

// Wait waits for the leader with wait, which is to be its Wait or that of its exec.Cmd, and returns its error. What is
// to be killed of the rest of the group, whose id is not free before it is empty, is killed then.
func (g *Group) Wait(wait func() error) error {
	defer g.ended()
	return wait()
}
