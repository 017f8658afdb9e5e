//go:build unix

package faulttest

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/adapters/open"
	client "github.com/gangway-go/gangway/fastcgi"
)

func TestGofastC1LongHeaderLine(t *testing.T) {
	trial{
		request: get("/long-line"),
		gangway: func(t *testing.T, a answer, _ *call) {
			a.complete(t, 200, "hello")
			assert.Len(t, a.header.Get("X-Long"), 5000)
		},
		gofast: hangs,
	}.run(t)
}

// refuses asserts a 502.
func refuses(t *testing.T, a answer, _ *call) {
	t.Helper()
	a.failed(t, 502)
}

// empty asserts that a fault looks like a whole response without a body.
func empty(t *testing.T, a answer, _ *call) {
	t.Helper()
	a.complete(t, 200, "")
}

func TestGofastC2MalformedHeader(t *testing.T) {
	runAll(t, []trial{
		{"line without colon", get("/malformed"), refuses, hangs},
		{"line without colon and no body", get("/malformed-empty"), refuses, empty},
		{"status 42", get("/status-42"), refuses, empty},
		{"status 1", get("/status-1"), refuses, empty},
	})
}

// cut asserts that the client can tell that its response is not whole.
func cut(t *testing.T, a answer, _ *call) {
	t.Helper()
	assert.False(t, a.hangs)
	assert.Equal(t, 200, a.status)
	assert.Error(t, a.err, "the response looks whole")
}

// whole asserts that a response that was cut short looks whole.
func whole(t *testing.T, a answer, _ *call) {
	t.Helper()
	a.complete(t, 200, large)
}

func TestGofastC3DeathMidResponse(t *testing.T) {
	trial{request: get("/death"), gangway: cut, gofast: whole}.run(t)
}

func TestGofastC4NoFlush(t *testing.T) {
	first := func(t *testing.T, s site) string {
		a := s.askFor(moment, get("/events"))
		assert.True(t, a.hangs, "there is more to come")
		return a.raw
	}
	t.Run("gangway", func(t *testing.T) {
		t.Parallel()
		assert.Contains(t, first(t, fastcgi(t, startApp(t))), "data: 1\n\n")
	})
	t.Run("gofast", func(t *testing.T) {
		t.Parallel()
		s, _ := gofast(t, startApp(t).socket, "simple")
		assert.Empty(t, first(t, s))
	})
}

func TestGofastC5ChunkedBody(t *testing.T) {
	trial{
		request: chunked("/hello", "bo", "dy"),
		gangway: func(t *testing.T, a answer, c *call) {
			a.complete(t, 200, "hello")
			assert.Equal(t, "4", c.params["CONTENT_LENGTH"])
			assert.Equal(t, "body", c.stdin.String())
		},
		gofast: func(t *testing.T, _ answer, c *call) { assert.NotContains(t, c.params, "CONTENT_LENGTH") },
	}.run(t)
}

func TestGofastC6TwoCookieLines(t *testing.T) {
	trial{
		request: get("/hello", "Cookie: a=1", "Cookie: b=2"),
		gangway: func(t *testing.T, _ answer, c *call) { assert.Equal(t, "a=1; b=2", c.params["HTTP_COOKIE"]) },
		gofast:  func(t *testing.T, _ answer, c *call) { assert.Equal(t, "a=1,b=2", c.params["HTTP_COOKIE"]) },
	}.run(t)
}

func TestGofastC7EndOfRequest(t *testing.T) {
	plain500 := func(t *testing.T, a answer, _ *call) { a.failed(t, 500) }
	runAll(t, []trial{
		{"FCGI_OVERLOADED", get("/overloaded"), busy, plain500},
		{"FCGI_CANT_MPX_CONN", get("/cant-mpx"), refuses, plain500},
		{"FCGI_UNKNOWN_ROLE", get("/role"), refuses, plain500},
	})
	t.Run("silence", func(t *testing.T) {
		t.Run("gangway", func(t *testing.T) {
			t.Parallel()
			s := gangway(t, "fcgi+unix://"+startApp(t).socket, open.AppOptions{Timeout: moment / 3})
			s.ask(get("/silent")).failed(t, 504)
		})
		t.Run("gofast", func(t *testing.T) {
			t.Parallel()
			s, _ := gofast(t, startApp(t).socket, "simple") // has no time-out to set
			hangs(t, s.askFor(2*moment, get("/silent")), nil)
		})
	})
}

// busy asserts a 503 that says when to come back.
func busy(t *testing.T, a answer, _ *call) {
	t.Helper()
	a.failed(t, 503)
	assert.NotEmpty(t, a.header.Get("Retry-After"))
}

