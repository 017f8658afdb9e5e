//go:build linux

package slow

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/internal/peer"
)

// figures asks for the figures: "make slow" sets it to how long each phase lasts.
const figures = "GANGWAY_SLOW"

// What "make slow" does to gangway.
const (
	slowEach         = 50 // uploaders, and readers
	otherConnections = 2
	spoolMemory      = 64 << 20 // the defaults of --limit spool-memory and spool-disk
	spoolDisk        = 4 << 30
	factor           = 2 // of the others' p99 when it is quiet
)

// TestFigures measures how long other clients wait for an application with two processes while it has slow ones.
func TestFigures(t *testing.T) {
	during, err := time.ParseDuration(os.Getenv(figures))
	if err != nil {
		t.Skip("only \"make slow\" measures")
	}
	_, socket := peer.PHPFPM(t, "pm.max_children = 2")
	root := peer.Dir(t)
	require.NoError(t, os.WriteFile(filepath.Join(root, "index.php"), []byte(php), 0o644))
	args := append(startApps(t), "--to", "fcgi+unix://"+socket, "--root", root, "--script", "index.php",
		"--limit", "cgi-scripts=2")
	out := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Printf("%d uploaders of 2 B/s and %d readers of 5 KB/s (1 MiB each); others: %d connections, %v each\n",
		slowEach, slowEach, otherConnections, during)
	fmt.Fprintln(out, "\tothers, quiet\tp50\tp99\tothers, slow clients\tp50\tp99\tmemory\tfiles\tothers, --body stream")
	for _, http1 := range []string{"own", "net"} {
		for _, path := range []string{"", "/cgi"} {
			name := http1 + " " + map[string]string{"": "php-fpm", "/cgi": "CGI"}[path]
			measure(t, out, append(args, "--http", http1), name, path, during)
		}
	}
	require.NoError(t, out.Flush())
}

func measure(t *testing.T, out *tabwriter.Writer, args []string, name, path string, during time.Duration) {
	g := startGangway(t, args...)
	others(g.address, path, otherConnections, during/5) // warm up
	quiet, _ := others(g.address, path, otherConnections, during)
	before, _ := g.usage()
	clients := startClients(t, g.address, path, slowEach, slowEach)
	require.Eventually(t, func() bool { return clients.begun.Load() > slowEach*readPart }, time.Minute, time.Millisecond)
	time.Sleep(during / 5) // for the 50 large answers to be taken from the application
	used := g.watch()
	slow, failed := others(g.address, path, otherConnections, during)
	memory, disk := used()
	clients.end()
	again, _ := others(g.address, path, otherConnections, during)
	without := stream(t, args, path, during)
	calm := max(quiet.quantile(.99), again.quantile(.99))
	fmt.Fprintf(out, "%s\t%d\t%v\t%v\t%d\t%v\t%v\t+%d MB\t%d MB\t%d\n", name,
		len(quiet), round(quiet.quantile(.5)), round(calm), len(slow), round(slow.quantile(.5)), round(slow.quantile(.99)), (memory-before)>>20, disk>>20, without)
	assert.LessOrEqual(t, slow.quantile(.99), factor*calm, name)
	assert.Less(t, memory-before, int64(spoolMemory), name)
	assert.Less(t, disk, int64(spoolDisk), name)
	assert.Zero(t, failed, name)
}

func round(d time.Duration) time.Duration { return d.Round(10 * time.Microsecond) }

// stream returns how many requests of others are answered when slow clients hold the application.
func stream(t *testing.T, args []string, path string, during time.Duration) int {
	g := startGangway(t, append(args, "--body", "stream")...)
	clients := startClients(t, g.address, path, slowEach, slowEach)
	time.Sleep(during / 5)
	answered, _ := others(g.address, path, otherConnections, during)
	close(clients.stop) // whom gangway may have told that there is no place for them
	clients.running.Wait()
	g.cmd.Process.Signal(os.Interrupt)
	return len(answered)
}
