package gofast_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/fcgi"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/egi"
	"github.com/gangway-go/gangway/fastcgi/gofast"
	"github.com/gangway-go/gangway/internal/testlog"
)

// TestVariables has every variable arrive as it was, over a real socket.
func TestVariables(t *testing.T) {
	for _, network := range []string{"unix", "tcp"} {
		t.Run(network, func(t *testing.T) {
			e := serve(t, network, egi.Echo)
			req := newRequest("GET", "/a/b?x=1")
			req.Query = "y=2"
			req.Header = fields("Cookie: a=1", "Accept: a", "Cookie: b=2", "Accept: b", "Proxy: evil", "X_Y: evil")
			req.Vars = []adapters.Var{
				{Name: "LONG", Value: strings.Repeat("v", 70_000)}, {Name: "BYTES", Value: "\xff\x01"},
			}
			req.Script = adapters.Script{Name: "/a", PathInfo: "/b", Filename: "/srv/a", Root: "/srv"}
			want := ask(t, egi.Echo, req)
			resp, err := e.Serve(t.Context(), req)
			assert.Equal(t, want, text(t, resp, err))
			assert.NotContains(t, want, "evil")
			assert.Zero(t, resp.AppStatus())
		})
	}
}

func TestBodies(t *testing.T) {
	for _, network := range []string{"unix", "tcp"} {
		e := serve(t, network, egi.Echo)
		for _, size := range []int{0, 1, 64 << 10, 10 << 20} {
			body := bytes.Repeat([]byte("0123456789abcdef"), size/16+1)[:size]
			want := fmt.Sprintf("BODY_LENGTH=%d\nBODY_SHA256=%x\n", size, sha256.Sum256(body))
			t.Run(fmt.Sprint(network, size), func(t *testing.T) {
				req := withBody(newRequest("POST", "/"), bytes.NewReader(body), int64(size))
				assert.Contains(t, ask(t, e, req), want)
			})
			t.Run(fmt.Sprint(network, size, "of unknown length"), func(t *testing.T) {
				req := withBody(newRequest("POST", "/"), io.MultiReader(bytes.NewReader(body)), -1)
				got := ask(t, e, req)
				assert.Contains(t, got, want)
				assert.Equal(t, size > 0, strings.Contains(got, fmt.Sprintf("CONTENT_LENGTH=%d\n", size)))
			})
		}
	}
}

func TestSpoolLimit(t *testing.T) {
	e := says(answer(hello)).engine()
	e.SpoolLimit = 10
	_, err := e.Serve(t.Context(), withBody(newRequest("POST", "/"), strings.NewReader("eleven bytes"), -1))
	assert.Equal(t, http.StatusRequestEntityTooLarge, adapters.StatusOf(err))
}

// TestFCGI asks the FastCGI of the standard library.
func TestFCGI(t *testing.T) {
	ln, err := net.Listen("unix", t.TempDir()+"/app.sock")
	require.NoError(t, err)
	done := make(chan error)
	go func() {
		done <- fcgi.Serve(ln, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			w.Header().Set("X-Long", strings.Repeat("x", 5000))
			w.WriteHeader(http.StatusAccepted)
			fmt.Fprint(w, r.Method, " ", r.URL, " ", len(body), err, " ", r.Header.Get("Cookie"))
		}))
	}()
	t.Cleanup(func() {
		ln.Close()
		<-done
	})
	e := &gofast.Engine{Network: "unix", Address: ln.Addr().String()}
	req := withBody(newRequest("POST", "/a?b=c"), strings.NewReader(strings.Repeat("b", 100_000)), 100_000)
	req.Header = fields("Cookie: a=1", "Cookie: b=2")
	resp, err := e.Serve(t.Context(), req)
	require.NoError(t, err)
	assert.Equal(t, http.StatusAccepted, resp.Status)
	assert.Len(t, resp.Header.Get("X-Long"), 5000)
	assert.Equal(t, "POST http://www.example.org/a?b=c 100000 <nil> a=1; b=2", text(t, resp, nil))
}

