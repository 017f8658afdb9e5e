package middleware

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/internal/testlog"
)

func TestAccessLogLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		slow := adapters.HandlerFunc(func(_ context.Context, req *adapters.Request) (*adapters.Response, error) {
			req.Trace.Attempt("unix:/run/a.sock")
			req.Trace.Attempt("unix:/run/b.sock")
			req.Trace.Authenticated("bob")
			time.Sleep(1234567 * time.Microsecond)
			return answers(201, "hello")(), nil
		})
		h := adapters.Chain(slow, AccessLog(&log))
		req := get("/a?b=c", "Referer", "https://example.org/", "User-Agent", `curl "8"`)
		_, _, err := serve(t, h, req)
		require.NoError(t, err)
		when := time.Now().Add(-1234567 * time.Microsecond).Format("02/Jan/2006:15:04:05 -0700")
		want := `192.0.2.7 - bob [` + when + `] "GET /a?b=c HTTP/1.1" 201 5 "https://example.org/" "curl \x228\x22" ` +
			`id=id-1 time=1.234567 backend="unix:/run/b.sock" attempts=2 end=complete` + "\n"
		assert.Equal(t, want, log.String())
	})
}

func TestAccessLogForgery(t *testing.T) {
	var log bytes.Buffer
	req := &adapters.Request{
		Method: "GET", URI: "/\"\\\x00\n\x1f\x7f\xff ok", Proto: "HTTP/1.1", User: "a b] \"x", ID: "i d",
		Header: adapters.Header{{Name: "User-Agent", Value: "x\r\n127.0.0.1 - - \"é"}},
	}
	_, _, err := serve(t, adapters.Chain(&app{}, AccessLog(&log)), req)
	require.NoError(t, err)
	line := log.String()
	assert.Equal(t, 1, strings.Count(line, "\n"))
	assert.Contains(t, line, `"GET /\x22\x5C\x00\x0A\x1F\x7F\xFF ok HTTP/1.1"`)
	assert.True(t, strings.HasPrefix(line, `- - a\x20b]\x20\x22x [`), line)
	assert.Contains(t, line, `"-" "x\x0D\x0A127.0.0.1 - - \x22\xC3\xA9" id=i\x20d time=`)
}

func TestAccessLogEnds(t *testing.T) {
	cut := func(err error) func() *adapters.Response {
		return func() *adapters.Response {
			return &adapters.Response{Status: 200, Body: &testBody{Reader: strings.NewReader("abc"), err: err}}
		}
	}
	readAll := func(b io.Reader) { io.Copy(io.Discard, b) }
	tests := []struct {
		name   string
		method string
		app    app
		use    func(io.Reader)
		want   string
	}{
		{"complete", "GET", app{}, readAll, "200 5 … end=complete"},
		{"empty", "GET", app{resp: answers(204, "")}, func(io.Reader) {}, "204 0 … end=complete"},
		{"head", "HEAD", app{}, func(io.Reader) {}, "200 0 … end=complete"},
		{"upgrade", "GET", app{resp: answers(101, "abc")}, func(b io.Reader) { b.Read(make([]byte, 2)) },
			"101 2 … end=complete"},
		{"truncated", "GET", app{resp: cut(adapters.ErrTruncated)}, readAll, "200 3 … end=truncated"},
		{"timed out", "GET", app{resp: cut(adapters.ErrTimeout)}, readAll, "200 3 … end=truncated"},
		{"shorter than said", "GET", app{resp: answers(200, "abc", "Content-Length", "5")}, readAll,
			"200 3 … end=truncated"},
		{"closed early", "GET", app{}, func(b io.Reader) { b.Read(make([]byte, 2)) }, "200 2 … end=aborted"},
		{"client gone", "GET", app{}, func(b io.Reader) { adapters.Copy(failingWriter{}, b) }, "200 0 … end=aborted"},
		{"client gone first", "GET", app{err: fmt.Errorf("x: %w", context.Canceled)}, nil, "499 - … end=aborted"},
		{"unreachable", "GET", app{err: adapters.ErrUnreachable}, nil, "502 - … end=error"},
		{"declined", "GET", app{err: adapters.ErrDeclined}, nil, "404 - … end=error"},
		{"too large", "POST", app{err: adapters.ErrTooLarge}, nil, "413 - … end=error"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var log bytes.Buffer
			req := get("/")
			req.Method = tt.method
			resp, err := adapters.Chain(&tt.app, AccessLog(&log)).Serve(t.Context(), req)
			assert.Equal(t, tt.app.err, err)
			if err == nil {
				tt.use(resp.Body)
				assert.Empty(t, log.String(), "logged before the end")
				resp.Body.Close()
				resp.Body.Close()
			}
			got := regexp.MustCompile(`^.*HTTP/1.1" (.*) "-" "-" .* (end=.*)\n$`).ReplaceAllString(log.String(), "$1 … $2")
			assert.Equal(t, tt.want, got)
		})
	}
}

