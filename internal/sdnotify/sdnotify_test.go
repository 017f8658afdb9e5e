//go:build unix

package sdnotify_test

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/internal/leak"
	"github.com/gangway-go/gangway/internal/sdnotify"
)

func TestMain(m *testing.M) { leak.Main(m) }

const patience = 20 * time.Second

// manager opens the socket of a service manager and has NOTIFY_SOCKET name it.
func manager(t *testing.T, name string) (next func() string) {
	t.Helper()
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	t.Setenv("NOTIFY_SOCKET", name)
	return func() string {
		b := make([]byte, 4096)
		require.NoError(t, conn.SetReadDeadline(time.Now().Add(patience)))
		n, err := conn.Read(b)
		require.NoError(t, err)
		return string(b[:n])
	}
}

func TestSend(t *testing.T) {
	names := map[string]string{"file": filepath.Join(t.TempDir(), "s")}
	if runtime.GOOS == "linux" {
		names["abstract"] = "@gangway-test-" + strconv.Itoa(os.Getpid())
	}
	for name, socket := range names {
		t.Run(name, func(t *testing.T) {
			next := manager(t, socket)
			n := sdnotify.Take()
			require.NotNil(t, n)
			assert.Empty(t, os.Getenv("NOTIFY_SOCKET"))
			require.NoError(t, n.Send(sdnotify.Ready, sdnotify.Status("a\nb")))
			assert.Equal(t, "READY=1\nSTATUS=a b", next())
			require.NoError(t, n.Send(sdnotify.MainPID(12)))
			assert.Equal(t, "MAINPID=12", next())
			require.NoError(t, n.Send(sdnotify.Stopping))
			assert.Equal(t, "STOPPING=1", next())
		})
	}
}

func TestNobodyListens(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "")
	n := sdnotify.Take()
	assert.Nil(t, n)
	assert.NoError(t, n.Send(sdnotify.Ready))
	assert.Nil(t, n.Env())
	n.Watch(t.Context(), func() bool { panic("asked") })

	t.Setenv("NOTIFY_SOCKET", filepath.Join(t.TempDir(), "none"))
	assert.ErrorContains(t, sdnotify.Take().Send(sdnotify.Ready), "NOTIFY_SOCKET")
}

// The clock is CLOCK_MONOTONIC, which on Linux is that of /proc/uptime but for the time asleep.
func TestReloading(t *testing.T) {
	first, µs, ok := strings.Cut(sdnotify.Reloading(), "\n")
	require.True(t, ok)
	assert.Equal(t, "RELOADING=1", first)
	before, err := strconv.ParseInt(strings.TrimPrefix(µs, "MONOTONIC_USEC="), 10, 64)
	require.NoError(t, err)
	_, µs, _ = strings.Cut(sdnotify.Reloading(), "\n")
	after, err := strconv.ParseInt(strings.TrimPrefix(µs, "MONOTONIC_USEC="), 10, 64)
	require.NoError(t, err)
	assert.GreaterOrEqual(t, after, before)
	if text, err := os.ReadFile("/proc/uptime"); err == nil {
		uptime, err := strconv.ParseFloat(strings.Fields(string(text))[0], 64)
		require.NoError(t, err)
		assert.LessOrEqual(t, float64(after)/1e6, uptime+60)
		assert.Greater(t, after, int64(0))
	}
}

func TestWatch(t *testing.T) {
	pid := strconv.Itoa(os.Getpid())
	for name, tt := range map[string]struct {
		usec, pid string
		watched   bool
		env       []string
	}{
		"for us":            {"20000", pid, true, []string{"WATCHDOG_USEC=20000"}},
		"for whoever reads": {"20000", "", true, []string{"WATCHDOG_USEC=20000"}},
		"for another":       {"20000", "1", false, nil},
		"not wanted":        {"", "", false, nil},
		"no number":         {"x", pid, false, nil},
		"none":              {"0", pid, false, nil},
	} {
		t.Run(name, func(t *testing.T) {
			socket := filepath.Join(t.TempDir(), "s")
			next := manager(t, socket)
			t.Setenv("WATCHDOG_USEC", tt.usec)
			t.Setenv("WATCHDOG_PID", tt.pid)
			n := sdnotify.Take()
			assert.Equal(t, append([]string{"NOTIFY_SOCKET=" + socket}, tt.env...), n.Env())
			assert.Empty(t, os.Getenv("WATCHDOG_USEC")+os.Getenv("WATCHDOG_PID"))
			if !tt.watched {
				n.Watch(t.Context(), func() bool { panic("asked") })
				return
			}
			ctx, cancel := context.WithCancel(t.Context())
			var asked atomic.Int32
			ended := make(chan struct{})
			go func() { // it is alive twice, then dead
				defer close(ended)
				n.Watch(ctx, func() bool { return asked.Add(1) < 3 })
			}()
			assert.Equal(t, "WATCHDOG=1", next())
			assert.Equal(t, "WATCHDOG=1", next())
			require.Eventually(t, func() bool { return asked.Load() > 5 }, patience, time.Millisecond)
			require.NoError(t, n.Send("END=1"))
			assert.Equal(t, "END=1", next(), "a dead one gives no sign of life")
			cancel()
			<-ended
		})
	}
}
