package middleware

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/adapters"
)

func TestLimitsOfTheHeader(t *testing.T) {
	tests := []struct {
		name   string
		limits Limits
		uri    string
		fields []string
		length int64
		status int    // 0: it passes
		limit  string // named by the error
	}{
		{"uri of the limit", Limits{URI: 5}, "/1234", nil, 0, 0, ""},
		{"uri over it", Limits{URI: 5}, "/12345", nil, 0, 414, "uri"},
		{"fields at the limit", Limits{HeaderFields: 2}, "/", []string{"A", "1", "B", "2"}, 0, 0, ""},
		{"fields over it", Limits{HeaderFields: 2}, "/", []string{"A", "1", "B", "2", "C", "3"}, 0, 431, "header-fields"},
		{"bytes at the limit", Limits{HeaderBytes: 12}, "/", []string{"A", "1", "B", "2"}, 0, 0, ""},
		{"bytes over it", Limits{HeaderBytes: 12}, "/", []string{"A", "1", "B", "22"}, 0, 431, "header-bytes"},
		{"body at the limit", Limits{Body: 5}, "/", nil, 5, 0, ""},
		{"body over it", Limits{Body: 5}, "/", nil, 6, 413, "body"},
		{"no limits", Limits{}, strings.Repeat("/", 1<<20), make([]string, 2000), 1 << 60, 0, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			req := get(tt.uri, tt.fields...)
			req.ContentLength = tt.length
			req.Body = iotest.ErrReader(errors.New("body read"))
			a := &app{}
			_, body, err := serve(t, tt.limits.Wrap(a), req)
			if tt.status == 0 {
				require.NoError(t, err)
				assert.Equal(t, "hello", body)
				return
			}
			assert.Equal(t, tt.status, adapters.StatusOf(err))
			require.ErrorIs(t, err, adapters.ErrTooLarge)
			assert.ErrorContains(t, err, "(limit "+tt.limit+")")
			assert.Empty(t, a.requests)
		})
	}
}

// reader answers with the body it got; it breaks off when that fails.
var reader = adapters.HandlerFunc(func(_ context.Context, req *adapters.Request) (*adapters.Response, error) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, errors.New("the application died of it") // as a backend might that does not know better
	}
	return adapters.Reply(200, "text/plain", string(body)), nil
})

func TestLimitsOfTheBody(t *testing.T) {
	tests := []struct {
		name   string
		body   string
		length int64
		status int
	}{
		{"unknown length, empty", "", -1, 200},
		{"unknown length at the limit", "12345", -1, 200},
		{"unknown length over it", "123456", -1, 413},
		{"known length", "12345", 5, 200},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			req := get("/")
			req.Body, req.ContentLength = iotest.OneByteReader(strings.NewReader(tt.body)), tt.length
			_, body, err := serve(t, (&Limits{Body: 5}).Wrap(reader), req)
			if tt.status == 200 {
				require.NoError(t, err)
				assert.Equal(t, tt.body, body)
				return
			}
			require.ErrorIs(t, err, adapters.ErrTooLarge)
			assert.ErrorContains(t, err, "(limit body)")
			assert.Equal(t, tt.status, adapters.StatusOf(err))
		})
	}
}

func TestLimitsGiveReadTheError(t *testing.T) {
	var got error
	h := (&Limits{Body: 3}).Wrap(adapters.HandlerFunc(
		func(_ context.Context, req *adapters.Request) (*adapters.Response, error) {
			_, got = io.Copy(io.Discard, req.Body)
			return adapters.Reply(200, "text/plain", "early"), nil
		}))
	req := get("/")
	req.Body, req.ContentLength = struct{ io.Reader }{strings.NewReader("1234")}, -1
	_, body, err := serve(t, h, req)
	require.NoError(t, err, "an answer is an answer")
	assert.Equal(t, "early", body)
	require.ErrorIs(t, got, adapters.ErrTooLarge)
}

func TestLimitsLeaveSpooledBodies(t *testing.T) {
	a := &app{}
	req := get("/")
	req.Body, req.ContentLength = bytes.NewReader([]byte("abc")), 3
	_, _, err := serve(t, DefaultLimits().Wrap(a), req)
	require.NoError(t, err)
	assert.Same(t, req.Body, a.last(t).Body, "a retry seeks, a CGI script takes the file")
}

