//go:build unix

package faulttest

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/adapters/open"
	"github.com/gangway-go/gangway/internal/execfile"
	"github.com/gangway-go/gangway/internal/peer"
)

// These tests are not parallel: the address of a web server is free only until somebody takes it.

// The web servers of Debian before the scripted application.
func nginx(t *testing.T, a *app) site {
	return tcp(peer.Nginx(t, "location / { include /etc/nginx/fastcgi_params; fastcgi_pass unix:"+a.socket+"; }"))
}

func apache(t *testing.T, a *app) site {
	return tcp(peer.Apache(t, "LimitRequestFieldSize 60000\nProxyPass / unix:"+a.socket+"|fcgi://localhost/"))
}

func lighttpd(t *testing.T, a *app) site {
	return tcp(peer.Lighttpd(t, fmt.Sprintf(`server.modules += ( "mod_fastcgi" )
		fastcgi.server = ( "/" => (( "socket" => %q, "check-local" => "disable" )) )`, a.socket)))
}

func h2o(t *testing.T, a *app) site {
	return tcp(peer.H2O(t, fmt.Sprintf("fastcgi.connect: { type: unix, port: %s }", a.socket)))
}

func haproxy(t *testing.T, a *app) site { return tcp(peer.HAProxy(t, a.socket, "/srv/www")) }

func caddy(t *testing.T, a *app) site {
	return tcp(peer.Caddy(t, "reverse_proxy unix/"+a.socket+" {\ntransport fastcgi\n}"))
}

func plainGofast(t *testing.T, a *app) site {
	s, _ := gofast(t, a.socket, "simple")
	return s
}

// A control is a program that shows the fault.
type control struct {
	name  string
	start func(*testing.T, *app) site
	look  func(*testing.T, answer, *call)
}

// compare sends the request to gangway and to the controls.
func compare(t *testing.T, request string, look func(*testing.T, answer, *call), controls ...control) {
	t.Helper()
	ours := func(t *testing.T, a *app) site { return fastcgi(t, a) }
	for _, arm := range append([]control{{"gangway", ours, look}}, controls...) {
		t.Run(arm.name, func(t *testing.T) {
			app := startApp(t)
			wait := patience
			if arm.name != "gangway" {
				wait = moment
			}
			a := arm.start(t, app).askFor(wait, request)
			arm.look(t, a, app.call(0))
		})
	}
}

// An interim response becomes the final one, and the real header part of its body.
func TestGatewaysSurprise01EarlyHints(t *testing.T) {
	leaks := func(t *testing.T, a answer, _ *call) {
		assert.Contains(t, a.raw, " 103 ")
		_, body, _ := strings.Cut(a.raw, "\r\n\r\n")
		assert.Contains(t, body, "Status: 200 OK")
	}
	compare(t, get("/hints"), hinted,
		control{"nginx", nginx, leaks}, control{"apache", apache, leaks}, control{"gofast", plainGofast, leaks})
}

func TestGatewaysSurprise02Overloaded(t *testing.T) {
	compare(t, get("/overloaded"), busy, control{"apache", apache, empty}, control{"haproxy", haproxy, hangs})
}

// The client leaves while the application is silent, which nobody tells the application.
func TestGatewaysSurprise03NoAbort(t *testing.T) {
	leave := func(t *testing.T, a *app, s site) *call {
		conn := s.visit(t, get("/silent"))
		c := a.must(t)
		conn.Close()
		return c
	}
	t.Run("gangway", func(t *testing.T) {
		app := startApp(t)
		c := leave(t, app, fastcgi(t, app))
		require.True(t, c.goes(patience))
		assert.Equal(t, "abort", c.how)
	})
	for name, start := range map[string]func(*testing.T, *app) site{
		"apache": apache, "caddy": caddy, "lighttpd": lighttpd, "h2o": h2o, "haproxy": haproxy,
	} {
		t.Run(name, func(t *testing.T) {
			app := startApp(t)
			assert.False(t, leave(t, app, start(t, app)).goes(moment))
			app.drop() // or else some wait for it before they end
		})
	}
}

func TestGatewaysSurprise04DeathMidResponse(t *testing.T) {
	compare(t, get("/death"), cut,
		control{"caddy", caddy, whole}, control{"h2o", h2o, whole}, control{"gofast", plainGofast, whole})
}

