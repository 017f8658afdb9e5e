package cgi

import (
	"cmp"
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/internal/sandbox"
)

// Limits bound what scripts take. In every field 0 is the default, and below 0 is no limit.
//
// CPU, Memory, FileSize, Files and Processes are resource limits of the system, which the script and what it starts
// inherit and cannot raise: each process has them for itself. There is no default for them, nor for Time and Output,
// but in a [Sandbox], where it is that of [SandboxLimits]. They need Linux.
type Limits struct {
	CPU      time.Duration // time on a processor, in whole seconds, rounded up: RLIMIT_CPU
	Memory   int64         // bytes of address space: RLIMIT_AS
	FileSize int64         // bytes of a file that a script writes: RLIMIT_FSIZE
	Files    int64         // open files: RLIMIT_NOFILE
	// Processes is how many processes and threads the script's user has, all of its scripts together: RLIMIT_NPROC. Linux
	// does not hold root to it.
	Processes int64

	Time   time.Duration // that a script runs; then it is aborted
	Output int64         // bytes of a response, with its header

	Scripts int64         // that run at once; 0 is DefaultScripts
	Queue   int64         // requests that wait for one of them to end; 0 is DefaultQueue
	Wait    time.Duration // for how long; 0 is DefaultWait
}

// SandboxLimits returns the defaults in a [Sandbox].
func SandboxLimits() Limits {
	return Limits{
		CPU: time.Minute, Memory: 1 << 30, FileSize: 1 << 30, Files: 1024, Processes: 512,
		Time: 10 * time.Minute, Output: 1 << 30,
	}
}

// The defaults of [Limits].
const (
	DefaultScripts = 100
	DefaultQueue   = 1000
	DefaultWait    = 30 * time.Second
)

// limits returns Limits with the defaults in place: 0 is no limit.
func (s *Script) limits() Limits {
	var rest Limits
	if s.Sandbox.Profile != "" {
		rest = SandboxLimits()
	}
	l := &s.Limits
	return Limits{
		CPU: bound(l.CPU, rest.CPU), Memory: bound(l.Memory, rest.Memory), FileSize: bound(l.FileSize, rest.FileSize),
		Files: bound(l.Files, rest.Files), Processes: bound(l.Processes, rest.Processes),
		Time: bound(l.Time, rest.Time), Output: bound(l.Output, rest.Output),
		Scripts: bound(l.Scripts, DefaultScripts), Queue: max(cmp.Or(l.Queue, DefaultQueue), -1),
		Wait: bound(l.Wait, DefaultWait),
	}
}

// bound returns a limit, 0 for none.
func bound[N int64 | time.Duration](n, otherwise N) N { return max(cmp.Or(n, otherwise), 0) }

// system returns the limits that the system enforces.
func (l *Limits) system() sandbox.Limits {
	return sandbox.Limits{CPU: l.CPU, Memory: l.Memory, FileSize: l.FileSize, Files: l.Files, Processes: l.Processes}
}

// slots are how many more scripts may run.
type slots struct {
	free    chan struct{} // nil is without limit
	waiting atomic.Int64
}

// take returns when another script may run.
func (l *slots) take(ctx context.Context, limits *Limits) error {
	select {
	case l.free <- struct{}{}:
		return nil
	default:
	}
	if l.free == nil {
		return nil
	}
	defer l.waiting.Add(-1)
	if n := l.waiting.Add(1); limits.Queue >= 0 && n > limits.Queue {
		return busy("queue", "%d requests wait already", limits.Queue)
	}
	var late <-chan time.Time
	if limits.Wait > 0 {
		timer := time.NewTimer(limits.Wait)
		defer timer.Stop()
		late = timer.C
	}
	select {
	case l.free <- struct{}{}:
		return nil
	case <-late:
		return busy("queue-wait", "waited %v for another script to end", limits.Wait)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (l *slots) give() {
	if l.free != nil {
		<-l.free
	}
}

func busy(limit, format string, value any) error {
	return &adapters.Error{
		Op: "cannot start", RetryAfter: time.Second, Limit: limit,
		Err: fmt.Errorf("%w: "+format, adapters.ErrBusy, value),
	}
}
