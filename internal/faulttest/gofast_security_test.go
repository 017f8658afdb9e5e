//go:build unix

package faulttest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/adapters/middleware"
	"github.com/gangway-go/gangway/adapters/open"
	"github.com/gangway-go/gangway/internal/peer"
)

// tree returns a folder with the given files in it.
func tree(t *testing.T, files ...string) string {
	dir := peer.Dir(t)
	for _, f := range files {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, f)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(dir, f), []byte("<?php secret"), 0o644))
	}
	return dir
}

// scriptTrial asks for a script that must not run. control tells the SCRIPT_FILENAME that gofast asks for.
func scriptTrial(t *testing.T, root, target, control string) {
	t.Run(target, func(t *testing.T) {
		t.Run("gangway", func(t *testing.T) {
			t.Parallel()
			app := startApp(t)
			a := gangway(t, "fcgi+unix://"+app.socket, open.AppOptions{Root: root}).ask(get(target))
			assert.Contains(t, []int{400, 404}, a.status)
			assert.Nil(t, app.call(0), "the application is asked")
			assert.NotContains(t, a.body, "secret")
		})
		t.Run("gofast", func(t *testing.T) {
			t.Parallel()
			app := startApp(t)
			s, _ := gofast(t, app.socket, "files "+root)
			s.ask(get(target)).complete(t, 200, "hello")
			assert.Equal(t, control, app.must(t).params["SCRIPT_FILENAME"])
		})
	})
}

func TestGofastS1PathEscape(t *testing.T) {
	dir := tree(t, "www/index.php", "www-secret/x.php")
	for _, target := range []string{"/../www-secret/x.php", "/%2e%2e/www-secret/x.php", "/a/../../www-secret/x.php"} {
		scriptTrial(t, dir+"/www", target, dir+"/www-secret/x.php")
	}
}

func TestGofastS2ScriptGuess(t *testing.T) {
	dir := tree(t, "evil.php", "a.txt")
	for _, tt := range []struct{ target, control string }{
		{"/evil.php.jpg", "/evil.php"}, {"/evil.phpfoo", "/evil.php"}, {"/evil.php%00.jpg", "/evil.php"},
		{"/evil.PHP", "/evil.PHP"},       // a file system that ignores case has it
		{"/a.txt/x.php", "/a.txt/x.php"}, // php's cgi.fix_pathinfo makes that a.txt
	} {
		scriptTrial(t, dir, tt.target, dir+tt.control)
	}
}

func TestGofastS3Httpoxy(t *testing.T) {
	trial{
		request: get("/hello", "Proxy: evil"),
		gangway: func(t *testing.T, a answer, c *call) {
			a.complete(t, 200, "hello")
			assert.NotContains(t, c.params, "HTTP_PROXY")
		},
		gofast: func(t *testing.T, _ answer, c *call) { assert.Equal(t, "evil", c.params["HTTP_PROXY"]) },
	}.run(t)
}

// A request is cancelled and the next ones take over its connection: their answers hold no bytes of its own.
func TestGofastS4AnotherRequestsData(t *testing.T) {
	wrong := func(t *testing.T, a *app, s site, wait time.Duration, trials int) (wrong []answer) {
		for i := 0; i < trials && len(wrong) == 0; i++ {
			client := s.visit(t, get("/first"))
			a.must(t)
			client.Close()
			for n := range 3 {
				query := fmt.Sprintf("mine-%d-%d", i, n)
				got := s.askFor(wait, get("/second?"+query))
				if got.err != nil || got.status != 200 || got.body != query {
					wrong = append(wrong, got)
				}
			}
			for a.call(0) != nil { // those that got no answer
			}
		}
		return wrong
	}
	t.Run("gangway", func(t *testing.T) {
		t.Parallel()
		app := startApp(t)
		assert.Empty(t, wrong(t, app, fastcgi(t, app), patience, 30))
	})
	t.Run("gofast", func(t *testing.T) {
		t.Parallel()
		app := startApp(t)
		s, _ := gofast(t, app.socket, "pool 0 1m")
		assert.NotEmpty(t, wrong(t, app, s, moment, 2000)) // usually within ten
	})
}

// One line of an application ends the whole gateway.
func TestGofastS5StatusPanic(t *testing.T) {
	t.Run("gangway", func(t *testing.T) {
		t.Parallel()
		app := startApp(t)
		s := fastcgi(t, app)
		s.ask(get("/status-099")).failed(t, 502)
		s.ask(get("/hello")).complete(t, 200, "hello")
	})
	t.Run("gofast", func(t *testing.T) {
		t.Parallel()
		app := startApp(t)
		s, p := gofast(t, app.socket, "simple")
		assert.Zero(t, s.ask(get("/status-099")).status)
		assert.Eventually(t, func() bool { return s.ask(get("/hello")).refused }, patience, 10*time.Millisecond)
		assert.Contains(t, p.Log(), "panic: invalid WriteHeader code 99")
	})
}

