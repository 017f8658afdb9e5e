package apps_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/adapters/apps"
	"github.com/gangway-go/gangway/internal/leak"
	"github.com/gangway-go/gangway/internal/peer"
	"github.com/gangway-go/gangway/internal/testlog"
)

func TestMain(m *testing.M) {
	os.Setenv("PYTHONDONTWRITEBYTECODE", "1") // testdata stays as it is
	os.Setenv("APPS_TEST", "kept")
	leak.Main(m)
}

func options(log *testlog.Buffer) apps.Options { return apps.Options{Processes: 1, Log: log.Logger()} }

// A site is a server in front of a Handler.
type site struct {
	*httptest.Server
	t *testing.T
}

func serve(t *testing.T, h adapters.Handler) *site {
	s := &site{httptest.NewServer(&adapters.HTTPFrontend{Handler: h, Log: slog.New(slog.DiscardHandler)}), t}
	s.Client().CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	t.Cleanup(s.Close)
	return s
}

// startApp starts the application in dir for the test.
func startApp(t *testing.T, kind apps.Kind, dir string, o apps.Options) *site {
	t.Helper()
	app, err := apps.Start(t.Context(), kind, dir, o)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, app.Close(context.Background())) })
	return serve(t, app)
}

// do makes a request, a POST if there is a body.
func (s *site) do(method, path, body string) *http.Response {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.URL+path, strings.NewReader(body))
	require.NoError(s.t, err)
	if method == "GET" {
		req.Body = nil
	}
	req.Close = true // an answer that came before the end of a body may leave the connection unusable
	resp, err := s.Client().Do(req)
	require.NoError(s.t, err)
	s.t.Cleanup(func() { resp.Body.Close() })
	return resp
}

// get returns status and body of a GET.
func (s *site) get(path string) (int, string) {
	s.t.Helper()
	resp := s.do("GET", path, "")
	b, err := io.ReadAll(resp.Body)
	require.NoError(s.t, err)
	return resp.StatusCode, string(b)
}

// loaded are the languages whose applications in testdata behave alike.
var loaded = []struct {
	kind    apps.Kind
	program string
}{{apps.WSGI, "python3"}, {apps.Rack, "ruby"}, {apps.PSGI, "perl"}}

// eachLoaded runs a test for the application of each language.
func eachLoaded(t *testing.T, test func(t *testing.T, s *site, log *testlog.Buffer)) {
	for _, l := range loaded {
		t.Run(string(l.kind), func(t *testing.T) {
			t.Parallel()
			peer.Need(t, l.program)
			log := new(testlog.Buffer)
			test(t, startApp(t, l.kind, "testdata/"+string(l.kind), options(log)), log)
		})
	}
}

func TestResponses(t *testing.T) {
	big := strings.Repeat(string(allBytes()), 4096)
	tests := []struct {
		name, method, path, send string
		status                   int
		length                   string // Content-Length; "" for none
		body                     string
	}{
		{"plain", "GET", "/", "", 200, "3", "ok\n"},
		{"HEAD", "HEAD", "/", "", 200, "", ""},
		{"HEAD of a stream", "HEAD", "/stream?/", "", 200, "", ""},
		{"no body", "POST", "/body", "", 200, "4", "0 0\n"},
		{"small body", "POST", "/body", "\x00\xff", 200, "6", "2 255\n"},
		{"body of 3 MiB", "POST", "/body", strings.Repeat("0123456789abcdef", 3<<16), 200, "", fmt.Sprintf("%d %d\n", 3<<20,
			3<<16*(525+597)%65521)},
		{"parts", "GET", "/two-parts", "", 200, "", "one,two"},
		{"1 MiB", "GET", "/big", "", 200, "1048576", big},
		{"404", "GET", "/status?404", "", 404, "3", "ok\n"},
		{"204", "GET", "/status?204", "", 204, "", ""},
		{"304", "GET", "/status?304", "", 304, "", ""},
		{"failure", "GET", "/fail", "", 500, "22", "Internal Server Error\n"},
		{"bad header", "GET", "/bad-header", "", 500, "22", "Internal Server Error\n"},
		{"still alive", "GET", "/", "", 200, "3", "ok\n"},
	}
	eachLoaded(t, func(t *testing.T, s *site, log *testlog.Buffer) {
		for _, tt := range tests {
			resp := s.do(tt.method, tt.path, tt.send)
			assert.Equal(t, tt.status, resp.StatusCode, tt.name)
			b, err := io.ReadAll(resp.Body)
			assert.NoError(t, err, tt.name)
			assert.True(t, tt.body == string(b), "%s: got %.200q", tt.name, b)
			if tt.length != "" {
				assert.Equal(t, tt.length, resp.Header.Get("Content-Length"), tt.name)
			}
		}
		assert.Contains(t, log.String(), "failed on purpose")
	})
}

func allBytes() (b []byte) {
	for c := range 256 {
		b = append(b, byte(c))
	}
	return b
}

func TestHeaders(t *testing.T) {
	eachLoaded(t, func(t *testing.T, s *site, _ *testlog.Buffer) {
		h := s.do("GET", "/headers", "").Header
		assert.Equal(t, []string{"a", "b"}, h.Values("X-Two"))
		assert.Equal(t, []string{"caf\xe9"}, h.Values("X-Bytes"))
		assert.Equal(t, []string{""}, h.Values("X-Empty"))
	})
}

