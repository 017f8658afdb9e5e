package fastcgi_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/fastcgi"
)

// held are responses that are not read yet, each with its connection.
func held(t testing.TB, c *fastcgi.Client, n int) []io.ReadCloser {
	bodies := make([]io.ReadCloser, n)
	for i := range bodies {
		resp, err := c.Serve(context.Background(), get())
		require.NoError(t, err)
		bodies[i] = resp.Body
	}
	return bodies
}

func finish(t testing.TB, bodies ...io.ReadCloser) {
	for _, body := range bodies {
		_, err := io.Copy(io.Discard, body)
		require.NoError(t, err)
		require.NoError(t, body.Close())
	}
}

// gated returns a script that sends the header at once and the rest as soon as its gate is open.
func gated(gate chan struct{}) script {
	return func(p *peer) {
		for {
			r, ok := p.request()
			if !ok {
				return
			}
			p.say(record(tStdout, r.id, hello))
			<-gate
			p.say(end(r.id, 0, 0))
		}
	}
}

// TestClientMaxIdle: connections are closed when a burst is over, but for a few, and these soon.
func TestClientMaxIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		var open atomic.Int32
		c, a, stop := pipes(t, func(p *peer) {
			open.Add(1)
			defer open.Add(-1)
			gated(gate)(p)
		})
		defer stop()
		c.KeepConn = 10 * time.Second
		bodies := held(t, c, 9)
		assert.Equal(t, 9, a.connections())
		close(gate)
		finish(t, bodies...)
		for range 20 {
			time.Sleep(15 * time.Millisecond)
			finish(t, held(t, c, 9)...)
		}
		assert.Equal(t, 9, a.connections())
		time.Sleep(50 * time.Millisecond)
		assert.Equal(t, int32(9), open.Load(), "the burst may go on")
		finish(t, held(t, c, 1)...)
		time.Sleep(100 * time.Millisecond)
		assert.Equal(t, int32(4), open.Load())
		assert.Equal(t, 9, a.connections())
		time.Sleep(9540 * time.Millisecond)
		assert.Equal(t, int32(4), open.Load())
		time.Sleep(20 * time.Millisecond)
		assert.Zero(t, open.Load(), "no connection outlives KeepConn")
	})
}

// TestClientKeepConn: a connection that is never idle is given up too, so that others get its worker.
func TestClientKeepConn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, a, stop := pipes(t, answering(hello))
		defer stop()
		for range 40 { // for 4 s
			wantHello(t, c, get())
			time.Sleep(100 * time.Millisecond)
		}
		assert.Equal(t, 4, a.connections(), "one for each second")
	})
	synctest.Test(t, func(t *testing.T) {
		c, a, stop := pipes(t, func(p *peer) {
			for {
				r, ok := p.request()
				if !ok {
					return
				}
				time.Sleep(90 * time.Millisecond)
				p.say(response(r.id, hello))
			}
		})
		defer stop()
		for range 40 { // for 3.6 s without a pause
			wantHello(t, c, get())
		}
		assert.Equal(t, 4, a.connections(), "one for each second")
	})
}

// TestClientTakesNewest: the connection used last is used next, so that the others can end.
func TestClientTakesNewest(t *testing.T) {
	var mu sync.Mutex
	var served []int
	n := 0
	c, _ := listen(t, func(p *peer) {
		mu.Lock()
		n++
		me := n
		mu.Unlock()
		for {
			r, ok := p.request()
			if !ok {
				return
			}
			mu.Lock()
			served = append(served, me)
			mu.Unlock()
			p.say(record(tStdout, r.id, hello))
			time.Sleep(50 * time.Millisecond)
			p.say(end(r.id, 0, 0))
		}
	})
	c.KeepConn = time.Minute
	finish(t, held(t, c, 3)...)
	for range 3 {
		wantHello(t, c, get())
	}
	assert.Equal(t, []int{1, 2, 3, 3, 3, 3}, served)
}

