package fastcgi

import (
	"context"
	"io"
	"log/slog"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/internal/testlog"
)

// FuzzServer: whatever comes on a connection, the server does not panic, answers in whole records that belong to a
// request, keeps its limits, and leaves nothing behind.
func FuzzServer(f *testing.F) {
	f.Add([]byte(get(1, responderKeep, pair("X", "1")) + get(2, responderOnce)))
	f.Add([]byte(post(1, "5") + rec(tStdin, 1, "abc") + padded(tStdin, 1, "de", "padding") + rec(tStdin, 1, "")))
	f.Add([]byte(post(1, "300") + post(2, "") + stdin(1, random(300), 50) + stdin(2, random(300), 50)))
	f.Add([]byte(rec(tBegin, 1, responderKeep) + rec(tParams, 1, "\x01\x01ab\x80") + rec(tParams, 1, "") +
		rec(tAbort, 1, "")))
	f.Add([]byte(rec(tGetValues, 0, pair("FCGI_MAX_CONNS", "")+"\xff") + rec(99, 0, "x") +
		rec(tBegin, 3, "\x00\x09\x01\x00\x00\x00\x00\x00")))
	f.Add([]byte(rec(tBegin, 1, filterKeep) + rec(tParams, 1, getPair+pair("FCGI_DATA_LENGTH", "3")+
		pair("FCGI_DATA_LAST_MOD", "0")) + rec(tParams, 1, "") + rec(tStdin, 1, "") + rec(tData, 1, "abc") +
		rec(tData, 1, "")))
	f.Add([]byte(params(1, getPair+pair("X", random(600)), 100) + "\x00\x01"))
	f.Fuzz(func(t *testing.T, sent []byte) {
		var running, most atomic.Int64
		logs := &testlog.Buffer{}
		s := &Server{
			MaxRequests: 3, MaxParams: 500, StdinBuffer: 64, MaxSpool: 200, Log: slog.New(slog.NewTextHandler(logs, nil)),
			Handler: adapters.HandlerFunc(func(ctx context.Context, req *adapters.Request) (*adapters.Response, error) {
				most.Store(max(most.Load(), running.Add(1)))
				defer running.Add(-1)
				if req.Data != nil {
					io.Copy(io.Discard, req.Data.Body)
				}
				return testApp(ctx, req)
			}),
		}
		w := pipe(t, s)
		received := make(chan []byte)
		go func() {
			b, _ := io.ReadAll(w)
			received <- b
		}()
		w.SetWriteDeadline(time.Now().Add(testTimeout))
		_, err := w.Write(sent)
		require.NotErrorIs(t, err, os.ErrDeadlineExceeded, "the server reads no more")
		time.AfterFunc(time.Millisecond, func() { w.Close() })
		answered := <-received
		w.Close()
		ctx, cancel := context.WithTimeout(context.Background(), testTimeout)
		defer cancel()
		require.NoError(t, s.Shutdown(ctx))
		checkAnswer(t, answered)
		assert.LessOrEqual(t, most.Load(), int64(3))
		assert.Zero(t, s.spooled.Load())
		assert.NotContains(t, logs.String(), "panics")
	})
}

// checkAnswer makes sure that b, but for a last record that was cut off, is what an application may send.
func checkAnswer(t *testing.T, b []byte) {
	stdoutEnded := map[uint16]bool{}
	for len(b) >= 8 {
		kind, id, n := b[1], uint16(b[2])<<8|uint16(b[3]), int(b[4])<<8|int(b[5])
		require.EqualValues(t, 1, b[0])
		require.Zero(t, b[6])
		require.Zero(t, b[7])
		if len(b) < 8+n {
			return
		}
		b = b[8+n:]
		switch kind {
		case tStdout:
			require.NotZero(t, id)
			require.False(t, stdoutEnded[id])
			stdoutEnded[id] = n == 0
		case tEnd:
			require.NotZero(t, id)
			require.Equal(t, 8, n)
			delete(stdoutEnded, id)
		case tValues:
			require.Zero(t, id)
		case tUnknown:
			require.Zero(t, id)
			require.Equal(t, 8, n)
		default:
			t.Fatal("record of type ", kind)
		}
	}
}
