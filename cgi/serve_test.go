package cgi_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/cgi"
	"github.com/gangway-go/gangway/internal/testlog"
)

type handler = adapters.HandlerFunc

// echo answers with what it was sent.
var echo = handler(func(_ context.Context, req *adapters.Request) (*adapters.Response, error) {
	var body []byte
	if req.Body != nil {
		var err error
		if body, err = io.ReadAll(req.Body); err != nil {
			return nil, err
		}
	}
	return adapters.Reply(200, "text/plain", fmt.Sprintf("%s %s %d %q", req.Method, req.URI, req.ContentLength, body)), nil
})

// cutBody returns a body that breaks.
func cutBody() io.ReadCloser {
	body := io.MultiReader(strings.NewReader("part"), iotest.ErrReader(adapters.ErrTruncated))
	return io.NopCloser(struct{ io.Reader }{body})
}

// A writes keeps each Write by itself.
type writes []string

func (w *writes) Write(b []byte) (int, error) {
	*w = append(*w, string(b))
	return len(b), nil
}

func TestInvocation(t *testing.T) {
	failing := func(err error) handler {
		return func(context.Context, *adapters.Request) (*adapters.Response, error) { return nil, err }
	}
	cut := handler(func(context.Context, *adapters.Request) (*adapters.Response, error) {
		return &adapters.Response{Status: 200, Body: cutBody()}, nil
	})
	exiting := handler(func(context.Context, *adapters.Request) (*adapters.Response, error) {
		runtime.Goexit()
		return nil, nil
	})
	ok := func(body string) string {
		return fmt.Sprintf("Status: 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	}
	failed := func(status string) string {
		return fmt.Sprintf("Status: %s\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: %d\r\n\r\n%s\n",
			status, len(status)+1, status)
	}
	get := []string{"REQUEST_METHOD=GET", "REQUEST_URI=/u"}
	put := func(length string) []string {
		return []string{"REQUEST_METHOD=PUT", "REQUEST_URI=/u", "CONTENT_LENGTH=" + length}
	}
	tests := []struct {
		name  string
		env   []string
		stdin string
		h     handler
		want  []string // the writes
		err   error
		log   string
	}{
		{name: "no body", env: get, stdin: "not for us", h: echo, want: []string{ok(`GET /u 0 ""`)}},
		{name: "body", env: put("5"), stdin: "hello", h: echo, want: []string{ok(`PUT /u 5 "hello"`)}},
		{name: "more on standard input", env: put("4"), stdin: "hello", h: echo, want: []string{ok(`PUT /u 4 "hell"`)}},
		{name: "empty body", env: put("0"), stdin: "hello", h: echo, want: []string{ok(`PUT /u 0 ""`)}},
		{name: "chunked by Apache", env: append(get, "HTTP_TRANSFER_ENCODING=chunked"), stdin: "hello", h: echo,
			want: []string{ok(`GET /u -1 "hello"`)}},
		{name: "less on standard input", env: put("6"), stdin: "hello", h: echo, err: adapters.ErrAborted},
		{name: "no method", env: []string{"PATH=/bin"}, h: echo, want: []string{failed("400 Bad Request")},
			err: adapters.ErrBadRequest},
		{name: "bad length", env: put("5x"), h: echo, want: []string{failed("400 Bad Request")}, err: adapters.ErrBadRequest},
		{name: "handler fails", env: get, h: failing(adapters.ErrUnreachable), want: []string{failed("502 Bad Gateway")},
			log: `level=ERROR msg="request failed" status=502 error="application not reachable"`},
		{name: "cut", env: get, h: cut, want: []string{"Status: 200 OK\r\n\r\n", "part"}, err: adapters.ErrTruncated,
			log: "response cut short"},
		{name: "Goexit", env: get, h: exiting, err: cgi.ErrGoexit, log: "runtime.Goexit"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var out writes
			log := new(testlog.Buffer)
			i := &cgi.Invocation{Env: tt.env, Stdin: strings.NewReader(tt.stdin), Stdout: &out,
				Log: slog.New(slog.NewTextHandler(log, nil))}
			err := i.Serve(t.Context(), tt.h)
			assert.ErrorIs(t, err, tt.err)
			assert.Equal(t, tt.want, []string(out))
			assert.Contains(t, log.String(), tt.log)
		})
	}
}

func TestInvocationWriteFails(t *testing.T) {
	r, w := io.Pipe()
	r.Close()
	err := (&cgi.Invocation{Env: []string{"REQUEST_METHOD=GET"}, Stdout: w}).Serve(t.Context(), echo)
	assert.ErrorIs(t, err, adapters.ErrAborted)
	assert.ErrorIs(t, err, io.ErrClosedPipe)
}

func TestInvocationVariables(t *testing.T) {
	env := []string{
		"REQUEST_METHOD=GET", "REQUEST_URI=/a?b", "QUERY_STRING=other", "SERVER_PROTOCOL=HTTP/1.0", "SERVER_NAME=n",
		"SERVER_PORT=80", "SERVER_SOFTWARE=Apache", "GATEWAY_INTERFACE=CGI/1.1", "SCRIPT_NAME=/s", "PATH_INFO=/p\xff",
		"PATH_TRANSLATED=/elsewhere", "REMOTE_ADDR=192.0.2.1", "HTTP_COOKIE=a=b; c", "UNIQUE_ID=x", "CONTENT_LENGTH=0",
		"EMPTY=",
		"no equals sign", "=C:=C:\\", "PATH=/bin", "HTTP_PROXY=evil", "PWD=/", "_=x",
	}
	want := map[string]string{}
	for _, v := range env[:16] {
		name, value, _ := strings.Cut(v, "=")
		want[name] = value
	}
	seen := make(chan map[string]string, 1)
	h := handler(func(_ context.Context, req *adapters.Request) (*adapters.Response, error) {
		seen <- maps.Collect(req.All())
		return &adapters.Response{Status: 204, Body: adapters.NoBody}, nil
	})
	require.NoError(t, (&cgi.Invocation{Env: env, Stdout: io.Discard}).Serve(t.Context(), h))
	assert.Equal(t, want, <-seen)
}

// When the response is over, Request.Body fails, also for who waits in Read.
func TestInvocationGate(t *testing.T) {
	stdin, feed, err := os.Pipe()
	require.NoError(t, err)
	defer stdin.Close()
	defer feed.Close()
	failed := make(chan error, 2)
	h := handler(func(_ context.Context, req *adapters.Request) (*adapters.Response, error) {
		go func() {
			for range 2 {
				_, err := req.Body.Read(make([]byte, 1))
				failed <- err
			}
		}()
		return adapters.Reply(200, "text/plain", "early"), nil
	})
	i := &cgi.Invocation{Env: []string{"REQUEST_METHOD=PUT", "CONTENT_LENGTH=1"}, Stdin: stdin, Stdout: io.Discard}
	require.NoError(t, i.Serve(t.Context(), h))
	assert.Equal(t, adapters.ErrAborted, within(t, failed, "the pending Read"))
	assert.Equal(t, adapters.ErrAborted, within(t, failed, "the next Read"))
}

// asScript is the environment variable that makes the test binary a CGI script; its value says which.
const asScript = "CGI_TEST_SCRIPT"

// serveAsScript is the main function of that script.
func serveAsScript(kind string) (code int) {
	scripts := map[string]handler{
		"echo": echo,
		"variables": func(_ context.Context, req *adapters.Request) (*adapters.Response, error) {
			var text strings.Builder
			for name, value := range req.All() {
				fmt.Fprintf(&text, "%q=%q\n", name, value)
			}
			return adapters.Reply(200, "text/plain", text.String()), nil
		},
		"fails": func(_ context.Context, req *adapters.Request) (*adapters.Response, error) {
			io.WriteString(req.Stderr, "why\n")
			return nil, adapters.ErrBusy
		},
		"cut": func(context.Context, *adapters.Request) (*adapters.Response, error) {
			return &adapters.Response{Status: 200, Body: cutBody()}, nil
		},
		"waits": func(ctx context.Context, req *adapters.Request) (*adapters.Response, error) {
			io.WriteString(req.Stderr, "waiting\n")
			<-ctx.Done()
			io.WriteString(req.Stderr, "cancelled\n")
			return nil, ctx.Err()
		},
		"endless": func(ctx context.Context, req *adapters.Request) (*adapters.Response, error) {
			return &adapters.Response{Status: 200, Body: endless{stderr: req.Stderr}}, nil
		},
	}
	if err := cgi.Serve(scripts[kind]); err != nil {
		fmt.Fprintln(os.Stderr, errors.Is(err, adapters.ErrAborted), err)
		return 1
	}
	return 0
}

// An endless body tells when it is closed.
type endless struct{ stderr io.Writer }

func (endless) Read(p []byte) (int, error) { return len(p), nil }

func (e endless) Close() error {
	io.WriteString(e.stderr, "closed\n")
	return nil
}

// TestInvocationIsToldToEnd has the web server hold the body back on a pipe that knows no deadline.
func TestInvocationIsToldToEnd(t *testing.T) {
	stdin, web := io.Pipe()
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	env := []string{"REQUEST_METHOD=POST", "CONTENT_LENGTH=5"}
	reads := handler(func(_ context.Context, req *adapters.Request) (*adapters.Response, error) {
		_, err := io.ReadAll(req.Body)
		return nil, err
	})
	err := (&cgi.Invocation{Env: env, Stdin: stdin, Stdout: io.Discard}).Serve(ctx, reads)
	assert.ErrorIs(t, err, adapters.ErrAborted)
	web.Close() // and the Read ends
}

// Why a request failed is for the web server's log.
func TestServeLogs(t *testing.T) {
	for name, value := range map[string]string{
		"GATEWAY_INTERFACE": "CGI/1.1", "REQUEST_METHOD": "GET", "SCRIPT_NAME": "/x", "SERVER_PROTOCOL": "HTTP/1.1",
	} {
		t.Setenv(name, value)
	}
	out, err := os.CreateTemp(t.TempDir(), "")
	require.NoError(t, err)
	defer out.Close()
	log := new(testlog.Buffer)
	defer func(f *os.File, l *slog.Logger) { os.Stdout = f; slog.SetDefault(l) }(os.Stdout, slog.Default())
	os.Stdout = out
	slog.SetDefault(log.Logger())
	require.NoError(t, cgi.Serve(handler(func(context.Context, *adapters.Request) (*adapters.Response, error) {
		return nil, adapters.ErrUnreachable
	})))
	answer, err := os.ReadFile(out.Name())
	require.NoError(t, err)
	assert.Contains(t, string(answer), "Status: 502")
	assert.Contains(t, log.String(), adapters.ErrUnreachable.Error())
}