// TestClientWaitsForANewConnection: a connection that becomes free is closed if who waits longest needs a new one.
func TestClientWaitsForANewConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		c, a, stop := pipes(t, gated(gate))
		defer stop()
		c.MaxConns, c.KeepConn = 1, time.Minute
		body := held(t, c, 1)
		var wg sync.WaitGroup
		wg.Go(func() {
			resp, err := c.Serve(t.Context(), post(strings.NewReader("body"), 4))
			require.NoError(t, err)
			finish(t, resp.Body)
		})
		synctest.Wait()
		close(gate)
		finish(t, body...)
		wg.Wait()
		assert.Equal(t, 2, a.connections())
	})
}

func TestClientMaxConns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		c, a, stop := pipes(t, gated(gate))
		defer stop()
		c.MaxConns, c.MaxWaiting, c.Wait, c.KeepConn = 2, 2, 3*time.Second, time.Minute
		bodies := held(t, c, 2)

		// The queue: two may wait, in their order, for a time.
		began := time.Now()
		var wg sync.WaitGroup
		for range 2 {
			wg.Go(func() {
				_, err := c.Serve(t.Context(), get())
				require.ErrorIs(t, err, adapters.ErrBusy)
				assert.Equal(t, 503, adapters.StatusOf(err))
				assert.Positive(t, adapters.RetryAfter(err))
				assert.ErrorContains(t, err, "all 2 connections in use for 3s (limits MaxConns, Wait)")
				assert.Equal(t, 3*time.Second, time.Since(began))
			})
		}
		synctest.Wait()
		_, err := c.Serve(t.Context(), get())
		require.ErrorIs(t, err, adapters.ErrBusy)
		assert.ErrorContains(t, err, "2 requests wait (limit MaxWaiting)")
		assert.Positive(t, adapters.RetryAfter(err))
		wg.Wait()

		// A connection goes to who waits longest.
		var order []int
		for i := range 2 {
			wg.Go(func() {
				body := held(t, c, 1)
				order = append(order, i)
				finish(t, body...)
			})
			synctest.Wait()
		}
		gate <- struct{}{}
		finish(t, bodies[0])
		synctest.Wait()
		assert.Equal(t, []int{0}, order)
		close(gate)
		finish(t, bodies[1])
		wg.Wait()
		assert.Equal(t, []int{0, 1}, order)
		assert.Equal(t, 2, a.connections())
	})
}

// TestClientWaitEnds: a request that waits is given up by its client, by a lost connection, or with the Client.
func TestClientWaitEnds(t *testing.T) {
	wait := func(t *testing.T, c *fastcgi.Client, ctx context.Context) chan error {
		errs := make(chan error, 1)
		go func() {
			_, _, err := doCtx(ctx, c, get())
			errs <- err
		}()
		synctest.Wait()
		return errs
	}
	t.Run("cancelled", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			gate := make(chan struct{})
			c, _, stop := pipes(t, gated(gate))
			defer stop()
			c.MaxConns = 1
			bodies := held(t, c, 1)
			ctx, cancel := context.WithCancelCause(t.Context())
			errs := wait(t, c, ctx)
			cancel(errLeft)
			assert.ErrorIs(t, <-errs, errLeft)
			close(gate)
			finish(t, bodies...)
			wantHello(t, c, get())
		})
	})
	t.Run("connection lost", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			c, a, stop := pipes(t, func(p *peer) {
				p.request()
				p.say(stdout(hello))
				p.Read(make([]byte, 1))
			}, answering(hello))
			defer stop()
			c.MaxConns = 1
			bodies := held(t, c, 1)
			errs := wait(t, c, t.Context())
			bodies[0].Close()
			assert.NoError(t, <-errs)
			assert.Equal(t, 2, a.connections())
		})
	})
	t.Run("client closed", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			gate := make(chan struct{})
			c, _, stop := pipes(t, gated(gate))
			defer stop()
			c.MaxConns = 1
			bodies := held(t, c, 1)
			errs := wait(t, c, t.Context())
			c.Close()
			assert.ErrorContains(t, <-errs, "the client was closed")
			close(gate)
			finish(t, bodies...) // which was under way
		})
	})
}

