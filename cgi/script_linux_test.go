package cgi_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/cgi"
	"github.com/gangway-go/gangway/internal/testlog"
)

const head = "printf 'Content-Type: text/plain\\n\\n'\n"

func TestScriptResponse(t *testing.T) {
	tests := []struct {
		name, script string
		status       int
		body         string
		app          int
		err          error
		says         string // part of the error
	}{
		{name: "plain", script: head + "echo hello", status: 200, body: "hello\n"},
		{name: "status", script: "printf 'Status: 404 No\\r\\nX: y\\r\\n\\r\\nno'", status: 404, body: "no"},
		{name: "non-parsed header", script: "printf 'HTTP/1.1 201 Created\\r\\nX: y\\r\\n\\r\\nnph'", status: 201,
			body: "nph"},
		{name: "no body", script: "printf 'Status: 204\\n\\n'", status: 204},
		{name: "exit status", script: head + "echo whole; exit 3", status: 200, body: "whole\n", app: 3},
		{name: "killed", script: head + "echo part; kill -9 $$", err: adapters.ErrTruncated, says: "signal: killed"},
		{name: "killed after its length", script: "printf 'Content-Length: 5\\n\\nwhole'; kill -9 $$", status: 200,
			body: "whole", app: -1},
		{name: "less than its length", script: "printf 'Content-Length: 6\\n\\nwhole'", err: adapters.ErrTruncated},
		{name: "more than its length", script: "printf 'Content-Length: 4\\n\\nwhole'; seq 100000", status: 200,
			body: "whol"},
		{name: "nothing", script: "exit 0", err: adapters.ErrTruncated,
			says: "exit status 0 before the response header"},
		{name: "nothing but a status", script: "exit 7", err: adapters.ErrTruncated,
			says: "exit status 7 before the response header"},
		{name: "killed before its header", script: "printf 'Sta'; kill -TERM $$", err: adapters.ErrTruncated,
			says: "signal: terminated before the response header"},
		{name: "no header", script: "echo; echo hello", err: adapters.ErrBadResponse},
		{name: "text", script: "echo hello; echo", err: adapters.ErrBadResponse},
		{name: "header too large", script: "printf 'X: %0200d\\n\\n' 1", err: adapters.ErrBadResponse},
		{name: "closes its output and ends", script: head + "echo hi; exec >&-; sleep 0.1; exit 2", status: 200,
			body: "hi\n", app: 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := sh(t, tt.script)
			s.HeaderLimit = 150
			resp, body, err := ask(t, s, &adapters.Request{Method: "GET"})
			if tt.err != nil {
				require.ErrorIs(t, err, tt.err)
				assert.ErrorContains(t, err, tt.says)
				assert.ErrorContains(t, err, "cgi: read "+s.Path+": ")
				assert.Equal(t, 502, adapters.StatusOf(err))
				return
			}
			require.NoError(t, err)
			assert.Equal(t, tt.status, resp.Status)
			assert.Equal(t, tt.body, body)
			assert.Equal(t, tt.app, resp.AppStatus())
		})
	}
}

func TestScriptLocalRedirect(t *testing.T) {
	resp, _, err := ask(t, sh(t, "printf 'Location: /other?x\\n\\n'"), &adapters.Request{})
	require.NoError(t, err)
	assert.Equal(t, "/other?x", resp.LocalRedirect)
}

func TestScriptLogsExitStatus(t *testing.T) {
	log := new(testlog.Buffer)
	s := sh(t, head+"exit 3")
	s.Log = slog.New(slog.NewTextHandler(log, nil))
	_, _, err := ask(t, s, &adapters.Request{URI: "/u"})
	require.NoError(t, err)
	assert.Contains(t, log.String(), "script="+s.Path+" uri=/u how=\"exit status 3\"")
}

