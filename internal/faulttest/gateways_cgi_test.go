//go:build unix

package faulttest

import (
	"fmt"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/adapters/open"
	"github.com/gangway-go/gangway/internal/peer"
)

// netHTTP serves a script with net/http/cgi.
func netHTTP(t *testing.T, script string) site {
	server := httptest.NewServer(&cgi.Handler{Path: script, Root: "/", Stderr: os.Stderr})
	t.Cleanup(server.Close)
	return tcp(strings.TrimPrefix(server.URL, "http://"))
}

func apacheCGI(t *testing.T, script string) site {
	return tcp(peer.Apache(t, fmt.Sprintf("ScriptAliasMatch ^/ %s\nTimeout 20", script)))
}

func fcgiwrap(t *testing.T, script string) (*peer.Process, site) {
	p, socket := peer.Fcgiwrap(t)
	return p, tcp(peer.Nginx(t, fmt.Sprintf(`location / {
		include /etc/nginx/fastcgi_params; fastcgi_param SCRIPT_FILENAME %s; fastcgi_pass unix:%s;
	}`, script, socket)))
}

// A sleeper is a script that writes its process id to a file and does not end.
func sleeper(t *testing.T) (script string, pid func() int) {
	file := filepath.Join(peer.Dir(t), "pid")
	script = newScript(t, fmt.Sprintf("echo $$ >%[1]s.new; mv %[1]s.new %[1]s; exec sleep 60", file))
	return script, func() int { return readPid(t, file) }
}

// readPid waits for the file and returns the process id in it. The process ends with the test, if not before.
func readPid(t *testing.T, file string) (pid int) {
	t.Helper()
	require.Eventually(t, func() bool {
		text, err := os.ReadFile(file)
		if err == nil {
			pid, err = strconv.Atoi(strings.TrimSpace(string(text)))
		}
		return err == nil
	}, patience, 10*time.Millisecond)
	t.Cleanup(func() { syscall.Kill(pid, syscall.SIGKILL) })
	return pid
}

// runs reports whether the process is still there after wait.
func runs(pid int, wait time.Duration) bool {
	for end := time.Now().Add(wait); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if syscall.Kill(pid, 0) != nil {
			return false
		}
	}
	return true
}

// fcgiwrap has the arguments of kill in the wrong order: neither a client that leaves nor its own end ends a script.
func TestGatewaysSurprise14ScriptsStay(t *testing.T) {
	t.Run("gangway", func(t *testing.T) {
		script, pid := sleeper(t)
		s := gangway(t, "cgi:"+script, open.AppOptions{})
		conn := s.visit(t, get("/"))
		id := pid()
		conn.Close()
		assert.False(t, runs(id, patience))
	})
	t.Run("gangway ends", func(t *testing.T) {
		script, pid := sleeper(t)
		app, err := open.Open("cgi:"+script, open.AppOptions{})
		require.NoError(t, err)
		w := make(chan struct{})
		go func() {
			defer close(w)
			r, err := adapters.FromHTTP(httptest.NewRequest("GET", "/", nil))
			if assert.NoError(t, err) {
				_, err = app.Handler().Serve(t.Context(), r)
				assert.Error(t, err)
			}
		}()
		id := pid()
		assert.NoError(t, app.Close(t.Context()))
		assert.False(t, runs(id, patience))
		<-w
	})
	t.Run("fcgiwrap", func(t *testing.T) {
		script, pid := sleeper(t)
		p, s := fcgiwrap(t, script)
		conn := s.visit(t, get("/"))
		id := pid()
		conn.Close()
		assert.True(t, runs(id, moment), "after its client")
		require.NoError(t, p.Process.Signal(syscall.SIGTERM))
		assert.True(t, runs(id, moment), "after its server")
	})
}

// Two names of header fields become one variable, and which one wins is left to chance.
func TestGatewaysSurprise16NamesFold(t *testing.T) {
	script := newScript(t, `echo Content-Type: text/plain; echo; echo "$HTTP_X_FORWARDED_FOR"`)
	spoofed := func(t *testing.T, s site) (n int) {
		for range 30 {
			a := s.ask(get("/", "X-Forwarded-For: 192.0.2.1", "X_Forwarded_For: evil"))
			assert.Equal(t, 200, a.status)
			if a.body != "192.0.2.1\n" {
				n++
			}
		}
		return n
	}
	t.Run("gangway", func(t *testing.T) { assert.Zero(t, spoofed(t, gangway(t, "cgi:"+script, open.AppOptions{}))) })
	t.Run("net/http/cgi", func(t *testing.T) { assert.NotZero(t, spoofed(t, netHTTP(t, script))) })
}

// A script ends and leaves a process behind that has its standard output.
func TestGatewaysSurprise17GrandchildHoldsStdout(t *testing.T) {
	leaves := func(t *testing.T, start func(*testing.T, string) site, wait time.Duration) answer {
		file := filepath.Join(peer.Dir(t), "pid")
		script := newScript(t, fmt.Sprintf(
			"echo Content-Type: text/plain; echo; echo hello; sleep 60 & echo $! >%[1]s.new; mv %[1]s.new %[1]s", file))
		s := start(t, script)
		a := s.askFor(wait, get("/"))
		readPid(t, file)
		return a
	}
	t.Run("gangway", func(t *testing.T) {
		start := func(t *testing.T, script string) site { return gangway(t, "cgi:"+script, open.AppOptions{}) }
		leaves(t, start, patience).complete(t, 200, "hello\n")
	})
	controls := map[string]func(*testing.T, string) site{
		"net/http/cgi": netHTTP, "apache": apacheCGI,
		"fcgiwrap": func(t *testing.T, script string) site { _, s := fcgiwrap(t, script); return s },
	}
	for name, start := range controls {
		t.Run(name, func(t *testing.T) { assert.True(t, leaves(t, start, moment).hangs) })
	}
}
