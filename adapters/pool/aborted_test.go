package pool_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/adapters/pool"
)

// A deafStage starts processes that go on for some time with a request that was aborted.
type deafStage struct{ *stage }

func (s deafStage) Spawn(ctx context.Context) (*pool.Process, error) {
	p, err := s.stage.Spawn(ctx)
	if err == nil {
		p.Handler = &deaf{Handler: p.Handler}
	}
	return p, err
}

type deaf struct {
	adapters.Handler
	changed func(delta int)
}

func (d *deaf) OnAborted(fn func(delta int)) { d.changed = fn }

func (d *deaf) Serve(ctx context.Context, req *adapters.Request) (*adapters.Response, error) {
	if req.Method == "ABORT" {
		d.changed(1)
		time.AfterFunc(5*time.Second, func() { d.changed(-1) })
		return nil, adapters.ErrAborted
	}
	return d.Handler.Serve(ctx, req)
}

// An idleStage starts processes of which one can learn only that they have done with it.
type idleStage struct{ *stage }

func (s idleStage) Spawn(ctx context.Context) (*pool.Process, error) {
	p, err := s.stage.Spawn(ctx)
	if err == nil {
		p.Idle = func() { time.Sleep(5 * time.Second) }
		usual := p.Handler
		p.Handler = adapters.HandlerFunc(func(ctx context.Context, req *adapters.Request) (*adapters.Response, error) {
			if req.Method == "ABORT" {
				return nil, adapters.ErrAborted
			}
			return usual.Serve(ctx, req)
		})
	}
	return p, err
}

// TestAborted: a process counts as busy with a request that was aborted as long as it goes on with it.
func TestAborted(t *testing.T) {
	t.Run("told", func(t *testing.T) {
		testAborted(t, func(s *stage) pool.Spawner { return deafStage{s} })
	})
	t.Run("idle", func(t *testing.T) {
		testAborted(t, func(s *stage) pool.Spawner { return idleStage{s} })
	})
}

func testAborted(t *testing.T, spawner func(*stage) pool.Spawner) {
	g, s := &pool.Group{Processes: 2}, &stage{}
	inBubble(t, g, s, func(t *testing.T) {
		g.Spawner = spawner(s)
		require.NoError(t, g.Start(t.Context()))
		synctest.Wait()
		abort := get()
		abort.Method = "ABORT"
		gone, leave := context.WithCancel(t.Context())
		leave()
		_, err := g.Serve(gone, abort)
		require.ErrorIs(t, err, adapters.ErrAborted)
		for range 2 {
			id, err := ask(g, time.Second)
			require.NoError(t, err)
			assert.Equal(t, "2", id, "the first one is busy")
		}
		took, failed := crowd(g, 4) // in the first three seconds of which there is one process
		assert.Equal(t, map[time.Duration]int{1e9: 1, 2e9: 1, 3e9: 1, 4e9: 1}, took)
		assert.Empty(t, failed)
		id, err := ask(g, 0)
		require.NoError(t, err)
		assert.Equal(t, "1", id)
	})
}
