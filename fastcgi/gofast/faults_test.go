package gofast_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/internal/testlog"
)

// faults are what goes wrong in gofast itself. Each is tried on gofast too, so that the test is known to see it.
var faults = []struct {
	name  string
	scene scene
	req   func(*http.Request)
	// What they make of it.
	gofast, engine func(*testing.T, outcome)
}{
	{
		name:   "long header line",
		scene:  answers(answer("X-Long: " + strings.Repeat("x", 5000) + "\r\n" + hello)),
		gofast: func(t *testing.T, o outcome) { assert.True(t, o.hangs) },
		engine: func(t *testing.T, o outcome) {
			o.complete(t, 200, "hello")
			assert.Len(t, o.header.Get("X-Long"), 5000)
		},
	}, {
		name:   "endless header",
		scene:  answers(rec(tStdout, 1, "X-Long: "+strings.Repeat("x", 60_000)) + answer(strings.Repeat("x", 60_000))),
		gofast: func(t *testing.T, o outcome) { assert.True(t, o.hangs) },
		engine: func(t *testing.T, o outcome) {
			o.failed(t, 502, adapters.ErrBadResponse)
			assert.ErrorContains(t, o.err, "limit response-header")
		},
	}, {
		name:   "malformed header line",
		scene:  answers(answer("Content-Type text\r\n\r\n" + strings.Repeat("x", 5000))),
		gofast: func(t *testing.T, o outcome) { assert.True(t, o.hangs) },
		engine: func(t *testing.T, o outcome) { o.failed(t, 502, adapters.ErrBadResponse) },
	}, {
		name:   "malformed header line and no body",
		scene:  answers(answer("Content-Type text\r\n\r\n")),
		gofast: func(t *testing.T, o outcome) { assert.Empty(t, o.body); assert.Zero(t, o.status, "which is 200") },
		engine: func(t *testing.T, o outcome) { o.failed(t, 502, adapters.ErrBadResponse) },
	}, {
		name:   "status out of range",
		scene:  answers(answer("Status: 099 x\r\n" + hello)),
		gofast: func(t *testing.T, o outcome) { assert.Equal(t, 99, o.status, "at which net/http panics") },
		engine: func(t *testing.T, o outcome) { o.failed(t, 502, adapters.ErrBadResponse) },
	}, {
		name:   "status in lower case",
		scene:  answers(answer("status: 404\r\n" + hello)),
		gofast: func(t *testing.T, o outcome) { o.complete(t, 200, "hello") },
		engine: func(t *testing.T, o outcome) { o.complete(t, 404, "hello") },
	}, {
		name:   "connection lost between records",
		scene:  answers(rec(tStdout, 1, hello)),
		gofast: func(t *testing.T, o outcome) { o.complete(t, 200, "hello") },
		engine: func(t *testing.T, o outcome) { o.failed(t, 200, adapters.ErrTruncated) },
	}, {
		name:   "connection lost within a record",
		scene:  answers(rec(tStdout, 1, hello) + rec(tStdout, 1, "more")[:10]),
		gofast: func(t *testing.T, o outcome) { o.complete(t, 200, "hello") },
		engine: func(t *testing.T, o outcome) { o.failed(t, 200, adapters.ErrTruncated) },
	}, {
		name:   "no answer",
		scene:  answers(""),
		gofast: func(t *testing.T, o outcome) { assert.Equal(t, 500, o.status) },
		engine: func(t *testing.T, o outcome) { o.failed(t, 502, adapters.ErrUnreachable) },
	}, {
		name:   "end without an answer",
		scene:  answers(rec(tEnd, 1, completed)),
		gofast: func(t *testing.T, o outcome) { assert.Equal(t, 500, o.status) },
		engine: func(t *testing.T, o outcome) { o.failed(t, 502, adapters.ErrBadResponse) },
	}, {
		name:   "many empty records",
		scene:  answers(strings.Repeat(rec(tStdout, 1, ""), 200) + answer(hello)),
		gofast: func(t *testing.T, o outcome) { assert.True(t, o.hangs) },
		engine: func(t *testing.T, o outcome) { o.complete(t, 200, "hello") },
	}, {
		name:   "records of another request",
		scene:  answers(rec(tStdout, 2, "Status: 201\r\n\r\n") + answer(hello)),
		gofast: func(t *testing.T, o outcome) { assert.Equal(t, 201, o.status) },
		engine: func(t *testing.T, o outcome) { o.failed(t, 502, adapters.ErrBadResponse) },
	}, {
		name:   "FCGI_CANT_MPX_CONN",
		scene:  answers(rec(tEnd, 1, "\x00\x00\x00\x00\x01\x00\x00\x00")),
		gofast: func(t *testing.T, o outcome) { assert.Equal(t, 500, o.status) },
		engine: func(t *testing.T, o outcome) {
			o.failed(t, 502, adapters.ErrBadResponse)
			assert.ErrorContains(t, o.err, "FCGI_CANT_MPX_CONN")
		},
	}, {
		name:   "FCGI_OVERLOADED",
		scene:  answers(rec(tEnd, 1, "\x00\x00\x00\x00\x02\x00\x00\x00")),
		gofast: func(t *testing.T, o outcome) { assert.Equal(t, 500, o.status) },
		engine: func(t *testing.T, o outcome) {
			o.failed(t, 503, adapters.ErrBusy)
			assert.NotZero(t, adapters.RetryAfter(o.err))
		},
	}, {
		name:   "FCGI_UNKNOWN_ROLE",
		scene:  answers(rec(tEnd, 1, "\x00\x00\x00\x00\x03\x00\x00\x00")),
		gofast: func(t *testing.T, o outcome) { assert.Equal(t, 500, o.status) },
		engine: func(t *testing.T, o outcome) {
			o.failed(t, 502, adapters.ErrBadResponse)
			assert.ErrorContains(t, o.err, "FCGI_UNKNOWN_ROLE RESPONDER")
		},
	}, {
		name:   "another version",
		scene:  answers("\x02" + answer(hello)[1:]),
		gofast: func(t *testing.T, o outcome) { assert.Equal(t, 500, o.status) },
		engine: func(t *testing.T, o outcome) { o.failed(t, 502, adapters.ErrBadResponse) },
	}, {
		name:   "no flush",
		scene:  pauses(rec(tStdout, 1, hello)),
		gofast: func(t *testing.T, o outcome) { assert.True(t, o.hangs); assert.Empty(t, o.early) },
		engine: func(t *testing.T, o outcome) { assert.True(t, o.hangs); assert.Equal(t, "hello", o.early) },
	}, {
		name:   "httpoxy",
		scene:  answers(answer(hello)),
		req:    func(r *http.Request) { r.Header.Set("Proxy", "evil") },
		gofast: func(t *testing.T, o outcome) { assert.Equal(t, "evil", o.got.params["HTTP_PROXY"]) },
		engine: func(t *testing.T, o outcome) { assert.NotContains(t, o.got.params, "HTTP_PROXY") },
	}, {
		name:   "names that fold into one",
		scene:  answers(answer(hello)),
		req:    func(r *http.Request) { r.Header["X_User"] = []string{"evil"} },
		gofast: func(t *testing.T, o outcome) { assert.Equal(t, "evil", o.got.params["HTTP_X_USER"]) },
		engine: func(t *testing.T, o outcome) { assert.NotContains(t, o.got.params, "HTTP_X_USER") },
	}, {
		name:   "two Cookie lines",
		scene:  answers(answer(hello)),
		req:    func(r *http.Request) { r.Header["Cookie"] = []string{"a=1", "b=2"} },
		gofast: func(t *testing.T, o outcome) { assert.Equal(t, "a=1,b=2", o.got.params["HTTP_COOKIE"]) },
		engine: func(t *testing.T, o outcome) { assert.Equal(t, "a=1; b=2", o.got.params["HTTP_COOKIE"]) },
	}, {
		name:   "chunked body",
		scene:  answers(answer(hello)),
		req:    func(r *http.Request) { r.Body, r.ContentLength = io.NopCloser(strings.NewReader("body")), -1 },
		gofast: func(t *testing.T, o outcome) { assert.NotContains(t, o.got.params, "CONTENT_LENGTH") },
		engine: func(t *testing.T, o outcome) {
			assert.Equal(t, "4", o.got.params["CONTENT_LENGTH"])
			assert.Equal(t, "body", o.got.stdin)
		},
	}, {
		name:   "a read of nothing",
		scene:  answers(answer(hello)),
		req:    func(r *http.Request) { r.Body, r.ContentLength = &hesitant{left: "body"}, 4 },
		gofast: func(t *testing.T, o outcome) { assert.True(t, o.got.ended); assert.Empty(t, o.got.stdin) },
		engine: func(t *testing.T, o outcome) { assert.True(t, o.got.ended); assert.Equal(t, "body", o.got.stdin) },
	}, {
		name:  "a body that fails",
		scene: answers(answer(hello)),
		req: func(r *http.Request) {
			r.Body = io.NopCloser(io.MultiReader(strings.NewReader("bo"), broken{}))
			r.ContentLength = 4
		},
		gofast: func(t *testing.T, o outcome) { assert.True(t, o.got.ended); assert.Equal(t, "bo", o.got.stdin) },
		engine: func(t *testing.T, o outcome) {
			assert.False(t, o.got.ended)
			o.failed(t, adapters.StatusClientGone, adapters.ErrAborted)
			assert.ErrorIs(t, o.err, errBroken)
		},
	}, {
		name:   "FCGI_KEEP_CONN",
		scene:  answers(answer(hello)),
		gofast: func(t *testing.T, o outcome) { assert.EqualValues(t, 1, o.got.flags) },
		engine: func(t *testing.T, o outcome) { assert.EqualValues(t, 0, o.got.flags) },
	}, {
		name:   "answer before the body was read",
		scene:  deaf(answer("Status: 413\r\n" + hello)),
		req:    func(r *http.Request) { r.Body, r.ContentLength = zeros(), 1<<20 },
		gofast: func(t *testing.T, o outcome) { assert.True(t, o.hangs); assert.True(t, o.stuck) },
		engine: func(t *testing.T, o outcome) { o.complete(t, 413, "hello") },
	}, {
		name:   "answer before the body came",
		scene:  deaf(answer("Status: 413\r\n" + hello)),
		req:    func(r *http.Request) { r.Body, _ = io.Pipe(); r.ContentLength = 1 << 20 },
		gofast: func(t *testing.T, o outcome) { assert.True(t, o.hangs); assert.True(t, o.stuck) },
		engine: func(t *testing.T, o outcome) { o.complete(t, 413, "hello") },
	}, {
		name:   "cancelled while the body is not read",
		scene:  deaf(""),
		req:    func(r *http.Request) { r.Body, r.ContentLength = zeros(), 1<<20 },
		gofast: func(t *testing.T, o outcome) { assert.True(t, o.stuck) },
		engine: func(t *testing.T, o outcome) {
			assert.True(t, o.hangs)
			assert.False(t, o.stuck)
			assert.Equal(t, adapters.StatusClientGone, adapters.StatusOf(o.err))
		},
	},
}

