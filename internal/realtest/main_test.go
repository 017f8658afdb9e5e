//go:build unix

package realtest

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/internal/leak"
)

// patience is how long anything may take.
const patience = time.Minute

// program is the path of gangway.
var program string

// TestMain builds gangway as a user does: without the race detector.
func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "gangway")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	program = filepath.Join(dir, "gangway")
	ctx, cancel := context.WithTimeout(context.Background(), 5*patience)
	defer cancel()
	build := exec.CommandContext(ctx, "go", "build", "-o", program, "../../cli/gangway")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "go build: %v\n%s", err, out)
		return 1
	}
	return leak.Check(m).Run()
}

// A gateway is the program, running.
type gateway struct {
	*exec.Cmd
	addresses []string // where it listens, as it says

	mu  sync.Mutex
	log strings.Builder
}

// start starts gangway and waits until it listens on n addresses. At the end of the test it must stop as it should.
func start(t *testing.T, n int, args ...string) *gateway {
	t.Helper()
	g := &gateway{Cmd: exec.Command(program, args...)}
	g.Env = append(os.Environ(), "PATH=/usr/bin:"+os.Getenv("PATH")) // Debian's frameworks are Debian's Python's
	stderr, err := g.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, g.Start())
	listening, ended := make(chan string), make(chan struct{})
	go func() {
		defer close(ended)
		g.read(stderr, listening)
	}()
	t.Cleanup(func() { g.stop(t, ended) })
	late := time.After(patience)
	for range n {
		select {
		case address := <-listening:
			g.addresses = append(g.addresses, address)
		case <-ended:
			require.Fail(t, "gangway ended", g.Log())
		case <-late:
			require.Fail(t, "gangway does not listen", g.Log())
		}
	}
	return g
}

// read keeps the log and tells of each listener.
func (g *gateway) read(stderr io.Reader, listening chan<- string) {
	for lines := bufio.NewScanner(stderr); lines.Scan(); {
		g.mu.Lock()
		fmt.Fprintln(&g.log, lines.Text())
		g.mu.Unlock()
		if address, ok := strings.CutPrefix(lines.Text(), "listening on "); ok {
			select {
			case listening <- address:
			case <-time.After(patience): // the test has failed
			}
		}
	}
}

// Log returns what gangway has printed.
func (g *gateway) Log() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.log.String()
}

func (g *gateway) stop(t *testing.T, ended <-chan struct{}) {
	kill := time.AfterFunc(patience, func() { g.Process.Kill() })
	defer kill.Stop()
	g.Process.Signal(syscall.SIGTERM)
	<-ended
	assert.NoError(t, g.Wait(), "gangway did not stop as it should")
	if t.Failed() {
		t.Logf("gangway printed:\n%s", g.Log())
	}
}

// A browser keeps cookies, follows no redirect, and does not wait for ever.
type browser struct {
	http.Client
	t    *testing.T
	base string
}

func newBrowser(t *testing.T, base string) *browser {
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	connections := &http.Transport{}
	t.Cleanup(connections.CloseIdleConnections)
	return &browser{t: t, base: base, Client: http.Client{
		Transport: connections, Jar: jar, Timeout: patience,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// send makes a request, of the given Content-Type if it has a body, and returns the response and its body.
func (b *browser) send(method, path, contentType string, body io.Reader) (*http.Response, string) {
	b.t.Helper()
	req, err := http.NewRequestWithContext(b.t.Context(), method, b.base+path, body)
	require.NoError(b.t, err)
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	resp, err := b.Do(req)
	require.NoError(b.t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	require.NoError(b.t, err)
	return resp, string(text)
}

// get returns the body of a GET, which must be answered with 200.
func (b *browser) get(path string) string {
	b.t.Helper()
	resp, text := b.send("GET", path, "", nil)
	require.Equal(b.t, http.StatusOK, resp.StatusCode, "%s: %s", path, text)
	return text
}
