//go:build unix

package pool_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/adapters/pool"
)

// gone reports whether there is no such process, or only its exit status.
func gone(pid int) bool {
	if err := syscall.Kill(pid, 0); err != nil {
		return err == syscall.ESRCH
	}
	stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return strings.Contains(string(stat), ") Z ")
}

func requireGone(t *testing.T, pid int, msg string) {
	t.Helper()
	require.Eventually(t, func() bool { return gone(pid) }, 10*time.Second, time.Millisecond, msg)
}

func TestStopEndsTheWholeGroup(t *testing.T) {
	for _, way := range []string{"plain", "stubborn"} {
		t.Run(way, func(t *testing.T) {
			g := &pool.Group{}
			start(t, g, &pool.Command{Cmd: appCommand(way, false), Grace: 100 * time.Millisecond})
			pid, child := callPID(t, g, "/"), callPID(t, g, "/child")
			require.False(t, gone(pid) || gone(child))
			require.NoError(t, g.Close(t.Context()))
			requireGone(t, pid, "the app")
			requireGone(t, child, "what it started")
		})
	}
}

func TestDeathEndsTheWholeGroup(t *testing.T) {
	g := &pool.Group{}
	start(t, g, &pool.Command{Cmd: appCommand("plain", false)})
	pid, child := callPID(t, g, "/"), callPID(t, g, "/child")
	require.NoError(t, syscall.Kill(pid, syscall.SIGKILL))
	requireGone(t, child, "what it started")
}

func TestShellApp(t *testing.T) {
	g := &pool.Group{}
	start(t, g, &pool.Command{Cmd: func(socket string) (*exec.Cmd, error) {
		cmd := exec.Command("sh", "-c", `"$APP" "$SOCKET" & wait`)
		cmd.Env = append(os.Environ(), appVar+"=plain", "APP="+os.Args[0], "SOCKET="+socket)
		return cmd, nil
	}})
	pid := callPID(t, g, "/")
	require.NoError(t, g.Close(t.Context()))
	requireGone(t, pid, "the child of the shell")
}

func TestUser(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root may become another user")
	}
	t.Setenv("TMPDIR", socketDir(t))
	require.NoError(t, os.Chmod(os.TempDir(), 0o755))
	swap := ""
	c := &pool.Command{Log: quiet, Backend: client, Cmd: func(socket string) (*exec.Cmd, error) {
		cmd := exec.Command("python3", "-Sc", "import os, socket, sys\n"+
			"s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen()\n"+
			"if sys.argv[2]: os.rename(sys.argv[1], sys.argv[1] + '2'); os.symlink(sys.argv[1] + '2', sys.argv[1])\n"+
			"while True: s.accept()[0].close()", socket, swap)
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		cmd.Path = "/usr/bin/python3"
		return cmd, nil
	}}
	p, err := c.Spawn(t.Context())
	require.NoError(t, err)
	info, err := os.Stat(fmt.Sprintf("/proc/%d", p.ID))
	require.NoError(t, err)
	assert.EqualValues(t, 65534, info.Sys().(*syscall.Stat_t).Uid)
	folders, err := filepath.Glob(os.TempDir() + "/gangway-app-*")
	require.NoError(t, err)
	require.Len(t, folders, 1)
	info, err = os.Stat(folders[0])
	require.NoError(t, err)
	assert.Zero(t, info.Sys().(*syscall.Stat_t).Uid, "the process cannot put another socket there")
	p.Stop(t.Context())

	swap = "yes"
	_, err = c.Spawn(t.Context())
	assert.ErrorContains(t, err, "something else in the place of its socket")
}

// startSupervisor starts a program that runs an app, and returns the two process ids that the app has told.
func startSupervisor(t *testing.T) (supervisor *exec.Cmd, pids [2]int) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), appVar+"=supervisor")
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	br := bufio.NewReader(stdout)
	for i := range pids {
		line, err := br.ReadString('\n')
		require.NoError(t, err)
		pids[i], err = strconv.Atoi(strings.TrimSpace(line))
		require.NoError(t, err)
	}
	return cmd, pids
}

func TestAppEndsWithItsSupervisor(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux tells a process of its parent's death")
	}
	t.Setenv("TMPDIR", socketDir(t))
	cmd, pids := startSupervisor(t)
	assert.Equal(t, pids[0], pids[1], "the app must live as long as its supervisor")
	require.NoError(t, cmd.Process.Kill())
	cmd.Wait()
	requireGone(t, pids[0], "the app")
}

// TestFolderOfTheKilled: a program that starts removes what a killed one has left, and nothing that is in use.
func TestFolderOfTheKilled(t *testing.T) {
	dir := socketDir(t)
	t.Setenv("TMPDIR", dir)
	folders := func() []string {
		found, err := filepath.Glob(filepath.Join(dir, "gangway-*"))
		require.NoError(t, err)
		return found
	}
	killed, _ := startSupervisor(t)
	left := folders()
	require.Len(t, left, 1)
	require.NoError(t, killed.Process.Kill())
	killed.Wait()
	startSupervisor(t)
	used := slices.DeleteFunc(folders(), func(path string) bool { return path == left[0] })
	require.Len(t, used, 1)
	assert.DirExists(t, left[0], "a folder this young may be one that is about to be locked")

	foreign := filepath.Join(dir, "gangway-app-link")
	require.NoError(t, os.Symlink(t.TempDir(), foreign))
	old := time.Now().Add(-time.Hour)
	for _, path := range []string{left[0], used[0], foreign} {
		require.NoError(t, os.Chtimes(path, old, old))
	}
	startSupervisor(t)
	assert.NoDirExists(t, left[0])
	assert.FileExists(t, filepath.Join(used[0], "app.sock"))
	_, err := os.Lstat(foreign)
	assert.NoError(t, err, "a link is nobody's folder")
}

func TestDaemonDoesNotHoldTheGroup(t *testing.T) {
	g := &pool.Group{}
	pidFile := filepath.Join(t.TempDir(), "pid")
	start(t, g, &pool.Command{Cmd: func(socket string) (*exec.Cmd, error) {
		cmd := exec.Command("sh", "-c",
			`setsid sh -c 'echo $$ >"$PID.tmp"; mv "$PID.tmp" "$PID"; exec sleep 1000' & exec "$APP" "$SOCKET"`)
		cmd.Env = append(os.Environ(), appVar+"=plain", "APP="+os.Args[0], "SOCKET="+socket, "PID="+pidFile)
		return cmd, nil
	}})
	var daemon int
	require.Eventually(t, func() bool {
		text, _ := os.ReadFile(pidFile)
		daemon, _ = strconv.Atoi(strings.TrimSpace(string(text)))
		return daemon != 0
	}, 10*time.Second, time.Millisecond)
	defer syscall.Kill(daemon, syscall.SIGKILL)
	closed := make(chan error)
	go func() { closed <- g.Close(t.Context()) }()
	select {
	case err := <-closed:
		assert.NoError(t, err)
	case <-time.After(20 * time.Second):
		t.Error("Close waits for a process that has left the group")
		syscall.Kill(daemon, syscall.SIGKILL)
		<-closed
	}
}