func TestFaults(t *testing.T) {
	for _, tt := range faults {
		try := func(ask asker, look func(*testing.T, outcome)) func(*testing.T) {
			return func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					r := httptest.NewRequest("POST", "/a", nil)
					if tt.req != nil {
						tt.req(r)
					}
					look(t, ask.try(tt.scene, r))
				})
			}
		}
		t.Run(tt.name+"/gofast", try(plain, tt.gofast))
		t.Run(tt.name+"/engine", try(guarded, tt.engine))
	}
}

func (o outcome) complete(t *testing.T, status int, body string) {
	assert.False(t, o.hangs)
	assert.NoError(t, o.err)
	assert.Equal(t, status, o.status)
	assert.Equal(t, body, o.body)
}

func (o outcome) failed(t *testing.T, status int, kind error) {
	assert.False(t, o.hangs)
	assert.ErrorIs(t, o.err, kind)
	assert.Equal(t, status, o.status)
}

var errBroken = errors.New("broken")

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errBroken }

func zeros() io.ReadCloser { return io.NopCloser(io.LimitReader(zero{}, 1<<20)) }

type zero struct{}

func (zero) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// A hesitant body has nothing at first.
type hesitant struct {
	left  string
	asked bool
}

func (h *hesitant) Read(p []byte) (n int, err error) {
	if !h.asked {
		h.asked = true
		return 0, nil
	}
	if h.left == "" {
		return 0, io.EOF
	}
	n = copy(p, h.left)
	h.left = h.left[n:]
	return n, nil
}

