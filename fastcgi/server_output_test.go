package fastcgi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/adapters"
)

// respond makes a handler of what it answers.
func respond(fn func() (*adapters.Response, error)) adapters.Handler {
	return adapters.HandlerFunc(func(context.Context, *adapters.Request) (*adapters.Response, error) { return fn() })
}

// plain is a body that can be read and nothing else.
type plain struct{ io.Reader }

func (plain) Close() error { return nil }

type panicking struct{ plain }

func (panicking) Close() error { panic("close") }

func response(body io.ReadCloser, fields ...string) *adapters.Response {
	resp := &adapters.Response{Status: 200, Body: body}
	for i := 0; i < len(fields); i += 2 {
		resp.Header.Add(fields[i], fields[i+1])
	}
	return resp
}

func panicReader() io.Reader {
	return readFunc(func([]byte) (int, error) { panic("in the body") })
}

type readFunc func([]byte) (int, error)

func (f readFunc) Read(p []byte) (int, error) { return f(p) }

func TestServerResponses(t *testing.T) {
	reply := func() *adapters.Response { return adapters.Reply(200, "text/plain", "hello") }
	with := func(change func(*adapters.Response)) func() (*adapters.Response, error) {
		return func() (*adapters.Response, error) {
			resp := reply()
			change(resp)
			return resp, nil
		}
	}
	fail := func(err error) func() (*adapters.Response, error) {
		return func() (*adapters.Response, error) { return nil, err }
	}
	broken := errors.New("broken")
	tests := []struct {
		name, method string
		answer       func() (*adapters.Response, error)
		want         string
		log          string
	}{
		{name: "small", answer: with(func(*adapters.Response) {}), want: ok(1, "hello")},
		{name: "HEAD", method: "HEAD", answer: with(func(*adapters.Response) {}),
			want: answer(1, strings.TrimSuffix(okText("hello"), "hello"))},
		{name: "204", answer: with(func(r *adapters.Response) { r.Status, r.Header = 204, nil }),
			want: answer(1, "Status: 204 No Content\r\n\r\n")},
		{name: "304", answer: with(func(r *adapters.Response) { r.Status, r.Header = 304, nil }),
			want: answer(1, "Status: 304 Not Modified\r\n\r\n")},
		{name: "local redirect", answer: with(func(r *adapters.Response) { r.LocalRedirect = "/x?y" }),
			want: answer(1, "Location: /x?y\r\n\r\n")},
		{name: "empty", answer: with(func(r *adapters.Response) { r.Header, r.Body = nil, adapters.NoBody }),
			want: answer(1, "Status: 200 OK\r\n\r\n")},
		{name: "body at once with its end", want: answer(1, "Status: 200 OK\r\n\r\nhello"),
			answer: func() (*adapters.Response, error) {
				return response(plain{iotest.DataErrReader(strings.NewReader("hello"))}), nil
			}},
		{name: "appStatus", answer: with(func(r *adapters.Response) { r.AppStatus = func() int { return 0x1020304 } }),
			want: rec(tStdout, 1, okText("hello")) + rec(tStdout, 1, "") + rec(tEnd, 1, "\x01\x02\x03\x04\x00\x00\x00\x00")},
		{name: "negative appStatus", answer: with(func(r *adapters.Response) { r.AppStatus = func() int { return -1 } }),
			want: rec(tStdout, 1, okText("hello")) + rec(tStdout, 1, "") + rec(tEnd, 1, "\xff\xff\xff\xff\x00\x00\x00\x00")},
		{name: "more than Content-Length", log: "more than",
			answer: with(func(r *adapters.Response) { r.Header[1].Value = "3" }),
			want:   answer(1, "Status: 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n\r\nhel")},
		{name: "less than Content-Length", log: "1 of 6", want: failed(1, 1, "502 Bad Gateway"),
			answer: with(func(r *adapters.Response) { r.Header[1].Value = "6" })},
		{name: "body fails before a byte has left", log: "broken", want: failed(1, 1, "500 Internal Server Error"),
			answer: func() (*adapters.Response, error) { return response(plain{iotest.ErrReader(broken)}), nil }},
		{name: "101", answer: with(func(r *adapters.Response) { r.Status = 101 }), want: failed(1, 1, "501 Not Implemented")},
		{name: "103", answer: with(func(r *adapters.Response) { r.Status = 103 }), want: failed(1, 1, "502 Bad Gateway")},
		{name: "0", answer: with(func(r *adapters.Response) { r.Status = 0 }), want: failed(1, 1, "502 Bad Gateway")},
		{name: "1000", answer: with(func(r *adapters.Response) { r.Status = 1000 }), want: failed(1, 1, "502 Bad Gateway")},
		{name: "declined", answer: fail(adapters.ErrDeclined), want: failed(1, 0, "404 Not Found")},
		{name: "error", answer: fail(broken), want: failed(1, 1, "500 Internal Server Error"), log: "broken"},
		{name: "busy", answer: fail(&adapters.Error{Op: "app", RetryAfter: 1500 * time.Millisecond, Err: adapters.ErrBusy}),
			want: rec(tStdout, 1, "Status: 503 Service Unavailable\r\nContent-Type: text/plain; charset=utf-8\r\n"+
				"Content-Length: 24\r\nRetry-After: 2\r\n\r\n503 Service Unavailable\n") +
				rec(tStdout, 1, "") + rec(tEnd, 1, "\x00\x00\x00\x01\x00\x00\x00\x00")},
		{name: "error to HEAD", method: "HEAD", answer: fail(adapters.ErrForbidden),
			want: answer(1, "Status: 403 Forbidden\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 14\r\n\r\n")},
		{name: "timeout", answer: fail(context.DeadlineExceeded), want: failed(1, 1, "504 Gateway Timeout")},
		{name: "aborted", answer: fail(adapters.ErrAborted), want: answer(1, "")[8:]},
		{name: "panic", log: "server_output_test.go", want: failed(1, 1, "500 Internal Server Error"),
			answer: func() (*adapters.Response, error) { panic("ouch") }},
		{name: "panic to abort", want: answer(1, "")[8:],
			answer: func() (*adapters.Response, error) { panic(http.ErrAbortHandler) }},
		{name: "Goexit", log: "runtime.Goexit", want: failed(1, 1, "500 Internal Server Error"),
			answer: func() (*adapters.Response, error) { runtime.Goexit(); return nil, nil }},
		{name: "panic in the body", log: "in the body", want: failed(1, 1, "500 Internal Server Error"),
			answer: func() (*adapters.Response, error) { return response(plain{panicReader()}), nil }},
		{name: "panic in AppStatus", log: "ouch", want: failed(1, 1, "500 Internal Server Error"),
			answer: with(func(r *adapters.Response) { r.AppStatus = func() int { panic("ouch") } })},
		{name: "panic in Close", log: "close", want: failed(1, 1, "500 Internal Server Error"),
			answer: with(func(r *adapters.Response) { r.Body = panicking{plain{strings.NewReader("hello")}} })},
		{name: "no response", answer: fail(nil), want: failed(1, 1, "500 Internal Server Error"), log: "panics"},
		{name: "no body", want: failed(1, 1, "500 Internal Server Error"),
			answer: with(func(r *adapters.Response) { r.Body = nil })},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			app := &waiting{}
			ts := serveTest(t, "unix", &Server{Handler: adapters.HandlerFunc(
				func(ctx context.Context, req *adapters.Request) (*adapters.Response, error) {
					if req.URI == "/test" {
						return tt.answer()
					}
					return app.Serve(ctx, req)
				})})
			w := ts.dial()
			method := getPair
			if tt.method != "" {
				method = pair("REQUEST_METHOD", tt.method)
			}
			w.send(params(1, method+pair("REQUEST_URI", "/test"), 1000))
			w.expect(tt.want)
			w.expectOpen()
			assert.Contains(t, ts.logs.String(), tt.log)
		})
	}
}