func TestRoles(t *testing.T) {
	tests := []struct {
		name string
		req  func(*adapters.Request)
		want received
	}{
		{"responder", func(*adapters.Request) {}, received{role: 1, stdin: "body", ended: true}},
		{"authorizer", func(r *adapters.Request) { r.Role = adapters.Authorizer }, received{role: 2, ended: true}},
		{"filter", func(r *adapters.Request) {
			r.Role = adapters.Filter
			r.Data = &adapters.Data{Body: strings.NewReader("file"), Length: 4, LastMod: time.Unix(86400, 0)}
		}, received{role: 3, stdin: "body", data: "file", ended: true}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got received
			e := app(func(c net.Conn) {
				got = receive(c)
				io.WriteString(c, answer(hello))
			}).engine()
			req := withBody(newRequest("POST", "/p"), strings.NewReader("body"), 4)
			tt.req(req)
			assert.Equal(t, "hello", ask(t, e, req))
			params := got.params
			got.params = nil
			assert.Equal(t, tt.want, got)
			assert.Equal(t, "POST", params["REQUEST_METHOD"])
			for _, name := range []string{"CONTENT_LENGTH", "PATH_INFO", "SCRIPT_NAME"} {
				assert.NotEqual(t, req.Role == adapters.Authorizer, has(params, name), name)
			}
			if req.Role == adapters.Filter {
				assert.Equal(t, "4", params["FCGI_DATA_LENGTH"])
				assert.Equal(t, "86400", params["FCGI_DATA_LAST_MOD"])
			}
		})
	}
}

func has(m map[string]string, name string) bool {
	_, ok := m[name]
	return ok
}

// TestStderr has diagnostics arrive in their order, and none after Close.
func TestStderr(t *testing.T) {
	long := strings.Repeat("e", 60_000)
	e := says(rec(tStderr, 1, "one\n") + rec(tStdout, 1, hello) + rec(tStderr, 1, long) + rec(tStderr, 1, "") +
		rec(tEnd, 1, "\x00\x00\x00\x07\x00\x00\x00\x00")).engine()
	req := newRequest("GET", "/")
	var stderr testlog.Buffer
	req.Stderr = &stderr
	resp, err := e.Serve(t.Context(), req)
	assert.Equal(t, "hello", text(t, resp, err))
	assert.Equal(t, 7, resp.AppStatus())
	assert.Equal(t, "one\n"+long, stderr.String())
	assert.Equal(t, "hello", ask(t, e, newRequest("GET", "/")), "without Stderr")
}

// TestHeaders is about what gofast would lose or refuse of a response header.
func TestHeaders(t *testing.T) {
	const interim = "Status: 103 Early Hints\r\nLink: </a>\r\n\r\n"
	const final = "status: 404\r\nVariable-AUTH_METHOD: x\r\nSet-Cookie: a\r\nset-cookie: b\r\n\r\n"
	e := says(answer(interim + final)).engine()
	req := newRequest("GET", "/")
	var hints adapters.Header
	req.Informational = func(status int, h adapters.Header) error {
		hints = append(h, adapters.Field{Name: "status", Value: fmt.Sprint(status)})
		return nil
	}
	resp, err := e.Serve(t.Context(), req)
	assert.Empty(t, text(t, resp, err))
	assert.Equal(t, http.StatusNotFound, resp.Status)
	assert.Equal(t, fields("Variable-AUTH_METHOD: x", "Set-Cookie: a", "set-cookie: b"), resp.Header)
	assert.Equal(t, fields("Link: </a>", "status: 103"), hints)

	resp, err = says(answer("Location: /other?x\r\n\r\n")).engine().Serve(t.Context(), newRequest("GET", "/"))
	text(t, resp, err)
	assert.Equal(t, "/other?x", resp.LocalRedirect)
}

func TestInformationalFails(t *testing.T) {
	e := says(answer("Status: 103\r\n\r\n" + hello)).engine()
	req := newRequest("GET", "/")
	gone := errors.New("gone")
	req.Informational = func(int, adapters.Header) error { return gone }
	_, err := e.Serve(t.Context(), req)
	assert.ErrorIs(t, err, gone)
	assert.Equal(t, adapters.StatusClientGone, adapters.StatusOf(err))
}

