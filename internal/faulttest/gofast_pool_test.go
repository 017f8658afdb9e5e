//go:build unix

package faulttest

import (
	"context"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/adapters/open"
	"github.com/gangway-go/gangway/internal/peer"
)

// bothArms runs look with gangway, and with gofast in the given mode.
func bothArms(t *testing.T, mode string, gangwayLook, gofastLook func(*testing.T, *app, site)) {
	t.Run("gangway", func(t *testing.T) {
		t.Parallel()
		app := startApp(t)
		gangwayLook(t, app, fastcgi(t, app))
	})
	t.Run("gofast", func(t *testing.T) {
		t.Parallel()
		app := startApp(t)
		s, _ := gofast(t, app.socket, mode)
		gofastLook(t, app, s)
	})
}

// An application accepts and reads nothing of a large body. That its client leaves nobody can see, as long as it has
// more of the body to send: TCP tells after that.
func TestGofastT1NoTimeouts(t *testing.T) {
	large := post("/deaf", strings.Repeat("x", 10<<20))
	deadline := func(next adapters.Handler) adapters.Handler {
		return adapters.HandlerFunc(func(ctx context.Context, req *adapters.Request) (*adapters.Response, error) {
			ctx, cancel := context.WithTimeout(ctx, moment/5)
			defer cancel()
			return next.Serve(ctx, req)
		})
	}
	t.Run("deadline", func(t *testing.T) {
		t.Run("gangway", func(t *testing.T) {
			t.Parallel()
			app := startApp(t)
			fastcgi(t, app, deadline).ask(large).failed(t, 504)
			assert.True(t, app.must(t).goes(patience))
		})
		t.Run("gofast", func(t *testing.T) {
			t.Parallel()
			app := startApp(t)
			s, _ := gofast(t, app.socket, "deadline 300ms")
			hangs(t, s.askFor(2*moment, large), nil)
			assert.False(t, app.must(t).goes(0))
		})
	})
	leave := func(t *testing.T, a *app, s site) *call {
		conn := s.visit(t, large)
		c := a.must(t)
		time.Sleep(moment / 10) // until nothing moves any more
		conn.Close()
		return c
	}
	t.Run("client gone", func(t *testing.T) {
		t.Run("gangway", func(t *testing.T) {
			t.Parallel()
			app := startApp(t)
			s := gangway(t, "fcgi+unix://"+app.socket, open.AppOptions{Timeout: moment / 3})
			assert.True(t, leave(t, app, s).goes(patience))
		})
		t.Run("gofast", func(t *testing.T) {
			t.Parallel()
			app := startApp(t)
			s, _ := gofast(t, app.socket, "simple") // has no time-out to set
			assert.False(t, leave(t, app, s).goes(2*moment))
		})
	})
}

func TestGofastT2NoAbort(t *testing.T) {
	leave := func(t *testing.T, a *app, s site) *call {
		conn := s.visit(t, get("/silent"))
		c := a.must(t)
		conn.Close()
		return c
	}
	bothArms(t, "pool 1 1m",
		func(t *testing.T, a *app, s site) {
			c := leave(t, a, s)
			require.True(t, c.goes(patience))
			assert.Equal(t, "abort", c.how)
		},
		func(t *testing.T, a *app, s site) { assert.False(t, leave(t, a, s).goes(moment)) })
}

// A kept connection keeps a worker of php-fpm, of which there are two.
func TestGofastL1PoolTakesAllWorkers(t *testing.T) {
	script := peer.Dir(t) + "/hello.php"
	require.NoError(t, os.WriteFile(script, []byte("hello"), 0o644))
	fpm := func(t *testing.T) string {
		_, socket := peer.PHPFPM(t, "pm.max_children = 2")
		return socket
	}
	t.Run("gangway", func(t *testing.T) {
		socket := fpm(t)
		o := open.AppOptions{Root: strings.TrimSuffix(script, "/hello.php")}
		one, another := gangway(t, "fcgi+unix://"+socket, o), gangway(t, "fcgi+unix://"+socket, o)
		var asking sync.WaitGroup
		for range 20 {
			asking.Go(func() { one.ask(get("/hello.php")).complete(t, 200, "hello") })
			asking.Go(func() { another.ask(get("/hello.php")).complete(t, 200, "hello") })
		}
		asking.Wait()
	})
	t.Run("gofast", func(t *testing.T) {
		socket := fpm(t)
		s, _ := gofast(t, socket, "pool 10 1m")
		var a answer
		for n := 0; n < 12 && !a.hangs; n++ {
			a = s.askFor(moment, get("/hello.php"))
		}
		assert.True(t, a.hangs)
	})
}

func TestGofastL2UnboundedPool(t *testing.T) {
	ask := func(t *testing.T, a *app, s site) int {
		for range 110 {
			s.ask(get("/hello")).complete(t, 200, "hello")
		}
		return a.open()
	}
	bothArms(t, "pool 2 1m",
		func(t *testing.T, a *app, s site) { assert.LessOrEqual(t, ask(t, a, s), 4) },
		func(t *testing.T, a *app, s site) { assert.Greater(t, ask(t, a, s), 8) })
}

