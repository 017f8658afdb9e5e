package pool_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/adapters/pool"
)

// A stage is a Spawner of processes that live in this one; it records what happens to them.
type stage struct {
	boot  time.Duration
	fault func(n int) error // why the start number n, from 1, fails
	serve func(ctx context.Context, p *actor, req *adapters.Request) (*adapters.Response, error)

	mu     sync.Mutex
	starts []time.Duration // when each start began
	actors []*actor
	began  time.Time
}

type actor struct {
	id      int
	stage   *stage
	end     chan error
	once    sync.Once
	killed  bool
	stopped bool
	served  int
	now     int
	most    int // requests at once
}

func (s *stage) Spawn(ctx context.Context) (*pool.Process, error) {
	s.mu.Lock()
	n := len(s.starts) + 1
	s.starts = append(s.starts, time.Since(s.began))
	s.mu.Unlock()
	select {
	case <-time.After(s.boot):
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	if s.fault != nil {
		if err := s.fault(n); err != nil {
			return nil, err
		}
	}
	a := &actor{id: n, stage: s, end: make(chan error)}
	s.mu.Lock()
	s.actors = append(s.actors, a)
	s.mu.Unlock()
	return &pool.Process{Handler: a, ID: n, Wait: func() error { return <-a.end }, Stop: a.stop}, nil
}

// started returns when each start began.
func (s *stage) started() []time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.starts)
}

// ready returns the processes that were started.
func (s *stage) ready() []*actor {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.actors)
}

// ending returns whether a was told to stop, and whether that cut a request.
func (a *actor) ending() (stopped, killed bool) {
	a.stage.mu.Lock()
	defer a.stage.mu.Unlock()
	return a.stopped, a.killed
}

// die ends the process as a fault of its own does.
func (a *actor) die(err error) { a.once.Do(func() { a.end <- err }) }

// stop lets what is being served end, within 5 s.
func (a *actor) stop(ctx context.Context) {
	a.stage.mu.Lock()
	a.stopped = true
	a.stage.mu.Unlock()
	for range 50 {
		a.stage.mu.Lock()
		idle := a.now == 0
		a.stage.mu.Unlock()
		if idle || ctx.Err() != nil {
			break
		}
		select {
		case <-ctx.Done():
		case <-time.After(100 * time.Millisecond):
		}
	}
	a.stage.mu.Lock()
	a.killed = a.now > 0
	a.stage.mu.Unlock()
	a.die(errors.New("stopped"))
}

func (a *actor) Serve(ctx context.Context, req *adapters.Request) (*adapters.Response, error) {
	a.stage.mu.Lock()
	a.now++
	a.most = max(a.most, a.now)
	a.served++
	a.stage.mu.Unlock()
	end := func() {
		a.stage.mu.Lock()
		a.now--
		a.stage.mu.Unlock()
	}
	if a.stage.serve != nil {
		resp, err := a.stage.serve(ctx, a, req)
		if err != nil {
			end()
			return nil, err
		}
		resp.Body = adapters.OnClose(resp.Body, end)
		return resp, nil
	}
	resp := adapters.Reply(200, "text/plain", fmt.Sprint(a.id))
	resp.Body = adapters.OnClose(resp.Body, end)
	return resp, nil
}

var quiet = slog.New(slog.DiscardHandler)

// inBubble runs a test of a started Group with fake time; the Group is closed at the end.
func inBubble(t *testing.T, g *pool.Group, s *stage, test func(t *testing.T)) {
	synctest.Test(t, func(t *testing.T) {
		s.began = time.Now()
		g.Name, g.Spawner, g.Log = "shop", s, quiet
		defer func() { assert.NoError(t, g.Close(t.Context())) }()
		test(t)
	})
}

func get() *adapters.Request {
	return &adapters.Request{Method: "GET", Script: adapters.Script{PathInfo: "/"}}
}

// ask serves one request that takes d, and returns the id of the process.
func ask(g *pool.Group, d time.Duration) (string, error) {
	resp, err := g.Serve(context.Background(), get())
	if err != nil {
		return "", err
	}
	time.Sleep(d)
	b, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	return string(b), err
}

// crowd asks n requests of one second at once and returns how long each took, failures by status.
func crowd(g *pool.Group, n int) (took map[time.Duration]int, failed map[int]int) {
	took, failed = map[time.Duration]int{}, map[int]int{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range n {
		begin := time.Now()
		wg.Go(func() {
			_, err := ask(g, time.Second)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				failed[adapters.StatusOf(err)]++
			} else {
				took[time.Since(begin)]++
			}
		})
	}
	wg.Wait()
	return took, failed
}
