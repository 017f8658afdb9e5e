//go:build unix

package cgi_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/cgi"
	"github.com/gangway-go/gangway/internal/testlog"
)

// self returns a Script that runs this test binary as a script that serves with cgi.Serve.
func self(t testing.TB, kind string) *cgi.Script {
	path, err := os.Executable()
	require.NoError(t, err)
	// The race detector would delay the exit by a second.
	return closing(t, &cgi.Script{Path: path, Env: []string{asScript + "=" + kind, noDelay}, Log: quiet})
}

const noDelay = "GORACE=atexit_sleep_ms=0"

func TestServe(t *testing.T) {
	big := strings.Repeat("0123456789abcdef", 1<<16)
	tests := []struct {
		kind   string
		req    *adapters.Request
		status int
		body   string
		stderr string
		app    int
	}{
		{"echo", &adapters.Request{Method: "GET", URI: "/u"}, 200, `GET /u 0 ""`, "", 0},
		{"echo", &adapters.Request{Method: "PUT", URI: "/u", Body: strings.NewReader("hello"), ContentLength: 5}, 200,
			`PUT /u 5 "hello"`, "", 0},
		{"echo", &adapters.Request{Method: "PUT", URI: "/u", Body: strings.NewReader(big), ContentLength: -1}, 200,
			fmt.Sprintf("PUT /u %d %q", len(big), big), "", 0},
		{"echo", &adapters.Request{Method: "HEAD", URI: "/u"}, 200, "", "", 0},
		{"fails", &adapters.Request{Method: "GET"}, 503, "503 Service Unavailable\n", "ERROR request failed", 0},
		{"cut", &adapters.Request{Method: "GET"}, 200, "part", "false cgi: response cut short by the application\n", 1},
	}
	for _, tt := range tests {
		t.Run(tt.kind+" "+tt.req.Method, func(t *testing.T) {
			stderr := new(testlog.Buffer)
			tt.req.Stderr = stderr
			resp, body, err := ask(t, self(t, tt.kind), tt.req)
			require.NoError(t, err)
			assert.Equal(t, tt.status, resp.Status)
			assert.Equal(t, tt.body, body)
			assert.Contains(t, stderr.String(), tt.stderr)
			assert.Equal(t, tt.app, resp.AppStatus())
		})
	}
}

// Every variable arrives as it was sent, through a real environment.
func TestServeVariables(t *testing.T) {
	req := &adapters.Request{
		Method: "PATCH", URI: "/a%20b/c?d", Proto: "HTTP/2.0", Host: "example.org", Query: "another",
		Scheme: "https", ID: "id-1",
		Header: adapters.Header{
			{Name: "Content-Type", Value: `text/x; a="b;c"`}, {Name: "Cookie", Value: "a=1"}, {Name: "Cookie", Value: "b=2"},
			{Name: "X-Bytes", Value: "\x80\xff \t!"}, {Name: "X-Long", Value: strings.Repeat("long", 70<<8)},
		},
		Script:   adapters.Script{Name: "/a b", PathInfo: "/c\xff", Filename: "/srv/a b", Root: "/srv"},
		Remote:   adapters.Endpoint{Addr: "192.0.2.1", Port: "1234", Name: "client.example.org"},
		Local:    adapters.Endpoint{Addr: "192.0.2.2", Port: "443", Name: "example.org"},
		AuthType: "Basic", User: "jos\xc3\xa9",
		Vars: []adapters.Var{{Name: "REDIRECT_STATUS", Value: "200"}, {Name: "odd name", Value: "\x01\n=\xfe"}},
	}
	_, body, err := ask(t, self(t, "variables"), req)
	require.NoError(t, err)
	want := map[string]string{fmt.Sprintf("%q", asScript): `"variables"`, `"GORACE"`: `"atexit_sleep_ms=0"`}
	for name, value := range req.All() {
		want[fmt.Sprintf("%q", name)] = fmt.Sprintf("%q", value)
	}
	got := map[string]string{}
	for line := range strings.Lines(body) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), `"=`)
		got[name+`"`] = value
	}
	assert.Equal(t, want, got)
}

// A web server that has enough of its script sends SIGTERM, or closes its end of the pipe.
func TestServeEnds(t *testing.T) {
	path, err := os.Executable()
	require.NoError(t, err)
	begin := func(kind string, stdout io.Writer) (*exec.Cmd, *testlog.Buffer) {
		cmd := exec.Command(path)
		cmd.Env = []string{asScript + "=" + kind, "REQUEST_METHOD=GET"}
		stderr := new(testlog.Buffer)
		cmd.Stdout, cmd.Stderr = stdout, stderr
		require.NoError(t, cmd.Start())
		return cmd, stderr
	}
	t.Run("SIGTERM", func(t *testing.T) {
		out := new(testlog.Buffer)
		cmd, stderr := begin("waits", out)
		require.Eventually(t, func() bool { return stderr.String() == "waiting\n" }, patience, 1e6)
		require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
		assert.Error(t, cmd.Wait())
		assert.Equal(t, 1, cmd.ProcessState.ExitCode())
		assert.Equal(t, "waiting\ncancelled\nfalse cgi: context canceled\n", stderr.String())
		assert.Empty(t, out.String())
	})
	t.Run("broken pipe", func(t *testing.T) {
		r, w, err := os.Pipe()
		require.NoError(t, err)
		cmd, stderr := begin("endless", w)
		w.Close()
		_, err = io.ReadFull(r, make([]byte, 100_000))
		require.NoError(t, err)
		r.Close()
		assert.Error(t, cmd.Wait())
		assert.Equal(t, 1, cmd.ProcessState.ExitCode(), "not killed by SIGPIPE")
		assert.Contains(t, stderr.String(), "closed\ntrue cgi: request aborted: write /dev/stdout: broken pipe")
	})
	t.Run("in the middle", func(t *testing.T) { // from Script to Serve
		stderr := new(testlog.Buffer)
		s := self(t, "waits")
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			assert.Eventually(t, func() bool { return stderr.String() == "waiting\n" }, patience, 1e6)
			cancel()
		}()
		_, err := s.Serve(ctx, &adapters.Request{Method: "GET", Stderr: stderr})
		assert.ErrorIs(t, err, context.Canceled)
	})
}