func TestLimitsTellWhatIsThere(t *testing.T) {
	a := &app{}
	req := get("/")
	req.Body, req.ContentLength = bytes.NewBufferString("abc"), 5
	_, _, err := serve(t, DefaultLimits().Wrap(a), req)
	require.NoError(t, err)
	body := a.last(t).Body
	assert.NotSame(t, req.Body, body)
	assert.EqualValues(t, 3, adapters.ReadableAtOnce(body))
}

func TestLimitsRequests(t *testing.T) {
	h := (&Limits{Requests: 2}).Wrap(&app{})
	open := func() *adapters.Response {
		resp, err := h.Serve(t.Context(), get("/"))
		require.NoError(t, err)
		return resp
	}
	first, second := open(), open()
	for range 3 { // a refusal takes no room
		_, _, err := serve(t, h, get("/"))
		require.ErrorIs(t, err, adapters.ErrBusy)
		assert.Equal(t, 503, adapters.StatusOf(err))
		assert.Equal(t, time.Second, adapters.RetryAfter(err))
		assert.ErrorContains(t, err, "(limit requests)")
	}
	first.Body.Close()
	first.Body.Close()
	third := open()
	_, _, err := serve(t, h, get("/"))
	require.ErrorIs(t, err, adapters.ErrBusy)
	second.Body.Close()
	third.Body.Close()
	open().Body.Close()
}

func TestLimitsRequestsAfterFailures(t *testing.T) {
	failing := adapters.HandlerFunc(func(context.Context, *adapters.Request) (*adapters.Response, error) {
		return nil, adapters.ErrUnreachable
	})
	throwing := adapters.HandlerFunc(func(context.Context, *adapters.Request) (*adapters.Response, error) {
		panic("out of ideas")
	})
	for name, inner := range map[string]adapters.Handler{"error": failing, "panic": throwing} {
		t.Run(name, func(t *testing.T) {
			captureLog(t)
			h := adapters.Chain(inner, Recover(nil), (&Limits{Requests: 1}).Wrap)
			for range 3 {
				_, _, err := serve(t, h, get("/"))
				require.Error(t, err)
				require.NotErrorIs(t, err, adapters.ErrBusy)
			}
		})
	}
}

// patience are the time limits of most tests.
var patience = &Limits{
	Timeout: time.Minute, BodyTimeout: 40 * time.Second, ResponseTimeout: 4 * time.Minute, RequestTimeout: time.Hour,
}

// late is how much later than it should a time limit of patience may end something.
const late = 10 * time.Second

// never is an application that never answers.
func never(ctx context.Context, _ *adapters.Request) (*adapters.Response, error) {
	<-ctx.Done()
	return nil, ctx.Err() // not the cause, as some programs do
}

func TestLimitsOfTime(t *testing.T) {
	takesBody := func(ctx context.Context, req *adapters.Request) (*adapters.Response, error) {
		go io.Copy(io.Discard, req.Body)
		return never(ctx, req)
	}
	answers := func(body func(context.Context) io.Reader) adapters.HandlerFunc {
		return func(ctx context.Context, _ *adapters.Request) (*adapters.Response, error) {
			return &adapters.Response{Status: 200, Body: &testBody{Reader: body(ctx)}}, nil
		}
	}
	silent := func(ctx context.Context) io.Reader {
		return io.MultiReader(slowBody(3, 3*time.Minute), readerFunc(func([]byte) (int, error) {
			<-ctx.Done()
			return 0, ctx.Err()
		}))
	}
	endless := func(ctx context.Context) io.Reader {
		return readerFunc(func([]byte) (int, error) {
			time.Sleep(time.Second)
			return 1, ctx.Err()
		})
	}
	tests := []struct {
		name   string
		body   io.Reader
		app    adapters.HandlerFunc
		status int
		text   string
		after  time.Duration
	}{
		{"no answer", nil, never, 504, "the application was silent for 1m0s (limit timeout)", time.Minute},
		{"no answer after the body", slowBody(3, 31*time.Second), takesBody, 504, "(limit timeout)", 153 * time.Second},
		{"client stalls", slowBody(2, 35*time.Second, time.Hour), takesBody, 408,
			"the client sent nothing of its body for 40s (limit body-timeout)", 75 * time.Second},
		{"endless upload", slowBody(150, 35*time.Second), takesBody, 504,
			"it was not over for 1h0m0s (limit request-timeout)", time.Hour},
		{"silence within the response", nil, answers(silent), 504,
			"the application sent nothing of its response for 4m0s (limit response-timeout)", 13 * time.Minute},
		{"endless response", nil, answers(endless), 504,
			"(limit request-timeout)", time.Hour},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				req := get("/")
				req.Body, req.ContentLength = tt.body, -1
				start := time.Now()
				resp, err := patience.Wrap(tt.app).Serve(t.Context(), req)
				if err == nil {
					_, err = io.Copy(io.Discard, resp.Body)
					resp.Body.Close()
				}
				took := time.Since(start)
				assert.GreaterOrEqual(t, took, tt.after)
				assert.LessOrEqual(t, took, tt.after+late)
				assert.Equal(t, tt.status, adapters.StatusOf(err))
				require.ErrorIs(t, err, adapters.ErrTimeout)
				assert.ErrorContains(t, err, tt.text)
				time.Sleep(time.Hour) // until nobody reads the body
			})
		})
	}
}