func (h *hesitant) Close() error { return nil }

// TestAbort has the application see the end of its connection at once, whoever wants that.
func TestAbort(t *testing.T) {
	for _, name := range []string{"cancel", "close"} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				gone := make(chan struct{})
				e := app(func(c net.Conn) {
					receive(c)
					io.WriteString(c, rec(tStderr, 1, "before")+rec(tStdout, 1, hello))
					c.Read(make([]byte, 1))
					close(gone)
				}).engine()
				req := newRequest("GET", "/")
				var stderr testlog.Buffer
				req.Stderr = &stderr
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				resp, err := e.Serve(ctx, req)
				assert.NoError(t, err)
				read := make(chan error, 1)
				go func() {
					_, err := io.ReadAll(resp.Body)
					read <- err
				}()
				synctest.Wait()
				if name == "cancel" {
					cancel()
				} else {
					resp.Body.Close()
				}
				<-gone
				assert.Equal(t, adapters.StatusClientGone, adapters.StatusOf(<-read))
				_, err = resp.Body.Read(make([]byte, 1))
				assert.Equal(t, adapters.StatusClientGone, adapters.StatusOf(err))
				resp.Body.Close()
				assert.Equal(t, "before", stderr.String())
			})
		})
	}
}

// TestReadAfterClose has a response that came, and was not read, be gone.
func TestReadAfterClose(t *testing.T) {
	e := says(answer(hello)).engine()
	resp, err := e.Serve(t.Context(), newRequest("GET", "/"))
	assert.NoError(t, err)
	assert.NoError(t, resp.Body.Close())
	_, err = resp.Body.Read(make([]byte, 5))
	assert.ErrorIs(t, err, adapters.ErrAborted)
	n, err := adapters.Copy(io.Discard, resp.Body)
	assert.ErrorIs(t, err, adapters.ErrAborted)
	assert.Zero(t, n)
}