func TestGofastC8HeaderOfCGI(t *testing.T) {
	runAll(t, []trial{
		{
			"status in lower case", get("/status-lower-case"),
			func(t *testing.T, a answer, _ *call) { a.complete(t, 404, "hello") },
			func(t *testing.T, a answer, _ *call) { a.complete(t, 200, "hello") },
		},
		{
			"interim response", get("/hints"), hinted,
			func(t *testing.T, a answer, _ *call) { assert.NotEqual(t, "hello", a.body, "status %d", a.status) },
		},
		{
			"local redirect", get("/redirect"),
			func(t *testing.T, a answer, _ *call) { a.complete(t, 200, "hello") },
			func(t *testing.T, a answer, _ *call) { a.complete(t, 302, "") },
		},
	})
}

// hinted asserts an interim response and the final one.
func hinted(t *testing.T, a answer, _ *call) {
	t.Helper()
	a.complete(t, 200, "hello")
	assert.Equal(t, []int{103}, a.interim)
}

func TestGofastC9Variables(t *testing.T) {
	dir := tree(t, "app.php")
	t.Run("gangway", func(t *testing.T) {
		t.Parallel()
		app := startApp(t)
		o := open.AppOptions{Root: dir, Script: dir + "/app.php"}
		gangway(t, "fcgi+unix://"+app.socket, o).ask(get("/app.php/more")).complete(t, 200, "hello")
		params := app.must(t).params
		assert.Equal(t, "/more", params["PATH_INFO"])
		assert.Equal(t, dir+"/more", params["PATH_TRANSLATED"])
		assert.Equal(t, "http", params["REQUEST_SCHEME"])
		assert.Equal(t, "127.0.0.1", params["SERVER_ADDR"])
	})
	t.Run("no PATH_TRANSLATED without PATH_INFO", func(t *testing.T) {
		t.Parallel()
		app := startApp(t)
		gangway(t, "fcgi+unix://"+app.socket, open.AppOptions{Root: dir}).ask(get("/app.php")).complete(t, 200, "hello")
		assert.NotContains(t, app.must(t).params, "PATH_TRANSLATED")
	})
	t.Run("gofast", func(t *testing.T) {
		t.Parallel()
		app := startApp(t)
		s, _ := gofast(t, app.socket, "endpoint "+dir+"/app.php")
		s.ask(get("/app.php/more")).complete(t, 200, "hello")
		params := app.must(t).params
		assert.Empty(t, params["PATH_INFO"])
		assert.Empty(t, params["REQUEST_SCHEME"])
		assert.Empty(t, params["SERVER_ADDR"])
		s, _ = gofast(t, app.socket, "files "+dir)
		s.ask(get("/app.php")).complete(t, 200, "hello")
		assert.Equal(t, dir, app.must(t).params["PATH_TRANSLATED"])
	})
}

// A hesitant body has nothing at first.
type hesitant struct {
	io.Reader
	asked bool
}

func (h *hesitant) Read(p []byte) (n int, err error) {
	if !h.asked {
		h.asked = true
		return 0, nil
	}
	return h.Reader.Read(p)
}

func TestGofastC10BodyCutShort(t *testing.T) {
	// Only a body in the same process can have nothing to give for now.
	request := func() *http.Request {
		r := httptest.NewRequest("POST", "/hello", &hesitant{Reader: strings.NewReader("body")})
		r.ContentLength = 4
		return r
	}
	read := func(t *testing.T, a *app) string {
		c := a.must(t)
		<-c.whole
		return c.stdin.String()
	}
	t.Run("nothing for now", func(t *testing.T) {
		t.Run("gangway", func(t *testing.T) {
			t.Parallel()
			app := startApp(t)
			c := &client.Client{Network: "unix", Address: app.socket}
			defer c.Close()
			adapters.HTTP(c).ServeHTTP(httptest.NewRecorder(), request())
			assert.Equal(t, "body", read(t, app))
		})
		t.Run("gofast", func(t *testing.T) {
			t.Parallel()
			app := startApp(t)
			h, err := gofastHandler("simple", app.socket)
			require.NoError(t, err)
			h.ServeHTTP(httptest.NewRecorder(), request())
			assert.Empty(t, read(t, app))
		})
	})
	// The client leaves in the middle of its upload; the application must not take that for the end of the body.
	leaves := func(t *testing.T, a *app, s site) (ended bool) {
		conn := s.visit(t, strings.Replace(post("/late", "bo"), "Length: 2", "Length: 4", 1))
		c := a.must(t)
		conn.Close()
		select {
		case <-c.whole:
			return true
		case <-c.gone:
			return false
		}
	}
	t.Run("client gone", func(t *testing.T) {
		t.Run("gangway", func(t *testing.T) {
			t.Parallel()
			app := startApp(t)
			assert.False(t, leaves(t, app, fastcgi(t, app)))
		})
		t.Run("gofast", func(t *testing.T) {
			t.Parallel()
			app := startApp(t)
			s, _ := gofast(t, app.socket, "simple")
			assert.True(t, leaves(t, app, s))
		})
	})
}

