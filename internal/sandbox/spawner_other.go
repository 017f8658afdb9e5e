//go:build !linux

package sandbox

import (
	"fmt"
	"os"
	"runtime"
)

// A Spawner starts processes under a [Policy]. There is none on this system.
type Spawner struct{}

// NewSpawner fails with an error that wraps [ErrUnsupported].
func NewSpawner(Policy) (*Spawner, error) {
	return nil, fmt.Errorf("sandbox: limits and profiles of processes are %w (%s), but on Linux", ErrUnsupported,
		runtime.GOOS)
}

// Start fails.
func (*Spawner) Start(string, []string, *os.ProcAttr) (*os.Process, error) {
	return nil, ErrUnsupported
}

// Gaps returns nothing.
func (*Spawner) Gaps() string { return "" }

// Close does nothing.
func (*Spawner) Close() {}
