package sandbox

import (
	"fmt"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A filter is a program of seccomp(2), which sees the number and the arguments of each system call.
type filter []unix.SockFilter

// Offsets in struct seccomp_data. Of an argument the lower half is looked at, where all flags are.
const (
	callNumber   = 0
	callArch     = 4
	callArgument = 16
)

const (
	allow   = unix.SECCOMP_RET_ALLOW
	refuse  = unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)
	unknown = unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)
	kill    = unix.SECCOMP_RET_KILL_PROCESS
)

func (f *filter) load(offset uint32) {
	*f = append(*f, unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: offset})
}

func (f *filter) ret(action uint32) {
	*f = append(*f, unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: action})
}

// jump skips instructions: yes of them if the comparison with k is true, else no of them.
func (f *filter) jump(compare uint16, k uint32, yes, no int) {
	*f = append(*f, unix.SockFilter{Code: unix.BPF_JMP | compare | unix.BPF_K, K: k, Jt: uint8(yes), Jf: uint8(no)})
}

// on returns action for the system call nr.
func (f *filter) on(nr, action uint32) {
	f.jump(unix.BPF_JEQ, nr, 0, 1)
	f.ret(action)
}

// onFlags refuses the system call nr if its argument has one of the flags.
func (f *filter) onFlags(nr uint32, argument int, flags uint32) {
	f.jump(unix.BPF_JEQ, nr, 0, 4)
	f.load(callArgument + 8*uint32(argument))
	f.jump(unix.BPF_JSET, flags, 0, 1)
	f.ret(refuse)
	f.ret(allow)
}

// unless refuses the system call nr if its argument is none of the values.
func (f *filter) unless(nr uint32, argument int, values ...uint32) {
	f.jump(unix.BPF_JEQ, nr, 0, len(values)+3)
	f.load(callArgument + 8*uint32(argument))
	for i, v := range values {
		f.jump(unix.BPF_JEQ, v, len(values)-i, 0)
	}
	f.ret(refuse)
	f.ret(allow)
}

// newNamespaces are the flags of clone(2) that make namespaces: with one of users, anybody reaches what is for root.
const newNamespaces = unix.CLONE_NEWUSER | unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWNET |
	unix.CLONE_NEWIPC | unix.CLONE_NEWUTS | unix.CLONE_NEWCGROUP

// newFilter returns the filter of a profile; traced says that processes must let their parent stop them once.
func newFilter(p Profile, arch uint32, refused []uint32, traced bool) filter {
	var f filter
	f.load(callArch)
	f.jump(unix.BPF_JEQ, arch, 1, 0)
	f.ret(kill) // a program for another processor, which has other numbers
	f.load(callNumber)
	f.jump(unix.BPF_JGE, x32, 0, 1)
	f.ret(unknown)
	for _, nr := range refused {
		f.on(nr, refuse)
	}
	f.onFlags(unix.SYS_CLONE, 0, newNamespaces)
	f.on(unix.SYS_CLONE3, unknown) // its flags cannot be seen, and who does not have it takes clone
	if traced {                    // both are of no use without the other requests
		f.unless(unix.SYS_PTRACE, 0, unix.PTRACE_TRACEME, unix.PTRACE_DETACH)
	} else {
		f.on(unix.SYS_PTRACE, refuse)
	}
	if p == Strict {
		f.unless(unix.SYS_SOCKET, 0, unix.AF_UNIX)
	} else {
		f.unless(unix.SYS_SOCKET, 0, unix.AF_UNIX, unix.AF_INET, unix.AF_INET6, unix.AF_NETLINK)
	}
	f.ret(allow)
	return f
}

// x32 is the first number of amd64's second set of system calls. Other processors have no numbers that large.
const x32 = 0x40000000

// restrictCalls has this thread make no other system calls than those of the profile.
func restrictCalls(p Profile, traced bool) error {
	if arch == 0 {
		return fmt.Errorf("%w: the profiles have system calls of amd64 and arm64 only, not of %s", ErrUnsupported,
			runtime.GOARCH)
	}
	f := newFilter(p, arch, append(refused[:len(refused):len(refused)], refusedHere...), traced)
	program := unix.SockFprog{Len: uint16(len(f)), Filter: &f[0]}
	// prctl rather than seccomp: the filter is for this thread only.
	err := unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&program)), 0, 0)
	if err != nil {
		return fmt.Errorf("%w: seccomp: %w", ErrUnsupported, err)
	}
	return nil
}

// refused are system calls that no program of a gateway needs.
var refused = []uint32{
	// Other processes.
	unix.SYS_PROCESS_VM_READV, unix.SYS_PROCESS_VM_WRITEV, unix.SYS_PIDFD_GETFD, unix.SYS_KCMP, unix.SYS_PROCESS_MADVISE,
	unix.SYS_MOVE_PAGES, unix.SYS_MIGRATE_PAGES,
	// Mounts and namespaces.
	unix.SYS_MOUNT, unix.SYS_UMOUNT2, unix.SYS_PIVOT_ROOT, unix.SYS_CHROOT, unix.SYS_MOVE_MOUNT, unix.SYS_OPEN_TREE,
	unix.SYS_FSOPEN, unix.SYS_FSCONFIG, unix.SYS_FSMOUNT, unix.SYS_FSPICK, unix.SYS_MOUNT_SETATTR, unix.SYS_UNSHARE,
	unix.SYS_SETNS,
	// Keys, and what has had many faults.
	unix.SYS_KEYCTL, unix.SYS_ADD_KEY, unix.SYS_REQUEST_KEY, unix.SYS_BPF, unix.SYS_USERFAULTFD, unix.SYS_PERF_EVENT_OPEN,
	unix.SYS_IO_URING_SETUP, unix.SYS_IO_URING_ENTER, unix.SYS_IO_URING_REGISTER, // which opens sockets, too
	unix.SYS_FANOTIFY_INIT, unix.SYS_OPEN_BY_HANDLE_AT, unix.SYS_NAME_TO_HANDLE_AT, unix.SYS_LOOKUP_DCOOKIE,
	// The system.
	unix.SYS_KEXEC_LOAD, unix.SYS_KEXEC_FILE_LOAD, unix.SYS_INIT_MODULE, unix.SYS_FINIT_MODULE, unix.SYS_DELETE_MODULE,
	unix.SYS_REBOOT, unix.SYS_SWAPON, unix.SYS_SWAPOFF, unix.SYS_ACCT, unix.SYS_QUOTACTL, unix.SYS_QUOTACTL_FD,
	unix.SYS_SETTIMEOFDAY, unix.SYS_CLOCK_SETTIME, unix.SYS_CLOCK_ADJTIME, unix.SYS_ADJTIMEX, unix.SYS_SYSLOG,
	unix.SYS_VHANGUP, unix.SYS_SETHOSTNAME, unix.SYS_SETDOMAINNAME,
}