func TestGofastC11KeepConn(t *testing.T) {
	app := startApp(t)
	c := &client.Client{Network: "unix", Address: app.socket, KeepConn: -1}
	defer c.Close()
	adapters.HTTP(c).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/hello", nil))
	assert.Zero(t, app.must(t).flags, "gangway")
	h, err := gofastHandler("simple", app.socket)
	require.NoError(t, err)
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/hello", nil)) // Request.KeepConn is false
	assert.EqualValues(t, 1, app.must(t).flags, "gofast")
}

func TestGofastC12Logger(t *testing.T) {
	t.Run("gangway", func(t *testing.T) {
		t.Parallel()
		s := fastcgi(t, startApp(t))
		s.ask(get("/half-header")).failed(t, 502)
		assert.NotEmpty(t, s.log.String())
	})
	t.Run("gofast", func(t *testing.T) {
		t.Parallel()
		s, p := gofast(t, startApp(t).socket, "logger")
		s.ask(get("/half-header")).failed(t, 500)
		assert.Eventually(t, func() bool { return strings.Contains(p.Log(), "gofast: ") }, patience, moment/100)
		assert.NotContains(t, p.Log(), "my log: ")
	})
}

// A middleware asks the application and then fails.
func TestGofastC13MiddlewareFails(t *testing.T) {
	t.Run("gangway", func(t *testing.T) {
		t.Parallel()
		regret := func(next adapters.Handler) adapters.Handler {
			return adapters.HandlerFunc(func(ctx context.Context, req *adapters.Request) (*adapters.Response, error) {
				if resp, err := next.Serve(ctx, req); req.Path() == "/hello" {
					return resp, err
				} else if err == nil {
					resp.Body.Close()
				}
				return nil, errors.New("regret")
			})
		}
		s := fastcgi(t, startApp(t), regret)
		for range 20 {
			s.ask(post("/regret", large)).failed(t, 500)
		}
		s.ask(get("/hello")).complete(t, 200, "hello")
	})
	t.Run("gofast", func(t *testing.T) {
		t.Parallel()
		s, p := gofast(t, startApp(t).socket, "regret")
		for n := 0; n < 200 && !s.ask(post("/hello", large)).refused; n++ {
		}
		assert.Contains(t, p.Log(), "nil pointer dereference")
	})
}

// The application answers and does not read the body.
func TestGofastC14EarlyAnswer(t *testing.T) {
	trial{
		request: post("/deaf-413", strings.Repeat("x", 10<<20)),
		gangway: func(t *testing.T, a answer, _ *call) { a.complete(t, 413, "hello") },
		gofast:  hangs,
	}.run(t)
}

// Nothing but gofast can make what its clients must return; a Handler of gangway can be anybody's.
func TestGofastA1ForeignEngine(t *testing.T) {
	t.Run("gangway", func(t *testing.T) {
		mine := adapters.HandlerFunc(func(context.Context, *adapters.Request) (*adapters.Response, error) {
			return &adapters.Response{Status: 200, Body: io.NopCloser(strings.NewReader("mine"))}, nil
		})
		loud := func(next adapters.Handler) adapters.Handler {
			return adapters.HandlerFunc(func(ctx context.Context, req *adapters.Request) (*adapters.Response, error) {
				resp, err := next.Serve(ctx, req)
				if err != nil {
					return nil, err
				}
				defer resp.Body.Close()
				text, err := io.ReadAll(resp.Body)
				resp.Body = io.NopCloser(strings.NewReader(strings.ToUpper(string(text))))
				return resp, err
			})
		}
		w := httptest.NewRecorder()
		adapters.HTTP(adapters.Chain(mine, loud)).ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
		assert.Equal(t, "MINE", w.Body.String())
	})
	t.Run("gofast", func(t *testing.T) {
		assert.Equal(t, []string{"Close", "WriteTo"}, responsePipe())
		text, err := json.Marshal(newResponsePipe())
		assert.NoError(t, err)
		assert.Equal(t, "{}", string(text), "it has no exported field")
	})
}
