//go:build linux

package slow

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/cli"
	"github.com/gangway-go/gangway/egi"
	"github.com/gangway-go/gangway/fastcgi"
	"github.com/gangway-go/gangway/internal/execfile"
	"github.com/gangway-go/gangway/internal/leak"
	"github.com/gangway-go/gangway/internal/peer"
	"github.com/gangway-go/gangway/scgi"
)

// asGangway makes the test binary the gangway program.
const asGangway = "SLOW_TEST_GANGWAY"

func TestMain(m *testing.M) {
	if os.Getenv(asGangway) != "" {
		os.Exit(cli.Main())
	}
	leak.Main(m)
}

// bigSize is the length of the large answer.
const bigSize = 1 << 20

// big is the large answer of the applications in Go.
var big = func() []byte {
	b := make([]byte, 0, bigSize)
	for n := 0; len(b) < bigSize; n++ {
		b = fmt.Appendf(b, "%07d\n", n)
	}
	return b
}()

// program is the script, for requests that are CGI.
const program = `#!/bin/sh
printf 'Content-Type: text/plain\n\n'
case $REQUEST_METHOD$PATH_INFO in
POST*) exec wc -c;;
GET/big) exec head -c 1048576 /dev/zero;;
*) echo hello;;
esac
`

const php = `<?php
header('Content-Type: text/plain');
if ($_SERVER['REQUEST_METHOD'] == 'POST') echo strlen(file_get_contents('php://input'));
elseif (str_ends_with($_SERVER['REQUEST_URI'], '/big')) for ($i = 0; $i < 16; $i++) echo str_repeat('x', 65536);
else echo "hello\n";
`

// app answers like program.
func app(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/plain")
	switch {
	case r.Method == http.MethodPost:
		n, _ := r.Body.Read(make([]byte, 1))
		fmt.Fprintln(w, n)
	case strings.HasSuffix(r.URL.Path, "/big"):
		if r.URL.RawQuery == "length" {
			w.Header().Set("Content-Length", strconv.Itoa(bigSize))
		}
		for part := range slices.Chunk(big, 50000) {
			w.Write(part)
		}
	default:
		fmt.Fprintln(w, "hello")
	}
}

// oneAtATime is an application with one process.
func oneAtATime() adapters.Handler {
	free, next := make(chan struct{}, 1), egi.HTTP(http.HandlerFunc(app))
	return adapters.HandlerFunc(func(ctx context.Context, req *adapters.Request) (*adapters.Response, error) {
		select {
		case free <- struct{}{}:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
		resp, err := next.Serve(ctx, req)
		if err != nil {
			<-free
			return nil, err
		}
		resp.Body = adapters.OnClose(resp.Body, func() { <-free })
		return resp, nil
	})
}

// startApps starts the applications and returns the mounts that lead to them.
func startApps(t *testing.T) []string {
	dir := peer.Dir(t)
	require.NoError(t, execfile.WriteFile(dir+"/app.cgi", []byte(program), 0o755))
	for name, server := range map[string]interface {
		Serve(net.Listener) error
		Shutdown(context.Context) error
	}{"fcgi": &fastcgi.Server{Handler: oneAtATime()}, "scgi": &scgi.Server{Handler: oneAtATime()}} {
		ln, err := net.Listen("unix", dir+"/"+name)
		require.NoError(t, err)
		go server.Serve(ln)
		t.Cleanup(func() {
			now, cancel := context.WithCancel(context.Background())
			cancel()
			server.Shutdown(now)
		})
	}
	return []string{"--mount", "/fcgi=fcgi+unix://" + dir + "/fcgi", "--mount", "/scgi=scgi+unix://" + dir + "/scgi",
		"--mount", "/cgi=cgi:" + dir + "/app.cgi"}
}

// A gangway is the program under test.
type gangway struct {
	t       *testing.T
	cmd     *exec.Cmd
	address string
	temp    string
}

func startGangway(t *testing.T, args ...string) *gangway {
	self, err := os.Executable()
	require.NoError(t, err)
	g := &gangway{t: t, address: peer.FreeAddress(t), temp: peer.Dir(t)}
	args = append([]string{"bridge", "--from", "http://" + g.address, "--grace", "1s", "--user", "self"}, args...)
	g.cmd = exec.Command(self, args...)
	g.cmd.Env = append(os.Environ(), asGangway+"=1", "TMPDIR="+g.temp, "GORACE=atexit_sleep_ms=0")
	peer.Start(t, g.cmd, "tcp", g.address)
	return g
}

// usage returns how many bytes of memory the program has that are no file's, and how many in temporary files.
func (g *gangway) usage() (memory, disk int64) {
	folder := fmt.Sprintf("/proc/%d", g.cmd.Process.Pid)
	status, err := os.ReadFile(folder + "/status")
	require.NoError(g.t, err)
	_, rest, _ := strings.Cut(string(status), "RssAnon:")
	text, _, _ := strings.Cut(rest, "kB")
	memory, err = strconv.ParseInt(strings.TrimSpace(text), 10, 64)
	require.NoError(g.t, err)
	files, err := filepath.Glob(folder + "/fd/*")
	require.NoError(g.t, err)
	for _, file := range files {
		if target, err := os.Readlink(file); err != nil || !strings.HasPrefix(target, g.temp) {
			continue
		}
		if info, err := os.Stat(file); err == nil {
			disk += info.Sys().(*syscall.Stat_t).Blocks * 512
		}
	}
	return memory << 10, disk
}

// watch returns a function that ends the watching and returns the largest usage.
func (g *gangway) watch() func() (memory, disk int64) {
	stop, done := make(chan struct{}), make(chan struct{})
	var memory, disk int64
	go func() {
		defer close(done)
		for {
			m, d := g.usage()
			memory, disk = max(memory, m), max(disk, d)
			select {
			case <-stop:
				return
			case <-time.After(100 * time.Millisecond):
			}
		}
	}()
	return func() (int64, int64) {
		close(stop)
		<-done
		return memory, disk
	}
}
