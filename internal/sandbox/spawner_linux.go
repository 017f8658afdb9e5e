package sandbox

import (
	"errors"
	"fmt"
	"math"
	"os"
	"runtime"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A Spawner starts processes under a [Policy], from a thread of its own that the profile holds too: it is inherited.
// The methods may be called by several goroutines.
type Spawner struct {
	policy Policy
	limits []limit
	gaps   string
	starts chan *start
	close  sync.Once
}

// A start is a process that is to be started.
type start struct {
	name string
	argv []string
	attr *os.ProcAttr

	done    chan struct{}
	process *os.Process
	err     error
}

// NewSpawner returns a Spawner, which is to be closed. The error is what this system cannot do.
func NewSpawner(p Policy) (*Spawner, error) {
	s := &Spawner{policy: p, starts: make(chan *start)}
	err := checkRight(&p)
	if err == nil {
		s.limits, err = p.Limits.list()
	}
	if err == nil {
		ready := make(chan error)
		go s.serve(ready)
		err = <-ready
	}
	if err != nil {
		return nil, fmt.Errorf("sandbox: %w", err)
	}
	return s, nil
}

// Gaps says what the profile would stop on a newer kernel and does not stop here; "" is nothing.
func (s *Spawner) Gaps() string { return s.gaps }

// Close ends the thread. No Start may follow, nor be under way. Processes that were started go on.
func (s *Spawner) Close() { s.close.Do(func() { close(s.starts) }) }

// Start is os.StartProcess. attr.Sys must be there; it may say as which user the process runs.
func (s *Spawner) Start(name string, argv []string, attr *os.ProcAttr) (*os.Process, error) {
	st := &start{name: name, argv: argv, attr: attr, done: make(chan struct{})}
	s.starts <- st
	<-st.done
	return st.process, st.err
}

// serve is the life of the thread, which ends with the goroutine since it is not unlocked.
func (s *Spawner) serve(ready chan<- error) {
	runtime.LockOSThread()
	if unix.Gettid() == os.Getpid() { // it would stay, and stand for this process in /proc
		other := make(chan error)
		go s.serve(other)
		ready <- <-other
		runtime.UnlockOSThread()
		return
	}
	err := s.confine()
	ready <- err
	if err != nil {
		return
	}
	for st := range s.starts {
		st.process, st.err = s.run(st)
		close(st.done)
	}
}

// confine puts the thread under the profile.
func (s *Spawner) confine() error {
	if s.policy.Profile == Off {
		return nil
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("no_new_privs: %w", err)
	}
	gaps, err := restrictFiles(&s.policy)
	if err != nil {
		return err
	}
	s.gaps = gaps
	return restrictCalls(s.policy.Profile, s.limits != nil)
}

// run starts a process. Limits are those of a process, not of a thread, so it is held at its first instruction, and
// gets them there: what it does, it does under them.
func (s *Spawner) run(st *start) (*os.Process, error) {
	if s.policy.Profile != Off {
		if err := unix.CloseRange(3, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC); err != nil {
			return nil, fmt.Errorf("sandbox: close_range: %w", err)
		}
	}
	limited := s.limits != nil
	st.attr.Sys.Ptrace = limited
	p, err := os.StartProcess(st.name, st.argv, st.attr)
	if err != nil || !limited {
		return p, err
	}
	if err := s.limit(p.Pid); err != nil {
		p.Kill()
		p.Wait()
		return nil, fmt.Errorf("sandbox: %w", err)
	}
	return p, nil
}

// limit sets the limits of a process that stands at its first instruction, and lets it go.
func (s *Spawner) limit(pid int) error {
	var status unix.WaitStatus
	for {
		_, err := unix.Wait4(pid, &status, unix.WALL, nil)
		if err == nil {
			break
		}
		if err != unix.EINTR {
			return fmt.Errorf("wait4: %w", err)
		}
	}
	if !status.Stopped() {
		return fmt.Errorf("%w before it began", syscall.ECHILD)
	}
	for _, l := range s.limits {
		if err := unix.Prlimit(pid, l.resource, &l.Rlimit, nil); err != nil {
			return fmt.Errorf("%s: %w", l.name, err)
		}
	}
	if err := unix.PtraceDetach(pid); err != nil {
		return fmt.Errorf("ptrace: %w", err)
	}
	return nil
}

// checkRight reports why the limits cannot be set.
func checkRight(p *Policy) error {
	if p.Limits == (Limits{}) || !p.OtherUsers {
		return nil
	}
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var held [2]unix.CapUserData
	if err := unix.Capget(&header, &held[0]); err != nil {
		return err
	}
	if held[0].Effective&(1<<unix.CAP_SYS_RESOURCE) == 0 {
		return errors.New("limits of programs that run as another user need the capability CAP_SYS_RESOURCE " +
			"(docker run --cap-add SYS_RESOURCE); or start this process as that user")
	}
	return nil
}

type limit struct {
	name     string
	resource int
	unix.Rlimit
}

// list returns the limits that are set, none above those of this process. With them goes that of core files.
func (l Limits) list() (set []limit, err error) {
	if l == (Limits{}) {
		return nil, nil
	}
	seconds := int64((l.CPU + time.Second - 1) / time.Second)
	for _, l := range []struct {
		name     string
		resource int
		value    int64
		room     uint64 // between the soft limit and the hard one
	}{
		{"RLIMIT_CORE", unix.RLIMIT_CORE, 0, 0},
		{"RLIMIT_CPU", unix.RLIMIT_CPU, seconds, 1}, // SIGXCPU, which says what is wrong, comes before SIGKILL
		{"RLIMIT_AS", unix.RLIMIT_AS, l.Memory, 0},
		{"RLIMIT_FSIZE", unix.RLIMIT_FSIZE, l.FileSize, 0},
		{"RLIMIT_NOFILE", unix.RLIMIT_NOFILE, l.Files, 0},
		{"RLIMIT_NPROC", unix.RLIMIT_NPROC, l.Processes, 0},
	} {
		if l.value == 0 && l.resource != unix.RLIMIT_CORE {
			continue
		}
		var ours unix.Rlimit
		if err := unix.Getrlimit(l.resource, &ours); err != nil {
			return nil, fmt.Errorf("%s: %w", l.name, err)
		}
		most := min(uint64(l.value)+l.room, ours.Max)
		set = append(set, limit{l.name, l.resource, unix.Rlimit{Cur: min(uint64(l.value), most), Max: most}})
	}
	return set, nil
}
