package cli

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/adapters/open"
	"github.com/gangway-go/gangway/internal/execfile"
	"github.com/gangway-go/gangway/internal/peer"
)

// A limited is a gateway whose limits are reached.
type limited struct {
	*running
	t    *testing.T
	dir  string
	urls []string
}

func startLimited(t *testing.T, args string) *limited {
	g := &limited{t: t, dir: peer.Dir(t), running: &running{done: make(chan struct{}), lines: make(chan string, 9)}}
	for name, content := range reachedFiles {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(g.dir, name)), 0o755))
		require.NoError(t, execfile.WriteFile(filepath.Join(g.dir, name), []byte(content), 0o755))
	}
	if strings.Contains(args, "$FULL") {
		args = strings.ReplaceAll(args, "$FULL", fullListener(t))
	}
	none := ""
	for _, k := range limitTable {
		none += " --limit " + k.name + "=0"
	}
	args = strings.NewReplacer("$DIR", g.dir, "$NONE", none).Replace(args)
	args += " --user self --status http+unix://" + g.dir + "/status"
	g.cmd = exec.Command("gangway", strings.Fields(args)...)
	diag, err := g.cmd.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, g.cmd.Start())
	go g.read(diag)
	t.Cleanup(func() {
		g.cmd.Process.Kill()
		<-g.done
		if t.Failed() {
			t.Logf("gangway %s\n%s", args, g.log())
		}
	})
	for range strings.Count(args, "--from ") + strings.Count(args, "--listen ") {
		select {
		case url := <-g.lines:
			g.urls = append(g.urls, url)
		case <-g.done:
			require.Fail(t, "gangway ended", g.log())
		case <-time.After(patience):
			require.Fail(t, "gangway does not listen")
		}
	}
	return g
}

// fullListener returns the address of somebody who takes no connection, and whose queue is full.
func fullListener(t *testing.T) string {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	t.Cleanup(func() { syscall.Close(fd) })
	require.NoError(t, syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	require.NoError(t, syscall.Listen(fd, 0))
	name, err := syscall.Getsockname(fd)
	require.NoError(t, err)
	address := fmt.Sprintf("127.0.0.1:%d", name.(*syscall.SockaddrInet4).Port)
	conn, err := net.Dial("tcp", address)
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	return address
}

// end ends the gateway, which has answered all.
func (g *limited) end() {
	g.release()
	require.NoError(g.t, g.cmd.Process.Signal(syscall.SIGTERM))
	select {
	case <-g.done:
		assert.Zero(g.t, g.cmd.ProcessState.ExitCode())
	case <-time.After(patience):
		assert.Fail(g.t, "gangway does not end")
	}
}

// release lets what is held go on.
func (g *limited) release() {
	require.NoError(g.t, os.WriteFile(g.dir+"/release", nil, 0o644))
}

func (g *limited) await(condition func(c *assert.CollectT)) {
	g.t.Helper()
	require.EventuallyWithT(g.t, condition, patience, 20*time.Millisecond)
}

// logs checks that there is a text in the log, or that there is none.
func (g *limited) logs(text string, want bool) {
	g.t.Helper()
	g.await(func(t *assert.CollectT) { // an answer may come before its line
		assert.Equal(t, want, strings.Contains(g.log(), text), text)
	})
}

var limitLine = regexp.MustCompile(`(?m)^time=.* limit=([a-z-]+)(?: times=([0-9]+))?`)

// logged returns how often each limit was reached, as the log says.
func (g *limited) logged() map[string]int {
	counts := map[string]int{}
	for _, m := range limitLine.FindAllStringSubmatch(g.log(), -1) {
		times, _ := strconv.Atoi(m[2])
		counts[m[1]] += max(times, 1)
	}
	return counts
}

// A statusReport is what --status says.
type statusReport struct {
	Connections map[string]map[string]int
	Limits      map[string]int
}

// report asks for it; it is empty if nobody answers.
func (g *limited) report() (r statusReport) {
	conn, err := net.Dial("unix", g.dir+"/status")
	if err != nil {
		return r
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	c := &clientConn{Conn: conn, br: bufio.NewReader(conn)}
	c.get("/")
	json.Unmarshal([]byte(c.answer().body), &r)
	return r
}

// An answer is what a client sees: whether the response is cut short, no status if the connection is closed, and "none"
// if nothing comes.
type answer struct{ status, body string }

// dial connects to a listener.
func (g *limited) dial(listener int) *clientConn {
	_, address, _ := strings.Cut(g.urls[listener], "//")
	conn, err := dialClient(strings.TrimSuffix(address, "/"))
	require.NoError(g.t, err)
	conn.SetDeadline(time.Now().Add(patience))
	g.t.Cleanup(func() { conn.Close() })
	return conn
}

// open sends a request.
func (g *limited) open(listener int, target string) *clientConn {
	c := g.dial(listener)
	c.get(target)
	return c
}

// get sends a request; if that fails, there is no answer.
func (c *clientConn) get(target string) {
	fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: h\r\n\r\n", target)
}

func (c *clientConn) answer() answer {
	resp, err := http.ReadResponse(c.br, nil)
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return answer{status: "none"}
	case err != nil:
		return answer{}
	}
	defer resp.Body.Close()
	a := answer{status: strconv.Itoa(resp.StatusCode)}
	body, err := io.ReadAll(resp.Body)
	a.body = string(body)
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		a.status += ", not ended"
	case err != nil:
		a.status += ", cut"
	}
	return a
}

func (g *limited) get(target string) answer { return g.getFrom(0, target) }

func (g *limited) getFrom(listener int, target string) answer {
	c := g.open(listener, target)
	defer c.Close()
	return c.answer()
}

// given asks as a web server does that has found the script.
func (g *limited) given(listener int, target string) answer {
	a, end := g.ask(listener, target)
	end()
	return a
}

// ask is given whose connection is kept until its end.
func (g *limited) ask(listener int, target string) (a answer, end func()) {
	to, err := open.Open(g.urls[listener], open.AppOptions{})
	require.NoError(g.t, err)
	req, err := newRequest("GET", target)
	require.NoError(g.t, err)
	req.Script = adapters.Script{Filename: g.dir + "/app.sh"}
	end = func() { to.Close(g.t.Context()) }
	resp, err := to.Given().Serve(g.t.Context(), req)
	if !assert.NoError(g.t, err) {
		return answer{}, end
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	assert.NoError(g.t, err)
	return answer{strconv.Itoa(resp.Status), string(body)}, end
}