// TestLimitsOfTimeLeave: neither who moves now and then, nor a client that takes its time, is the application's fault.
func TestLimitsOfTimeLeave(t *testing.T) {
	noWhole := *patience
	noWhole.RequestTimeout = 0
	stream := adapters.HandlerFunc(func(ctx context.Context, _ *adapters.Request) (*adapters.Response, error) {
		time.Sleep(59 * time.Second) // a long poll
		return &adapters.Response{Status: 200, Body: &testBody{Reader: unlessOver(ctx, slowBody(100, 3*time.Minute))}}, nil
	})
	echo := adapters.HandlerFunc(func(ctx context.Context, req *adapters.Request) (*adapters.Response, error) {
		return &adapters.Response{Status: 200, Body: &testBody{Reader: unlessOver(ctx, req.Body)}}, nil
	})
	upgraded := adapters.HandlerFunc(func(ctx context.Context, _ *adapters.Request) (*adapters.Response, error) {
		return &adapters.Response{Status: 101, Body: &testBody{Reader: unlessOver(ctx, slowBody(1, 2*time.Hour))}}, nil
	})
	tests := []struct {
		name string
		app  adapters.Handler
		body io.Reader
		to   io.Writer
		want int64
	}{
		{"events", stream, nil, io.Discard, 100},
		{"events to a slow client", stream, nil, pausingWriter(30 * time.Minute), 100},
		{"upload and answer at once", echo, slowBody(200, 39*time.Second), io.Discard, 200},
		{"an upgraded connection", upgraded, nil, io.Discard, 1},
	}
	for _, tt := range tests {
		for _, way := range []string{"WriteTo", "Read"} {
			t.Run(tt.name+", "+way, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					req := get("/")
					req.Body, req.ContentLength = tt.body, -1
					if s, ok := tt.body.(*pausing); ok {
						req.Body = slowBody(s.left, s.pauses...)
					}
					resp, err := noWhole.Wrap(tt.app).Serve(t.Context(), req)
					require.NoError(t, err)
					var n int64
					if way == "Read" {
						n, err = io.Copy(struct{ io.Writer }{tt.to}, struct{ io.Reader }{resp.Body})
					} else {
						n, err = adapters.Copy(tt.to, resp.Body)
					}
					require.NoError(t, err)
					assert.Equal(t, tt.want, n)
					resp.Body.Close()
				})
			})
		}
	}
}

