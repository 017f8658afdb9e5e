package pool_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/adapters/pool"
)

func TestPacking(t *testing.T) {
	tests := []struct {
		name                             string
		processes, concurrency, requests int
		queue                            int
		took                             map[time.Duration]int
		failed                           map[int]int
	}{
		{"one serial process", 0, 0, 3, 0, map[time.Duration]int{1e9: 1, 2e9: 1, 3e9: 1}, map[int]int{}},
		{"four serial processes", 4, 1, 10, 0, map[time.Duration]int{1e9: 4, 2e9: 4, 3e9: 2}, map[int]int{}},
		{"threads", 2, 3, 10, 0, map[time.Duration]int{1e9: 6, 2e9: 4}, map[int]int{}},
		{"queue full", 2, 1, 10, 3, map[time.Duration]int{1e9: 2, 2e9: 2, 3e9: 1}, map[int]int{503: 5}},
		{"no queue", 2, 1, 4, -1, map[time.Duration]int{1e9: 2}, map[int]int{503: 2}},
		{"default queue", 1, 200, 302, 0, map[time.Duration]int{1e9: 200, 2e9: 100}, map[int]int{503: 2}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g := &pool.Group{Processes: tt.processes, Concurrency: tt.concurrency, MaxQueue: tt.queue}
			s := &stage{}
			inBubble(t, g, s, func(t *testing.T) {
				require.NoError(t, g.Start(t.Context()))
				synctest.Wait()
				took, failed := crowd(g, tt.requests)
				assert.Equal(t, tt.took, took)
				assert.Equal(t, tt.failed, failed)
				for _, a := range s.ready() {
					assert.LessOrEqual(t, a.most, max(tt.concurrency, 1), "process %d", a.id)
				}
				assert.Len(t, s.ready(), max(tt.processes, 1))
			})
		})
	}
}

func TestLeastBusy(t *testing.T) {
	g, s := &pool.Group{Processes: 3, Concurrency: 2}, &stage{}
	inBubble(t, g, s, func(t *testing.T) {
		require.NoError(t, g.Start(t.Context()))
		synctest.Wait()
		var got []string
		var bodies []io.Closer
		for range 5 {
			resp, err := g.Serve(t.Context(), get())
			require.NoError(t, err)
			b, err := io.ReadAll(resp.Body)
			require.NoError(t, err)
			got, bodies = append(got, string(b)), append(bodies, resp.Body)
			if len(bodies) == 4 {
				require.NoError(t, bodies[2].Close())
			}
		}
		assert.Equal(t, []string{"1", "2", "3", "1", "3"}, got)
		for _, b := range bodies {
			b.Close()
		}
	})
}

func TestQueueErrors(t *testing.T) {
	g := &pool.Group{MaxQueue: 1, MaxWait: 3 * time.Second}
	inBubble(t, g, &stage{}, func(t *testing.T) {
		require.NoError(t, g.Start(t.Context()))
		resp, err := g.Serve(t.Context(), get())
		require.NoError(t, err)

		gone, leave := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { leave(adapters.ErrAborted) })
		_, err = g.Serve(gone, get())
		assert.Equal(t, adapters.StatusClientGone, adapters.StatusOf(err), "client gone while queued: %v", err)

		begin := time.Now()
		_, err = g.Serve(t.Context(), get())
		assert.Equal(t, 3*time.Second, time.Since(begin))
		assert.ErrorIs(t, err, adapters.ErrBusy)
		assert.EqualError(t, err, "pool: app shop: application busy: waited 3s for a process (limit queue-wait)")
		assert.Equal(t, time.Second, adapters.RetryAfter(err))

		go g.Serve(t.Context(), get())
		synctest.Wait()
		_, err = g.Serve(t.Context(), get())
		assert.EqualError(t, err, "pool: app shop: application busy: 1 requests wait already (limit queue)")
		time.Sleep(4 * time.Second)
		require.NoError(t, resp.Body.Close())
		_, err = ask(g, 0)
		assert.NoError(t, err, "those who left must not have taken the place along")
	})
}

