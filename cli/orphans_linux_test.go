package cli

import (
	"bufio"
	"maps"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What a shell has started before it became gangway, such as the end of a pipe that takes the log, is not gangway's to
// end.
func TestInheritedChildren(t *testing.T) {
	cmd := exec.Command("/bin/sh", "-c", `sleep 1000 </dev/null >/dev/null 2>&1 &
		echo $! >&2
		exec gangway bridge --from http://127.0.0.1:0 --to egi:echo`)
	diag, err := cmd.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	lines := bufio.NewScanner(diag)
	require.True(t, lines.Scan())
	pid, err := strconv.Atoi(lines.Text())
	require.NoError(t, err)
	defer syscall.Kill(pid, syscall.SIGKILL)
	require.True(t, lines.Scan())
	assert.Contains(t, get(t, strings.TrimPrefix(lines.Text(), "listening on ")+"/x"), "PATH_INFO=/x\n")
	require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
	for lines.Scan() {
	}
	require.NoError(t, cmd.Wait())
	state, _ := look(pid)
	assert.Equal(t, "S", state)
}

// A process that has just ended is left to whoever has started it, whatever group it is in.
func TestReapOrphans(t *testing.T) {
	for _, group := range []bool{false, true} {
		cmd := exec.Command("/bin/sh", "-c", "exit 7")
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: group}
		require.NoError(t, cmd.Start())
		pid := cmd.Process.Pid
		require.Eventually(t, func() bool { state, _ := look(pid); return state == "Z" }, patience, 10*time.Millisecond)
		_, start := look(pid)
		assert.Contains(t, reapOrphans(0, nil), process{pid, start})
		assert.Contains(t, reapOrphans(0, []process{{pid, "0"}}), process{pid, start}, "another has had its id")
		cmd.Wait()
		assert.Equal(t, 7, cmd.ProcessState.ExitCode())
	}
	cmd := exec.Command("/bin/sh", "-c", "exit 7")
	require.NoError(t, cmd.Start())
	var ended []process
	require.Eventually(t, func() bool {
		ended = reapOrphans(0, nil)
		return len(ended) > 0
	}, patience, 10*time.Millisecond)
	assert.Empty(t, reapOrphans(0, ended))
	assert.NotContains(t, slices.Collect(maps.Keys(children(0))), ended[0])
	assert.Error(t, cmd.Wait())
}