func TestGatewaysSurprise05ForeignRequestID(t *testing.T) {
	mixes := func(t *testing.T, a answer, _ *call) { a.complete(t, 200, "mine of anothermine") }
	compare(t, get("/foreign"), func(t *testing.T, a answer, c *call) {
		if assert.NotContains(t, a.raw, "another"); a.status != 502 { // which is better, if nothing was sent yet
			cut(t, a, c)
		}
	}, control{"caddy", caddy, mixes}, control{"lighttpd", lighttpd, mixes}, control{"h2o", h2o, mixes},
		control{"gofast", plainGofast, mixes})
}

// Apache drops a variable above 16 KiB; that the others refuse the request is no fault.
func TestGatewaysSurprise06LargeVariable(t *testing.T) {
	cookie := strings.Repeat("c", 20_000)
	compare(t, get("/hello", "Cookie: "+cookie),
		func(t *testing.T, a answer, c *call) {
			a.complete(t, 200, "hello")
			assert.Equal(t, cookie, c.params["HTTP_COOKIE"])
		},
		control{"apache", apache, func(t *testing.T, a answer, c *call) {
			a.complete(t, 200, "hello")
			assert.NotContains(t, c.params, "HTTP_COOKIE")
		}})
	t.Run("70 KB", func(t *testing.T) {
		value := strings.Repeat("v", 70_000)
		t.Run("gangway", func(t *testing.T) {
			app := startApp(t)
			o := open.AppOptions{Vars: []adapters.Var{{Name: "LARGE", Value: value}}}
			gangway(t, "fcgi+unix://"+app.socket, o).ask(get("/hello")).complete(t, 200, "hello")
			assert.Equal(t, value, app.must(t).params["LARGE"])
		})
		t.Run("caddy", func(t *testing.T) {
			app := startApp(t)
			site := "reverse_proxy unix/" + app.socket + " {\ntransport fastcgi {\nenv LARGE " + value + "\n}\n}"
			tcp(peer.Caddy(t, site)).ask(get("/hello")).complete(t, 200, "hello")
			assert.Less(t, len(app.must(t).params["LARGE"]), 70_000)
		})
	})
}

func TestGatewaysSurprise07ChunkedPost(t *testing.T) {
	noLength := func(t *testing.T, _ answer, c *call) { assert.Empty(t, c.params["CONTENT_LENGTH"]) }
	chunks := slices.Repeat([]string{strings.Repeat("x", 1000)}, 500)
	compare(t, chunked("/hello", chunks...),
		func(t *testing.T, a answer, c *call) {
			a.complete(t, 200, "hello")
			assert.Equal(t, "500000", c.params["CONTENT_LENGTH"])
			assert.Equal(t, 500_000, c.stdin.Len())
		},
		control{"apache", apache, noLength}, control{"gofast", plainGofast, noLength},
		control{"caddy", caddy, func(t *testing.T, _ answer, c *call) { assert.Equal(t, "-1", c.params["CONTENT_LENGTH"]) }},
		control{"haproxy", haproxy, func(t *testing.T, a answer, _ *call) { assert.Equal(t, 400, a.status) }})
	t.Run("CGI", func(t *testing.T) {
		script := newScript(t, "echo Content-Type: text/plain; echo; echo \"$CONTENT_LENGTH\"; cat")
		request := chunked("/", "bo", "dy")
		t.Run("gangway", func(t *testing.T) {
			gangway(t, "cgi:"+script, open.AppOptions{}).ask(request).complete(t, 200, "4\nbody")
		})
		t.Run("net/http/cgi", func(t *testing.T) { assert.Equal(t, 400, netHTTP(t, script).ask(request).status) })
		t.Run("apache", func(t *testing.T) { apacheCGI(t, script).ask(request).complete(t, 200, "\nbody") })
	})
}