// No order in which a script reads and writes can make it or us wait for ever.
func TestScriptNeverDeadlocks(t *testing.T) {
	const mega = 1 << 20
	big := func(n int) io.Reader { return struct{ io.Reader }{bytes.NewReader(make([]byte, n))} }
	tests := []struct {
		name, script string
		body         io.Reader
		sent, got    int
	}{
		{"writes, then reads", head + "head -c 1048576 /dev/zero; cat >/dev/null", big(mega), mega, mega},
		{"reads, then writes", head + "cat >/dev/null; head -c 1048576 /dev/zero", big(mega), mega, mega},
		{"echoes", head + "exec cat", big(10 * mega), 10 * mega, 10 * mega},
		{"much on standard error", "head -c 1048576 /dev/zero >&2\n" + head + "head -c 1048576 /dev/zero >&2", nil, 0, 0},
		{"does not read", head + "echo ok", big(10 * mega), 10 * mega, 3},
		{"does not read and closes", "exec <&-\n" + head + "sleep 0.1; echo ok", big(10 * mega), 10 * mega, 3},
		{"reads a part", head + "head -c 5", big(10 * mega), 10 * mega, 5},
		{"answers though no body comes", head + "echo ok", new(stuck), 10, 3},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			stderr := new(testlog.Buffer)
			req := put(tt.body, tt.sent)
			req.Stderr = stderr
			if stuck, ok := tt.body.(*stuck); ok {
				stuck.release = make(chan struct{})
				defer close(stuck.release) // the frontend's gate
			}
			_, body, err := ask(t, sh(t, tt.script), req)
			require.NoError(t, err)
			assert.Len(t, body, tt.got)
			if strings.Contains(tt.script, ">&2") {
				assert.Len(t, stderr.String(), 2*mega)
			}
		})
	}
}

// A stuck body gives nothing until it is released.
type stuck struct{ release chan struct{} }

func (s *stuck) Read([]byte) (int, error) {
	<-s.release
	return 0, adapters.ErrAborted
}

// The script reads its body to the end and sees no byte more, wherever it comes from.
func TestScriptBody(t *testing.T) {
	file := func(content string, at int64) *os.File {
		f, err := os.Open(write(t, "body", content))
		require.NoError(t, err)
		t.Cleanup(func() { f.Close() })
		_, err = f.Seek(at, io.SeekStart)
		require.NoError(t, err)
		return f
	}
	s := sh(t, head+"printf '%s ' \"${CONTENT_LENGTH-none}\"; cat")
	tests := []struct {
		name   string
		body   io.Reader
		length int
		want   string
	}{
		{"none", nil, 0, "none "},
		{"none of unknown length", nil, -1, "none "},
		{"empty", strings.NewReader(""), 0, "0 "},
		{"memory", strings.NewReader("hello"), 5, "5 hello"},
		{"longer than its length", strings.NewReader("hello"), 4, "4 hell"},
		{"byte by byte", iotest.OneByteReader(strings.NewReader("hello")), 5, "5 hello"},
		{"unknown length", iotest.OneByteReader(strings.NewReader("hello")), -1, "5 hello"},
		{"unknown and empty", strings.NewReader(""), -1, "0 "},
		{"file", file("hello", 0), 5, "5 hello"},
		{"rest of a file", file("hello", 2), 3, "3 llo"},
		{"part of a file", file("hello", 0), 3, "3 hel"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, body, err := ask(t, s, put(tt.body, tt.length))
			require.NoError(t, err)
			assert.Equal(t, tt.want, body)
			if f, ok := tt.body.(*os.File); ok {
				_, err := f.Stat()
				assert.NoError(t, err, "the file is ours")
			}
		})
	}
	t.Run("spooled to a file", func(t *testing.T) {
		big := bytes.Repeat([]byte("0123456789abcdef"), 3<<20/16)
		s := sh(t, head+"[ -f /proc/self/fd/0 ] && printf file; cat")
		_, body, err := ask(t, s, put(struct{ io.Reader }{bytes.NewReader(big)}, -1))
		require.NoError(t, err)
		assert.True(t, strings.TrimPrefix(body, "file") == string(big), "%d bytes", len(body))
	})
	t.Run("too large to spool", func(t *testing.T) {
		s := sh(t, head)
		s.SpoolLimit = 4
		_, _, err := ask(t, s, put(strings.NewReader("hello"), -1))
		assert.ErrorIs(t, err, adapters.ErrTooLarge)
	})
}

