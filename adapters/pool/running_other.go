//go:build !unix

package pool

import "os"

// groupSignal is always SIGKILL: there is no other, and no group.
type groupSignal struct{}

var terminate, kill groupSignal

func (groupSignal) send(leader *os.Process) { leader.Kill() }

func (r *running) prepare() error { return nil }