func TestBootFailure(t *testing.T) {
	broken := errors.New("app died at start: exit status 1: no such file")
	s := &stage{boot: 10 * time.Millisecond, fault: func(n int) error {
		if n < 6 {
			return broken
		}
		return nil
	}}
	g := &pool.Group{Processes: 4}
	inBubble(t, g, s, func(t *testing.T) {
		require.ErrorIs(t, g.Start(t.Context()), broken)
		_, err := g.Serve(t.Context(), get())
		assert.EqualError(t, err, "pool: app shop: "+broken.Error())
		assert.Equal(t, 503, adapters.StatusOf(err))
		assert.Equal(t, time.Second, adapters.RetryAfter(err))
		time.Sleep(10 * time.Second)
		assert.Len(t, s.started(), 5, "starts of a broken app within 10 s")
		_, err = ask(g, 0)
		assert.Equal(t, 503, adapters.StatusOf(err))
		time.Sleep(10 * time.Second)
		_, err = ask(g, 0)
		assert.NoError(t, err, "after the repair")
		assert.Len(t, s.ready(), 4)
	})
}

func TestBootFailureEndsWaiting(t *testing.T) {
	s := &stage{boot: time.Second, fault: func(n int) error {
		if n == 1 {
			return nil
		}
		return errors.New("broken since")
	}}
	g := &pool.Group{}
	inBubble(t, g, s, func(t *testing.T) {
		require.NoError(t, g.Start(t.Context()))
		s.ready()[0].die(errors.New("exit status 1"))
		synctest.Wait()
		begin := time.Now()
		_, err := ask(g, 0)
		assert.ErrorContains(t, err, "broken since")
		assert.Equal(t, 1500*time.Millisecond, time.Since(begin), "the delay after the first death, and the start")
	})
}

func TestDeathDelays(t *testing.T) {
	s := &stage{}
	g := &pool.Group{}
	inBubble(t, g, s, func(t *testing.T) {
		require.NoError(t, g.Start(t.Context()))
		for i := range 9 {
			for len(s.ready()) == i {
				time.Sleep(time.Millisecond)
			}
			s.ready()[i].die(errors.New("exit status 1"))
		}
		var delays []time.Duration
		starts := s.started()
		for i := 1; i < len(starts); i++ {
			delays = append(delays, (starts[i] - starts[i-1]).Round(100*time.Millisecond))
		}
		ms := time.Millisecond
		assert.Equal(t, []time.Duration{500 * ms, 1000 * ms, 2000 * ms, 4000 * ms, 8000 * ms, 16000 * ms, 32000 * ms,
			60000 * ms}, delays)

		time.Sleep(time.Minute + livedWell)
		before := time.Since(s.began)
		s.ready()[9].die(errors.New("killed"))
		synctest.Wait()
		require.Len(t, s.started(), 11)
		assert.Equal(t, before, s.started()[10], "no delay after one that lived well")
	})
}

const livedWell = 10 * time.Second

func TestDeathsTogetherCountOnce(t *testing.T) {
	s := &stage{}
	g := &pool.Group{Processes: 4}
	inBubble(t, g, s, func(t *testing.T) {
		require.NoError(t, g.Start(t.Context()))
		synctest.Wait()
		for _, a := range s.ready() {
			a.die(errors.New("exit status 1"))
		}
		time.Sleep(501 * time.Millisecond)
		assert.Len(t, s.ready(), 8)
	})
}

// dying is a serve function: the first process ends instead of an answer, as seen by a backend, after it was reached.
func dying(reached error) func(context.Context, *actor, *adapters.Request) (*adapters.Response, error) {
	return func(_ context.Context, a *actor, _ *adapters.Request) (*adapters.Response, error) {
		if a.id == 1 {
			time.AfterFunc(5*time.Millisecond, func() { a.die(errors.New("signal: killed")) })
			return nil, fmt.Errorf("test: %w", reached)
		}
		return adapters.Reply(200, "text/plain", fmt.Sprint(a.id)), nil
	}
}