// A response that breaks off does not look complete: to no web server, and not to those of the same connection.
func TestServerCut(t *testing.T) {
	broken := errors.New("broken")
	tests := []struct {
		name string
		rest io.Reader // of the body, after its first bytes have left
		text string
		log  string
	}{
		{"error", iotest.ErrReader(broken), "Status: 200 OK\r\n\r\nhello", "broken"},
		{"Goexit", readFunc(func([]byte) (int, error) { runtime.Goexit(); return 0, nil }),
			"Status: 200 OK\r\n\r\nhello", "runtime.Goexit"},
		{"aborted by nobody", iotest.ErrReader(adapters.ErrAborted), "Status: 200 OK\r\n\r\nhello", "cut short"},
		{"panic", panicReader(), "Status: 200 OK\r\n\r\nhello", "in the body"},
		{"less than Content-Length", strings.NewReader(""), "Status: 200 OK\r\nContent-Length: 10\r\n\r\nhello", "5 of 10"},
	}
	for _, network := range []string{"tcp", "unix"} {
		for _, tt := range tests {
			t.Run(network+"/"+tt.name, func(t *testing.T) {
				app := newWaiting()
				defer close(app.finish)
				ts := serveTest(t, network, &Server{Handler: adapters.HandlerFunc(
					func(ctx context.Context, req *adapters.Request) (*adapters.Response, error) {
						if req.URI == "/wait" {
							return app.Serve(ctx, req)
						}
						resp := response(plain{io.MultiReader(strings.NewReader("hello"), tt.rest)})
						if strings.Contains(tt.text, "Length") {
							resp.Header.Add("Content-Length", "10")
						}
						return resp, nil
					})})
				w := ts.dial()
				w.send(get(1, responderKeep, waitPair))
				<-app.began
				w.send(get(2, responderKeep))
				if network == "unix" {
					w.expectEnd(rec(tStdout, 2, tt.text) + zeros)
				} else {
					w.SetReadDeadline(time.Now().Add(testTimeout))
					_, err := io.ReadAll(w)
					assert.ErrorIs(t, err, syscall.ECONNRESET)
				}
				assert.Contains(t, ts.logs.String(), tt.log)
			})
		}
	}
}