// TestBodyAfterClose has nobody begin to read the body of the request when the response is closed.
func TestBodyAfterClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := app(func(c net.Conn) {
			go receive(c)
			time.Sleep(time.Second) // until the body is waited for
			io.WriteString(c, answer(hello))
		}).engine()
		r, w := io.Pipe()
		resp, err := e.Serve(t.Context(), withBody(newRequest("POST", "/"), r, 4))
		assert.Equal(t, "hello", text(t, resp, err))
		w.Write([]byte("b")) // ends the Read that waits
		done := make(chan struct{})
		go func() {
			defer close(done)
			w.Write([]byte("o"))
		}()
		assert.True(t, waits(done))
		r.Close()
		<-done
	})
}

// A blocking Request.Stderr tells that it was called, and waits for permission.
type blocking struct {
	writes       int
	called, pass chan struct{}
}

func (b *blocking) Write(p []byte) (int, error) {
	b.writes++
	b.called <- struct{}{}
	<-b.pass
	return len(p), nil
}

// TestStderrAfterClose has Close wait for a Write to Stderr, and none come after it.
func TestStderrAfterClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := says(rec(tStdout, 1, hello) + rec(tStderr, 1, "one") + rec(tStderr, 1, "two") + rec(tEnd, 1, completed)).engine()
		stderr := &blocking{called: make(chan struct{}), pass: make(chan struct{})}
		req := newRequest("GET", "/")
		req.Stderr = stderr
		resp, err := e.Serve(t.Context(), req)
		assert.NoError(t, err)
		read, done := make(chan error), make(chan struct{})
		go func() {
			_, err := io.ReadAll(resp.Body)
			read <- err
		}()
		<-stderr.called
		go func() {
			defer close(done)
			resp.Body.Close()
		}()
		assert.ErrorIs(t, <-read, adapters.ErrAborted)
		select {
		case <-done:
			t.Error("Close has not waited")
		default:
		}
		close(stderr.pass)
		<-done
		select {
		case <-stderr.called:
			t.Error("Stderr is used after Close")
		case <-time.After(time.Hour):
		}
		assert.Equal(t, 1, stderr.writes)
	})
}
