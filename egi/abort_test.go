package egi_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/egi"
)

var sometime = time.Date(2024, 2, 29, 12, 0, 0, 0, time.UTC)

func runtimeGoexit() { runtime.Goexit() }

// TestStream has each event reach the reader before the application writes the next one.
func TestStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		next := make(chan struct{})
		resp, err := egi.HTTP(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.(http.Flusher).Flush()
			for i := range 3 {
				<-next
				fmt.Fprintf(w, "event %d", i)
				w.(http.Flusher).Flush()
			}
			<-next
		})).Serve(t.Context(), newRequest("GET", "/"))
		require.NoError(t, err)
		client := &flushed{}
		done := make(chan error, 1)
		go func() {
			_, err := adapters.Copy(client, resp.Body)
			done <- err
		}()
		synctest.Wait()
		assert.Equal(t, "|", client.String())
		for i := range 3 {
			next <- struct{}{}
			synctest.Wait()
			assert.True(t, strings.HasSuffix(client.String(), fmt.Sprintf("event %d|", i)), client.String())
		}
		next <- struct{}{}
		assert.NoError(t, <-done)
		assert.Equal(t, "|event 0|event 1|event 2|", client.String())
		resp.Body.Close()
	})
}

// TestNotFlushed has what the application keeps back stay in the buffer.
func TestNotFlushed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		next := make(chan struct{})
		resp, err := egi.HTTP(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.(http.Flusher).Flush()
			<-next
			fmt.Fprint(w, "one ")
			<-next
			fmt.Fprint(w, "two")
		})).Serve(t.Context(), newRequest("GET", "/"))
		require.NoError(t, err)
		client := &flushed{}
		done := make(chan error, 1)
		go func() {
			_, err := adapters.Copy(client, resp.Body)
			done <- err
		}()
		synctest.Wait()
		next <- struct{}{}
		synctest.Wait()
		assert.Equal(t, "|", client.String())
		next <- struct{}{}
		assert.NoError(t, <-done)
		assert.Equal(t, "|one two", client.String())
		resp.Body.Close()
	})
}

// flushed records writes and flushes.
type flushed struct{ bytes.Buffer }

func (f *flushed) Flush() { f.WriteByte('|') }

// writeAll writes until that fails.
func writeAll(w io.Writer) error {
	for {
		if _, err := w.Write(make([]byte, 1000)); err != nil {
			return err
		}
	}
}

func TestClose(t *testing.T) {
	tests := []struct {
		name  string
		reads int64
	}{
		{"at once", 0},
		{"in the body", 100_000},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			errs := make(chan error, 2)
			resp, err := egi.HTTP(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				errs <- writeAll(w)
				errs <- cause(r.Context())
				_, err := adapters.RequestOf(r.Context()).Stderr.Write([]byte("x"))
				assert.ErrorIs(t, err, adapters.ErrAborted)
				assert.ErrorIs(t, http.NewResponseController(w).Flush(), adapters.ErrAborted)
				w.WriteHeader(404) // nobody listens
			})).Serve(t.Context(), newRequest("GET", "/"))
			require.NoError(t, err)
			_, err = io.CopyN(io.Discard, resp.Body, tt.reads)
			require.NoError(t, err)
			require.NoError(t, resp.Body.Close())
			assert.ErrorIs(t, <-errs, adapters.ErrAborted)
			assert.ErrorIs(t, <-errs, adapters.ErrAborted)
			_, err = resp.Body.Read(make([]byte, 1))
			assert.ErrorIs(t, err, adapters.ErrAborted)
			assert.NoError(t, resp.Body.Close())
		})
	}
}

func TestCloseWhileReading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		resp, err := egi.HTTP(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		})).Serve(t.Context(), newRequest("GET", "/"))
		require.NoError(t, err)
		done := make(chan error, 1)
		go func() {
			_, err := resp.Body.Read(make([]byte, 1))
			done <- err
		}()
		synctest.Wait()
		resp.Body.Close()
		assert.ErrorIs(t, <-done, adapters.ErrAborted)
	})
}