// A script whose request's body fails is aborted before it can take the end of its input for the end of the body.
func TestScriptBodyFails(t *testing.T) {
	broken := errors.New("broken")
	for name, body := range map[string]io.Reader{
		"broken":    io.MultiReader(strings.NewReader("he"), iotest.ErrReader(broken)),
		"too short": struct{ io.Reader }{strings.NewReader("he")},
	} {
		t.Run(name, func(t *testing.T) {
			mark := filepath.Join(t.TempDir(), "mark")
			s := sh(t, "cat >/dev/null; touch "+mark+"\n"+head)
			_, _, err := ask(t, s, put(body, 5))
			if name == "broken" {
				assert.ErrorIs(t, err, broken)
			} else {
				assert.ErrorIs(t, err, adapters.ErrAborted)
			}
			s.Close()
			assert.NoFileExists(t, mark)
		})
	}
}

func TestScriptCannotRun(t *testing.T) {
	dir := t.TempDir()
	file := func(name, content string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(content), mode))
		return path
	}
	plain := file("plain.sh", "#!/bin/sh\n", 0o644)
	tests := []struct {
		name   string
		script *cgi.Script
		status int
		err    error
		says   string
	}{
		{"missing", &cgi.Script{Path: dir + "/missing"}, 404, adapters.ErrNotFound, "no such file"},
		{"beneath a file", &cgi.Script{Path: plain + "/x"}, 404, adapters.ErrNotFound, "not a directory"},
		{"no name", &cgi.Script{}, 404, adapters.ErrNotFound, "names no script"},
		{"NUL in its name", &cgi.Script{Path: plain + "\x00"}, 400, adapters.ErrBadRequest, "NUL"},
		{"folder", &cgi.Script{Path: dir}, 403, adapters.ErrForbidden, "not a file"},
		{"not executable", &cgi.Script{Path: plain}, 403, adapters.ErrForbidden, "chmod +x"},
		{"interpreter missing", &cgi.Script{Path: plain, Interpreters: map[string]string{".sh": "/nowhere/sh"}}, 500, nil,
			"/nowhere/sh"},
		{"interpreter of #! missing", &cgi.Script{Path: file("bang", "#!/nowhere/sh\n", 0o755)}, 500, nil, "#! line"},
		{"no program", &cgi.Script{Path: file("text", "hello\n", 0o755)}, 500, nil, "neither a program"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, _, err := ask(t, tt.script, &adapters.Request{})
			require.Error(t, err)
			assert.Equal(t, tt.status, adapters.StatusOf(err), "%v", err)
			if tt.err != nil {
				assert.ErrorIs(t, err, tt.err)
			}
			assert.ErrorContains(t, err, strings.TrimSpace("cgi: run "+tt.script.Path))
			assert.ErrorContains(t, err, tt.says)
			if tt.script.Path != "" && !strings.Contains(tt.name, "#!") && tt.name != "no program" {
				assert.Equal(t, err, tt.script.Check())
			}
		})
	}
	assert.NoError(t, (&cgi.Script{Path: plain, Interpreters: map[string]string{".sh": "sh"}}).Check())
}

func TestScriptEnvironmentTooLarge(t *testing.T) {
	req := &adapters.Request{Header: adapters.Header{{Name: "X", Value: strings.Repeat("a", 1<<20)}}}
	_, _, err := ask(t, sh(t, head), req)
	assert.ErrorIs(t, err, adapters.ErrTooLarge)
	assert.Equal(t, 431, adapters.StatusOf(err))
}

func TestScriptRefuses(t *testing.T) {
	s := sh(t, head)
	for name, v := range map[string]adapters.Var{
		"NUL in a value": {Name: "A", Value: "b\x00c"}, "NUL in a name": {Name: "A\x00B", Value: "c"},
		"no name": {Value: "c"}, "= in a name": {Name: "A=B", Value: "c"},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := ask(t, s, &adapters.Request{Vars: []adapters.Var{v}})
			assert.ErrorIs(t, err, adapters.ErrBadRequest)
		})
	}
}

