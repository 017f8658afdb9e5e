package sandbox

import (
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func spawner(t testing.TB, p Policy) *Spawner {
	t.Helper()
	s, err := NewSpawner(p)
	require.NoError(t, err)
	t.Cleanup(s.Close)
	return s
}

// output runs a command and returns what it prints, in one line, and its exit status.
func (s *Spawner) output(t testing.TB, argv ...string) (string, int) {
	t.Helper()
	r, w, err := os.Pipe()
	require.NoError(t, err)
	defer r.Close()
	path, err := exec.LookPath(argv[0])
	require.NoError(t, err)
	p, err := s.Start(path, argv, &os.ProcAttr{
		Dir: "/", Env: append(os.Environ(), "GORACE=atexit_sleep_ms=0"), Files: []*os.File{nil, w, w}, Sys: &syscall.SysProcAttr{},
	})
	w.Close()
	require.NoError(t, err)
	text, err := io.ReadAll(r)
	require.NoError(t, err)
	state, err := p.Wait()
	require.NoError(t, err)
	return strings.TrimSpace(string(text)), state.ExitCode()
}

func TestLimits(t *testing.T) {
	s := spawner(t, Policy{Limits: Limits{
		CPU: 1500 * time.Millisecond, Memory: 1 << 30, FileSize: 1 << 20, Files: 33, Processes: 1234567,
	}})
	text, _ := s.output(t, "cat", "/proc/self/limits")
	got := map[string]string{}
	for _, line := range strings.Split(text, "\n") {
		name, value := strings.TrimSpace(line[:25]), strings.Fields(line[25:])
		got[name] = value[0] + " " + value[1]
	}
	for name, want := range map[string]string{
		"Max cpu time": "2 3", "Max address space": "1073741824 1073741824", "Max file size": "1048576 1048576",
		"Max open files": "33 33", "Max core file size": "0 0",
	} {
		assert.Equal(t, want, got[name], name)
	}
	var ours unix.Rlimit
	require.NoError(t, unix.Getrlimit(unix.RLIMIT_NPROC, &ours))
	most := strconv.FormatUint(min(1234567, ours.Max), 10)
	assert.Equal(t, most+" "+most, got["Max processes"], "not above that of this process")
}

// A limit holds from the first instruction on: what starts processes at once cannot start one too many.
func TestLimitsFromTheStart(t *testing.T) {
	s := spawner(t, Policy{Limits: Limits{Memory: 1 << 20}})
	for range 20 {
		_, status := s.output(t, "true")
		require.NotZero(t, status, "a megabyte does not do for the libraries")
	}
}

func TestProfile(t *testing.T) {
	open, closed := t.TempDir(), t.TempDir()
	require.NoError(t, os.WriteFile(closed+"/secret", []byte("secret"), 0o644))
	require.NoError(t, os.WriteFile(open+"/data", []byte("data"), 0o644))
	require.NoError(t, os.Symlink(closed+"/secret", open+"/link"))
	require.NoError(t, os.Link("/bin/true", open+"/run"))
	file := filepath.Join(t.TempDir(), "alone")
	require.NoError(t, os.WriteFile(file, []byte("alone"), 0o644))
	reading := spawner(t, Policy{Profile: Standard, Read: []string{open, file}})
	writing := spawner(t, Policy{Profile: Strict, Write: []string{open}})
	for _, tt := range []struct {
		name, script string
		read, write  string // "" is refused
	}{
		{"read", "cat " + open + "/data", "data", "data"},
		{"list", "ls " + open + " | wc -l", "3", "3"},
		{"run", open + "/run && echo ran", "ran", ""},
		{"read one file", "cat " + file, "alone", ""},
		{"write", "echo > " + open + "/new && rm " + open + "/new && echo done", "", "done"},
		{"write what is there", "echo data >> " + open + "/data && echo data > " + open + "/data && echo done", "", "done"},
		{"move", "mkdir " + open + "/dir && mv " + open + "/dir " + open + "/other && rmdir " + open + "/other && echo ok",
			"", "ok"},
		{"device", "mknod " + open + "/dev c 1 3 && echo made", "", ""},
		{"read outside", "cat " + closed + "/secret", "", ""},
		{"list outside", "ls " + closed, "", ""},
		{"through a link", "cat " + open + "/link", "", ""},
		{"write outside", "echo > " + closed + "/new && echo done", "", ""},
		{"system", "cat /etc/passwd >/dev/null && echo read", "read", "read"},
		{"/proc", "cat /proc/self/status", "", ""},
		{"nothing", "echo lost > /dev/null && echo done", "done", "done"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for s, want := range map[*Spawner]string{reading: tt.read, writing: tt.write} {
				got, status := s.output(t, "sh", "-c", "("+tt.script+") 2>/dev/null")
				assert.Equal(t, want, got, s.policy.Profile)
				assert.Equal(t, want == "", status != 0 || got == "0", s.policy.Profile)
			}
		})
	}
}