func TestVariables(t *testing.T) {
	eachLoaded(t, func(t *testing.T, s *site, _ *testlog.Buffer) {
		req, err := http.NewRequestWithContext(t.Context(), "GET", s.URL+"/%65nv?a=%20b&c", nil)
		require.NoError(t, err)
		req.Header.Set("X-Odd", "caf\xe9")
		resp, err := s.Client().Do(req)
		require.NoError(t, err)
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		for _, line := range []string{
			"REQUEST_METHOD=GET", "SCRIPT_NAME=", "PATH_INFO=/env", "QUERY_STRING=a=%20b&c", "REQUEST_URI=/%65nv?a=%20b&c",
			"SERVER_PROTOCOL=HTTP/1.1", "SERVER_NAME=127.0.0.1", "REMOTE_ADDR=127.0.0.1", "HTTP_X_ODD=caf\xe9",
		} {
			assert.Contains(t, "\n"+string(b), "\n"+line+"\n")
		}
		assert.NotContains(t, string(b), "\nSCGI=")
		assert.NotContains(t, string(b), "HTTP_CONTENT_LENGTH")
	})
}

func TestMounted(t *testing.T) {
	for _, l := range loaded {
		t.Run(string(l.kind), func(t *testing.T) {
			t.Parallel()
			peer.Need(t, l.program)
			app, err := apps.Start(t.Context(), "", "testdata/"+string(l.kind), options(new(testlog.Buffer)))
			require.NoError(t, err)
			defer app.Close(t.Context())
			assert.Equal(t, l.kind, app.Kind)
			_, text := serve(t, adapters.Mount("/sub", app)).get("/sub/env")
			assert.Contains(t, text, "\nSCRIPT_NAME=/sub\n")
			assert.Contains(t, text, "\nPATH_INFO=/env\n")
		})
	}
}

// What an application has said must come through while it waits.
func TestStream(t *testing.T) {
	eachLoaded(t, func(t *testing.T, s *site, log *testlog.Buffer) {
		file := filepath.Join(t.TempDir(), "go")
		resp := s.do("GET", "/stream?"+file, "")
		assert.Empty(t, resp.Header.Get("Content-Length"))
		buf := make([]byte, 100)
		n, err := resp.Body.Read(buf)
		require.NoError(t, err)
		assert.Equal(t, "one\n", string(buf[:n]))
		require.NoError(t, os.WriteFile(file, nil, 0o600))
		rest, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		assert.Equal(t, "two\n", string(rest))
		waitFor(t, log, "closed")
	})
}

func waitFor(t *testing.T, log *testlog.Buffer, text string) {
	t.Helper()
	require.Eventually(t, func() bool { return strings.Contains(log.String(), text) }, 20*time.Second, time.Millisecond,
		"%q in the log", text)
}

// A client that leaves ends its request, and nothing else.
func TestClientLeaves(t *testing.T) {
	eachLoaded(t, func(t *testing.T, s *site, log *testlog.Buffer) {
		file := filepath.Join(t.TempDir(), "go")
		resp := s.do("GET", "/stream?"+file, "")
		_, err := resp.Body.Read(make([]byte, 4))
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.NoError(t, os.WriteFile(file, nil, 0o600))
		waitFor(t, log, "closed")
		_, text := s.get("/")
		assert.Equal(t, "ok\n", text)
		assert.NotContains(t, log.String(), "Broken pipe")
		assert.NotContains(t, log.String(), "gateway has gone")
		assert.NotContains(t, log.String(), "process ended")
	})
}

// A response cut short must not look complete.
func TestCut(t *testing.T) {
	eachLoaded(t, func(t *testing.T, s *site, log *testlog.Buffer) {
		resp := s.do("GET", "/cut", "")
		b, err := io.ReadAll(resp.Body)
		assert.ErrorIs(t, err, io.ErrUnexpectedEOF)
		assert.Equal(t, "begin", string(b))
		waitFor(t, log, "cut on purpose")
	})
}

func TestLog(t *testing.T) {
	eachLoaded(t, func(t *testing.T, s *site, log *testlog.Buffer) {
		s.get("/log")
		for _, text := range []string{`line="to stdout"`, `line="to stderr"`, `line="to the error stream"`, `app="`} {
			waitFor(t, log, text)
		}
	})
}

// sys.exit in Python and exit in Ruby end the request; in Perl nothing keeps it from ending the process.
func TestExit(t *testing.T) {
	eachLoaded(t, func(t *testing.T, s *site, log *testlog.Buffer) {
		_, pid := s.get("/pid")
		status, _ := s.get("/exit")
		_, again := s.get("/pid")
		if strings.Contains(log.String(), "app=psgi") || strings.Contains(log.String(), `app="psgi`) {
			assert.Equal(t, 502, status)
			assert.NotEqual(t, pid, again)
			return
		}
		assert.Equal(t, 500, status)
		assert.Equal(t, pid, again)
	})
}

// A process finishes its request after SIGTERM, and ends when the standard input does.
func TestEnd(t *testing.T) {
	eachLoaded(t, func(t *testing.T, s *site, log *testlog.Buffer) {
		file := filepath.Join(t.TempDir(), "go")
		_, pid := s.get("/pid")
		resp := s.do("GET", "/stream?"+file, "")
		require.NoError(t, exec.Command("kill", "-TERM", pid).Run())
		time.Sleep(50 * time.Millisecond)
		require.NoError(t, os.WriteFile(file, nil, 0o600))
		b, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		assert.Equal(t, "one\ntwo\n", string(b))
		waitFor(t, log, `error="exit status 0"`)
		_, again := s.get("/pid")
		assert.NotEqual(t, pid, again)
	})
}