func TestGatewaysSurprise08ScriptWritesFirst(t *testing.T) {
	script := newScript(t, "echo Content-Type: text/plain; echo; head -c 1000000 /dev/zero; cat >/dev/null")
	request := post("/", strings.Repeat("x", 1_000_000))
	t.Run("gangway", func(t *testing.T) {
		gangway(t, "cgi:"+script, open.AppOptions{}).ask(request).complete(t, 200, strings.Repeat("\x00", 1_000_000))
	})
	t.Run("apache", func(t *testing.T) {
		a := apacheCGI(t, script).askFor(moment, request)
		assert.True(t, a.hangs)
		assert.Empty(t, a.raw)
	})
	t.Run("fcgiwrap", func(t *testing.T) {
		_, s := fcgiwrap(t, script)
		a := s.askFor(moment, request)
		assert.True(t, a.hangs)
		assert.Empty(t, a.raw)
	})
}

func TestGatewaysSurprise09ClientHangs(t *testing.T) {
	runAll(t, []trial{
		{"long header line", get("/long-line"), func(t *testing.T, a answer, _ *call) { a.complete(t, 200, "hello") }, hangs},
		{"malformed header line", get("/malformed"), refuses, hangs},
		{"non-parsed header", get("/nph"), nonParsed, hangs},
		{"status that is no number", get("/status-word"), refuses, hangs},
		{"more body than Content-Length", get("/more-than-length"), notLonger, hangs},
	})
}

func TestGatewaysSurprise10HAProxyAborts(t *testing.T) {
	runsOn := func(t *testing.T, s site) { s.ask(get("/hello")).complete(t, 200, "hello") }
	t.Run("gangway", func(t *testing.T) {
		s := fastcgi(t, startApp(t))
		s.ask(get("/half-header")).failed(t, 502)
		runsOn(t, s)
		s.ask(get("/stderr-lines")).complete(t, 200, "hello")
		runsOn(t, s)
	})
	for _, path := range []string{"/half-header", "/stderr-lines"} {
		t.Run("haproxy"+path, func(t *testing.T) {
			s := haproxy(t, startApp(t))
			assert.Empty(t, s.askFor(moment, get(path)).raw)
			assert.Eventually(t, func() bool { return s.askFor(moment, get("/hello")).refused }, patience, moment/10)
		})
	}
}

func TestGatewaysSurprise11SourceOfScript(t *testing.T) {
	dir := tree(t, "a.php")
	request := get("/a.php%00.jpg")
	t.Run("gangway", func(t *testing.T) {
		app := startApp(t)
		gangway(t, "fcgi+unix://"+app.socket, open.AppOptions{Root: dir}).ask(request).failed(t, 400)
		assert.Nil(t, app.call(0))
	})
	t.Run("h2o", func(t *testing.T) {
		address := peer.H2O(t, fmt.Sprintf("file.dir: %s\n        file.custom-handler:\n          extension: .php\n"+
			"          fastcgi.connect: { type: unix, port: %s }", dir, startApp(t).socket))
		tcp(address).ask(request).complete(t, 200, "<?php secret")
	})
}

func TestGatewaysSurprise12PathEscape(t *testing.T) {
	dir := tree(t, "www/index.php", "www-evil/a.php")
	scriptTrial(t, dir+"/www", "/../www-evil/a.php", dir+"/www-evil/a.php")
}

func TestGatewaysSurprise13DotSegments(t *testing.T) {
	dir := tree(t, "index.php", "b/x.php")
	const target = "/a/../../b/x.php"
	t.Run("gangway", func(t *testing.T) {
		app := startApp(t)
		s := gangway(t, "fcgi+unix://"+app.socket, open.AppOptions{Root: dir})
		s.ask(get(target)).failed(t, 400)
		assert.Nil(t, app.call(0))
		s.ask(get("/a/../b/x.php")).complete(t, 200, "hello")
		assert.Equal(t, dir+"/b/x.php", app.must(t).params["SCRIPT_FILENAME"])
	})
	t.Run("haproxy", func(t *testing.T) {
		app := startApp(t)
		tcp(peer.HAProxy(t, app.socket, dir)).ask(get(target)).complete(t, 200, "hello")
		assert.Equal(t, dir+target, app.must(t).params["SCRIPT_FILENAME"])
	})
}