// environment returns what a script prints about itself: its variables, sorted, its arguments and its folder.
func environment(t *testing.T, s *cgi.Script, req *adapters.Request) (env []string, args, dir string) {
	_, body, err := ask(t, s, req)
	require.NoError(t, err)
	parts := strings.Split(body, "\x00\x00")
	require.Len(t, parts, 3)
	env = strings.Split(parts[0], "\x00")
	slices.Sort(env)
	return env, parts[1], parts[2]
}

const printEnvironment = `#!/usr/bin/perl
use Cwd;
open E, "/proc/self/environ"; # %ENV would hide a variable that is there twice
print "Content-Type: a/b\n\n", <E>, "\0", join("|", @ARGV), "\0\0", getcwd();
`

// The script knows the request, PATH and what it is told to know, nothing else.
func TestScriptEnvironment(t *testing.T) {
	t.Setenv("SECRET", "1")
	t.Setenv("PATH", "/usr/bin:/bin")
	t.Setenv("HTTP_X_OURS", "1")
	path := write(t, "env.pl", printEnvironment)
	s := closing(t, &cgi.Script{Path: path, Env: []string{"EXTRA=e=f", "REMOTE_USER=fixed", "SERVER_NAME="}})
	req := &adapters.Request{
		Method: "GET", URI: "/x?-s+a", Query: "-s+a", Proto: "HTTP/1.1", Host: "example.org", User: "request",
		Header: adapters.Header{{Name: "X-Y", Value: "1"}, {Name: "X_Y", Value: "2"}, {Name: "Proxy", Value: "evil"},
			{Name: "X-Bytes", Value: "\x80\xff"}},
		Script: adapters.Script{Name: "/x"},
		Local:  adapters.Endpoint{Name: "example.org", Port: "80"},
		Vars:   []adapters.Var{{Name: "odd name", Value: "\x01=\n"}},
	}
	env, args, dir := environment(t, s, req)
	assert.Equal(t, []string{
		"EXTRA=e=f", "GATEWAY_INTERFACE=CGI/1.1", "HTTP_HOST=example.org", "HTTP_X_BYTES=\x80\xff", "HTTP_X_Y=1",
		"PATH=/usr/bin:/bin", "QUERY_STRING=-s+a", "REMOTE_ADDR=", "REMOTE_USER=fixed", "REQUEST_METHOD=GET",
		"REQUEST_URI=/x?-s+a", "SCRIPT_FILENAME=" + path, "SCRIPT_NAME=/x", "SERVER_NAME=", "SERVER_PORT=80",
		"SERVER_PROTOCOL=HTTP/1.1", "SERVER_SOFTWARE=gangway", "odd name=\x01=\n",
	}, env)
	assert.Empty(t, args, "nothing of the request is an argument")
	real, err := filepath.EvalSymlinks(filepath.Dir(path))
	require.NoError(t, err)
	assert.Equal(t, real, dir)
}

func TestScriptWays(t *testing.T) {
	path := write(t, "env.pl", printEnvironment)
	plain := filepath.Join(filepath.Dir(path), "plain.pl")
	require.NoError(t, os.WriteFile(plain, []byte(printEnvironment), 0o644))
	real, err := filepath.EvalSymlinks(filepath.Dir(path))
	require.NoError(t, err)
	byRequest := &adapters.Request{Script: adapters.Script{Filename: plain},
		Vars: []adapters.Var{{Name: "PATH", Value: "/p"}}}
	tests := []struct {
		name   string
		script *cgi.Script
		req    *adapters.Request
		args   string
		dir    string
		has    string
	}{
		{"#!", &cgi.Script{Path: path}, &adapters.Request{}, "", real, "SCRIPT_FILENAME=" + path},
		{"arguments", &cgi.Script{Path: path, Args: []string{"a", "b c"}}, &adapters.Request{}, "a|b c", real, ""},
		{"folder", &cgi.Script{Path: path, Dir: "/"}, &adapters.Request{}, "", "/", ""},
		{"interpreter", &cgi.Script{Path: plain, Interpreters: map[string]string{".pl": "perl"}}, &adapters.Request{}, "",
			real, "SCRIPT_FILENAME=" + plain},
		{"interpreter and arguments", &cgi.Script{Path: plain, Args: []string{"a"},
			Interpreters: map[string]string{".pl": "/usr/bin/perl"}}, &adapters.Request{}, "a", real, ""},
		{"by the request", &cgi.Script{Interpreters: map[string]string{".pl": "perl"}}, byRequest, "", real, "PATH=/p"},
		{"Path wins", &cgi.Script{Path: path}, byRequest, "", real, "SCRIPT_FILENAME=" + plain},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			env, args, dir := environment(t, closing(t, tt.script), tt.req)
			assert.Equal(t, tt.args, args)
			assert.Equal(t, tt.dir, dir)
			if tt.has != "" {
				assert.Contains(t, env, tt.has)
			}
			assert.NotContains(t, env, "REDIRECT_STATUS=200")
		})
	}
	t.Run("relative", func(t *testing.T) {
		t.Chdir(filepath.Dir(path))
		_, _, dir := environment(t, closing(t, &cgi.Script{Path: "env.pl"}), &adapters.Request{})
		assert.Equal(t, real, dir)
		_, _, dir = environment(t, closing(t, &cgi.Script{Path: "./env.pl", Dir: "/"}), &adapters.Request{})
		assert.Equal(t, "/", dir)
	})
}

