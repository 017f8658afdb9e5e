package middleware_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/adapters/middleware"
)

// A steady application takes its time before the header and before each of the pieces of its body, and notes how it
// ends.
type steady struct {
	header time.Duration
	pieces int
	ended  chan error
}

func (s *steady) Serve(ctx context.Context, req *adapters.Request) (*adapters.Response, error) {
	if err := s.wait(ctx, s.header); err != nil {
		s.ended <- err
		return nil, err
	}
	if req.Body != nil {
		if _, err := io.ReadAll(req.Body); err != nil {
			s.ended <- err
			return nil, err
		}
	}
	return &adapters.Response{Status: 200, Body: &steadyBody{s: s, ctx: ctx, req: req}}, nil
}

func (s *steady) wait(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

type steadyBody struct {
	s    *steady
	ctx  context.Context
	req  *adapters.Request
	sent int
}

func (b *steadyBody) Read(p []byte) (int, error) {
	if b.sent == b.s.pieces {
		b.end(io.EOF)
		return 0, io.EOF
	}
	if err := b.s.wait(b.ctx, time.Second); err != nil {
		b.end(err)
		return 0, err
	}
	b.sent++
	io.WriteString(b.req.Stderr, "piece\n")
	return copy(p, "piece;"), nil
}

func (b *steadyBody) end(err error) {
	select {
	case b.s.ended <- err:
	default:
	}
}

func (b *steadyBody) Close() error {
	b.end(adapters.ErrAborted)
	return nil
}

// abortedBody is a request's body of which the client has sent only a part.
type abortedBody struct{ ctx context.Context }

func (b abortedBody) Read([]byte) (int, error) {
	<-b.ctx.Done()
	return 0, adapters.ErrAborted
}

func TestOnAbort(t *testing.T) {
	const whole, never = 10 * time.Second, time.Duration(-1)
	limit := errors.New("a limit")
	tests := []struct {
		name   string
		policy middleware.AbortPolicy
		time   time.Duration // of Finish
		header time.Duration
		leaves time.Duration // never: the client stays
		cause  error         // nil: the client has gone
		body   bool          // unfinished
		ended  error
		took   time.Duration
	}{
		{"abort before the header", middleware.Abort, 0, 5 * time.Second, time.Second, nil, false, context.Canceled, time.Second},
		{"abort within the body", middleware.Abort, 0, 0, 1500 * time.Millisecond, nil, false, context.Canceled,
			1500 * time.Millisecond},
		{"finish, stays", middleware.Finish, 0, 0, never, nil, false, io.EOF, whole},
		{"finish before the header", middleware.Finish, 0, 5 * time.Second, time.Second, nil, false, io.EOF,
			whole + 5*time.Second},
		{"finish within the body", middleware.Finish, 0, 0, 1500 * time.Millisecond, nil, false, io.EOF, whole},
		{"finish, too late", middleware.Finish, 3 * time.Second, 0, time.Second, nil, false, adapters.ErrAborted, 4 * time.Second},
		{"finish, too late before the header", middleware.Finish, 3 * time.Second, time.Minute, time.Second, nil, false,
			adapters.ErrAborted, 4 * time.Second},
		{"finish, a limit", middleware.Finish, 0, 0, 1500 * time.Millisecond, limit, false, limit, 1500 * time.Millisecond},
		{"finish, half an upload", middleware.Finish, 0, 0, time.Second, nil, true, adapters.ErrAborted, time.Second},
		{"ignore before the header", middleware.Ignore, 0, time.Hour, time.Second, nil, false, io.EOF, whole + time.Hour},
		{"ignore within the body", middleware.Ignore, 0, 0, 1500 * time.Millisecond, nil, false, io.EOF, whole},
		{"ignore, a limit", middleware.Ignore, 0, time.Hour, time.Second, limit, false, limit, time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				app := &steady{header: tt.header, pieces: 10, ended: make(chan error, 1)}
				o := &middleware.OnAbort{Policy: tt.policy, Time: tt.time, Log: slog.New(slog.DiscardHandler)}
				ctx, leave := context.WithCancelCause(t.Context())
				defer leave(nil)
				req := &adapters.Request{Stderr: io.Discard}
				if tt.body {
					req.Body = abortedBody{ctx}
				}
				begun := time.Now()
				if tt.leaves != never {
					time.AfterFunc(tt.leaves, func() { leave(tt.cause) })
				}
				got, err := ask(ctx, o.Wrap(app), req)
				if tt.leaves == never {
					assert.Equal(t, strings.Repeat("piece;", 10), got)
					assert.NoError(t, err)
				} else {
					assert.Error(t, err)
					assert.Equal(t, tt.leaves, time.Since(begun), "the client's side is let go")
				}
				assert.ErrorIs(t, <-app.ended, tt.ended)
				assert.Equal(t, tt.took, time.Since(begun))
				assert.NoError(t, o.Close(t.Context()))
			})
		})
	}
}