func TestCancel(t *testing.T) {
	stubborn := make(chan struct{})
	defer close(stubborn)
	tests := []struct {
		name   string
		cancel func(context.Context) (context.Context, context.CancelFunc)
		begun  bool
		status int
	}{
		{"client gone", withCause(errors.New("gone")), false, 500},
		{"cancelled", context.WithCancel, false, adapters.StatusClientGone},
		{"deadline", withDeadline, false, 504},
		{"cancelled in the body", context.WithCancel, true, adapters.StatusClientGone},
		{"deadline in the body", withDeadline, true, 504},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := tt.cancel(t.Context())
				time.AfterFunc(time.Second, cancel)
				release := make(chan struct{})
				defer close(release)
				resp, err := egi.HTTP(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if tt.begun {
						w.(http.Flusher).Flush()
					}
					<-release // whatever the context says
				})).Serve(ctx, newRequest("GET", "/"))
				if tt.begun {
					require.NoError(t, err)
					_, err = io.ReadAll(resp.Body)
					resp.Body.Close()
				}
				assert.ErrorIs(t, err, context.Cause(ctx))
				assert.Equal(t, tt.status, adapters.StatusOf(err))
			})
		})
	}
}

func withDeadline(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, 100*time.Millisecond)
}

func withCause(err error) func(context.Context) (context.Context, context.CancelFunc) {
	return func(ctx context.Context) (context.Context, context.CancelFunc) {
		ctx, cancel := context.WithCancelCause(ctx)
		return ctx, func() { cancel(err) }
	}
}

// TestCancelWhileWriting has a write that waits for the reader end.
func TestCancelWhileWriting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		got := make(chan error, 1)
		resp, err := egi.HTTP(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			got <- writeAll(w)
		})).Serve(ctx, newRequest("GET", "/"))
		require.NoError(t, err)
		synctest.Wait()
		cancel()
		err = <-got
		assert.ErrorIs(t, err, adapters.ErrAborted)
		assert.ErrorIs(t, err, context.Canceled)
		resp.Body.Close()
	})
}

// TestLateUse uses a ResponseWriter after its handler has returned: no other response may get what it writes.
func TestLateUse(t *testing.T) {
	var late http.ResponseWriter
	var ctx context.Context
	first, err := egi.HTTP(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "early")
		late, ctx = w, r.Context()
	})).Serve(t.Context(), newRequest("GET", "/"))
	require.NoError(t, err)
	defer first.Body.Close()
	early, err := io.ReadAll(first.Body)
	require.NoError(t, err)
	assert.Equal(t, "early", string(early))
	assert.Error(t, ctx.Err(), "cancelled when the handler has returned")
	_, body, err := ask(t, egi.HTTP(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "mine")
		_, err := fmt.Fprint(late, "LATE")
		assert.ErrorIs(t, err, adapters.ErrAborted)
	})), newRequest("GET", "/"))
	require.NoError(t, err)
	assert.Equal(t, "mine", body)
}

// TestUnreadRequest has an application answer although its request's body never comes.
func TestUnreadRequest(t *testing.T) {
	r, w := io.Pipe()
	defer w.Close()
	req := newRequest("POST", "/")
	req.Body, req.ContentLength = r, -1
	resp, body, err := ask(t, egi.HTTP(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		go io.Copy(io.Discard, r.Body)
		http.Error(w, "no", http.StatusForbidden)
	})), req)
	require.NoError(t, err)
	assert.Equal(t, 403, resp.Status)
	assert.Equal(t, "no\n", body)
}

// TestLatePanic has a panic that comes after the response was over not be lost, and not touch the request's Stderr.
func TestLatePanic(t *testing.T) {
	var log bytes.Buffer
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
	defer slog.SetDefault(before)
	synctest.Test(t, func(t *testing.T) {
		req := newRequest("GET", "/late")
		var stderr bytes.Buffer
		req.Stderr = &stderr
		resp, err := egi.HTTP(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.(http.Flusher).Flush()
			<-r.Context().Done()
			time.Sleep(time.Second) // Close is done
			panic("late")
		})).Serve(t.Context(), req)
		require.NoError(t, err)
		resp.Body.Close()
		time.Sleep(2 * time.Second)
		synctest.Wait()
		assert.Empty(t, stderr.String())
		assert.Contains(t, log.String(), "uri=/late panic=late")
	})
}

// TestPanickingClient has a writer that panics leave the exchange usable.
func TestPanickingClient(t *testing.T) {
	resp, err := egi.Builtin("hello")
	require.True(t, err)
	r, serr := resp.Serve(t.Context(), newRequest("GET", "/"))
	require.NoError(t, serr)
	assert.PanicsWithValue(t, "writer", func() { adapters.Copy(panicking{}, r.Body) })
	assert.NoError(t, r.Body.Close())
}

type panicking struct{}

func (panicking) Write([]byte) (int, error) { panic("writer") }