func TestAccessLogClientGoneWhileReading(t *testing.T) {
	var log bytes.Buffer
	ctx, cancel := context.WithCancel(t.Context())
	cut := &app{resp: func() *adapters.Response {
		body := &testBody{Reader: strings.NewReader("abc"), err: adapters.ErrTruncated}
		return &adapters.Response{Status: 200, Body: body}
	}}
	resp, err := adapters.Chain(cut, AccessLog(&log)).Serve(ctx, get("/"))
	require.NoError(t, err)
	cancel()
	io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
	assert.Contains(t, log.String(), "end=aborted")
}

type failingWriter struct{}

func (failingWriter) Write([]byte) (int, error) {
	return 0, &net.OpError{Op: "write", Err: errors.New("EPIPE")}
}

func TestAccessLogUser(t *testing.T) {
	var log bytes.Buffer
	req := get("/")
	req.User = "front"
	_, _, err := serve(t, adapters.Chain(&app{}, AccessLog(&log)), req)
	require.NoError(t, err)
	assert.Contains(t, log.String(), " - front [", "the web server's user")

	log.Reset()
	basic := &Basic{Users: passwordList{"bob": "secret"}}
	h := adapters.Chain(&app{}, AccessLog(&log), basic.Wrap)
	_, _, err = serve(t, h, get("/", "Authorization", "Basic Ym9iOnNlY3JldA=="))
	require.NoError(t, err)
	assert.Contains(t, log.String(), " - bob [", "the user who was authenticated beneath")
}

func TestAccessLogKeepsTrace(t *testing.T) {
	var trace adapters.Trace
	req := get("/")
	req.Trace = &trace
	a := &app{}
	_, _, err := serve(t, adapters.Chain(a, AccessLog(io.Discard)), req)
	require.NoError(t, err)
	assert.Same(t, &trace, a.last(t).Trace)
}

func TestAccessLogConcurrent(t *testing.T) {
	file := &LogFile{Path: filepath.Join(t.TempDir(), "access.log")}
	defer file.Close()
	hello := adapters.HandlerFunc(func(context.Context, *adapters.Request) (*adapters.Response, error) {
		return adapters.Reply(200, "text/plain", "hello"), nil
	})
	h := adapters.Chain(hello, AccessLog(file))
	const workers, each = 8, 50
	var group sync.WaitGroup
	for range workers {
		group.Go(func() {
			for range each {
				resp, err := h.Serve(t.Context(), get("/"))
				if assert.NoError(t, err) {
					resp.Body.Close()
				}
			}
		})
	}
	group.Wait()
	content, err := os.ReadFile(file.Path)
	require.NoError(t, err)
	lines := strings.SplitAfter(strings.TrimSuffix(string(content), "\n"), "\n")
	assert.Len(t, lines, workers*each)
	for _, line := range lines {
		assert.Regexp(t, `^192\.0\.2\.7 - - \[.* end=aborted\n?$`, line)
	}
}

func TestAccessLogWriteFails(t *testing.T) {
	log := captureLog(t)
	h := adapters.Chain(&app{}, AccessLog(failingWriter{}))
	for range 3 {
		_, _, err := serve(t, h, get("/"))
		require.NoError(t, err)
	}
	assert.Equal(t, 1, strings.Count(log.String(), "access log cannot be written"), log.String())
}

