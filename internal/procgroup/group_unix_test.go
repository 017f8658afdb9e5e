//go:build unix

package procgroup_test

import (
	"bufio"
	"errors"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/internal/leak"
	"github.com/gangway-go/gangway/internal/procgroup"
)

func TestMain(m *testing.M) { leak.Main(m) }

const patience = 20 * time.Second

// A shell is a leader and what it has started, as long as one of them has the other end of out.
type shell struct {
	procgroup.Group
	cmd  *exec.Cmd
	out  *os.File
	text *bufio.Reader
}

func start(t *testing.T, attr *syscall.SysProcAttr, script string) *shell {
	t.Helper()
	out, in, err := os.Pipe()
	require.NoError(t, err)
	defer in.Close()
	t.Cleanup(func() { out.Close() })
	s := &shell{cmd: exec.Command("/bin/sh", "-c", script), out: out, text: bufio.NewReader(out)}
	s.cmd.Stdout, s.cmd.SysProcAttr = in, attr
	require.NoError(t, s.cmd.Start())
	s.Leader = s.cmd.Process
	require.NoError(t, out.SetReadDeadline(time.Now().Add(patience)))
	return s
}

// id returns the process id that the shell has printed.
func (s *shell) id(t *testing.T) int {
	t.Helper()
	line, err := s.text.ReadString('\n')
	require.NoError(t, err)
	id, err := strconv.Atoi(strings.TrimSpace(line))
	require.NoError(t, err)
	return id
}

// end waits for the leader and returns how it has ended.
func (s *shell) end() string {
	s.Wait(s.cmd.Wait)
	return s.cmd.ProcessState.String()
}

func (s *shell) requireNothingLeft(t *testing.T) {
	t.Helper()
	_, err := s.text.ReadByte()
	require.ErrorIs(t, err, io.EOF)
}

// requireRest makes sure that the process lives on, and ends it.
func (s *shell) requireRest(t *testing.T, id int) {
	t.Helper()
	require.NoError(t, s.out.SetReadDeadline(time.Now().Add(100*time.Millisecond)))
	_, err := s.text.ReadByte()
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	require.NoError(t, syscall.Kill(id, syscall.SIGKILL))
	require.NoError(t, s.out.SetReadDeadline(time.Now().Add(patience)))
	s.requireNothingLeft(t)
}

const (
	deaf  = "trap '' TERM; "
	child = "sleep 1000 & echo $!; "
)

func TestEnd(t *testing.T) {
	tests := []struct {
		name, script string
		grace        time.Duration
		how          string
	}{
		{"at once", child + "wait", 0, "signal: killed"},
		{"asked", child + "wait", patience, "signal: terminated"},
		{"asked, with an answer", "trap 'exit 7' TERM; " + child + "wait", patience, "exit status 7"},
		{"deaf", deaf + child + "wait", 50 * time.Millisecond, "signal: killed"},
		{"deaf child", "(" + deaf + "echo $$; exec sleep 1000) & wait", patience, "signal: terminated"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := start(t, procgroup.Attr(nil), tt.script)
			s.id(t)
			s.End(tt.grace)
			s.End(tt.grace)
			assert.Equal(t, tt.how, s.end())
			s.requireNothingLeft(t)
		})
	}
}

// A leader that is asked to end may be forced before its grace is over.
func TestEndSooner(t *testing.T) {
	s := start(t, procgroup.Attr(&syscall.SysProcAttr{}), deaf+child+"wait")
	s.id(t)
	s.End(time.Hour)
	s.End(0)
	assert.Equal(t, "signal: killed", s.end())
	s.requireNothingLeft(t)
}

func TestRest(t *testing.T) {
	t.Run("left", func(t *testing.T) {
		s := start(t, procgroup.Attr(nil), child)
		id := s.id(t)
		assert.Equal(t, "exit status 0", s.end())
		s.requireRest(t, id)
	})
	t.Run("killed", func(t *testing.T) {
		s := start(t, procgroup.Attr(nil), child)
		s.KillRest = true
		assert.Equal(t, "exit status 0", s.end())
		s.id(t)
		s.requireNothingLeft(t)
	})
}

// What is not in a group of its own is signalled alone.
func TestGroupOfOne(t *testing.T) {
	s := start(t, nil, child+"wait")
	id := s.id(t)
	s.End(patience)
	assert.Equal(t, "signal: terminated", s.end())
	s.requireRest(t, id)
}

// On Linux the id of the group is still its own when the rest is killed.
func TestRestBeforeLeader(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux lets us wait without reaping")
	}
	s := start(t, procgroup.Attr(nil), child)
	s.KillRest = true
	s.id(t)
	require.NoError(t, s.Wait(func() error {
		s.requireNothingLeft(t)
		return s.cmd.Wait()
	}))
}

func TestWait(t *testing.T) {
	s := start(t, procgroup.Attr(nil), "exit 3")
	failed := errors.New("failed")
	assert.ErrorIs(t, s.Wait(func() error { return errors.Join(failed, s.cmd.Wait()) }), failed)
	assert.Equal(t, 3, s.cmd.ProcessState.ExitCode())

	other := start(t, procgroup.Attr(nil), child+"wait") // as if it had got the id
	other.id(t)
	s.Leader = other.Leader
	s.End(0)
	s.End(time.Nanosecond)
	other.End(patience)
	assert.Equal(t, "signal: terminated", other.end())
}

// A leader that has us trace it is not lost when it stops.
func TestTraced(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux shows us what stops")
	}
	s := start(t, procgroup.Attr(nil), `exec python3 -c '
import ctypes, os, signal
if ctypes.CDLL(None).ptrace(0, 0, 0, 0) != 0:
    raise SystemExit("not traced")
os.kill(os.getpid(), signal.SIGUSR1)
'`)
	assert.Equal(t, "signal: killed", s.end())
	s.requireNothingLeft(t)
}