func TestGofastS6AuthorizerIdentity(t *testing.T) {
	request := get("/authorized", "Remote-User: admin")
	t.Run("gangway", func(t *testing.T) {
		t.Parallel()
		authorizer, app := startApp(t), startApp(t)
		s := fastcgi(t, app, authorize(t, authorizer))
		s.ask(request).complete(t, 200, "")
		assert.EqualValues(t, 2, authorizer.must(t).role)
		c := app.must(t)
		assert.Equal(t, "bob", c.params["REMOTE_USER"])
		assert.Equal(t, "admin", c.params["HTTP_REMOTE_USER"], "is what the client sent, as it sent it")
		assert.NotContains(t, c.params, "HTTP_VARIABLE_REMOTE_USER")
	})
	t.Run("gofast", func(t *testing.T) {
		t.Parallel()
		s, _ := gofast(t, startApp(t).socket, "authorizer")
		s.ask(request).complete(t, 200, "admin")
	})
}

// authorize has the application be asked about each request.
func authorize(t *testing.T, a *app) adapters.Middleware {
	authorizer, err := open.Open("fcgi+unix://"+a.socket, open.AppOptions{})
	require.NoError(t, err)
	t.Cleanup(func() { authorizer.Close(t.Context()) })
	return middleware.Authorize(authorizer.Handler())
}

// Two names of header fields become one variable, and which one wins is left to chance.
func TestGofastS7NamesFold(t *testing.T) {
	spoofed := func(t *testing.T, a *app, s site) (n int) {
		for range 40 {
			s.ask(get("/hello", "X-Forwarded-For: 192.0.2.1", "X_Forwarded_For: evil")).complete(t, 200, "hello")
			if a.must(t).params["HTTP_X_FORWARDED_FOR"] != "192.0.2.1" {
				n++
			}
		}
		return n
	}
	t.Run("gangway", func(t *testing.T) {
		t.Parallel()
		app := startApp(t)
		assert.Zero(t, spoofed(t, app, fastcgi(t, app)))
	})
	t.Run("gofast", func(t *testing.T) {
		t.Parallel()
		app := startApp(t)
		s, _ := gofast(t, app.socket, "simple")
		assert.NotZero(t, spoofed(t, app, s))
	})
}

func TestGofastS8NoLimits(t *testing.T) {
	t.Run("stderr", func(t *testing.T) {
		t.Run("gangway", func(t *testing.T) {
			t.Parallel()
			s := fastcgi(t, startApp(t))
			s.ask(get("/stderr")).complete(t, 200, "hello")
			dropped := func() bool { return strings.Contains(s.log.String(), "more bytes dropped") }
			assert.Eventually(t, dropped, patience, 10*time.Millisecond, "a response may end before all that is said about it")
			assert.Less(t, s.log.longestRecord(), 100_000, "bytes in one record of the log")
			assert.Less(t, len(s.log.String()), 4<<20, "bytes in the log")
			assert.Contains(t, s.log.String(), "xxxx")
		})
		t.Run("gofast", func(t *testing.T) {
			t.Parallel()
			s, p := gofast(t, startApp(t).socket, "simple")
			s.ask(get("/stderr")).complete(t, 200, "hello")
			assert.Eventually(t, func() bool { return len(p.Log()) > 15<<20 }, patience, 10*time.Millisecond)
			longest := 0
			for line := range strings.Lines(p.Log()) {
				longest = max(longest, len(line))
			}
			assert.Greater(t, longest, 15<<20)
		})
	})
	t.Run("fields", trial{
		request: get("/many-fields"),
		gangway: func(t *testing.T, a answer, _ *call) { a.failed(t, 502) },
		gofast: func(t *testing.T, a answer, _ *call) {
			a.complete(t, 200, "hello")
			assert.Len(t, a.header["X-Field"], 20_000)
		},
	}.run)
	// An authorizer gets no body, but gofast keeps all of it in memory before it asks.
	t.Run("authorizer's body", func(t *testing.T) {
		request := post("/authorized", "", "X: y")
		request = strings.Replace(request, "Length: 0", "Length: 100000000", 1) + "the beginning"
		t.Run("gangway", func(t *testing.T) {
			t.Parallel()
			authorizer := startApp(t)
			s := fastcgi(t, startApp(t), authorize(t, authorizer))
			defer s.visit(t, request).Close()
			assert.NotContains(t, authorizer.must(t).params, "CONTENT_LENGTH")
		})
		t.Run("gofast", func(t *testing.T) {
			t.Parallel()
			authorizer := startApp(t)
			s, _ := gofast(t, authorizer.socket, "authorizer")
			defer s.visit(t, request).Close()
			assert.Nil(t, authorizer.call(moment), "it is asked")
		})
	})
}
