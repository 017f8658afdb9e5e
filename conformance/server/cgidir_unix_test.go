//go:build unix

package server

import (
	"io/fs"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/conformance"
)

// cgiServer is net/http/cgi's way of executing the programs in dir.
func cgiServer(t *testing.T, dir string) string {
	mux := http.NewServeMux()
	mux.HandleFunc("/cgi-bin/", func(w http.ResponseWriter, r *http.Request) {
		rest := strings.TrimPrefix(r.URL.Path, "/cgi-bin/")
		name, _, _ := strings.Cut(rest, "/")
		if name == "sub" || name == "auth" {
			name += "/probe.cgi"
		}
		(&cgi.Handler{Path: filepath.Join(dir, name), Root: "/cgi-bin/" + name,
			PathLocationHandler: mux}).ServeHTTP(w, r)
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server.URL
}

func TestProbe(t *testing.T) {
	dir := t.TempDir()
	target := New(cgiServer(t, dir), "cgi:"+dir)
	defer target.Close()
	run := func(name string, f func(*T)) conformance.Case {
		return conformance.Case{Name: "cgi/0/" + name, Level: conformance.Must, Run: test(f)}
	}
	cases := []conformance.Case{
		run("environment", func(t *T) {
			x := t.Get("/app/foo%20bar?q", "X-Foo: bar")
			x.Want("HTTP_X_FOO", "bar")
			x.Want("PATH_INFO", "/foo bar")
			x.Want("SCRIPT_NAME", t.At("/app"))
			t.Check(x.Process.Dir == dir, "%s", x.Process.Dir)
			for _, fd := range x.Process.FDs {
				t.Check(inherited()[fd], "%s", fd)
			}
			t.Check(x.Process.Parent == os.Getpid(), "%d", x.Process.Parent)
		}),
		run("body", func(t *T) {
			body := strings.Repeat("0123456789abcdef", 1<<16)
			x := t.Post("/app", body)
			t.Check(x.Body() == body, "%d bytes", len(x.Body()))
		}),
		run("status", func(t *T) { t.Intact(t.Reply("Status: 404 Nope\n\nbody"), 404, "body") }),
		run("second", func(t *T) {
			t.Do(t.Request("GET", "/app", ""), CGI(t.local("/app2/x", "y")), OK)
			t.Check(len(t.Exchanges) == 2, "%d", len(t.Exchanges))
			t.Exchanges[1].Want("QUERY_STRING", "y&c="+t.token)
		}),
	}
	assertPasses(t, target, cases)
	require.NoError(t, target.Close())
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Empty(t, left, "the suite leaves files behind")
}

func TestProbeEnds(t *testing.T) {
	dir := t.TempDir()
	target := New(cgiServer(t, dir), "cgi:"+dir)
	defer target.Close()
	end := func(name, got string, reply Reply) conformance.Case {
		return conformance.Case{Name: "cgi/0/" + name, Level: conformance.Must, Run: test(func(t *T) {
			x, r := t.Do(t.Request("GET", "/app", ""), reply)
			t.Check(x != nil, "not run")
			t.Check(string(r.Body) == got, "%v with the body %q", r, r.Body)
			for end := time.Now().Add(5 * time.Second); alive(x.Process) && time.Now().Before(end); {
				t.Sleep(5 * time.Millisecond)
			}
			t.Check(!alive(x.Process), "process %d is still there", x.Process.PID)
		})}
	}
	assertPasses(t, target, []conformance.Case{
		end("exits", "body", func(x *Exchange) {
			x.Write("Content-Type: text/plain\n\nbody")
			x.order(doExit, 3)
		}),
		end("is-killed", "half", Partial("Content-Type: text/plain\n\nhalf")),
		end("kills-itself", "half", func(x *Exchange) {
			x.Write("Content-Type: text/plain\n\nhalf")
			x.order(doKill, 15)
		}),
		end("closes", "body", func(x *Exchange) {
			x.Write("Content-Type: text/plain\n\nbody")
			x.order(doClose)
			x.order(doExit, 0)
		}),
	})
}

func assertPasses(t *testing.T, target *Target, cases []conformance.Case) {
	t.Helper()
	report, err := conformance.Run(t.Context(), target, cases, conformance.Options{})
	require.NoError(t, err)
	for _, result := range report.Results {
		assert.Equal(t, conformance.Pass, result.Outcome, "%s: %s", result.Name, result.Got)
	}
}

// A program of the suite that finds nobody at its socket says so.
func TestProbeAlone(t *testing.T) {
	dir := t.TempDir()
	s, err := newScripts(dir)
	require.NoError(t, err)
	defer s.remove()
	command := exec.Command(filepath.Join(dir, scriptFile))
	output, err := command.Output()
	require.Error(t, err)
	assert.Equal(t, 1, command.ProcessState.ExitCode())
	assert.Contains(t, string(output), "Status: 500\n")
}

func TestScriptsSpareFiles(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, scriptFile), []byte("#!/bin/sh\n"), 0o755))
	_, err := newScripts(dir)
	require.ErrorContains(t, err, "exists and is not ours")
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, left, 1)
	content, err := os.ReadFile(filepath.Join(dir, scriptFile))
	require.NoError(t, err)
	assert.Equal(t, "#!/bin/sh\n", string(content))
}

