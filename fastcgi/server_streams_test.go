package fastcgi

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/adapters"
)

// stdin is a whole body in records of n bytes.
func stdin(id uint16, body string, n int) string {
	var s strings.Builder
	for len(body) > 0 {
		m := min(n, len(body))
		s.WriteString(rec(tStdin, id, body[:m]))
		body = body[m:]
	}
	return s.String() + rec(tStdin, id, "")
}

func random(n int) string {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{}).Read(b)
	return string(b)
}

func digest(s string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(s))) }

// digestApp answers with the digest of the body, after it has been told to read it if the URI is /wait.
type digestApp struct{ *waiting }

func (h digestApp) Serve(ctx context.Context, req *adapters.Request) (*adapters.Response, error) {
	if req.URI == "/wait" {
		if _, err := h.waiting.Serve(ctx, req); err != nil {
			return nil, err
		}
	}
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	return adapters.Reply(200, "text/plain", digest(string(body))), nil
}

// tempFiles are the files that the server keeps bodies in.
func tempFiles(t *testing.T) (names []string) {
	entries, err := os.ReadDir("/proc/self/fd")
	if runtime.GOOS != "linux" {
		return nil
	}
	require.NoError(t, err)
	for _, e := range entries {
		if name, err := os.Readlink("/proc/self/fd/" + e.Name()); err == nil && strings.Contains(name, "gangway-stdin-") {
			names = append(names, name)
		}
	}
	return names
}

func TestServerBodies(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		ts := serveTest(t, network, &Server{Handler: digestApp{}})
		for _, n := range []int{1, 65535, 65536, 100_000, 10 << 20} {
			for _, size := range []int{65535, 8192, 1000} {
				if n/size > 2000 {
					continue
				}
				for _, length := range []string{fmt.Sprint(n), ""} {
					t.Run(fmt.Sprintf("%s/%d by %d, CONTENT_LENGTH %q", network, n, size, length), func(t *testing.T) {
						body := random(n)
						w := ts.dial()
						w.t = t
						w.send(post(1, length), stdin(1, body, size))
						w.expect(ok(1, digest(body)))
					})
				}
			}
		}
	}
}

// A body that nobody reads stops no other request, and is all there when it is read at last.
func TestServerUnreadBody(t *testing.T) {
	for _, size := range []int{100, 60_000, 1 << 20, 10 << 20} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			app := digestApp{newWaiting()}
			ts := serveTest(t, "tcp", &Server{Handler: app})
			body := random(size)
			w := ts.dial()
			w.send(post(1, fmt.Sprint(size), waitPair), stdin(1, body, 30_000))
			w.send(post(2, "3"), stdin(2, "abc", 3))
			w.expect(ok(2, digest("abc")))
			if size > DefaultStdinBuffer && runtime.GOOS == "linux" {
				files := tempFiles(t)
				require.Len(t, files, 1)
				assert.Contains(t, files[0], "(deleted)")
			}
			close(app.finish)
			w.expect(ok(1, digest(body)))
			assert.Empty(t, tempFiles(t))
			assert.Zero(t, ts.spooled.Load())
		})
	}
}

// Two bodies that come in turns, and are read in turns by slow readers.
func TestServerInterleavedBodies(t *testing.T) {
	app := digestApp{newWaiting()}
	ts := serveTest(t, "unix", &Server{Handler: app, StdinBuffer: 1000})
	one, two := random(300_000), strings.Repeat("0123456789", 30_000)
	w := ts.dial()
	w.send(post(1, "", waitPair), post(2, "", waitPair))
	<-app.began
	<-app.began
	for i := 0; i < len(one); i += 10_000 {
		w.send(rec(tStdin, 1, one[i:i+10_000]), rec(tStdin, 2, two[i:i+10_000]))
		if i == 100_000 {
			app.finish <- struct{}{}
		}
		if i == 200_000 {
			app.finish <- struct{}{}
		}
	}
	w.send(rec(tStdin, 1, ""))
	w.expect(ok(1, digest(one)))
	w.send(rec(tStdin, 2, ""))
	w.expect(ok(2, digest(two)))
	assert.Empty(t, tempFiles(t))
}

