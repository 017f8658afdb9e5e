//go:build !linux

package cli

// adoptOrphans does nothing: only Linux gives a process its orphans.
func adoptOrphans() (end func()) { return func() {} }
