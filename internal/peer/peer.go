// Package peer starts programs that nobody here wrote, for tests: web servers and applications, each a private instance
// with its own configuration on loopback or a Unix socket, which ends with its test.
package peer

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/internal/testlog"
)

// patience is how long a program may take to start or to end.
const patience = 30 * time.Second

// Need returns the path of the first of the programs that is installed. Where tests are to prove something (CI is set)
// none is a failure, else the test is skipped.
func Need(t testing.TB, programs ...string) string {
	t.Helper()
	for _, name := range programs {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
		if path, err := exec.LookPath("/usr/sbin/" + name); err == nil {
			return path
		}
	}
	text := fmt.Sprintf("none of %q is installed: scripts/setup installs it", programs)
	if os.Getenv("CI") == "" {
		t.Skip(text)
	}
	t.Fatal(text)
	return ""
}

// Dir returns a new folder that other users may enter, with a name short enough for a Unix socket in it.
func Dir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "peer")
	require.NoError(t, err)
	require.NoError(t, os.Chmod(dir, 0o777))
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// FreeAddress returns a TCP address of loopback on which nobody listens.
func FreeAddress(t testing.TB) string {
	t.Helper()
	for {
		ln, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 10000+rand.IntN(20000)))
		if err == nil {
			defer ln.Close()
			return ln.Addr().String()
		}
		require.NoError(t, t.Context().Err(), err)
	}
}

// write writes a file that everybody may read.
func write(t testing.TB, name, content string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o755))
	require.NoError(t, os.WriteFile(name, []byte(content), 0o644))
}

// A Process is a program that was started.
type Process struct {
	*exec.Cmd
	log  *testlog.Buffer
	done chan struct{}
}

// Log returns what the program has printed.
func (p *Process) Log() string { return p.log.String() }

// Start starts cmd in a process group of its own and waits until it accepts connections at address. The test ends it.
func Start(t testing.TB, cmd *exec.Cmd, network, address string) *Process {
	t.Helper()
	p := &Process{Cmd: cmd, log: new(testlog.Buffer), done: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = p.log, p.log
	cmd.WaitDelay = time.Second
	ownGroup(cmd)
	require.NoError(t, cmd.Start())
	go func() {
		cmd.Wait()
		close(p.done)
	}()
	t.Cleanup(func() {
		p.Stop()
		if t.Failed() {
			t.Logf("%s printed:\n%s", cmd.Path, p.Log())
		}
	})
	deadline := time.Now().Add(patience)
	for {
		conn, err := net.Dial(network, address)
		if err == nil {
			conn.Close()
			return p
		}
		select {
		case <-p.done:
			t.Fatalf("%s ended at its start:\n%s", cmd.Path, p.Log())
		case <-time.After(10 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s does not listen on %s: %v\n%s", cmd.Path, address, err, p.Log())
		}
	}
}

// Stop ends the program and what it started.
func (p *Process) Stop() {
	endGroup(p.Cmd, p.done)
	<-p.done
}