// pipes returns the pipes that this process has.
func pipes(t testing.TB) (found []string) {
	paths, err := filepath.Glob("/proc/self/fd/*")
	require.NoError(t, err)
	for _, path := range paths {
		if target, _ := os.Readlink(path); strings.HasPrefix(target, "pipe:") {
			found = append(found, target)
		}
	}
	return found
}

// A script has no descriptor of ours but its three, no ignored or blocked signals, and a process group of its own.
func TestScriptIsClean(t *testing.T) {
	kept, err := os.Open(write(t, "kept", ""))
	require.NoError(t, err)
	defer kept.Close()
	inherited := pipes(t)
	body := &stuck{make(chan struct{})}
	defer close(body.release)
	other := sh(t, head+"cat")
	resp, err := other.Serve(t.Context(), put(body, 1))
	require.NoError(t, err)
	defer resp.Body.Close()
	others := slices.DeleteFunc(pipes(t), func(pipe string) bool { return slices.Contains(inherited, pipe) })

	s := closing(t, &cgi.Script{Path: write(t, "clean.pl", `#!/usr/bin/perl
print "Content-Type: a/b\n\n";
opendir D, "/proc/self/fd"; print "$_=", readlink("/proc/self/fd/$_"), "\n" for sort readdir D;
open S, "/proc/self/status"; /^Sig(Blk|Ign):\s*(\w+)/ && print "$1=$2\n" while <S>;
print "group=", getpgrp() == $$ ? "own" : "other", "\n";
`)})
	req := put(strings.NewReader("x"), 1)
	req.Stderr = io.Discard
	_, text, err := ask(t, s, req)
	require.NoError(t, err)
	for _, fd := range []string{"0", "1", "2"} {
		assert.Contains(t, text, fd+"=pipe:")
	}
	assert.Len(t, others, 2)
	for _, pipe := range others {
		assert.NotContains(t, text, pipe)
	}
	assert.NotContains(t, text, kept.Name())
	assert.Contains(t, text, "Blk=0000000000000000\n")
	assert.Regexp(t, "Ign=.*[02468ace]...\n", text, "SIGPIPE, number 13, ends the script")
	assert.Contains(t, text, "group=own\n")
}
func TestScriptDiagnostics(t *testing.T) {
	stderr := new(testlog.Buffer)
	req := &adapters.Request{Stderr: stderr}
	_, _, err := ask(t, sh(t, "echo one >&2\n"+head+"exec >&-; echo two >&2; sleep 0.1; echo three >&2"), req)
	require.NoError(t, err)
	assert.Equal(t, "one\ntwo\nthree\n", stderr.String())

	// Also those of a script that says nothing else.
	_, _, err = ask(t, sh(t, "echo four >&2; exit 1"), req)
	require.Error(t, err)
	assert.Contains(t, stderr.String(), "four\n")

	// A writer that fails stops no script.
	req.Stderr = failingWriter{}
	_, body, err := ask(t, sh(t, "head -c 1048576 /dev/zero >&2\n"+head+"echo ok"), req)
	require.NoError(t, err)
	assert.Equal(t, "ok\n", body)
}