// zeros is a record header of version 0.
const zeros = "\x00\x00\x00\x00\x00\x00\x00\x00"

// Neither does one that the server, or a fault of the web server, ends.
func TestServerCutByOthers(t *testing.T) {
	ends := map[string]func(*testServer, *testWeb){
		"Close": func(ts *testServer, _ *testWeb) { ts.Close() },
		"Shutdown": func(ts *testServer, _ *testWeb) {
			ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
			defer cancel()
			assert.ErrorIs(ts.t, ts.Shutdown(ctx), context.DeadlineExceeded)
		},
		"protocol error": func(_ *testServer, w *testWeb) { w.send("HTTP/1.1") },
		"timeout":        func(_ *testServer, w *testWeb) { w.send(rec(tBegin, 2, responderKeep)) },
	}
	for _, network := range []string{"tcp", "unix"} {
		for name, end := range ends {
			t.Run(network+"/"+name, func(t *testing.T) {
				pr, pw := io.Pipe()
				s := &Server{ParamsTimeout: time.Second, Handler: adapters.HandlerFunc(
					func(ctx context.Context, _ *adapters.Request) (*adapters.Response, error) {
						context.AfterFunc(ctx, func() { pw.CloseWithError(context.Cause(ctx)) })
						return response(pr), nil
					})}
				ts := serveTest(t, network, s)
				w := ts.dial()
				w.send(get(1, responderKeep))
				io.WriteString(pw, "hello")
				w.expect(rec(tStdout, 1, "Status: 200 OK\r\n\r\nhello"))
				end(ts, w)
				if network == "unix" {
					w.expectEnd(zeros)
				} else {
					w.SetReadDeadline(time.Now().Add(testTimeout))
					_, err := io.ReadAll(w)
					assert.ErrorIs(t, err, syscall.ECONNRESET)
				}
			})
		}
	}
}

