package middleware

import (
	"context"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/internal/leak"
	"github.com/gangway-go/gangway/internal/peer"
	"github.com/gangway-go/gangway/internal/testlog"
)

func TestMain(m *testing.M) { leak.Main(m) }

// An app answers what it is told and keeps the requests it got.
type app struct {
	resp     func() *adapters.Response
	err      error
	requests []*adapters.Request
}

func (a *app) Serve(_ context.Context, req *adapters.Request) (*adapters.Response, error) {
	a.requests = append(a.requests, req)
	if a.err != nil {
		return nil, a.err
	}
	if a.resp == nil {
		return adapters.Reply(200, "text/plain", "hello"), nil
	}
	return a.resp(), nil
}

func (a *app) last(t *testing.T) *adapters.Request {
	t.Helper()
	require.NotEmpty(t, a.requests)
	return a.requests[len(a.requests)-1]
}

// answers returns a Handler's response function with these fields: name, value, name, value.
func answers(status int, body string, fields ...string) func() *adapters.Response {
	return func() *adapters.Response {
		resp := &adapters.Response{Status: status, Body: &testBody{Reader: strings.NewReader(body)}}
		for i := 0; i < len(fields); i += 2 {
			resp.Header.Add(fields[i], fields[i+1])
		}
		return resp
	}
}

// A testBody counts how often it is closed, and may end with an error.
type testBody struct {
	io.Reader
	err    error
	closed int
}

func (b *testBody) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if err == io.EOF && b.err != nil {
		err = b.err
	}
	return n, err
}

func (b *testBody) Close() error { b.closed++; return nil }

// get is a GET request with these fields.
func get(uri string, fields ...string) *adapters.Request {
	path, query, _ := strings.Cut(uri, "?")
	req := &adapters.Request{
		Method: "GET", URI: uri, Proto: "HTTP/1.1", Host: "example.org", Query: query, Scheme: "http", ID: "id-1",
		Script: adapters.Script{PathInfo: path}, Remote: adapters.Endpoint{Addr: "192.0.2.7"},
	}
	for i := 0; i < len(fields); i += 2 {
		req.Header.Add(fields[i], fields[i+1])
	}
	return req
}

// serve asks h and returns the body beside the response.
func serve(t *testing.T, h adapters.Handler, req *adapters.Request) (*adapters.Response, string, error) {
	t.Helper()
	before := *req
	resp, err := h.Serve(t.Context(), req)
	require.Equal(t, before.Header, req.Header, "the Handler changed its request")
	require.Equal(t, before.Vars, req.Vars, "the Handler changed its request")
	require.Equal(t, before.Script, req.Script, "the Handler changed its request")
	require.Same(t, before.Trace, req.Trace, "the Handler changed its request")
	require.Equal(t, before.User, req.User, "the Handler changed its request")
	if err != nil {
		require.Nil(t, resp)
		return nil, "", err
	}
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	return resp, string(body), nil
}

// captureLog has the default logger write to the buffer returned while the test runs.
func captureLog(t *testing.T) *testlog.Buffer {
	log := new(testlog.Buffer)
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(log, nil)))
	t.Cleanup(func() { slog.SetDefault(before) })
	return log
}

func writeFile(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	return path
}

// command runs a program that scripts/setup installs.
func command(t *testing.T, stdin, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), peer.Need(t, name), args...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.Output()
	if exit, ok := err.(*exec.ExitError); ok {
		t.Fatalf("%s %q: %v: %s", name, args, err, exit.Stderr)
	}
	require.NoError(t, err)
	return string(out)
}
