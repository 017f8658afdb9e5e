package pool_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/adapters/pool"
	"github.com/gangway-go/gangway/internal/testlog"
)

// start starts a Group of app; it is closed when the test ends.
func start(t *testing.T, g *pool.Group, c *pool.Command) *testlog.Buffer {
	t.Helper()
	t.Setenv("TMPDIR", socketDir(t))
	log := new(testlog.Buffer)
	c.Log = slog.New(slog.NewTextHandler(log, nil))
	c.Backend = client
	g.Name, g.Spawner, g.Log = "shop", c, quiet
	t.Cleanup(func() {
		g.Close(context.Background())
		left, err := os.ReadDir(os.TempDir())
		assert.NoError(t, err)
		assert.Empty(t, left, "private folders")
	})
	require.NoError(t, g.Start(t.Context()))
	return log
}

// socketDir is a temporary folder with a short name, which a Unix socket needs.
func socketDir(t *testing.T) string {
	dir, err := os.MkdirTemp("", "p")
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func call(g *pool.Group, path string) (string, error) {
	req := get()
	req.Script.PathInfo = path
	resp, err := g.Serve(context.Background(), req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return string(b), err
}

func callPID(t *testing.T, g *pool.Group, path string) int {
	t.Helper()
	text, err := call(g, path)
	require.NoError(t, err)
	pid, err := strconv.Atoi(text)
	require.NoError(t, err)
	return pid
}

func TestCommand(t *testing.T) {
	for _, inherit := range []bool{false, true} {
		for _, way := range []string{"plain", "slow"} {
			t.Run(fmt.Sprintf("%s inherit %v", way, inherit), func(t *testing.T) {
				g := &pool.Group{Processes: 2}
				start(t, g, &pool.Command{Cmd: appCommand(way, inherit), Inherit: inherit})
				first := callPID(t, g, "/")
				assert.Equal(t, first, callPID(t, g, "/"), "the warm one")
				_, err := call(g, "/exit")
				assert.ErrorIs(t, err, adapters.ErrUnreachable)
				require.Eventually(t, func() bool { return callPID(t, g, "/") != first }, 10*time.Second, time.Millisecond)
			})
		}
	}
}

func TestStandardInputIsAnOpenPipe(t *testing.T) {
	g := &pool.Group{Concurrency: 2}
	start(t, g, &pool.Command{Cmd: appCommand("plain", false), Grace: time.Millisecond})
	ended := make(chan error, 1)
	go func() {
		_, err := call(g, "/stdin")
		ended <- err
	}()
	callPID(t, g, "/")
	select {
	case err := <-ended:
		t.Fatalf("standard input ended: %v", err)
	case <-time.After(100 * time.Millisecond):
	}
	assert.ErrorIs(t, g.Close(canceled()), context.Canceled)
	<-ended
}

func canceled() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

func TestDeathAtStart(t *testing.T) {
	tests := []struct {
		name    string
		way     string
		inherit bool
		limit   time.Duration
		want    string
	}{
		{"last line", "noisy death", false, 0, "app died at start: exit status 3: no such module: shop"},
		{"last line, inherited socket", "noisy death", true, 0,
			"app died at start: exit status 3: no such module: shop"},
		{"no line", "silent death", false, 0, "app died at start: exit status 0"},
		{"listens and dies", "deaf", false, 0, "app died at start: exit status 4: cannot read the configuration"},
		{"inherits and dies", "deaf", true, 0, "app died at start: exit status 4: cannot read the configuration"},
		{"too slow", "mute", false, 300 * time.Millisecond,
			"boot: app took no connection within 300ms (limit boot-timeout)"},
		{"too slow, inherited socket", "mute", true, 300 * time.Millisecond,
			"boot: app took no connection within 300ms (limit boot-timeout)"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := &pool.Command{
				Cmd: appCommand(tt.way, tt.inherit), Inherit: tt.inherit, BootTimeout: tt.limit, Backend: client, Log: quiet,
			}
			t.Setenv("TMPDIR", socketDir(t))
			_, err := c.Spawn(t.Context())
			assert.EqualError(t, err, tt.want)
			left, err := os.ReadDir(os.TempDir())
			assert.NoError(t, err)
			assert.Empty(t, left)
		})
	}
}

func TestNoProgram(t *testing.T) {
	tests := []struct {
		name string
		cmd  func(string) (*exec.Cmd, error)
		want string
	}{
		{"not there", func(string) (*exec.Cmd, error) { return exec.Command("/nowhere/app"), nil },
			"fork/exec /nowhere/app: no such file or directory"},
		{"not made", func(string) (*exec.Cmd, error) { return nil, errors.New("no configuration") }, "no configuration"},
	}
	for _, tt := range tests {
		for _, inherit := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s inherit %v", tt.name, inherit), func(t *testing.T) {
				t.Setenv("TMPDIR", socketDir(t))
				_, err := (&pool.Command{Cmd: tt.cmd, Inherit: inherit}).Spawn(t.Context())
				assert.EqualError(t, err, tt.want)
				left, err := filepath.Glob(os.TempDir() + "/*")
				assert.NoError(t, err)
				assert.Empty(t, left)
			})
		}
	}
}

func TestSpawnIsCancelled(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("not needed any more")
	time.AfterFunc(100*time.Millisecond, func() { cancel(why) })
	_, err := (&pool.Command{Cmd: appCommand("mute", false), Log: quiet}).Spawn(ctx)
	assert.ErrorIs(t, err, why)
}

func TestOutput(t *testing.T) {
	g := &pool.Group{}
	log := start(t, g, &pool.Command{Cmd: appCommand("plain", false)})
	pid := callPID(t, g, "/")
	call(g, "/log")
	call(g, "/exit")
	require.Eventually(t, func() bool { return strings.Contains(log.String(), "unfinished") }, 10*time.Second,
		time.Millisecond)
	var lines []string
	for line := range strings.Lines(log.String()) {
		_, line, _ = strings.Cut(line, "msg=")
		lines = append(lines, strings.TrimSpace(line))
	}
	head := fmt.Sprintf("stderr pid=%d line=", pid)
	assert.Equal(t, []string{
		head + "one",
		head + `"long ` + strings.Repeat("x", 8192-len("long ")) + `"`,
		head + strings.Repeat("x", 9000-8192+len("long ")),
		head + "unfinished",
	}, lines)
}

func TestOutputFlood(t *testing.T) {
	g := &pool.Group{}
	log := start(t, g, &pool.Command{Cmd: appCommand("plain", false)})
	call(g, "/flood")
	require.NoError(t, g.Close(t.Context()))
	assert.Contains(t, log.String(), "more lines dropped (limit stderr-lines)")
	assert.Contains(t, log.String(), `line="line 0"`)
}