// A web server that does not read keeps no server from ending.
func TestServerCloseUnwritten(t *testing.T) {
	ts := serveTest(t, "unix", &Server{Handler: respond(func() (*adapters.Response, error) {
		return response(plain{endless}), nil
	})})
	w := ts.dial()
	w.send(get(1, responderKeep))
	w.expect("\x01\x06\x00\x01")
	require.NoError(t, ts.Close())
}

// AppStatus is that of its own request only.
func TestServerAppStatusNotSticky(t *testing.T) {
	var status atomic.Int64
	status.Store(3)
	w := serveTest(t, "unix", &Server{Handler: respond(func() (*adapters.Response, error) {
		resp := response(adapters.NoBody)
		if s := status.Swap(0); s != 0 {
			resp.AppStatus = func() int { return int(s) }
		}
		return resp, nil
	})}).dial()
	w.send(get(1, responderKeep))
	w.expect(rec(tStdout, 1, "Status: 200 OK\r\n\r\n") + rec(tStdout, 1, "") +
		rec(tEnd, 1, "\x00\x00\x00\x03\x00\x00\x00\x00"))
	w.send(get(1, responderKeep))
	w.expect(answer(1, "Status: 200 OK\r\n\r\n"))
}

func TestServerStderr(t *testing.T) {
	long := random(100_000)
	var stderr io.Writer
	ts := serveTest(t, "unix", &Server{Handler: adapters.HandlerFunc(
		func(_ context.Context, req *adapters.Request) (*adapters.Response, error) {
			stderr = req.Stderr
			for _, text := range []string{"one\n", "", long} {
				n, err := io.WriteString(stderr, text)
				assert.NoError(t, err)
				assert.Len(t, text, n)
			}
			return adapters.Reply(200, "text/plain", ""), nil
		})})
	w := ts.dial()
	w.send(get(1, responderKeep))
	w.expect(rec(tStderr, 1, "one\n") + rec(tStderr, 1, long[:65535]) + rec(tStderr, 1, long[65535:]) +
		rec(tStdout, 1, okText("")) + rec(tStdout, 1, "") + rec(tStderr, 1, "") + rec(tEnd, 1, completed))
	_, err := io.WriteString(stderr, "late")
	assert.ErrorIs(t, err, adapters.ErrAborted)
	w.send(rec(tGetValues, 0, ""))
	w.expect(rec(tValues, 0, ""))
}

// counted counts the writes to the connections it accepts.
type counted struct {
	net.Listener
	n atomic.Int64
}

type countedConn struct {
	net.Conn
	n *atomic.Int64
}

func (l *counted) Accept() (net.Conn, error) {
	nc, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return countedConn{nc, &l.n}, nil
}

func (c countedConn) Write(p []byte) (int, error) {
	c.n.Add(1)
	return c.Conn.Write(p)
}