// status returns the lines of a thread's status that begin with a name.
func threads(t testing.TB, line string) (n int) {
	paths, err := filepath.Glob("/proc/self/task/*/status")
	require.NoError(t, err)
	for _, path := range paths {
		if text, err := os.ReadFile(path); err == nil && strings.Contains(string(text), line) {
			n++
		}
	}
	return n
}

// The profile holds one thread of this process, and that ends.
func TestThread(t *testing.T) {
	const held = "\nSeccomp:\t2\n"
	before := threads(t, held)
	s := spawner(t, Policy{Profile: Strict})
	assert.Equal(t, before+1, threads(t, held))
	var work sync.WaitGroup
	for range 4 {
		work.Go(func() {
			for range 5 {
				s.output(t, "true")
				runtime.GC()
			}
		})
	}
	work.Wait()
	assert.Equal(t, before+1, threads(t, held))
	s.Close()
	assert.Eventually(t, func() bool { return threads(t, held) == before }, 20*time.Second, 10*time.Millisecond)
	_, err := os.ReadFile("/proc/self/status")
	assert.NoError(t, err)
}

// No other descriptor than the standard ones is inherited, though this process has one that would be.
func TestDescriptors(t *testing.T) {
	fd, err := unix.Open("/etc/passwd", unix.O_RDONLY, 0) // without O_CLOEXEC
	require.NoError(t, err)
	defer unix.Close(fd)
	list := []string{"sh", "-c", "[ -e /dev/fd/" + strconv.Itoa(fd) + " ] && echo open; exec <&" + strconv.Itoa(fd)}
	got, status := spawner(t, Policy{}).output(t, list...)
	assert.Equal(t, "open", got)
	assert.Zero(t, status)
	_, status = spawner(t, Policy{Profile: Standard}).output(t, list...)
	assert.NotZero(t, status)
}

func TestCannotStart(t *testing.T) {
	for name, p := range map[string]Policy{"limits": {Limits: Limits{Files: 10}}, "profile": {Profile: Standard}} {
		t.Run(name, func(t *testing.T) {
			_, err := spawner(t, p).Start("/no/such", []string{"x"}, &os.ProcAttr{Sys: &syscall.SysProcAttr{}})
			assert.ErrorIs(t, err, os.ErrNotExist)
		})
	}
	_, err := NewSpawner(Policy{Profile: Standard, Write: []string{"/no/such"}})
	assert.ErrorContains(t, err, "sandbox: /no/such: no such file")
}

// child runs this program as a child that does what has these names, and returns a line for each.
func child(t *testing.T, s *Spawner, names ...string) string {
	t.Helper()
	t.Setenv(asChild, strings.Join(names, ","))
	self, err := os.Executable()
	require.NoError(t, err)
	got, _ := s.output(t, self)
	return got
}

// children are what this program does as a child: it prints what they return.
var children = map[string]func() any{
	"ptrace":        func() any { return call(unix.SYS_PTRACE, unix.PTRACE_SEIZE, uintptr(os.Getppid())) },
	"detach":        func() any { return call(unix.SYS_PTRACE, unix.PTRACE_DETACH) }, // from nobody
	"keyctl":        func() any { return call(unix.SYS_KEYCTL, 0, 0) },
	"bpf":           func() any { return call(unix.SYS_BPF, math.MaxInt32) },
	"io_uring":      func() any { return call(unix.SYS_IO_URING_SETUP, 0) },
	"namespace":     func() any { return call(unix.SYS_CLONE, unix.CLONE_NEWUSER|unix.CLONE_THREAD) },
	"clone3":        func() any { return call(unix.SYS_CLONE3) },
	"unshare":       func() any { return call(unix.SYS_UNSHARE, 0) },
	"socket inet":   func() any { return socket(unix.AF_INET) },
	"socket inet6":  func() any { return socket(unix.AF_INET6) },
	"socket unix":   func() any { return socket(unix.AF_UNIX) },
	"socket packet": func() any { return socket(unix.AF_VSOCK) },
	"privileges": func() any {
		n, err := unix.PrctlRetInt(unix.PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0)
		return strconv.Itoa(n) + errno(err)
	},
	"old kernel": func() any {
		return withoutCall(unix.SYS_LANDLOCK_CREATE_RULESET, func() error {
			_, err := restrictFiles(&Policy{})
			return err
		})
	},
	"no capability": func() any {
		return withoutCapability(func() error {
			return checkRight(&Policy{Limits: Limits{Files: 10}, OtherUsers: true})
		})
	},
}