// After Close nobody touches Request.Stderr.
func TestScriptDiagnosticsAfterClose(t *testing.T) {
	w := &closingWriter{some: make(chan struct{})}
	resp, err := sh(t, head+"yes >&2").Serve(t.Context(), &adapters.Request{Stderr: w})
	require.NoError(t, err)
	within(t, w.some, "diagnostics")
	resp.Body.Close()
	w.closed.Store(true)
	time.Sleep(20 * time.Millisecond)
	assert.False(t, w.late.Load())
}

// A closingWriter notes what comes late, and is slow.
type closingWriter struct {
	once         sync.Once
	some         chan struct{}
	closed, late atomic.Bool
}

func (w *closingWriter) Write(b []byte) (int, error) {
	w.once.Do(func() { close(w.some) })
	time.Sleep(5 * time.Millisecond)
	if w.closed.Load() {
		w.late.Store(true)
	}
	return len(b), nil
}

type failingWriter struct{}

func (failingWriter) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

// alive returns the process whose id a script wrote, as long as it is there and no zombie.
func alive(t testing.TB, pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, state, _ := bytes.Cut(stat, []byte(") "))
	return state[0] != 'Z'
}

func pidIn(t testing.TB, file string) (pid int) {
	require.Eventually(t, func() bool {
		text, _ := os.ReadFile(file)
		var err error
		pid, err = strconv.Atoi(strings.TrimSpace(string(text)))
		return err == nil && bytes.HasSuffix(text, []byte("\n"))
	}, patience, time.Millisecond, "a process id in %s", file)
	return pid
}

// How an aborted script ends, with all of its process group.
func TestScriptAborts(t *testing.T) {
	const grandchild = "sleep 600 & echo $! >$FILE; echo $$ >$FILE.script\n"
	const stubborn = "(trap '' TERM; sleep 600 & sleep 600; sleep 600) & echo $! >$FILE\n" +
		"trap '' TERM; echo $$ >$FILE.script\n"
	cause := errors.New("cause")
	abort := map[string]func(s *cgi.Script, req *adapters.Request) error{
		"cancelled": func(s *cgi.Script, req *adapters.Request) error {
			ctx, cancel := context.WithCancelCause(t.Context())
			file := s.Env[0][len("FILE="):]
			go func() {
				pidIn(t, file+".script")
				cancel(cause)
			}()
			resp, err := s.Serve(ctx, req)
			if err == nil {
				_, err = io.ReadAll(resp.Body)
				defer resp.Body.Close()
			}
			assert.ErrorIs(t, err, cause)
			return err
		},
		"deadline": func(s *cgi.Script, req *adapters.Request) error {
			file := s.Env[0][len("FILE="):]
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			defer cancel()
			resp, err := s.Serve(ctx, req)
			if err == nil {
				_, err = io.ReadAll(resp.Body)
				defer resp.Body.Close()
			}
			pidIn(t, file+".script")
			assert.ErrorIs(t, err, adapters.ErrTimeout)
			return err
		},
	}
	closeBody := func(s *cgi.Script, req *adapters.Request) error {
		resp, err := s.Serve(t.Context(), req)
		require.NoError(t, err)
		began := make(chan struct{})
		go func() {
			pidIn(t, s.Env[0][len("FILE="):]+".script")
			<-began
			resp.Body.Close()
		}()
		close(began)
		_, err = io.ReadAll(resp.Body)
		assert.ErrorIs(t, err, adapters.ErrAborted)
		return err
	}
	closeScript := func(s *cgi.Script, req *adapters.Request) error {
		go func() {
			pidIn(t, s.Env[0][len("FILE="):]+".script")
			s.Close()
		}()
		_, _, err := ask(t, s, req)
		assert.ErrorIs(t, err, adapters.ErrTruncated)
		return err
	}
	tests := []struct {
		name, script string
		abort        func(s *cgi.Script, req *adapters.Request) error
	}{
		{"before the header", grandchild + "sleep 600", abort["cancelled"]},
		{"in the body", grandchild + head + "echo; sleep 600", abort["cancelled"]},
		{"stubborn grandchild", "trap '' TERM; (sleep 600; sleep 600) & trap - TERM; " +
			"echo $! >$FILE; echo $$ >$FILE.script; sleep 600", abort["cancelled"]},
		{"stubborn", stubborn + head + "echo; sleep 600; sleep 600", abort["cancelled"]},
		{"deadline", grandchild + "sleep 600", abort["deadline"]},
		{"body closed", grandchild + head + "sleep 600", closeBody},
		{"stubborn, body closed", stubborn + head + "sleep 600; sleep 600", closeBody},
		{"handler closed", stubborn + head + "sleep 600; sleep 600", closeScript},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := sh(t, tt.script)
			file := filepath.Join(t.TempDir(), "pid")
			s.Env, s.Grace = []string{"FILE=" + file}, 100*time.Millisecond
			require.Error(t, tt.abort(s, &adapters.Request{Stderr: io.Discard}))
			for _, f := range []string{file, file + ".script"} {
				pid := pidIn(t, f)
				assert.Eventually(t, func() bool { return !alive(t, pid) }, patience, 5*time.Millisecond, f)
			}
		})
	}
}

