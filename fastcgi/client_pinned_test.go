package fastcgi_test

import (
	"io"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/adapters"
)

// busyFor is an application that minds no FCGI_ABORT_REQUEST, as php-fpm while a script runs, is silent for some time
// and then ends the request, or only says something.
func busyFor(d time.Duration, then string) script {
	return func(p *peer) {
		p.request()
		p.say(stdout(hello))
		lost := make(chan struct{})
		go func() {
			defer close(lost)
			io.Copy(io.Discard, p)
		}()
		select {
		case <-time.After(d):
		case <-lost:
		}
		p.say(then)
		<-lost
	}
}

// TestClientPinned: with MaxConns an application that is silent after an abort counts as busy until it says something.
func TestClientPinned(t *testing.T) {
	for _, tt := range []struct {
		name, then string
		maxConns   int
		busy       time.Duration
		waits      time.Duration
	}{
		{"ends", end(1, 0, 0), 1, 30 * time.Second, 30 * time.Second},
		{"says something", stdout("more"), 1, 30 * time.Second, 30 * time.Second},
		{"within the grace", end(1, 0, 0), 1, 3 * time.Second, 7 * time.Second}, // the peer keeps the connection
		{"never", "", 1, time.Hour, 5*time.Minute + 7*time.Second},
		{"not counted", "", 0, time.Hour, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, _, stop := pipes(t, busyFor(tt.busy, tt.then), answering(hello))
				defer stop()
				var busy atomic.Int32
				c.OnAborted(func(delta int) { busy.Add(int32(delta)) })
				c.AbortGrace, c.MaxConns, c.Wait = 7*time.Second, tt.maxConns, time.Hour
				resp, err := c.Serve(t.Context(), get())
				require.NoError(t, err)
				assert.Zero(t, busy.Load())
				require.NoError(t, resp.Body.Close())
				assert.EqualValues(t, 1, busy.Load())
				began := time.Now()
				wantHello(t, c, get())
				assert.Equal(t, tt.waits, time.Since(began))
				if tt.maxConns == 0 {
					time.Sleep(8 * time.Second)
				}
				synctest.Wait()
				assert.Zero(t, busy.Load())
			})
		})
	}
}

// TestClientPinnedAtTheEnd: closing the client does not wait for an application that takes no notice.
func TestClientPinnedAtTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _, stop := pipes(t, busyFor(time.Minute, ""))
		defer stop()
		c.AbortGrace, c.MaxConns, c.Wait = time.Second, 1, 10*time.Second
		resp, err := c.Serve(t.Context(), get())
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		_, err = c.Serve(t.Context(), get())
		assert.ErrorIs(t, err, adapters.ErrBusy)
		require.NoError(t, c.Close())
		synctest.Wait()
		_, err = c.Serve(t.Context(), get())
		assert.ErrorIs(t, err, adapters.ErrUnreachable)
	})
}