func TestClientClose(t *testing.T) {
	ended := make(chan struct{})
	c, _ := listen(t, func(p *peer) {
		answering(hello)(p)
		close(ended)
	})
	c.KeepConn = time.Hour
	wantHello(t, c, get())
	require.NoError(t, c.Close())
	soon(t, ended, "the kept connection")
	_, _, err := do(c, get())
	assert.ErrorIs(t, err, adapters.ErrUnreachable)
	assert.ErrorContains(t, err, "the client was closed")
	assert.NoError(t, c.Close())

	gate := make(chan struct{})
	c, _ = listen(t, gated(gate))
	under := held(t, c, 1)
	require.NoError(t, c.Close())
	close(gate)
	finish(t, under...)
	assert.Zero(t, fastcgi.Open(c), "nothing is kept any more")
}

// TestClientDialFailure: the place of a connection that could not be opened is free, and no failure is remembered.
func TestClientDialFailure(t *testing.T) {
	address := filepath.Join(t.TempDir(), "app.sock")
	c := &fastcgi.Client{Address: address, MaxConns: 1, Wait: time.Second}
	defer c.Close()
	for range 3 {
		_, _, err := do(c, get())
		require.ErrorIs(t, err, adapters.ErrUnreachable)
		require.ErrorIs(t, err, os.ErrNotExist)
		assert.EqualError(t, err,
			"fastcgi: dial unix "+address+": application not reachable: connect: no such file or directory")
	}
	ln, err := net.Listen("unix", address)
	require.NoError(t, err)
	_, a := listenOn(t, ln, answering(hello))
	wantHello(t, c, get())
	assert.Equal(t, 1, a.connections())
}

// TestClientDoesNotStarveItself: with one worker, which serves a connection until it is closed, no request of a crowd
// waits for as long as connections may be kept.
func TestClientDoesNotStarveItself(t *testing.T) {
	ln, err := net.Listen("unix", filepath.Join(t.TempDir(), "app.sock"))
	require.NoError(t, err)
	c := &fastcgi.Client{Address: ln.Addr().String(), KeepConn: time.Hour}
	worker := make(chan struct{})
	go func() {
		defer close(worker)
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			p := &peer{Conn: conn, t: t}
			answering(hello)(p)
			p.Close()
		}
	}()
	defer func() { <-worker }()
	defer ln.Close()
	defer c.Close()
	began := time.Now()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 10 {
				wantHello(t, c, get())
			}
		})
	}
	wg.Wait()
	assert.Less(t, time.Since(began), 30*time.Second)
	noneLost(t, c)
}

// TestClientMixesNothing: under load, with requests given up at any time, each response is that to its own request.
func TestClientMixesNothing(t *testing.T) {
	c, _ := listen(t, func(p *peer) {
		for {
			r, ok := p.head()
			if !ok {
				return
			}
			body := strings.Repeat(r.vars["QUERY_STRING"]+" ", 2000)
			p.say(record(tStdout, r.id, "X: "+r.vars["QUERY_STRING"]+"\r\n\r\n"))
			for {
				typ, _, content, ok := p.next()
				if !ok || typ == tAbort {
					return
				}
				if content == "" {
					break
				}
			}
			p.say(record(tStdout, r.id, body), end(r.id, 0, 0))
		}
	})
	c.AbortGrace = 10 * time.Millisecond
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for n := range 150 {
				token := fmt.Sprint(i, "-", n)
				ctx, cancel := context.WithCancel(context.Background())
				if n%3 == 0 {
					time.AfterFunc(time.Duration(n)*5*time.Microsecond, cancel)
				}
				req := get()
				if n%2 == 0 {
					req = post(io.MultiReader(strings.NewReader(token)), int64(len(token)))
				}
				req.Query = token
				resp, body, err := doCtx(ctx, c, req)
				if err == nil {
					assert.Equal(t, token, resp.Header.Get("X"))
					assert.True(t, body == strings.Repeat(token+" ", 2000))
				} else if n%3 != 0 {
					assert.NoError(t, err)
				}
				cancel()
			}
		})
	}
	wg.Wait()
	noneLost(t, c)
}

// noneLost fails the test unless all connections but the idle ones are gone.
func noneLost(t *testing.T, c *fastcgi.Client) {
	t.Helper()
	assert.Eventually(t, func() bool { return fastcgi.Open(c) == fastcgi.Idle(c) }, 10*time.Second, time.Millisecond)
}