// A script that ends properly at SIGTERM gets its time to do so, with what it has started, and does not look complete.
// TestScriptFarewell: an aborted script may say something about that.
func TestScriptFarewell(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	s := sh(t, fmt.Sprintf("trap 'echo bye >&2; echo cleaned >%[1]s; exit' TERM\n"+head+
		"while :; do sleep 0.1 & wait $!; done", file))
	s.Grace = time.Minute
	resp, err := s.Serve(t.Context(), &adapters.Request{Method: "GET", Stderr: io.Discard})
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Eventually(t, func() bool {
		text, _ := os.ReadFile(file)
		return string(text) == "cleaned\n"
	}, 20*time.Second, time.Millisecond)
}

func TestScriptGrace(t *testing.T) {
	mark := filepath.Join(t.TempDir(), "mark")
	s := sh(t, head+"trap 'wait; exit 0' TERM\n"+
		"(trap 'sleep 0.3; echo tidy >"+mark+"; exit' TERM; sleep 600 & echo begun; wait) &\nwait")
	ctx, cancel := context.WithCancel(t.Context())
	resp, err := s.Serve(ctx, &adapters.Request{})
	require.NoError(t, err)
	_, err = io.ReadFull(resp.Body, make([]byte, len("begun\n")))
	require.NoError(t, err)
	cancel()
	_, err = io.ReadAll(resp.Body)
	assert.ErrorIs(t, err, context.Canceled)
	resp.Body.Close()
	assert.Eventually(t, func() bool {
		b, _ := os.ReadFile(mark)
		return string(b) == "tidy\n"
	}, patience, 10*time.Millisecond)
}

// A process that a script leaves behind does not hold up its response, and lives on.
func TestScriptGrandchildren(t *testing.T) {
	tests := []struct{ name, script, want string }{
		{"silent", head + "echo ok; sleep 600 & echo $! >$FILE", "ok\n"},
		{"silent on standard error", head + "echo ok; exec >&-; sleep 600 & echo $! >$FILE", "ok\n"},
		{"in a session of its own", head + "echo ok; setsid sleep 600 & echo $! >$FILE", "ok\n"},
		{"late with the rest", head + "(echo ok; sleep 0.05; echo late; sleep 600) & echo $! >$FILE; exit 0", "ok\nlate\n"},
		{"with much to read", head + "(head -c 60000 /dev/zero; exec sleep 600) & echo $! >$FILE; sleep 0.05",
			strings.Repeat("\x00", 60000)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := sh(t, tt.script)
			file := filepath.Join(t.TempDir(), "pid")
			s.Env = []string{"FILE=" + file}
			began := time.Now()
			_, body, err := ask(t, s, &adapters.Request{Stderr: io.Discard})
			require.NoError(t, err)
			assert.Less(t, time.Since(began), patience/2)
			assert.Equal(t, tt.want, body)
			pid := pidIn(t, file)
			assert.True(t, alive(t, pid))
			assert.NoError(t, syscall.Kill(pid, syscall.SIGKILL))
		})
	}
	t.Run("talkative", func(t *testing.T) {
		s := sh(t, head+"yes & echo $! >$FILE; exit 0")
		file := filepath.Join(t.TempDir(), "pid")
		s.Env = []string{"FILE=" + file}
		resp, err := s.Serve(t.Context(), &adapters.Request{})
		require.NoError(t, err)
		_, err = io.Copy(io.Discard, resp.Body)
		assert.NoError(t, err)
		resp.Body.Close()
		pid := pidIn(t, file)
		assert.Eventually(t, func() bool { return !alive(t, pid) }, patience, 5*time.Millisecond, "SIGPIPE ends it")
	})
}

