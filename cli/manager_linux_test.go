package cli

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/internal/execfile"
)

// A manager does for one service what systemd does: it holds its sockets, hears what the service says, and knows which
// process it is.
type manager struct {
	t       *testing.T
	dir     string
	program string // a link that leads to one of two copies of gangway
	args    []string
	names   []string
	sockets []*os.File
	addrs   map[string]string
	said    chan string
	env     []string

	main  int   // the process that is the service
	old   []int // those that it has replaced
	ended []int // exit codes
}

// newManager opens sockets of these names: TCP for web, else Unix sockets in dir.
func newManager(t *testing.T, dir string, names ...string) *manager {
	m := &manager{t: t, dir: dir, names: names, addrs: map[string]string{}, said: make(chan string, 1000)}
	for _, name := range names {
		network, address := "unix", filepath.Join(dir, name+".sock")
		if name == "web" {
			network, address = "tcp", "127.0.0.1:0"
		}
		ln, err := net.Listen(network, address)
		require.NoError(t, err)
		if unix, ok := ln.(*net.UnixListener); ok {
			unix.SetUnlinkOnClose(false)
			require.NoError(t, os.Chmod(address, 0o666))
		}
		f, err := ln.(interface{ File() (*os.File, error) }).File()
		require.NoError(t, err)
		require.NoError(t, ln.Close())
		t.Cleanup(func() { f.Close() })
		m.sockets = append(m.sockets, f)
		m.addrs[name] = ln.Addr().String()
	}
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP) // else programs inherit that it is ignored, where nohup runs the tests
	t.Cleanup(func() { signal.Stop(hangups) })
	m.install()
	m.listen()
	m.adopt()
	return m
}

// install makes two copies of gangway and a link to the first.
func (m *manager) install() {
	path, err := exec.LookPath("gangway")
	require.NoError(m.t, err)
	text, err := os.ReadFile(path)
	require.NoError(m.t, err)
	for _, version := range []string{"1", "2"} {
		require.NoError(m.t, os.Mkdir(filepath.Join(m.dir, version), 0o755))
		require.NoError(m.t, execfile.WriteFile(filepath.Join(m.dir, version, "gangway"), text, 0o755))
	}
	m.program = filepath.Join(m.dir, "gangway")
	require.NoError(m.t, os.Symlink("1/gangway", m.program))
}

// switchVersion leads the link to the other copy and returns the path of that.
func (m *manager) switchVersion() string {
	target, err := os.Readlink(m.program)
	require.NoError(m.t, err)
	other := map[string]string{"1/gangway": "2/gangway", "2/gangway": "1/gangway"}[target]
	require.NoError(m.t, os.Symlink(other, m.program+".new"))
	require.NoError(m.t, os.Rename(m.program+".new", m.program))
	return filepath.Join(m.dir, other)
}

// listen hears what the service says.
func (m *manager) listen() {
	path := filepath.Join(m.dir, "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	require.NoError(m.t, err)
	m.t.Cleanup(func() { conn.Close() })
	m.env = append(m.env, "NOTIFY_SOCKET="+path)
	go func() {
		for b := make([]byte, 4096); ; {
			n, err := conn.Read(b)
			if err != nil {
				return
			}
			m.said <- string(b[:n])
		}
	}()
}

// adopt makes this process the parent of processes that a process of the service has left behind.
func (m *manager) adopt() {
	syscall.RawSyscall(syscall.SYS_PRCTL, prSetChildSubreaper, 1, 0)
	m.t.Cleanup(func() {
		syscall.RawSyscall(syscall.SYS_PRCTL, prSetChildSubreaper, 0, 0)
		for _, pid := range append(m.old, m.main) {
			if pid != 0 {
				syscall.Kill(pid, syscall.SIGKILL)
				m.wait(pid)
			}
		}
		if m.t.Failed() {
			m.t.Logf("the service printed:\n%s", m.printed())
		}
	})
}

func (m *manager) address(name string) string { return m.addrs[name] }

// start starts the service and waits until it is ready. Only the process itself knows its LISTEN_PID.
func (m *manager) start(args ...string) {
	m.args = args
	out, err := os.OpenFile(filepath.Join(m.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	require.NoError(m.t, err)
	defer out.Close()
	cmd := exec.Command("/bin/sh", append([]string{"-c", `LISTEN_PID=$$ exec "$0" "$@"`, m.program}, args...)...)
	cmd.Env = append(os.Environ(), "PATH="+m.dir+":"+os.Getenv("PATH")) // testscript.Main takes the folder from os.Args[0]
	cmd.Env = append(cmd.Env, m.env...)
	cmd.Env = append(cmd.Env, fmt.Sprintf("LISTEN_FDS=%d", len(m.sockets)), "LISTEN_FDNAMES="+strings.Join(m.names, ":"))
	cmd.ExtraFiles, cmd.Stdout, cmd.Stderr = m.sockets, out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // a service has no terminal
	require.NoError(m.t, cmd.Start())
	m.main = cmd.Process.Pid
	cmd.Process.Release()
	m.hears("READY=1\nSTATUS=listening on ")
}

// hears waits until the service says something that begins with text, and returns it.
func (m *manager) hears(text string) string {
	m.t.Helper()
	for deadline := time.After(patience); ; {
		select {
		case said := <-m.said:
			if strings.HasPrefix(said, text) {
				return said
			}
			require.Contains(m.t, said, "WATCHDOG=1", "instead of %q\n%s", text, m.printed())
		case <-deadline:
			m.t.Fatalf("the service does not say %q:\n%s", text, m.printed())
		}
	}
}

func (m *manager) printed() string {
	text, _ := os.ReadFile(filepath.Join(m.dir, "log"))
	return string(text)
}

// upgrade has the service replaced by the other copy of the program.
func (m *manager) upgrade() { m.upgradeBy(syscall.SIGUSR2) }

func (m *manager) upgradeBy(signal syscall.Signal) {
	program := m.switchVersion()
	m.signal(signal)
	m.hears("RELOADING=1\nMONOTONIC_USEC=")
	pid, _, _ := strings.Cut(strings.TrimPrefix(m.hears("MAINPID="), "MAINPID="), "\nREADY=1\n")
	main, err := strconv.Atoi(pid)
	require.NoError(m.t, err)
	m.old = append(m.old, m.main)
	m.main = main
	runs, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", m.main))
	require.NoError(m.t, err)
	require.Equal(m.t, program, runs)
}

func (m *manager) signal(signal syscall.Signal) {
	m.t.Helper()
	require.NoError(m.t, syscall.Kill(m.main, signal))
}

// restart ends the service and starts it again.
func (m *manager) restart() {
	m.stop()
	m.start(m.args...)
}

// stop ends the service and waits for all its processes. Those that were replaced come first: they would take the exit
// code of the last one, which is their child.
func (m *manager) stop() {
	for _, pid := range m.old {
		m.ended = append(m.ended, m.wait(pid))
	}
	m.signal(syscall.SIGTERM)
	m.hears("STOPPING=1")
	m.ended = append(m.ended, m.wait(m.main))
	m.old, m.main = nil, 0
}

// wait returns the exit code of a process, which may become a child of ours only when its parent ends.
func (m *manager) wait(pid int) int {
	for deadline := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		var status syscall.WaitStatus
		if got, err := syscall.Wait4(pid, &status, syscall.WNOHANG, nil); got == pid {
			return status.ExitStatus()
		} else if time.Now().After(deadline) {
			m.t.Fatalf("process %d does not end: %v\n%s", pid, err, m.printed())
		}
	}
}