func TestServerWrites(t *testing.T) {
	const large = 1 << 20
	text := random(large)
	header := func(n int) string { return strings.Repeat("h", n) }
	reply := func(text string) func() *adapters.Response {
		return func() *adapters.Response { return adapters.Reply(200, "text/plain", text) }
	}
	tests := []struct {
		name   string
		resp   func() *adapters.Response
		text   string
		writes int64 // a vector counts as two here, since the listener hides what the connection is
	}{
		{"small", reply("hello"), okText("hello"), 1},
		{"10 KB", reply(text[:10_000]), okText(text[:10_000]), 1},
		{"small from a reader", func() *adapters.Response { return response(plain{strings.NewReader("hello")}) },
			"Status: 200 OK\r\n\r\nhello", 2},
		{"small from a reader, of known length", func() *adapters.Response {
			return response(plain{strings.NewReader("hello")}, "Content-Length", "5")
		}, "Status: 200 OK\r\nContent-Length: 5\r\n\r\nhello", 1},
		{"1 MB at once", reply(text), okText(text), 2*17 + 1},
		{"1 MB from a reader", func() *adapters.Response { return response(plain{strings.NewReader(text)}) },
			"Status: 200 OK\r\n\r\n" + text, 2*32 + 1},
		{"header of 20 KB", func() *adapters.Response { return response(adapters.NoBody, "X", header(20_000)) },
			"Status: 200 OK\r\nX: " + header(20_000) + "\r\n\r\n", 3},
		{"header of 16 KB", func() *adapters.Response { return response(adapters.NoBody, "X", header(16_330)) },
			"Status: 200 OK\r\nX: " + header(16_330) + "\r\n\r\n", 3},
		{"header of 200 KB", func() *adapters.Response {
			return response(plain{strings.NewReader("hello")}, "X", header(200_000))
		}, "Status: 200 OK\r\nX: " + header(200_000) + "\r\n\r\nhello", 10},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ln, err := net.Listen("unix", filepath.Join(t.TempDir(), "socket"))
			require.NoError(t, err)
			counting := &counted{Listener: ln}
			s := &Server{Handler: respond(func() (*adapters.Response, error) { return tt.resp(), nil })}
			served := make(chan error, 1)
			go func() { served <- s.Serve(counting) }()
			nc, err := net.Dial("unix", ln.Addr().String())
			require.NoError(t, err)
			w := &testWeb{Conn: nc, t: t}
			w.send(get(1, responderKeep))
			w.expectText(1, tt.text)
			assert.Equal(t, tt.writes, counting.n.Load())
			nc.Close()
			require.NoError(t, s.Shutdown(context.Background()))
			require.ErrorIs(t, <-served, http.ErrServerClosed)
		})
	}
}

// What the body has given so far leaves before the handler waits for more.
func TestServerFlush(t *testing.T) {
	pr, pw := io.Pipe()
	w := serveTest(t, "unix", &Server{Handler: respond(func() (*adapters.Response, error) {
		return response(pr, "Content-Type", "text/event-stream"), nil
	})}).dial()
	w.send(get(1, responderKeep))
	w.expect(rec(tStdout, 1, "Status: 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")) // before the first event
	for i := range 5 {
		event := fmt.Sprintf("data: %d\n\n", i)
		io.WriteString(pw, event)
		w.expect(rec(tStdout, 1, event))
	}
	pw.Close()
	w.expect(rec(tStdout, 1, "") + rec(tEnd, 1, completed))
}

// The header waits for the body, but not for long.
func TestServerHeaderDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pr, pw := io.Pipe()
		s := &Server{Handler: respond(func() (*adapters.Response, error) { return response(pr), nil })}
		w := pipe(t, s)
		began := time.Now()
		w.send(get(1, responderKeep))
		w.expect(rec(tStdout, 1, "Status: 200 OK\r\n\r\n"))
		assert.Equal(t, flushDelay, time.Since(began))
		pw.Close()
		w.expect(rec(tStdout, 1, "") + rec(tEnd, 1, completed))
		w.Close()
		require.NoError(t, s.Shutdown(context.Background()))
	})
}

// A complete body behind a header that was sent before it does not wait for the end either.
func TestServerBodyDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pr, pw := io.Pipe()
		s := &Server{Handler: respond(func() (*adapters.Response, error) { return response(pr, "Content-Length", "5"), nil })}
		w := pipe(t, s)
		w.send(get(1, responderKeep))
		w.expect(rec(tStdout, 1, "Status: 200 OK\r\nContent-Length: 5\r\n\r\n"))
		began := time.Now()
		io.WriteString(pw, "hello")
		w.expect(rec(tStdout, 1, "hello"))
		assert.Equal(t, flushDelay, time.Since(began))
		pw.Close()
		w.expect(rec(tStdout, 1, "") + rec(tEnd, 1, completed))
		w.Close()
		require.NoError(t, s.Shutdown(context.Background()))
	})
}