// Caddy invents a Content-Type for a POST and drops the body of OPTIONS.
func TestGatewaysSurprise15InventedContentType(t *testing.T) {
	arm := func(start func(*testing.T, *app) site, method, contentType, length, body string) func(*testing.T) {
		return func(t *testing.T) {
			app := startApp(t)
			start(t, app).ask(strings.Replace(post("/hello", "body"), "POST", method, 1)).complete(t, 200, "hello")
			c := app.must(t)
			assert.Equal(t, contentType, c.params["CONTENT_TYPE"])
			assert.Equal(t, length, c.params["CONTENT_LENGTH"])
			assert.Equal(t, body, c.stdin.String())
		}
	}
	ours := func(t *testing.T, a *app) site { return fastcgi(t, a) }
	t.Run("POST/gangway", arm(ours, "POST", "", "4", "body"))
	t.Run("POST/caddy", arm(caddy, "POST", "application/x-www-form-urlencoded", "4", "body"))
	t.Run("OPTIONS/gangway", arm(ours, "OPTIONS", "", "4", "body"))
	t.Run("OPTIONS/caddy", arm(caddy, "OPTIONS", "", "0", ""))
}

func TestGatewaysSurprise18NULInHeader(t *testing.T) {
	passes := func(t *testing.T, a answer, _ *call) { assert.Contains(t, a.raw, "X-Nul: a\x00b\r\n") }
	compare(t, get("/nul"), func(t *testing.T, a answer, c *call) {
		refuses(t, a, c)
		assert.NotContains(t, a.raw, "\x00")
	}, control{"lighttpd", lighttpd, passes}, control{"gofast", plainGofast, passes})
}

// nginx says 101 to its client, but has already told the FastCGI application that nothing more will come. gangway says
// that it cannot do that.
func TestGatewaysSurprise19HalfUpgrade(t *testing.T) {
	request := strings.Replace(get("/upgrade", "Upgrade: x"), "Connection: close", "Connection: upgrade, close", 1)
	compare(t, request, refuses, control{"nginx", nginx, func(t *testing.T, a answer, c *call) {
		assert.Contains(t, a.raw, "HTTP/1.1 101 ")
		<-c.whole // before the application has answered
	}})
}

// lighttpd alone upgrades a connection to a CGI program, if it is told to. gangway does not, and says so at once; the
// upgrade of an HTTP application works.
func TestGatewaysSurprise20UpgradeToCGI(t *testing.T) {
	script := newScript(t, `printf 'Status: 101 Switching Protocols\nUpgrade: x\nConnection: upgrade\n\n'
		read line; echo "got $line"`)
	request := strings.Replace(get("/cgi-bin/script", "Upgrade: x"), "close", "upgrade, close", 1)
	t.Run("gangway", func(t *testing.T) {
		gangway(t, "cgi:"+script, open.AppOptions{}).ask(request).failed(t, 502)
	})
	t.Run("lighttpd", func(t *testing.T) {
		s := tcp(peer.Lighttpd(t, fmt.Sprintf(`server.modules += ( "mod_cgi", "mod_alias" )
			alias.url = ( "/cgi-bin/script" => %q )
			cgi.assign = ( "" => "" )
			cgi.upgrade = "enable"`, script)))
		conn := s.visit(t, request)
		conn.SetDeadline(time.Now().Add(patience))
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		require.NoError(t, err)
		assert.Equal(t, 101, resp.StatusCode)
		_, err = io.WriteString(conn, "ping\n")
		require.NoError(t, err)
		text, _ := io.ReadAll(conn)
		assert.Equal(t, "got ping\n", string(text))
	})
}

// nonParsed asserts what a script with a non-parsed header says.
func nonParsed(t *testing.T, a answer, _ *call) {
	t.Helper()
	a.complete(t, 201, large)
}

// notLonger asserts a body of no more than Content-Length, or an error.
func notLonger(t *testing.T, a answer, _ *call) {
	t.Helper()
	assert.False(t, a.hangs)
	assert.True(t, len(a.body) <= 5 || a.status == 502, a.raw)
	assert.NotContains(t, a.raw, "xxxx")
}

// newScript returns a CGI program in sh.
func newScript(t *testing.T, text string) string {
	t.Helper()
	path := peer.Dir(t) + "/script"
	require.NoError(t, execfile.WriteFile(path, []byte("#!/bin/sh\n"+text+"\n"), 0o755))
	return path
}