// Where the quota for files is used up, a request that is alone makes the web server wait; another loses its body.
func TestServerSpoolLimit(t *testing.T) {
	const size = 2 << 20
	body := random(size)
	for _, quota := range []int64{-1, 100_000} {
		t.Run(fmt.Sprint("alone, ", quota), func(t *testing.T) {
			app := digestApp{newWaiting()}
			ts := serveTest(t, "unix", &Server{Handler: app, MaxSpool: quota})
			w := ts.dial()
			sent := make(chan bool)
			go func() {
				io.WriteString(w, post(1, fmt.Sprint(size), waitPair)+stdin(1, body, 30_000))
				close(sent)
			}()
			<-app.began
			select {
			case <-sent:
				t.Error("the server has read everything")
			case <-time.After(time.Second):
			}
			assert.LessOrEqual(t, ts.spooled.Load(), max(0, quota+pieceSize))
			close(app.finish)
			w.expect(ok(1, digest(body)))
			<-sent
			w.send(post(2, "3"), stdin(2, "abc", 3))
			w.expect(ok(2, digest("abc")))
		})
		t.Run(fmt.Sprint("not alone, ", quota), func(t *testing.T) {
			app := digestApp{newWaiting()}
			ts := serveTest(t, "unix", &Server{Handler: app, MaxSpool: quota})
			w := ts.dial()
			w.send(post(2, "3"), post(1, fmt.Sprint(size), waitPair), stdin(1, body, 30_000))
			w.send(stdin(2, "abc", 3))
			w.expect(ok(2, digest("abc")))
			close(app.finish)
			w.expect(failed(1, 0, "413 Request Entity Too Large"))
			assert.Contains(t, ts.logs.String(), "limit spool")
			w.send(post(1, "3"), stdin(1, "abc", 3))
			w.expect(ok(1, digest("abc")))
			assert.Zero(t, ts.spooled.Load())
		})
	}
}

// Close ends a request whose body the server has stopped reading.
func TestServerCloseUnread(t *testing.T) {
	app := digestApp{newWaiting()}
	ts := serveTest(t, "unix", &Server{Handler: app, MaxSpool: -1})
	w := ts.dial()
	go io.WriteString(w, post(1, "1000000", waitPair)+stdin(1, random(1_000_000), 30_000))
	<-app.began
	time.Sleep(2 * stdinPatience)
	require.NoError(t, ts.Close())
	w.expectEnd("")
}

// The other requests of the connection wait for a reader no longer than stdinPatience, in all.
func TestServerPatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := make(chan time.Time, 2)
		s := &Server{StdinBuffer: 1000, Handler: adapters.HandlerFunc(
			func(ctx context.Context, req *adapters.Request) (*adapters.Response, error) {
				began <- time.Now()
				for req.Body != nil {
					time.Sleep(100 * time.Millisecond)
					if _, err := req.Body.Read(make([]byte, 100)); err == io.EOF {
						break
					}
				}
				return adapters.Reply(200, "text/plain", ""), nil
			})}
		w := pipe(t, s)
		w.send(post(1, "50000"), stdin(1, random(50000), 1000), get(2, responderKeep))
		assert.Equal(t, stdinPatience, -(<-began).Sub(<-began))
		w.expect(ok(2, ""))
		w.SetReadDeadline(time.Now().Add(time.Hour))
		want := ok(1, "")
		_, err := io.ReadFull(w, make([]byte, len(want)))
		require.NoError(t, err)
		w.Close()
		require.NoError(t, s.Shutdown(context.Background()))
	})
}