func TestRetry(t *testing.T) {
	refused := &net.OpError{Op: "dial", Net: "unix", Err: errors.New("connection refused")}
	tests := []struct {
		name, method, body string
		err                error
		served             string
	}{
		{"GET closed without an answer", "GET", "", adapters.ErrUnreachable, "2"},
		{"PUT with a body", "PUT", "x", adapters.ErrUnreachable, ""},
		{"POST", "POST", "", adapters.ErrUnreachable, ""},
		{"POST that nobody took", "POST", "", refused, "2"},
		{"POST that nobody took, but its body", "POST", "x", refused, ""},
		{"part of an answer", "GET", "", adapters.ErrTruncated, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g := &pool.Group{Processes: 2}
			inBubble(t, g, &stage{serve: dying(tt.err)}, func(t *testing.T) {
				require.NoError(t, g.Start(t.Context()))
				synctest.Wait()
				req := get()
				req.Method, req.ContentLength = tt.method, int64(len(tt.body))
				if tt.body != "" {
					req.Body = strings.NewReader(tt.body)
				}
				resp, err := g.Serve(t.Context(), req)
				if tt.served == "" {
					assert.ErrorIs(t, err, tt.err)
					return
				}
				require.NoError(t, err)
				b, _ := io.ReadAll(resp.Body)
				resp.Body.Close()
				assert.Equal(t, tt.served, string(b))
			})
		})
	}
}

// A Handler that panics leaves its process to others.
func TestPanic(t *testing.T) {
	asked := 0
	s := &stage{serve: func(context.Context, *actor, *adapters.Request) (*adapters.Response, error) {
		if asked++; asked == 1 {
			panic("first")
		}
		return adapters.Reply(200, "text/plain", "second"), nil
	}}
	g := &pool.Group{Processes: 1}
	inBubble(t, g, s, func(t *testing.T) {
		require.NoError(t, g.Start(t.Context()))
		assert.Panics(t, func() { g.Serve(t.Context(), get()) })
		resp, err := g.Serve(t.Context(), get())
		require.NoError(t, err)
		resp.Body.Close()
	})
}

func TestNoRetryWhileTheProcessLives(t *testing.T) {
	asked := 0
	s := &stage{serve: func(context.Context, *actor, *adapters.Request) (*adapters.Response, error) {
		asked++
		return nil, adapters.ErrUnreachable
	}}
	g := &pool.Group{Processes: 2}
	inBubble(t, g, s, func(t *testing.T) {
		require.NoError(t, g.Start(t.Context()))
		_, err := g.Serve(t.Context(), get())
		assert.ErrorIs(t, err, adapters.ErrUnreachable)
		assert.Equal(t, 1, asked)
	})
}

func TestRecycle(t *testing.T) {
	s := &stage{boot: 2200 * time.Millisecond}
	g := &pool.Group{MaxRequests: 3}
	inBubble(t, g, s, func(t *testing.T) {
		require.NoError(t, g.Start(t.Context()))
		var ids []string
		for range 16 {
			id, err := ask(g, 500*time.Millisecond)
			require.NoError(t, err)
			ids = append(ids, id)
		}
		// 3 requests, and those that begin in the 2.2 s in which the replacement starts.
		assert.Equal(t, "1111111122222222", strings.Join(ids, ""))
		stopped, killed := s.ready()[0].ending()
		assert.True(t, stopped)
		assert.False(t, killed)
	})
}

func TestRecycleDrains(t *testing.T) {
	s := &stage{}
	g := &pool.Group{MaxRequests: 1, Concurrency: 2}
	inBubble(t, g, s, func(t *testing.T) {
		require.NoError(t, g.Start(t.Context()))
		long, err := g.Serve(t.Context(), get())
		require.NoError(t, err)
		_, err = ask(g, 0)
		require.NoError(t, err)
		time.Sleep(time.Minute)
		require.Len(t, s.ready(), 2)
		stopped, _ := s.ready()[0].ending()
		assert.False(t, stopped, "a session is open")
		long.Body.Close()
		synctest.Wait()
		stopped, _ = s.ready()[0].ending()
		assert.True(t, stopped)
	})
}