// ask is a frontend: it takes what it can get before ctx is over.
func ask(ctx context.Context, h adapters.Handler, req *adapters.Request) (body string, err error) {
	resp, err := h.Serve(ctx, req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	var b bytes.Buffer
	_, err = adapters.Copy(&b, resp.Body)
	return b.String(), err
}

func TestOnAbortClosedEarly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		app := &steady{pieces: 3, ended: make(chan error, 1)}
		var stderr bytes.Buffer
		o := &middleware.OnAbort{Policy: middleware.Ignore,
			Log: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))}
		resp, err := o.Wrap(app).Serve(t.Context(), &adapters.Request{
			ID: "1", URI: "/" + strings.Repeat("x", 5000), Stderr: &stderr})
		require.NoError(t, err)
		b := make([]byte, 2)
		n, err := resp.Body.Read(b)
		require.NoError(t, err)
		assert.Equal(t, "pi", string(b[:n]))
		require.NoError(t, resp.Body.Close())
		_, err = resp.Body.Read(b)
		for err == nil { // of what was read already
			_, err = resp.Body.Read(b)
		}
		assert.ErrorIs(t, err, adapters.ErrAborted)
		assert.ErrorIs(t, <-app.ended, io.EOF)
		require.NoError(t, o.Close(t.Context()))
		assert.Equal(t, "piece\n", stderr.String(), "while the client was there")
		assert.Equal(t, 2, strings.Count(log.String(), "msg=stderr request=1 line=piece"), log.String())
		assert.Contains(t, log.String(), `msg="application ended without its client" request=1 uri=/xxx`)
		assert.Equal(t, 2, strings.Count(log.String(), "xxx..."), "not the whole target")
		assert.Contains(t, log.String(), "time=3s")
	})
}

type panicking struct{}

func (panicking) Read([]byte) (int, error) { panic("late") }

func (panicking) Close() error { return nil }

// A body that panics, which is read in a goroutine of its own, does not end the program.
// What comes before a body that nobody read to its end is no end of it.
func TestOnAbortEndsNothing(t *testing.T) {
	for range 50 {
		synctest.Test(t, func(t *testing.T) {
			app := &steady{pieces: 3, ended: make(chan error, 1)}
			o := &middleware.OnAbort{Policy: middleware.Finish, Log: slog.New(slog.DiscardHandler)}
			ctx, leave := context.WithCancel(t.Context())
			resp, err := o.Wrap(app).Serve(ctx, &adapters.Request{Stderr: io.Discard})
			require.NoError(t, err)
			leave()
			<-app.ended
			synctest.Wait()
			_, err = resp.Body.Read(make([]byte, 100))
			assert.ErrorIs(t, err, adapters.ErrAborted)
			require.NoError(t, o.Close(t.Context()))
		})
	}
}

func TestOnAbortPanic(t *testing.T) {
	o := &middleware.OnAbort{Policy: middleware.Finish, Log: slog.New(slog.DiscardHandler)}
	app := adapters.HandlerFunc(func(context.Context, *adapters.Request) (*adapters.Response, error) {
		return &adapters.Response{Status: 200, Body: panicking{}}, nil
	})
	resp, err := o.Wrap(app).Serve(t.Context(), new(adapters.Request))
	require.NoError(t, err)
	_, err = io.ReadAll(resp.Body)
	assert.ErrorContains(t, err, "application panics: late")
	resp.Body.Close()
	require.NoError(t, o.Close(t.Context()))
}

func TestOnAbortStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		app := &steady{header: time.Hour, ended: make(chan error, 1)}
		o := &middleware.OnAbort{Policy: middleware.Ignore, Log: slog.New(slog.DiscardHandler)}
		ctx, leave := context.WithTimeoutCause(t.Context(), time.Second, adapters.ErrAborted)
		defer leave()
		_, err := ask(ctx, o.Wrap(app), new(adapters.Request))
		assert.Equal(t, adapters.StatusClientGone, adapters.StatusOf(err))
		grace, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		begun := time.Now()
		assert.ErrorIs(t, o.Close(grace), context.DeadlineExceeded)
		assert.Equal(t, 10*time.Second, time.Since(begun))
		assert.ErrorIs(t, <-app.ended, adapters.ErrAborted)
	})
}

func TestOnAbortPasses(t *testing.T) {
	o := &middleware.OnAbort{Policy: middleware.Finish, Log: slog.New(slog.DiscardHandler)}
	t.Run("error", func(t *testing.T) {
		_, err := ask(t.Context(), o.Wrap(adapters.HandlerFunc(
			func(context.Context, *adapters.Request) (*adapters.Response, error) { return nil, adapters.ErrBusy })), new(adapters.Request))
		assert.Equal(t, adapters.ErrBusy, err)
	})
	t.Run("panic", func(t *testing.T) {
		_, err := ask(t.Context(), o.Wrap(adapters.HandlerFunc(
			func(context.Context, *adapters.Request) (*adapters.Response, error) { panic("odd") })), new(adapters.Request))
		assert.Equal(t, 500, adapters.StatusOf(err))
	})
	t.Run("upgrade", func(t *testing.T) {
		body := io.NopCloser(strings.NewReader(""))
		resp, err := o.Wrap(adapters.HandlerFunc(func(context.Context, *adapters.Request) (*adapters.Response, error) {
			return &adapters.Response{Status: 101, Body: body}, nil
		})).Serve(t.Context(), new(adapters.Request))
		require.NoError(t, err)
		assert.NoError(t, resp.Body.Close())
	})
	assert.NoError(t, o.Close(t.Context()))
}

// An application that agrees to another protocol when its client has left would wait for that for ever.
func TestOnAbortUpgradesForNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		talk, client := net.Pipe()
		defer client.Close()
		o := &middleware.OnAbort{Policy: middleware.Ignore, Log: slog.New(slog.DiscardHandler)}
		h := o.Wrap(adapters.HandlerFunc(func(context.Context, *adapters.Request) (*adapters.Response, error) {
			time.Sleep(2 * time.Second)
			return &adapters.Response{Status: 101, Body: talk}, nil
		}))
		ctx, leave := context.WithTimeoutCause(t.Context(), time.Second, adapters.ErrAborted)
		defer leave()
		_, err := h.Serve(ctx, new(adapters.Request))
		assert.Equal(t, adapters.StatusClientGone, adapters.StatusOf(err))
		grace, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		assert.NoError(t, o.Close(grace))
	})
}

// A client that does not read holds no application whose response goes to a spool, whatever the policy.
func TestOnAbortSlowReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		app := &steady{pieces: 1000, ended: make(chan error, 1)}
		o := &middleware.OnAbort{Policy: middleware.Ignore}
		h := o.Wrap(new(adapters.Bodies).Wrap(adapters.BodyAuto)(app))
		resp, err := h.Serve(t.Context(), &adapters.Request{Method: "GET", Stderr: io.Discard})
		require.NoError(t, err)
		assert.Equal(t, io.EOF, <-app.ended)
		body, err := io.ReadAll(resp.Body)
		assert.NoError(t, err)
		assert.Len(t, body, 1000*len("piece;"))
		resp.Body.Close()
		require.NoError(t, o.Close(t.Context()))
	})
}