func errno(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func call(nr uintptr, args ...uintptr) string {
	args = append(args, 0, 0, 0, 0, 0, 0)
	if _, _, err := unix.RawSyscall6(nr, args[0], args[1], args[2], args[3], args[4], args[5]); err != 0 {
		return unix.ErrnoName(err)
	}
	return "done"
}

func socket(family int) string {
	fd, err := unix.Socket(family, unix.SOCK_STREAM, 0)
	if err != nil {
		return unix.ErrnoName(err.(syscall.Errno))
	}
	unix.Close(fd)
	return "done"
}

// withoutCall runs f on a thread of a kernel that does not know a system call.
func withoutCall(nr uint32, f func() error) error {
	runtime.LockOSThread()
	var program filter
	program.load(callNumber)
	program.on(nr, unknown)
	program.ret(allow)
	prog := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	if err := unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&prog)), 0, 0); err != nil {
		return err
	}
	return f()
}

// withoutCapability runs f on a thread without CAP_SYS_RESOURCE.
func withoutCapability(f func() error) error {
	runtime.LockOSThread()
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var held [2]unix.CapUserData
	if err := unix.Capget(&header, &held[0]); err != nil {
		return err
	}
	held[0].Effective &^= 1 << unix.CAP_SYS_RESOURCE
	if err := unix.Capset(&header, &held[0]); err != nil {
		return err
	}
	return f()
}

func TestCalls(t *testing.T) {
	self, err := os.Executable()
	require.NoError(t, err)
	// A container may refuse some of them, too: then nothing is said of "without".
	tests := []struct{ name, without, limited, standard, strict string }{
		{"ptrace", "", "EPERM", "EPERM", "EPERM"},
		{"detach", "ESRCH", "ESRCH", "EPERM", "EPERM"},
		{"keyctl", "", "EPERM", "EPERM", "EPERM"},
		{"bpf", "", "EPERM", "EPERM", "EPERM"},
		{"io_uring", "", "EPERM", "EPERM", "EPERM"},
		{"namespace", "", "EPERM", "EPERM", "EPERM"},
		{"clone3", "", "ENOSYS", "ENOSYS", "ENOSYS"},
		{"unshare", "", "EPERM", "EPERM", "EPERM"},
		{"socket inet", "done", "done", "done", "EPERM"},
		{"socket inet6", "", "done", "done", "EPERM"},
		{"socket unix", "done", "done", "done", "done"},
		{"socket packet", "", "EPERM", "EPERM", "EPERM"},
		{"privileges", "0", "1", "1", "1"},
	}
	var names []string
	for _, tt := range tests {
		names = append(names, tt.name)
	}
	run := func(p Policy) []string {
		p.Read = []string{self}
		return strings.Split(child(t, spawner(t, p), names...), "\n")
	}
	without, limited := run(Policy{}), run(Policy{Profile: Standard, Limits: Limits{Files: 100}})
	standard, strict := run(Policy{Profile: Standard}), run(Policy{Profile: Strict})
	for i, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.without != "" {
				assert.Equal(t, tt.without, without[i], "without")
			}
			assert.Equal(t, tt.limited, limited[i], "limited")
			assert.Equal(t, tt.standard, standard[i], "standard")
			assert.Equal(t, tt.strict, strict[i], "strict")
		})
	}
}

// What the system cannot do is said at the start.
func TestMissing(t *testing.T) {
	s := spawner(t, Policy{})
	assert.Regexp(t, "not supported here: Landlock .function not implemented.: the profiles need Linux 6.2",
		child(t, s, "old kernel"))
	if Root() {
		assert.Contains(t, child(t, s, "no capability"), "need the capability CAP_SYS_RESOURCE")
	}
}
