package spool

import "sync/atomic"

// A Budget bounds what many bodies take together. The fields must not change once it is in use. It is safe for
// concurrent use; a nil Budget bounds nothing.
type Budget struct {
	Memory, Disk int64 // bytes

	memory, disk atomic.Int64
}

// Used returns how many bytes are taken.
func (b *Budget) Used() (memory, disk int64) { return b.memory.Load(), b.disk.Load() }

// TakeMemory takes n bytes, which may be less than none to give some back, and reports whether there were as many.
func (b *Budget) TakeMemory(n int64) bool { return b == nil || take(&b.memory, n, b.Memory) }

func (b *Budget) takeDisk(n int64) bool { return b == nil || take(&b.disk, n, b.Disk) }

func take(used *atomic.Int64, n, most int64) bool {
	if used.Add(n) <= most || n <= 0 {
		return true
	}
	used.Add(-n)
	return false
}