func TestRecycleKeepsTheOldWhileTheNewIsBroken(t *testing.T) {
	s := &stage{fault: func(n int) error {
		if n == 1 {
			return nil
		}
		return errors.New("broken")
	}}
	g := &pool.Group{MaxRequests: 1}
	inBubble(t, g, s, func(t *testing.T) {
		require.NoError(t, g.Start(t.Context()))
		for range 5 {
			id, err := ask(g, time.Second)
			require.NoError(t, err)
			assert.Equal(t, "1", id)
		}
		assert.Greater(t, len(s.started()), 2)
	})
}

func TestClose(t *testing.T) {
	for _, tt := range []struct {
		name     string
		patience time.Duration
		took     time.Duration
		cut      bool
	}{
		{"drained", 10 * time.Second, 2 * time.Second, false},
		{"cut", time.Second, time.Second, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g, s := &pool.Group{}, &stage{}
			inBubble(t, g, s, func(t *testing.T) {
				require.NoError(t, g.Start(t.Context()))
				go ask(g, 2*time.Second)
				synctest.Wait()
				waiting := make(chan error, 1)
				go func() { _, err := ask(g, 0); waiting <- err }()
				synctest.Wait()

				ctx, cancel := context.WithTimeout(t.Context(), tt.patience)
				defer cancel()
				begin := time.Now()
				err := g.Close(ctx)
				assert.Equal(t, tt.took, time.Since(begin))
				assert.Equal(t, tt.cut, err != nil, "error %v", err)
				_, killed := s.ready()[0].ending()
				assert.Equal(t, tt.cut, killed)
				assert.EqualError(t, <-waiting, "pool: app shop: the app is being stopped")
				_, err = ask(g, 0)
				assert.Equal(t, 503, adapters.StatusOf(err))
				time.Sleep(time.Minute)
				assert.Len(t, s.started(), 1, "none is started after Close")
			})
		})
	}
}

func TestCloseWhileStarting(t *testing.T) {
	g := &pool.Group{}
	inBubble(t, g, &stage{boot: time.Hour}, func(t *testing.T) {
		started := make(chan error)
		go func() { started <- g.Start(t.Context()) }()
		time.Sleep(time.Second)
		require.NoError(t, g.Close(t.Context()))
		assert.Error(t, <-started)
	})
	require.NoError(t, (&pool.Group{}).Close(t.Context()), "one that was never started")
}

func TestStartOnce(t *testing.T) {
	g := &pool.Group{}
	_, err := ask(g, 0)
	assert.ErrorContains(t, err, "the app was not started")
	assert.Equal(t, 503, adapters.StatusOf(err))
	inBubble(t, g, &stage{}, func(t *testing.T) {
		require.NoError(t, g.Start(t.Context()))
		assert.ErrorContains(t, g.Start(t.Context()), "app shop: Start was called before")
		_, err := ask(g, 0)
		require.NoError(t, err)
		require.NoError(t, g.Close(t.Context()))
	})
}

func TestStartGivesUp(t *testing.T) {
	g := &pool.Group{}
	inBubble(t, g, &stage{boot: time.Hour}, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		assert.ErrorIs(t, g.Start(ctx), context.DeadlineExceeded)
	})
}

// The place that becomes free at the moment when a waiter gives up must not be lost.
func TestPlaceIsNotLost(t *testing.T) {
	g := &pool.Group{MaxWait: time.Second}
	inBubble(t, g, &stage{}, func(t *testing.T) {
		require.NoError(t, g.Start(t.Context()))
		for range 200 {
			crowd(g, 2)
			_, err := ask(g, 0)
			require.NoError(t, err)
		}
	})
}
