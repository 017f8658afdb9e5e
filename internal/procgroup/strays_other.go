//go:build !linux

package procgroup

import "syscall"

// A stray is a descendant of the leader that has left its group, as Linux knows them.
type stray struct{}

func (*Group) findStrays()                 {}
func (*Group) signalStrays(syscall.Signal) {}
func (*Group) forgetStrays()               {}