// A script that goes on after its response is ended.
func TestScriptThatGoesOn(t *testing.T) {
	for name, script := range map[string]string{
		"output closed": head + "echo ok; exec >&-; echo $$ >$FILE; sleep 600",
		"length sent":   "printf 'Content-Length: 3\\n\\nok\\n'; echo $$ >$FILE; seq 1000000; sleep 600",
	} {
		t.Run(name, func(t *testing.T) {
			s := sh(t, script)
			file := filepath.Join(t.TempDir(), "pid")
			s.Env, s.Grace = []string{"FILE=" + file}, 100*time.Millisecond
			resp, body, err := ask(t, s, &adapters.Request{})
			require.NoError(t, err)
			assert.Equal(t, "ok\n", body)
			assert.Equal(t, -1, resp.AppStatus())
			pid := pidIn(t, file)
			assert.Eventually(t, func() bool { return !alive(t, pid) }, patience, 5*time.Millisecond)
		})
	}
}

func TestScriptClosed(t *testing.T) {
	s := sh(t, head)
	require.NoError(t, s.Close())
	_, _, err := ask(t, s, &adapters.Request{Body: iotest.OneByteReader(strings.NewReader("abc")), ContentLength: -1})
	assert.ErrorIs(t, err, adapters.ErrUnreachable)
	require.NoError(t, s.Close())
}

// What is closed before its first request, or during it, starts nothing that would stay. TestMain sees to that, too.
func TestScriptClosedFirst(t *testing.T) {
	closed := &cgi.Script{Limits: cgi.Limits{Files: 50}}
	require.NoError(t, closed.Close())
	require.ErrorIs(t, closed.Check(), adapters.ErrUnreachable)
	for range 50 {
		s := &cgi.Script{Limits: cgi.Limits{Files: 50}}
		checked := make(chan error)
		go func() { checked <- s.Check() }()
		require.NoError(t, s.Close())
		if err := <-checked; err != nil {
			require.ErrorIs(t, err, adapters.ErrUnreachable)
		}
	}
}

// Many at once leave nothing: TestMain sees to descriptors, processes and goroutines.
func TestScriptMany(t *testing.T) {
	s := sh(t, head+"cat; echo $QUERY_STRING >&2")
	errs := make(chan error)
	const many = 60
	for i := range many {
		go func() {
			text := strconv.Itoa(i)
			stderr := new(testlog.Buffer)
			req := put(strings.NewReader(text), len(text))
			req.Query, req.Stderr = text, stderr
			_, body, err := ask(t, s, req)
			if err == nil && (body != text || stderr.String() != text+"\n") {
				err = fmt.Errorf("%d: %q %q", i, body, stderr.String())
			}
			errs <- err
		}()
	}
	for range many {
		assert.NoError(t, <-errs)
	}
}

func TestScriptTrace(t *testing.T) {
	trace := new(adapters.Trace)
	s := sh(t, head)
	_, _, err := ask(t, s, &adapters.Request{Trace: trace})
	require.NoError(t, err)
	backend, attempts := trace.Backend()
	assert.Equal(t, "cgi "+s.Path, backend)
	assert.Equal(t, 1, attempts)
	for phase := adapters.Assigned; phase <= adapters.FirstByte; phase++ {
		assert.False(t, trace.At(phase).IsZero(), "phase %d", phase)
	}
}