// Memory is bounded while a body streams through.
func TestServerStreamingMemory(t *testing.T) {
	const total = 128 << 20
	ts := serveTest(t, "unix", &Server{MaxSpool: -1, Handler: adapters.HandlerFunc(
		func(_ context.Context, req *adapters.Request) (*adapters.Response, error) {
			n, err := io.Copy(io.Discard, req.Body)
			return adapters.Reply(200, "text/plain", fmt.Sprint(n)), err
		})})
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	w := ts.dial()
	w.send(post(1, fmt.Sprint(total)))
	piece := []byte(rec(tStdin, 1, strings.Repeat("x", 32<<10)))
	for range total / (32 << 10) {
		_, err := w.Write(piece)
		require.NoError(t, err)
	}
	w.expect(ok(1, fmt.Sprint(total)))
	runtime.ReadMemStats(&after)
	assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(16<<20))
}

func TestServerMultiplexing(t *testing.T) {
	app := newWaiting()
	ts := serveTest(t, "unix", &Server{Handler: app})
	w := ts.dial()
	for id := range uint16(100) {
		w.send(get(id+1, responderKeep, waitPair))
		<-app.began
	}
	w.send(get(101, responderKeep))
	w.expect(rec(tEnd, 101, overloaded))
	w.send(rec(tGetValues, 0, pair("FCGI_MPXS_CONNS", "")))
	w.expect(rec(tValues, 0, pair("FCGI_MPXS_CONNS", "1")))
	w.send(rec(tAbort, 50, ""))
	w.expect(rec(tStdout, 50, "") + rec(tEnd, 50, completed))
	w.send(get(50, responderKeep, pair("X", "again"))) // before the others, which began before it
	w.expect(ok(50, "[X=again]"))
	w.send(get(102, responderOnce, waitPair))
	<-app.began
	app.finish <- struct{}{}
	read := map[uint16]bool{50: true}
	for len(read) < 101 {
		header := make([]byte, 8)
		w.SetReadDeadline(time.Now().Add(testTimeout))
		_, err := io.ReadFull(w, header)
		require.NoError(t, err)
		id := uint16(header[2])<<8 | uint16(header[3])
		require.False(t, read[id])
		read[id] = true
		rest := make([]byte, len(ok(id, "/wait"))-8)
		_, err = io.ReadFull(w, rest)
		require.NoError(t, err)
		require.Equal(t, fmt.Sprintf("%q", ok(id, "/wait")), fmt.Sprintf("%q", string(header)+string(rest)))
		if len(read) < 101 {
			app.finish <- struct{}{}
		}
	}
	w.expectEnd("") // because of request 102
}

func TestServerNoMultiplexing(t *testing.T) {
	app := newWaiting()
	ts := serveTest(t, "unix", &Server{Handler: app, MaxRequests: 1, MaxConns: 7})
	w := ts.dial()
	w.send(rec(tGetValues, 0, pair("FCGI_MPXS_CONNS", "")+pair("FCGI_MAX_REQS", "")))
	w.expect(rec(tValues, 0, pair("FCGI_MPXS_CONNS", "0")+pair("FCGI_MAX_REQS", "7")))
	w.send(get(1, responderKeep, waitPair))
	<-app.began
	w.send(get(2, responderKeep))
	w.expect(rec(tEnd, 2, cantMpx))
	close(app.finish)
	w.expect(ok(1, "/wait"))
	for range 1000 { // the end of one request is the beginning of the next
		w.send(get(2, responderKeep))
		w.expect(ok(2, ""))
	}
}

func TestServerAnyNumberOfRequests(t *testing.T) {
	ts := serveTest(t, "unix", &Server{Handler: testApp, MaxRequests: -1, MaxConns: 7})
	w := ts.dial()
	w.send(rec(tGetValues, 0, pair("FCGI_MAX_REQS", "")))
	w.expect(rec(tValues, 0, pair("FCGI_MAX_REQS", "458745")))
	w.send(get(1, responderKeep))
	w.expect(ok(1, ""))
}