// Files that a run has left behind do not disturb the next.
func TestScriptsReplaceTheirOwn(t *testing.T) {
	dir := t.TempDir()
	first, err := newScripts(dir)
	require.NoError(t, err)
	defer os.RemoveAll(first.temp)
	second, err := newScripts(dir)
	require.NoError(t, err)
	require.NoError(t, second.remove())
	assert.NoFileExists(t, filepath.Join(dir, scriptFile))
}

func TestScriptsNeedDirectory(t *testing.T) {
	_, err := newScripts(filepath.Join(t.TempDir(), "missing"))
	require.ErrorIs(t, err, fs.ErrNotExist)
}

func TestBarred(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "f")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	assert.Equal(t, file, barred(file, 0o004))
	require.NoError(t, os.Chmod(file, 0o604))
	require.NoError(t, os.Chmod(dir, 0o700))
	assert.Equal(t, dir, barred(file, 0o004))
	assert.Equal(t, filepath.Join(dir, "none"), barred(filepath.Join(dir, "none"), 0o004))
	assert.Empty(t, barred("/", 0o001))
}

func TestHint(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir()) // which nobody else can enter
	s, err := newScripts(t.TempDir())
	require.NoError(t, err)
	defer s.remove()
	ln, err := s.listen()
	require.NoError(t, err)
	defer ln.Close()
	assert.Contains(t, s.Hint, "set TMPDIR")
}

func TestNameable(t *testing.T) {
	assert.True(t, nameable("/usr/bin/gangway"))
	assert.False(t, nameable("/home/a b/gangway"), "the kernel ends the interpreter's name at a space")
	assert.False(t, nameable("/"+strings.Repeat("x", maxInterpreter)))
}

func TestAt(t *testing.T) {
	tests := []struct{ name, url, app, path, at string }{
		{"socket", "http://h", "fcgi://h:9", "/app/x", "/app/x"},
		{"program", "http://h", "cgi:/d", "/app", "/cgi-bin/probe.cgi"},
		{"path and query", "http://h", "cgi:/d", "/app/x?y", "/cgi-bin/probe.cgi/x?y"},
		{"query", "http://h", "cgi:/d", "/app?y", "/cgi-bin/probe.cgi?y"},
		{"second", "http://h", "cgi:/d", "/app2/x", "/cgi-bin/probe2.cgi/x"},
		{"protected", "http://h", "cgi:/d", "/auth/x", "/cgi-bin/auth/probe.cgi/x"},
		{"elsewhere", "http://h/programs/", "cgi:/d", "/app/x", "/programs/probe.cgi/x"},
		{"not the layout's", "http://h", "cgi:/d", "/apple", "/apple"},
		{"a file", "http://h", "cgi:/d", "/static.txt", "/static.txt"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			at := &T{target: New(tt.url, tt.app)}
			assert.Equal(t, tt.at, at.At(tt.path))
			assert.Equal(t, "GET "+tt.at+" HTTP/1.1", at.place("GET "+tt.path+" HTTP/1.1"))
			assert.Equal(t, "GET http://h"+tt.at+" HTTP/1.1", at.place("GET http://h"+tt.path+" HTTP/1.1"))
		})
	}
	assert.Equal(t, "GARBAGE", (&T{target: New("http://h", "cgi:/d")}).place("GARBAGE"))
}