func TestLogFileReopen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "access.log")
	file := &LogFile{Path: path}
	defer file.Close()
	write := func(s string) {
		_, err := io.WriteString(file, s)
		require.NoError(t, err)
	}
	read := func(path string) string {
		b, err := os.ReadFile(path)
		require.NoError(t, err)
		return string(b)
	}
	require.NoError(t, file.Reopen())
	assert.FileExists(t, path)
	write("1\n")
	require.NoError(t, os.Rename(path, path+".1"))
	write("2\n")
	require.NoError(t, file.Reopen())
	write("3\n")
	assert.Equal(t, "1\n2\n", read(path+".1"))
	assert.Equal(t, "3\n", read(path))

	require.NoError(t, file.Close())
	require.NoError(t, file.Close())
	write("4\n")
	assert.Equal(t, "3\n4\n", read(path), "appended")

	file.Path = filepath.Join(path, "no", "folder")
	require.Error(t, file.Reopen())
	write("5\n")
	assert.Equal(t, "3\n4\n5\n", read(path), "the old file stays")
}

func TestAppendSeconds(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0.000000", 999: "0.000000", time.Microsecond: "0.000001", time.Second: "1.000000",
		61*time.Second + 20*time.Millisecond: "61.020000",
	} {
		assert.Equal(t, want, string(appendSeconds(nil, d)))
	}
}

func TestAccessLogAllocations(t *testing.T) {
	l := &accessLog{w: io.Discard}
	v := &visit{log: l, req: *get("/a?b", "User-Agent", "curl/8"), start: time.Now(), status: 200, ending: "complete"}
	v.req.Trace = &v.trace
	l.write(v)
	assert.LessOrEqual(t, testing.AllocsPerRun(100, func() { l.write(v) }), 1.0)
}

func BenchmarkAccessLog(b *testing.B) {
	req := get("/a?b", "User-Agent", "curl/8", "Referer", "https://example.org/")
	a := adapters.Reply(200, "text/plain", "x")
	h := adapters.Chain(adapters.HandlerFunc(func(context.Context, *adapters.Request) (*adapters.Response, error) {
		c := *a
		return &c, nil
	}), AccessLog(io.Discard))
	b.ReportAllocs()
	for b.Loop() {
		resp, _ := h.Serve(b.Context(), req)
		resp.Body.Close()
	}
}

// passwordList is a Passwords for tests.
type passwordList map[string]string

func (p passwordList) Verify(user, password string) bool {
	want, ok := p[user]
	return ok && want == password
}

func TestAccessLogOverHTTP(t *testing.T) {
	captureLog(t)
	var log testlog.Buffer
	inner := adapters.HandlerFunc(func(_ context.Context, req *adapters.Request) (*adapters.Response, error) {
		switch req.Path() {
		case "/cut":
			body := &testBody{Reader: strings.NewReader("abc"), err: adapters.ErrTruncated}
			return &adapters.Response{Status: 200, Body: body}, nil
		case "/away":
			return nil, adapters.ErrUnreachable
		}
		return answers(200, "hello", "Content-Length", "5")(), nil
	})
	server := httptest.NewServer(adapters.HTTP(adapters.Chain(inner, AccessLog(&log))))
	for _, target := range []string{"GET /", "HEAD /", "GET /cut", "GET /away"} {
		method, path, _ := strings.Cut(target, " ")
		req, err := http.NewRequestWithContext(t.Context(), method, server.URL+path, nil)
		require.NoError(t, err)
		resp, err := server.Client().Do(req)
		if err == nil {
			io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
		}
	}
	server.Close() // when all lines are written
	for i, want := range []string{
		`"GET / HTTP/1.1" 200 5 .* end=complete`, `"HEAD / HTTP/1.1" 200 0 .* end=complete`,
		`"GET /cut HTTP/1.1" 200 3 .* end=truncated`, `"GET /away HTTP/1.1" 502 - .* end=error`,
	} {
		assert.Regexp(t, want, strings.Split(log.String(), "\n")[i])
	}
	assert.Regexp(t, `^127\.0\.0\.1 - - .* id=[0-9a-z-]+ time=`, log.String())
}
