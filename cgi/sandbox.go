package cgi

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/internal/sandbox"
)

// A Sandbox is what scripts are kept from, beyond what their user may not do. The zero value keeps them from nothing.
// It needs Linux 6.2 with Landlock, and holds everybody but root.
type Sandbox struct {
	// Profile is Standard or Strict; empty is none.
	Profile string
	// Read are folders and files that scripts may read and run besides their own folder, /usr and its like, and /etc. Of a
	// Script without Path the folder of the scripts must be one of them.
	Read []string
	// Write are folders and files that scripts may change; there are no others.
	Write []string
}

// The profiles of a [Sandbox].
const (
	// Standard leaves no files but those that the Sandbox names and what belongs to the system, no way to get privileges,
	// no inherited descriptors, and no system calls that administer the system, look into other processes or make
	// namespaces.
	Standard = string(sandbox.Standard)
	// Strict is Standard without network: the only sockets are those of Unix.
	Strict = string(sandbox.Strict)
)

// The users of a [Script] that are no accounts.
const (
	// Self is the user that this process runs as, and the default.
	Self = "self"
	// Owner is whoever owns the script, but root. The script and the folders above it must be such that nobody else can
	// change what is run, and symbolic links that lead there must be root's or the same owner's. The script is run by its
	// path without them, which SCRIPT_FILENAME says, too.
	Owner = "owner"
	// OwnerOrRoot is Owner, and root is an owner like any other.
	OwnerOrRoot = "owner-or-root"
)

// A confinement is what becomes of User, Sandbox and Limits.
type confinement struct {
	once    sync.Once
	err     error
	limits  Limits
	slots   slots
	user    *sandbox.User    // nil if scripts run as us, or as their owners
	spawner *sandbox.Spawner // nil if nothing needs one
}

// prepare finds out, once, whether the system can do what User, Sandbox and Limits ask for.
func (s *Script) prepare() error {
	c := &s.confinement
	c.once.Do(func() {
		c.limits = s.limits()
		if c.limits.Scripts > 0 {
			c.slots.free = make(chan struct{}, c.limits.Scripts)
		}
		if c.err = s.findUser(); c.err == nil {
			c.err = s.makeSpawner()
		}
		if c.err != nil {
			c.err = misconfigured("%w", c.err)
		}
	})
	return c.err
}

func (s *Script) findUser() (err error) {
	switch s.User {
	case "", Self:
		return nil
	case Owner, OwnerOrRoot:
		if !sandbox.Root() {
			return errors.New("only root can run scripts as their owner")
		}
		return nil
	}
	user, err := sandbox.LookupUser(s.User)
	if err != nil {
		return fmt.Errorf("user: %w", err)
	}
	s.confinement.user = user
	return user.Apply(&syscall.SysProcAttr{})
}

func (s *Script) byOwner() bool { return s.User == Owner || s.User == OwnerOrRoot }

// asRoot reports whether scripts run as root, or some of them.
func (s *Script) asRoot() bool {
	if user := s.confinement.user; user != nil {
		return user.UID == 0
	}
	return s.User != Owner && sandbox.Root()
}

func (s *Script) makeSpawner() (err error) {
	c := &s.confinement
	policy := sandbox.Policy{
		Limits: c.limits.system(), Profile: sandbox.Profile(s.Sandbox.Profile), Write: s.Sandbox.Write,
		OtherUsers: s.byOwner() || c.user != nil && sandbox.Root(),
	}
	switch policy.Profile {
	case sandbox.Off:
		if policy.Limits == (sandbox.Limits{}) {
			return nil
		}
	case sandbox.Standard, sandbox.Strict:
		if policy.Read, err = s.readable(); err != nil {
			return err
		}
	default:
		return fmt.Errorf("sandbox: there is no profile %q", s.Sandbox.Profile)
	}
	switch {
	case policy.Profile != sandbox.Off && s.asRoot():
		return errors.New("sandbox: it does not hold root: name another user (--user)")
	case policy.Limits.Processes > 0 && s.asRoot():
		return errors.New("limit cgi-processes: Linux does not hold root to it: name another user (--user)")
	}
	if c.spawner, err = sandbox.NewSpawner(policy); err != nil {
		return err
	}
	if gaps := c.spawner.Gaps(); gaps != "" {
		cmp.Or(s.Log, slog.Default()).Warn("the sandbox does not stop all that it could on a newer system", "gaps", gaps)
	}
	return nil
}

// readable returns what scripts may read.
func (s *Script) readable() ([]string, error) {
	paths := s.Sandbox.Read[:len(s.Sandbox.Read):len(s.Sandbox.Read)]
	if s.Path != "" {
		paths = append(paths, filepath.Dir(s.Path))
	}
	if s.Dir != "" {
		paths = append(paths, s.Dir)
	}
	for _, program := range s.Interpreters {
		path, err := exec.LookPath(program)
		if err != nil {
			return nil, fmt.Errorf("interpreter: %w", err)
		}
		paths = append(paths, path)
	}
	return paths, nil
}

// userFor returns who c runs as; nil is who we are.
func (s *Script) userFor(c *command) (*sandbox.User, error) {
	if !s.byOwner() {
		return s.confinement.user, nil
	}
	info, err := ownedAlone(c.asked, c.script, s.User == OwnerOrRoot)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", adapters.ErrForbidden, err)
	}
	user, err := sandbox.Owner(info)
	if err != nil {
		return nil, misconfigured("owner: %w", err)
	}
	return user, nil
}

// startProcess starts c as the user and under the limits that it is to have.
func (s *Script) startProcess(c *command, attr *os.ProcAttr) (*os.Process, error) {
	user, err := s.userFor(c)
	if err != nil {
		return nil, err
	}
	attr.Dir = c.dir
	if user != nil {
		if err := user.Apply(attr.Sys); err != nil {
			return nil, misconfigured("%w", err)
		}
		for _, f := range attr.Files { // which it may want to open again, as /dev/stderr
			if info, err := f.Stat(); err == nil && info.Mode()&fs.ModeNamedPipe != 0 {
				f.Chown(int(user.UID), -1)
			}
		}
	}
	start := os.StartProcess
	if spawner := s.confinement.spawner; spawner != nil {
		start = spawner.Start
	}
	started, err := start(c.program, c.argv, attr)
	return started, startError(err)
}