// unlessOver reads r as long as ctx lasts, as a backend does.
func unlessOver(ctx context.Context, r io.Reader) io.Reader {
	return readerFunc(func(b []byte) (int, error) {
		n, err := r.Read(b)
		if ctx.Err() != nil {
			return 0, context.Cause(ctx)
		}
		return n, err
	})
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(b []byte) (int, error) { return f(b) }

// A pausingWriter takes so long for a piece.
type pausingWriter time.Duration

func (w pausingWriter) Write(b []byte) (int, error) {
	time.Sleep(time.Duration(w))
	return len(b), nil
}

// A flushingWriter wants to be flushed, and has ReadFrom.
type flushingWriter struct {
	bytes.Buffer
	flushed, read int
}

func (w *flushingWriter) Flush() { w.flushed++ }

func (w *flushingWriter) ReadFrom(src io.Reader) (int64, error) {
	w.read++
	return w.Buffer.ReadFrom(src)
}

// A fileBody gives itself to a writer that has ReadFrom, as files do.
type fileBody struct{ *strings.Reader }

func (fileBody) Close() error { return nil }

func (b fileBody) WriteTo(w io.Writer) (int64, error) {
	return w.(io.ReaderFrom).ReadFrom(io.LimitReader(b.Reader, 100))
}

func TestLimitsLeaveTheWaysOfWriters(t *testing.T) {
	for name, body := range map[string]io.ReadCloser{
		"read": &testBody{Reader: strings.NewReader("hello")}, "file": fileBody{strings.NewReader("hello")},
	} {
		t.Run(name, func(t *testing.T) {
			h := DefaultLimits().Wrap(adapters.HandlerFunc(
				func(context.Context, *adapters.Request) (*adapters.Response, error) {
					return &adapters.Response{Status: 200, Body: body}, nil
				}))
			resp, err := h.Serve(t.Context(), get("/"))
			require.NoError(t, err)
			defer resp.Body.Close()
			var w flushingWriter
			_, err = adapters.Copy(&w, resp.Body)
			require.NoError(t, err)
			assert.Equal(t, "hello", w.String())
			assert.Positive(t, w.flushed+w.read)
		})
	}
}

// slowBody gives n bytes, one after each pause; the last pause counts for all others.
func slowBody(n int, pauses ...time.Duration) io.Reader { return &pausing{n, pauses} }

type pausing struct {
	left   int
	pauses []time.Duration
}

func (p *pausing) Read(b []byte) (int, error) {
	if p.left == 0 {
		return 0, io.EOF
	}
	p.left--
	time.Sleep(p.pauses[0])
	if len(p.pauses) > 1 {
		p.pauses = p.pauses[1:]
	}
	b[0] = 'x'
	return 1, nil
}

func TestLimitsTimeoutMeetsAnAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		body := &testBody{Reader: strings.NewReader("late")}
		h := (&Limits{Timeout: time.Minute}).Wrap(adapters.HandlerFunc(
			func(ctx context.Context, _ *adapters.Request) (*adapters.Response, error) {
				<-ctx.Done()
				return &adapters.Response{Status: 200, Body: body}, nil
			}))
		_, _, err := serve(t, h, get("/"))
		require.ErrorIs(t, err, adapters.ErrTimeout)
		assert.Equal(t, 1, body.closed)
	})
}

func TestLimitsEndWithTheResponse(t *testing.T) {
	var inner context.Context
	h := DefaultLimits().Wrap(adapters.HandlerFunc(
		func(ctx context.Context, req *adapters.Request) (*adapters.Response, error) {
			inner = ctx
			return adapters.Reply(200, "text/plain", "x"), nil
		}))
	resp, err := h.Serve(t.Context(), get("/"))
	require.NoError(t, err)
	require.NoError(t, inner.Err())
	resp.Body.Close()
	require.ErrorIs(t, inner.Err(), context.Canceled, "nothing is left to be cancelled")
}

func TestLimitsOverHTTP(t *testing.T) {
	captureLog(t)
	server := httptest.NewServer(adapters.HTTP((&Limits{Body: 10, Timeout: 10 * time.Second}).Wrap(reader)))
	defer server.Close()
	for body, want := range map[string]int{"1234567890": 200, "12345678901": 413} {
		for _, known := range []bool{true, false} {
			var r io.Reader = strings.NewReader(body)
			if !known {
				r = struct{ io.Reader }{r}
			}
			resp, err := server.Client().Post(server.URL, "text/plain", r)
			require.NoError(t, err)
			resp.Body.Close()
			assert.Equal(t, want, resp.StatusCode, "%s, length known: %v", body, known)
		}
	}
	server.Client().CloseIdleConnections()
}

func BenchmarkLimits(b *testing.B) {
	reply := adapters.Reply(200, "text/plain", "x")
	h := DefaultLimits().Wrap(adapters.HandlerFunc(func(context.Context, *adapters.Request) (*adapters.Response, error) {
		c := *reply
		return &c, nil
	}))
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	req := get("/a?b", "User-Agent", "curl/8", "Accept", "*/*")
	b.ReportAllocs()
	for b.Loop() {
		resp, _ := h.Serve(ctx, req)
		resp.Body.Close()
	}
}