// endless is a body without an end.
var endless = readFunc(func(p []byte) (int, error) { return len(p), nil })

func TestServerAbortDuringOutput(t *testing.T) {
	ts := serveTest(t, "unix", &Server{Handler: respond(func() (*adapters.Response, error) {
		return response(plain{endless}), nil
	})})
	w := ts.dial()
	w.send(get(1, responderKeep))
	w.expect("\x01\x06\x00\x01")
	w.send(rec(tAbort, 1, ""))
	var last string
	b := make([]byte, 1<<16)
	for !strings.HasSuffix(last, rec(tStdout, 1, "")+rec(tEnd, 1, completed)) {
		w.SetReadDeadline(time.Now().Add(testTimeout))
		n, err := w.Read(b)
		require.NoError(t, err)
		last = (last + string(b[:n]))[max(0, len(last)+n-100):]
	}
	w.send(get(1, responderKeep))
	w.expect("\x01\x06\x00\x01")
	w.Close()
}

// A web server that does not read costs no memory, and ends the request by going away.
func TestServerSlowWebServer(t *testing.T) {
	var taken atomic.Int64
	ended := make(chan error, 1)
	body := readFunc(func(p []byte) (int, error) {
		taken.Add(int64(len(p)))
		return len(p), nil
	})
	ts := serveTest(t, "tcp", &Server{Handler: adapters.HandlerFunc(
		func(ctx context.Context, _ *adapters.Request) (*adapters.Response, error) {
			context.AfterFunc(ctx, func() { ended <- context.Cause(ctx) })
			return response(plain{body}), nil
		})})
	w := ts.dial()
	w.send(get(1, responderKeep))
	for before := int64(-1); before != taken.Load(); time.Sleep(100 * time.Millisecond) {
		before = taken.Load()
	}
	assert.Less(t, taken.Load(), int64(64<<20)) // what fits into the buffers of the system
	w.Close()
	assert.ErrorIs(t, <-ended, adapters.ErrAborted)
}

func TestServerAuthorizer(t *testing.T) {
	var got *adapters.Request
	w := serveTest(t, "unix", &Server{Handler: adapters.HandlerFunc(
		func(_ context.Context, req *adapters.Request) (*adapters.Response, error) {
			got = req
			return response(adapters.NoBody, "Variable-AUTH_METHOD", "database lookup"), nil
		})}).dial()
	const authorizer = "\x00\x02\x01\x00\x00\x00\x00\x00"
	for _, end := range []string{"", rec(tStdin, 1, "")} { // some send an empty FCGI_STDIN, the specification has none
		w.send(rec(tBegin, 1, authorizer), rec(tParams, 1, getPair), rec(tParams, 1, ""), end)
		w.expect(answer(1, "Status: 200 OK\r\nVariable-AUTH_METHOD: database lookup\r\n\r\n"))
		assert.Equal(t, adapters.Authorizer, got.Role)
		assert.Nil(t, got.Body)
		assert.Zero(t, got.ContentLength)
	}
}