func TestGofastL3NoExpiry(t *testing.T) {
	bothArms(t, "pool 8 200ms",
		func(t *testing.T, a *app, s site) {
			s.ask(get("/hello")).complete(t, 200, "hello")
			assert.Eventually(t, func() bool { return a.open() == 0 }, patience, moment/100)
		},
		func(t *testing.T, a *app, s site) {
			s.ask(get("/hello")).complete(t, 200, "hello")
			time.Sleep(moment)
			assert.GreaterOrEqual(t, a.open(), 8)
		})
}

// The application restarts, and its workers retire.
func TestGofastL4DeadConnections(t *testing.T) {
	errorsOf := func(s site, path string, wait time.Duration, requests int, before func(int)) (n int) {
		for i := range requests {
			before(i)
			if a := s.askFor(wait, get(path)); a.status != 200 || a.body != "hello" {
				n++
			}
		}
		return n
	}
	t.Run("restart", func(t *testing.T) {
		drop := func(a *app) func(int) {
			return func(i int) {
				if i%5 == 4 {
					a.drop()
				}
			}
		}
		bothArms(t, "pool 2 1m",
			func(t *testing.T, a *app, s site) { assert.Zero(t, errorsOf(s, "/hello", patience, 30, drop(a))) },
			func(t *testing.T, a *app, s site) { assert.NotZero(t, errorsOf(s, "/hello", moment, 10, drop(a))) })
	})
	t.Run("five requests each", func(t *testing.T) {
		nothing := func(int) {}
		bothArms(t, "pool 0 1m",
			func(t *testing.T, a *app, s site) { assert.Zero(t, errorsOf(s, "/retires", patience, 60, nothing)) },
			func(t *testing.T, a *app, s site) { assert.NotZero(t, errorsOf(s, "/retires", moment, 40, nothing)) })
	})
}

// The application is down at first.
func TestGofastL5CachedFailure(t *testing.T) {
	trouble := func(t *testing.T, a *app, s site) (n int) {
		s.ask(get("/hello")).failed(t, 502)
		a.listen(t)
		for range 5 {
			if s.ask(get("/hello")).status != 200 {
				n++
			}
		}
		return n
	}
	t.Run("gangway", func(t *testing.T) {
		t.Parallel()
		app := newApp(t)
		assert.Zero(t, trouble(t, app, fastcgi(t, app)))
	})
	t.Run("gofast", func(t *testing.T) {
		t.Parallel()
		app := newApp(t)
		s, _ := gofast(t, app.socket, "pool 4 1m")
		assert.NotZero(t, trouble(t, app, s))
	})
}

func TestGofastL6AuthorizerLeak(t *testing.T) {
	ask := func(t *testing.T, a *app, s site) int {
		for range 20 {
			assert.Equal(t, 200, s.ask(get("/authorized")).status)
		}
		return a.open()
	}
	t.Run("gangway", func(t *testing.T) {
		t.Parallel()
		authorizer := startApp(t)
		assert.LessOrEqual(t, ask(t, authorizer, fastcgi(t, startApp(t), authorize(t, authorizer))), 4)
	})
	t.Run("gofast", func(t *testing.T) {
		t.Parallel()
		authorizer := startApp(t)
		s, _ := gofast(t, authorizer.socket, "authorizer")
		assert.Greater(t, ask(t, authorizer, s), 8, "but for those that the garbage collector found")
	})
}

// Many requests share a connection, if the web server says that it can do that.
func TestGofastM1Multiplexing(t *testing.T) {
	wrong := func(t *testing.T, s site, wait time.Duration) (n int) {
		var mu sync.Mutex
		var asking sync.WaitGroup
		for i := range 50 {
			asking.Go(func() {
				a := s.askFor(wait, get(fmt.Sprintf("/query?%d", i)))
				mu.Lock()
				defer mu.Unlock()
				if a.status != 200 || a.err != nil || a.body != fmt.Sprint(i) {
					n++
				}
			})
		}
		asking.Wait()
		return n
	}
	t.Run("gangway", func(t *testing.T) {
		t.Parallel()
		app := startApp(t)
		assert.Zero(t, wrong(t, fastcgi(t, app), patience))
	})
	t.Run("gangway before gangway", func(t *testing.T) {
		t.Parallel()
		app := startApp(t)
		front := frontend(t, fastcgiHandler(t, app))
		conn, err := net.Dial("unix", front)
		require.NoError(t, err)
		defer conn.Close()
		assert.Zero(t, multiplex(t, conn, 50))
	})
	t.Run("gofast", func(t *testing.T) {
		t.Parallel()
		app := startApp(t)
		s, _ := gofast(t, app.socket, "shared")
		assert.NotZero(t, wrong(t, s, moment))
	})
}