func TestRequestErrors(t *testing.T) {
	boom := errors.New("boom")
	tests := []struct {
		name   string
		engine *gofast.Engine
		req    func(*adapters.Request)
		status int
		text   string
	}{
		{"no listener", &gofast.Engine{Network: "unix", Address: "/nonexistent/sock"}, nil, 502,
			"gofast: dial unix /nonexistent/sock: application not reachable: connect: no such file or directory"},
		{"dial", &gofast.Engine{Network: "n", Address: "a", Dial: func(context.Context, string, string) (net.Conn, error) {
			return nil, boom
		}}, nil, 502, "gofast: dial n a: application not reachable: boom"},
		{"slow dial", &gofast.Engine{Network: "n", Address: "a", ConnectTimeout: time.Millisecond,
			Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
				<-ctx.Done()
				return nil, ctx.Err()
			}}, nil, 504, "gofast: dial n a: application timed out: no connection within 1ms (limit connect-timeout)"},
		{"NUL", &gofast.Engine{Network: "n", Address: "a"}, func(r *adapters.Request) { r.Query = "a\x00" }, 400,
			`gofast: encode for n a: bad request: NUL in variable "QUERY_STRING"`},
		{"filter without data", says("").engine(), func(r *adapters.Request) { r.Role = adapters.Filter }, 400,
			"gofast: request to pipe app: bad request: filter request requires a data stream"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			req := newRequest("GET", "/")
			if tt.req != nil {
				tt.req(req)
			}
			_, err := tt.engine.Serve(t.Context(), req)
			assert.Equal(t, tt.status, adapters.StatusOf(err))
			assert.EqualError(t, err, tt.text)
		})
	}
}

func TestClosedEngine(t *testing.T) {
	e := says(answer(hello)).engine()
	resp, err := e.Serve(t.Context(), newRequest("GET", "/"))
	require.NoError(t, err)
	require.NoError(t, e.Close())
	assert.Equal(t, "hello", text(t, resp, nil))
	_, err = e.Serve(t.Context(), newRequest("GET", "/"))
	assert.ErrorIs(t, err, adapters.ErrUnreachable)
	require.NoError(t, e.Close())
}

func TestTimeout(t *testing.T) {
	for _, name := range []string{"of the header", "of the body", "while it takes no body"} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				release := make(chan struct{})
				defer close(release)
				e := app(func(c net.Conn) {
					if name != "while it takes no body" {
						receive(c)
					}
					if name == "of the body" {
						time.Sleep(time.Hour - 1)
						io.WriteString(c, rec(tStdout, 1, hello))
					}
					<-release
				}).engine()
				e.Timeout = time.Hour
				began := time.Now()
				resp, err := e.Serve(t.Context(), withBody(newRequest("POST", "/"), strings.NewReader("body"), 4))
				if err == nil {
					_, err = io.ReadAll(resp.Body)
					resp.Body.Close()
					began = began.Add(time.Hour - 1)
				}
				assert.ErrorIs(t, err, adapters.ErrTimeout)
				assert.Equal(t, time.Hour, time.Since(began))
			})
		})
	}
}

// TestPatience has the client take its time with the body.
func TestPatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := says(answer(hello)).engine()
		e.Timeout = time.Minute
		r, w := io.Pipe()
		go func() {
			for range 4 {
				time.Sleep(time.Hour)
				w.Write([]byte("b"))
			}
			w.Close()
		}()
		assert.Equal(t, "hello", ask(t, e, withBody(newRequest("POST", "/"), r, 4)))
	})
}

func TestNoTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := app(func(c net.Conn) {
			receive(c)
			time.Sleep(1000 * time.Hour)
			io.WriteString(c, answer(hello))
		}).engine()
		e.Timeout = -1
		assert.Equal(t, "hello", ask(t, e, newRequest("GET", "/")))
	})
}

// TestPrefixes has every strict prefix of an answer, and nothing else, be an error.
func TestPrefixes(t *testing.T) {
	whole := rec(tStderr, 1, "e") + rec(tValues, 0, "v") + answer("Content-Length: 5\r\n\r\nhello")
	for n := range len(whole) + 1 {
		resp, err := says(whole[:n]).engine().Serve(t.Context(), newRequest("GET", "/"))
		if err == nil {
			var body []byte
			body, err = io.ReadAll(resp.Body)
			assert.True(t, strings.HasPrefix("hello", string(body)))
			resp.Body.Close()
		}
		if n == len(whole) {
			assert.NoError(t, err)
			continue
		}
		assert.Error(t, err, n)
		assert.Equal(t, http.StatusBadGateway, adapters.StatusOf(err), n)
	}
}