func TestServerFilter(t *testing.T) {
	begun := make(chan *adapters.Request, 10)
	w := serveTest(t, "unix", &Server{Handler: adapters.HandlerFunc(
		func(_ context.Context, req *adapters.Request) (*adapters.Response, error) {
			begun <- req
			var body []byte
			if req.Body != nil {
				body, _ = io.ReadAll(req.Body)
			}
			data, err := io.ReadAll(req.Data.Body)
			return adapters.Reply(200, "text/plain", fmt.Sprintf("%s|%s|%v|%d|%d", body, data, err, req.Data.Length,
				req.Data.LastMod.Unix())), nil
		})}).dial()
	begin := func(pairs ...string) string {
		return rec(tBegin, 1, filterKeep) + rec(tParams, 1, postPair+strings.Join(pairs, "")) + rec(tParams, 1, "")
	}
	length, lastMod := pair("FCGI_DATA_LENGTH", "5"), pair("FCGI_DATA_LAST_MOD", "830736000")
	tests := []struct{ name, begin, stdin, data, want string }{
		{"all", begin(length, lastMod, pair("CONTENT_LENGTH", "3")), rec(tStdin, 1, "abc"),
			rec(tStdin, 1, "") + rec(tData, 1, "01234") + rec(tData, 1, ""), ok(1, "abc|01234|<nil>|5|830736000")},
		{"no body", begin(length, lastMod), "", rec(tStdin, 1, "") + rec(tData, 1, "01234") + rec(tData, 1, ""),
			ok(1, "|01234|<nil>|5|830736000")},
		{"body of unknown length", begin(length, lastMod), rec(tStdin, 1, "abc"),
			rec(tStdin, 1, "") + rec(tData, 1, "01234") + rec(tData, 1, ""), ok(1, "abc|01234|<nil>|5|830736000")},
		{"short data", begin(length, lastMod), "", rec(tStdin, 1, "") + rec(tData, 1, "012") + rec(tData, 1, ""),
			ok(1, "|012|unexpected EOF|5|830736000")},
		{"long data, no end", begin(length, lastMod), "", rec(tStdin, 1, "") + rec(tData, 1, "0123456"),
			ok(1, "|01234|<nil>|5|830736000")},
		{"abort before the end of FCGI_STDIN", begin(length, lastMod), rec(tStdin, 1, "abc"), rec(tAbort, 1, ""),
			rec(tEnd, 1, completed)},
		{"no length", begin(lastMod), "", "", failed(1, 0, "400 Bad Request")},
		{"no time", begin(length), "", "", failed(1, 0, "400 Bad Request")},
		{"malformed length", begin(pair("FCGI_DATA_LENGTH", "-5"), lastMod), "", "", failed(1, 0, "400 Bad Request")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w.t = t
			w.send(tt.begin, tt.stdin, rec(tGetValues, 0, ""))
			if tt.data != "" {
				w.expect(rec(tValues, 0, "")) // nothing before the end of FCGI_STDIN
				w.send(tt.data)
				w.expect(tt.want)
			} else {
				w.send(rec(tStdin, 1, ""))
				w.expectAnyOrder(tt.want, rec(tValues, 0, ""))
			}
			if strings.HasPrefix(tt.want, "\x01\x06") && tt.data != "" {
				req := <-begun
				assert.Equal(t, adapters.Filter, req.Role)
				assert.Empty(t, req.Vars)
			}
			assert.Empty(t, begun)
		})
	}
}

// expectAnyOrder reads both.
func (w *testWeb) expectAnyOrder(one, two string) {
	w.t.Helper()
	w.SetReadDeadline(time.Now().Add(testTimeout))
	got := make([]byte, len(one)+len(two))
	n, err := io.ReadFull(w, got)
	if string(got[:n]) != two+one {
		w.compare(one+two, string(got[:n]), err)
	}
}

// A Filter's FCGI_STDIN is complete before its handler begins, whatever its size: nobody can make the web server wait.
func TestServerFilterLargeBody(t *testing.T) {
	body := random(1 << 20)
	for quota, want := range map[int64]string{0: ok(1, digest(body)), -1: failed(1, 0, "413 Request Entity Too Large")} {
		ts := serveTest(t, "unix", &Server{Handler: digestApp{}, MaxSpool: quota})
		w := ts.dial()
		w.send(rec(tBegin, 1, filterKeep), rec(tParams, 1, postPair+pair("FCGI_DATA_LENGTH", "0")+
			pair("FCGI_DATA_LAST_MOD", "0")), rec(tParams, 1, ""), stdin(1, body, 10_000))
		w.expect(want)
		assert.Empty(t, tempFiles(t))
	}
}
