package fastcgi_test

import (
	"context"
	"errors"
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
		time.Sleep(50 * time.Millisecond)
		assert.Equal(t, int32(9), open.Load(), "the burst may go on")
		finish(t, held(t, c, 1)...)
		time.Sleep(100 * time.Millisecond)
		assert.Equal(t, int32(4), open.Load())
		assert.Equal(t, 9, a.connections())
		time.Sleep(9840 * time.Millisecond)
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
				p.say(record(tStdout, 1, hello))
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
}

// TestClientDialFailure: the place of a connection that could not be opened is free again, and no failure is remembered.
func TestClientDialFailure(t *testing.T) {
	address := filepath.Join(t.TempDir(), "app.sock")
	c := &fastcgi.Client{Address: address, MaxConns: 1, Wait: time.Second}
	defer c.Close()
	for range 3 {
		_, _, err := do(c, get())
		require.ErrorIs(t, err, adapters.ErrUnreachable)
		require.ErrorIs(t, err, os.ErrNotExist)
		assert.Equal(t, "fastcgi: dial unix "+address+": application not reachable: connect: no such file or directory", err.Error())
	}
	ln, err := net.Listen("unix", address)
	require.NoError(t, err)
	_, a := listenOn(t, ln, answering(hello))
	wantHello(t, c, get())
	assert.Equal(t, 1, a.connections())
}

// TestClientNoticesDeadConnection: a kept connection that the application has closed, or on which it said something
// unasked, is not used: even a request that must not be repeated succeeds.
func TestClientNoticesDeadConnection(t *testing.T) {
	for name, last := range map[string]string{
		"closed": "", "a byte": "x", "a response": response(2, "Status: 200\r\n\r\nfor somebody else"),
	} {
		for _, network := range []string{"unix", "tcp"} {
			t.Run(name+" "+network, func(t *testing.T) {
				address := "127.0.0.1:0"
				if network == "unix" {
					address = filepath.Join(t.TempDir(), "app.sock")
				}
				ln, err := net.Listen(network, address)
				require.NoError(t, err)
				said := make(chan struct{}, 5)
				c, a := listenOn(t, ln, func(p *peer) {
					r, ok := p.request()
					if !ok {
						return
					}
					p.say(response(r.id, hello))
					time.Sleep(20 * time.Millisecond)
					p.say(last)
					if last == "" {
						p.Close()
					}
					said <- struct{}{}
					io.Copy(io.Discard, p)
				})
				c.KeepConn = time.Minute
				for range 2 {
					for _, req := range []*adapters.Request{post(strings.NewReader("x"), 1), get()} {
						wantHello(t, c, req)
						<-said
						time.Sleep(20 * time.Millisecond)
					}
				}
				assert.Equal(t, 4, a.connections())
			})
		}
	}
}

// TestClientRetry: a request is sent again, once, if the application cannot have done anything with it, or if doing it
// twice is no harm.
func TestClientRetry(t *testing.T) {
	file, err := os.CreateTemp(t.TempDir(), "body")
	require.NoError(t, err)
	defer file.Close()
	_, err = file.WriteString("--body")
	require.NoError(t, err)
	_, err = file.Seek(2, io.SeekStart)
	require.NoError(t, err)
	withMethod := func(method string, req *adapters.Request) *adapters.Request {
		req.Method = method
		return req
	}
	lost := func(p *peer) { p.request() }
	tests := []struct {
		name     string
		first    script
		req      *adapters.Request
		attempts int
		fine     bool
	}{
		{"GET", lost, get(), 2, true},
		{"GET, lost twice", lost, get(), 2, false},
		{"HEAD", lost, withMethod("HEAD", get()), 2, true},
		{"POST", lost, post(nil, 0), 1, false},
		{"PATCH", lost, withMethod("PATCH", get()), 1, false},
		{"PUT of bytes", lost, withMethod("PUT", post(strings.NewReader("body"), 4)), 2, true},
		{"PUT of a file", lost, withMethod("PUT", post(file, 4)), 2, true},
		{"PUT of a stream", lost, withMethod("PUT", post(io.MultiReader(strings.NewReader("body")), 4)), 1, false},
		{"PUT of a spooled stream", lost, withMethod("PUT", post(io.MultiReader(strings.NewReader("body")), -1)), 2, true},
		{"stderr came", func(p *peer) { p.request(); p.say(record(tStderr, 1, "oh")) }, get(), 1, false},
		{"1xx came", func(p *peer) { p.request(); p.say(record(tStdout, 1, "Status: 103\n\n")) }, get(), 1, false},
		{"half a record header came", func(p *peer) { p.request(); p.say("\x01\x06") }, get(), 1, false},
		{"half a record came", func(p *peer) { p.request(); p.say("\x01\x06\x00\x01\x00\x05\x00\x00") }, get(), 1, false},
		{"overloaded", func(p *peer) { p.request(); p.say(end(1, 0, 2)) }, get(), 1, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			second := tt.first
			if tt.fine {
				second = func(p *peer) {
					if r, ok := p.request(); assert.True(t, ok) {
						assert.Equal(t, tt.req.HasBody(), r.stdin == "body")
						p.say(response(r.id, hello))
					}
				}
			}
			c, a := listen(t, tt.first, second)
			tt.req.Trace = new(adapters.Trace)
			_, body, err := do(c, tt.req)
			if tt.fine {
				require.NoError(t, err)
				assert.Equal(t, "hello", body)
			} else {
				assert.Error(t, err)
			}
			assert.Equal(t, tt.attempts, a.connections())
			_, attempts := tt.req.Trace.Backend()
			assert.Equal(t, tt.attempts, attempts)
		})
	}
}

// TestClientRetriesUnwritten: nothing was written, so even a POST is sent again.
func TestClientRetriesUnwritten(t *testing.T) {
	c, a := listen(t, answering(hello))
	dials := 0
	c.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, address)
		if dials++; dials == 1 {
			return brokenPipe{conn}, err
		}
		return conn, err
	}
	wantHello(t, c, post(strings.NewReader("x"), 1))
	wantHello(t, c, post(io.MultiReader(strings.NewReader("x")), 1))
	assert.Equal(t, 2, a.connections())
}

type brokenPipe struct{ net.Conn }

func (brokenPipe) Write([]byte) (int, error) { return 0, errors.New("broken pipe") }

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