// An answer that comes before the body is not lost, and the body not in the way of what follows.
func TestServerEarlyAnswer(t *testing.T) {
	app := adapters.HandlerFunc(func(context.Context, *adapters.Request) (*adapters.Response, error) {
		return nil, adapters.ErrTooLarge
	})
	body := stdin(1, random(1<<20), 30_000)
	for _, network := range []string{"tcp", "unix"} {
		ts := serveTest(t, network, &Server{Handler: app})
		for range 20 {
			w := ts.dial()
			w.send(post(1, "1048576"))
			w.expect(failed(1, 0, "413 Request Entity Too Large")) // while STDIN is open
			w.send(body, get(1, responderKeep))
			w.expect(failed(1, 0, "413 Request Entity Too Large"))

			once := ts.dial()
			once.send(strings.Replace(post(1, "1048576"), responderKeep, responderOnce, 1))
			go io.WriteString(once, body)
			time.Sleep(time.Millisecond)
			once.expectEnd(failed(1, 0, "413 Request Entity Too Large"))
		}
	}
}

// A web server that goes on sending after the end is left some time for it, and no more.
func TestServerLinger(t *testing.T) {
	ts := serveTest(t, "tcp", &Server{Handler: testApp})
	w := ts.dial()
	w.send(rec(tBegin, 1, "\x00\x63\x00\x00\x00\x00\x00\x00")) // unknown role, not kept
	w.expectEnd(rec(tEnd, 1, unknownRole))
	w.send(rec(tParams, 1, ""), get(2, responderKeep), rec(tGetValues, 0, "")) // of no effect
	began := time.Now()
	for time.Since(began) < testTimeout {
		if _, err := io.WriteString(w, rec(tParams, 1, "")); err != nil {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	assert.Less(t, time.Since(began), testTimeout)
	assert.Greater(t, time.Since(began), lingerTime/2)
}

// What ends a request for its handler: the context at once, with its cause, and the body, also one that is being read.
func TestServerAborts(t *testing.T) {
	type result struct{ serve, body, ctx error }
	tests := []struct {
		name  string
		abort func(*testWeb)
		want  string
	}{
		{"ABORT_REQUEST", func(w *testWeb) { w.send(rec(tAbort, 1, "")) }, rec(tStdout, 1, "") + rec(tEnd, 1, completed)},
		{"end of the connection", func(w *testWeb) { w.Close() }, ""},
		{"reset", func(w *testWeb) {
			w.Conn.(*net.TCPConn).SetLinger(0)
			w.Close()
		}, ""},
		{"end of sending", func(w *testWeb) { w.Conn.(*net.TCPConn).CloseWrite() }, ""},
		{"protocol error", func(w *testWeb) { w.send("HTTP/1.1") }, ""},
		{"ABORT_REQUEST within STDIN", func(w *testWeb) { w.send(rec(tStdin, 1, "abc"), rec(tAbort, 1, "")) },
			rec(tStdout, 1, "") + rec(tEnd, 1, completed)},
		{"end within a record", func(w *testWeb) {
			w.send(rec(tStdin, 1, "abc")[:10])
			w.Close()
		}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			began, results := make(chan bool), make(chan result, 1)
			ts := serveTest(t, "tcp", &Server{Handler: adapters.HandlerFunc(
				func(ctx context.Context, req *adapters.Request) (*adapters.Response, error) {
					began <- true
					_, err := io.ReadAll(req.Body)
					<-ctx.Done()
					results <- result{ctx.Err(), err, context.Cause(ctx)}
					return nil, context.Cause(ctx)
				})})
			w := ts.dial()
			w.send(post(1, "10"))
			<-began
			tt.abort(w)
			got := <-results
			assert.ErrorIs(t, got.serve, context.Canceled)
			assert.ErrorIs(t, got.body, adapters.ErrAborted)
			assert.ErrorIs(t, got.ctx, adapters.ErrAborted)
			if tt.want != "" {
				w.expect(tt.want)
				w.send(rec(tAbort, 1, ""), rec(tGetValues, 0, "")) // ignored; exactly one END_REQUEST
				w.expect(rec(tValues, 0, ""))
			}
			assert.NotContains(t, ts.logs.String(), "request failed")
		})
	}
}

// The context does not outlive the request.
func TestServerContextEnds(t *testing.T) {
	ended := make(chan error, 1)
	w := serveTest(t, "unix", &Server{Handler: adapters.HandlerFunc(
		func(ctx context.Context, req *adapters.Request) (*adapters.Response, error) {
			context.AfterFunc(ctx, func() { ended <- ctx.Err() })
			return testApp(ctx, req)
		})}).dial()
	w.expectOpen()
	require.ErrorIs(t, <-ended, context.Canceled)
}

// A handler that answers although its request was aborted gets nothing through.
func TestServerAbortIgnored(t *testing.T) {
	began := make(chan bool)
	ts := serveTest(t, "unix", &Server{Handler: adapters.HandlerFunc(
		func(ctx context.Context, req *adapters.Request) (*adapters.Response, error) {
			began <- true
			<-ctx.Done()
			return adapters.Reply(200, "text/plain", "late"), nil
		})})
	w := ts.dial()
	w.send(get(1, responderKeep))
	<-began
	w.send(rec(tAbort, 1, ""))
	w.expect(rec(tStdout, 1, "") + rec(tEnd, 1, completed))
}

// From Response.Body.Close on, nobody reads the request's body, nor waits for it.
func TestServerBodyGate(t *testing.T) {
	errs := make(chan error, 2)
	var reading sync.WaitGroup
	reading.Add(1)
	ts := serveTest(t, "unix", &Server{Handler: adapters.HandlerFunc(
		func(ctx context.Context, req *adapters.Request) (*adapters.Response, error) {
			go func() {
				_, err := io.ReadAll(req.Body)
				errs <- err
				reading.Done()
			}()
			return &adapters.Response{Status: 200, Body: gateBody{func() {
				reading.Wait() // a Close that waits for the reader, which is a fault, does not hang either
				_, err := req.Body.Read(make([]byte, 1))
				errs <- err
			}}}, nil
		})})
	w := ts.dial()
	w.send(post(1, "10"), rec(tStdin, 1, "abc"))
	w.expect(answer(1, "Status: 200 OK\r\n\r\n"))
	assert.ErrorIs(t, <-errs, adapters.ErrAborted)
	assert.ErrorIs(t, <-errs, adapters.ErrAborted)
	w.send(rec(tStdin, 1, "defghij"), rec(tStdin, 1, ""), rec(tGetValues, 0, ""))
	w.expect(rec(tValues, 0, ""))
}

// So it is when there is no response.
func TestServerBodyGateAfterError(t *testing.T) {
	errs := make(chan error, 1)
	ts := serveTest(t, "unix", &Server{Handler: adapters.HandlerFunc(
		func(_ context.Context, req *adapters.Request) (*adapters.Response, error) {
			go func() {
				_, err := io.ReadAll(req.Body)
				errs <- err
			}()
			return nil, adapters.ErrForbidden
		})})
	w := ts.dial()
	w.send(post(1, "10"))
	w.expect(failed(1, 0, "403 Forbidden"))
	assert.ErrorIs(t, <-errs, adapters.ErrAborted)
}

type gateBody struct{ close func() }

func (gateBody) Read([]byte) (int, error) { return 0, io.EOF }

func (b gateBody) Close() error {
	b.close()
	return nil
}

// A disk that cannot take the body is no end of it.
func TestServerSpoolFails(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir()+"/missing")
	app := digestApp{newWaiting()}
	ts := serveTest(t, "unix", &Server{Handler: app, StdinBuffer: 10})
	w := ts.dial()
	w.send(post(1, "1000", waitPair), stdin(1, random(1000), 100), post(2, "1"), stdin(2, "x", 1))
	w.expect(ok(2, digest("x")))
	close(app.finish)
	w.expect(failed(1, 1, "507 Insufficient Storage"))
	assert.Contains(t, ts.logs.String(), os.TempDir())
}
