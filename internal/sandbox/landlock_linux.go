package sandbox

import (
	"errors"
	"fmt"
	"io/fs"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Access rights of Landlock, by what they are rights to.
const (
	readFile  = unix.LANDLOCK_ACCESS_FS_EXECUTE | unix.LANDLOCK_ACCESS_FS_READ_FILE
	read      = readFile | unix.LANDLOCK_ACCESS_FS_READ_DIR
	writeFile = unix.LANDLOCK_ACCESS_FS_READ_FILE | unix.LANDLOCK_ACCESS_FS_WRITE_FILE | unix.LANDLOCK_ACCESS_FS_TRUNCATE
	write     = writeFile | unix.LANDLOCK_ACCESS_FS_READ_DIR | unix.LANDLOCK_ACCESS_FS_REMOVE_DIR |
		unix.LANDLOCK_ACCESS_FS_REMOVE_FILE | unix.LANDLOCK_ACCESS_FS_MAKE_DIR | unix.LANDLOCK_ACCESS_FS_MAKE_REG |
		unix.LANDLOCK_ACCESS_FS_MAKE_SOCK | unix.LANDLOCK_ACCESS_FS_MAKE_FIFO | unix.LANDLOCK_ACCESS_FS_MAKE_SYM |
		unix.LANDLOCK_ACCESS_FS_REFER
	// device is what nobody gets.
	device  = unix.LANDLOCK_ACCESS_FS_MAKE_CHAR | unix.LANDLOCK_ACCESS_FS_MAKE_BLOCK
	control = unix.LANDLOCK_ACCESS_FS_IOCTL_DEV // since ABI 5
)

// A rule opens what lies beneath a path.
type rule struct {
	path     string
	access   uint64
	optional bool // need not exist
}

// systemRules open what programs of nearly every language need.
func systemRules() (rules []rule) {
	for _, dir := range []string{"/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/etc"} {
		rules = append(rules, rule{dir, read, true})
	}
	for _, file := range []string{"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"} {
		rules = append(rules, rule{file, writeFile, true})
	}
	return rules
}

// Versions of Landlock: 1 is Linux 5.13, 2 is 5.19, 3 is 6.2, 5 is 6.10 and 6 is 6.12.
const (
	abiTruncate = 3
	abiControl  = 5
	abiScopes   = 6
)

// erratumSignals is the repair of version 6: threads of one process may signal each other, as Go's runtime does.
const erratumSignals = 1 << 1

// restrictFiles leaves this thread the files that programs need and p names. The gaps are what this kernel cannot stop.
func restrictFiles(p *Policy) (gaps string, err error) {
	abi, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	switch {
	case errno != 0:
		return "", fmt.Errorf("%w: Landlock (%w): the profiles need Linux 6.2 with landlock among its security modules "+
			"(lsm=), and a container that lets its system calls through", ErrUnsupported, errno)
	case abi < abiTruncate:
		return "", fmt.Errorf("%w: this kernel has version %d of Landlock; the profiles need %d, of Linux 6.2",
			ErrUnsupported, abi, abiTruncate)
	}
	attr := unix.LandlockRulesetAttr{Handled_access_fs: read | write | device}
	if abi >= abiControl {
		attr.Handled_access_fs |= control
	}
	errata, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_ERRATA)
	if abi >= abiScopes && errno == 0 && errata&erratumSignals != 0 {
		attr.Scoped = unix.LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET | unix.LANDLOCK_SCOPE_SIGNAL
	} else {
		gaps = "signals to processes of the same user and abstract Unix sockets, which Linux 6.15 can stop"
	}
	return gaps, restrict(&attr, rules(p))
}

func rules(p *Policy) []rule {
	all := systemRules()
	for _, path := range p.Read {
		all = append(all, rule{path, read, false})
	}
	for _, path := range p.Write {
		all = append(all, rule{path, write, false})
	}
	return all
}

func restrict(attr *unix.LandlockRulesetAttr, rules []rule) error {
	set, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, uintptr(unsafe.Pointer(attr)), unsafe.Sizeof(*attr), 0)
	if errno != 0 {
		return fmt.Errorf("landlock_create_ruleset: %w", errno)
	}
	defer unix.Close(int(set))
	for _, r := range rules {
		if err := r.add(int(set)); err != nil && !(r.optional && errors.Is(err, fs.ErrNotExist)) {
			return fmt.Errorf("%s: %w", r.path, err)
		}
	}
	if _, _, errno = unix.Syscall(unix.SYS_LANDLOCK_RESTRICT_SELF, set, 0, 0); errno != 0 {
		return fmt.Errorf("landlock_restrict_self: %w", errno)
	}
	return nil
}

// add adds the rule to a set.
func (r rule) add(set int) error {
	fd, err := unix.Open(r.path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	var stat unix.Stat_t
	if err := unix.Fstat(fd, &stat); err != nil {
		return err
	}
	beneath := unix.LandlockPathBeneathAttr{Allowed_access: r.access, Parent_fd: int32(fd)}
	if stat.Mode&unix.S_IFMT != unix.S_IFDIR {
		beneath.Allowed_access &= readFile | writeFile
	}
	_, _, errno := unix.Syscall6(unix.SYS_LANDLOCK_ADD_RULE, uintptr(set), unix.LANDLOCK_RULE_PATH_BENEATH,
		uintptr(unsafe.Pointer(&beneath)), 0, 0, 0)
	if errno != 0 {
		return fmt.Errorf("landlock_add_rule: %w", errno)
	}
	return nil
}
