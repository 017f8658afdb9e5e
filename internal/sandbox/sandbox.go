// Package sandbox starts processes that can do less than this one: as another user, with resource limits, and on Linux
// without access to most of the file system, the network and the rarer system calls. What is asked for and the system
// cannot do is an error, and never left out in silence.
//
// Begin with [LookupUser] for another user, which any Unix has, and with [NewSpawner] for the rest.
package sandbox

import (
	"errors"
	"time"
)

// ErrUnsupported is wrapped by errors about what this system cannot do.
var ErrUnsupported = errors.New("not supported here")

// A Profile says what processes are kept from.
type Profile string

// The profiles. Both closed ones need Linux 6.2 (Landlock ABI 3, seccomp) on amd64 or arm64.
const (
	Off Profile = ""
	// Standard leaves read access to programs, libraries and what a Policy names, write access to what a Policy names, no
	// way to get privileges, no descriptors but the standard ones, and no system calls that administer the system, look
	// into other processes or make namespaces.
	Standard Profile = "standard"
	// Strict is Standard without any sockets but those of Unix.
	Strict Profile = "strict"
)

// A Policy is what the processes of a [Spawner] are held to.
type Policy struct {
	Limits  Limits
	Profile Profile
	// Read and Write are folders and files that Profile leaves: to read and to run, and to change. They must exist.
	Read, Write []string
	// OtherUsers says that processes run as other users than this one.
	OtherUsers bool
}

// Limits are resource limits of each process, which it cannot raise, of setrlimit(2). 0 changes nothing.
type Limits struct {
	CPU      time.Duration // time on a processor, in whole seconds, rounded up: RLIMIT_CPU
	Memory   int64         // bytes of address space: RLIMIT_AS
	FileSize int64         // bytes of a file that is written: RLIMIT_FSIZE
	Files    int64         // open files: RLIMIT_NOFILE
	// Processes is how many processes and threads its user may have, wherever they come from: RLIMIT_NPROC. Linux does
	// not hold root to it.
	Processes int64
}
