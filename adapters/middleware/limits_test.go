package middleware

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
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

func TestLimitsTimeout(t *testing.T) {
	waits := func(ctx context.Context, _ *adapters.Request) (*adapters.Response, error) {
		<-ctx.Done()
		return nil, ctx.Err() // not the cause, as some programs do
	}
	tests := []struct {
		name   string
		body   io.Reader
		app    adapters.HandlerFunc
		status int
		who    string
		after  time.Duration
	}{
		{"no answer", nil, waits, 504, "application", time.Minute},
		{"no answer after the body", slowBody(3, 50*time.Second), func(ctx context.Context, req *adapters.Request) (
			*adapters.Response, error,
		) {
			io.Copy(io.Discard, req.Body)
			return waits(ctx, req)
		}, 504, "application", 3*50*time.Second + time.Minute},
		{"client stalls", slowBody(1, time.Hour), func(ctx context.Context, req *adapters.Request) (
			*adapters.Response, error,
		) {
			go io.Copy(io.Discard, req.Body)
			return waits(ctx, req)
		}, 408, "client", time.Minute},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				req := get("/")
				req.Body, req.ContentLength = tt.body, -1
				start := time.Now()
				_, _, err := serve(t, (&Limits{Timeout: time.Minute}).Wrap(tt.app), req)
				assert.Equal(t, tt.after, time.Since(start))
				assert.Equal(t, tt.status, adapters.StatusOf(err))
				require.ErrorIs(t, err, adapters.ErrTimeout)
				assert.ErrorContains(t, err, "the "+tt.who+" was silent for 1m0s (limit timeout)")
				time.Sleep(time.Hour) // until nobody reads the body
			})
		})
	}
}

// slowBody gives n bytes, one after each pause.
func slowBody(n int, pause time.Duration) io.Reader {
	return &pausing{iotest.OneByteReader(strings.NewReader(strings.Repeat("x", n))), n, pause}
}

type pausing struct {
	io.Reader
	left  int
	pause time.Duration
}

func (p *pausing) Read(b []byte) (int, error) {
	if p.left > 0 {
		p.left--
		time.Sleep(p.pause)
	}
	return p.Reader.Read(b)
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

func TestLimitsTimeoutEndsWithTheHeader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var inner context.Context
		h := (&Limits{Timeout: time.Minute}).Wrap(adapters.HandlerFunc(
			func(ctx context.Context, req *adapters.Request) (*adapters.Response, error) {
				inner = ctx
				time.Sleep(59 * time.Second)
				return &adapters.Response{Status: 200, Body: &testBody{Reader: req.Body}}, nil
			}))
		req := get("/")
		req.Body, req.ContentLength = slowBody(3, time.Hour), -1
		resp, err := h.Serve(t.Context(), req)
		require.NoError(t, err)
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		assert.Equal(t, "xxx", string(body))
		require.NoError(t, inner.Err())
		resp.Body.Close()
		require.ErrorIs(t, inner.Err(), context.Canceled, "nothing is left to be cancelled")
	})
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

func TestSetLimit(t *testing.T) {
	tests := []struct {
		name, value, want, err string
	}{
		{"body", "8m", "8m", ""},
		{"body", "8388608", "8m", ""},
		{"body", "8M", "8m", ""},
		{"body", "64k", "64k", ""},
		{"body", "1g", "1g", ""},
		{"body", "2048g", "2048g", ""},
		{"body", "1000", "1000", ""},
		{"body", "1025k", "1025k", ""},
		{"body", "0", "0", ""},
		{"body", "0m", "0", ""},
		{"body", "9223372036854775807", "9223372036854775807", ""},
		{"requests", "100", "100", ""},
		{"timeout", "30s", "30s", ""},
		{"timeout", "1m30s", "1m30s", ""},
		{"timeout", "0", "0s", ""},
		{"body", "", "", `limit body: "" is no size such as 512, 64k or 8m`},
		{"body", "m", "", `limit body: "m" is no size`},
		{"body", "-1", "", `"-1" is no size`},
		{"body", "+1", "", `"+1" is no size`},
		{"body", "8mb", "", `"8mb" is no size`},
		{"body", "8 m", "", `"8 m" is no size`},
		{"body", "1.5m", "", `"1.5m" is no size`},
		{"body", "9223372036854775808", "", `is no size`},
		{"body", "8589934592g", "", `is no size`},
		{"body", "30s", "", `"30s" is no size`},
		{"timeout", "30", "", `limit timeout: "30" is no time such as 30s or 2m`},
		{"timeout", "-1s", "", `"-1s" is no time`},
		{"Body", "1", "", `no limit is called "Body"; there are uri, header-bytes, header-fields, body, requests, timeout`},
		{"", "1", "", `no limit is called ""`},
	}
	for _, tt := range tests {
		t.Run(tt.name+"="+tt.value, func(t *testing.T) {
			l := DefaultLimits()
			err := l.Set(tt.name, tt.value)
			if tt.err != "" {
				require.ErrorContains(t, err, tt.err)
				assert.Equal(t, DefaultLimits(), l, "changed all the same")
				return
			}
			require.NoError(t, err)
			for _, limit := range l.List() {
				if limit.Name == tt.name {
					assert.Equal(t, tt.want, limit.Value)
				}
			}
		})
	}
}

func TestListOfLimits(t *testing.T) {
	list := DefaultLimits().List()
	assert.Equal(t, Limit{Name: "uri", Value: "8k", Status: 414, Doc: "bytes of path and query"}, list[0])
	copied := new(Limits)
	for _, limit := range list {
		assert.NotEmpty(t, limit.Doc)
		assert.NotEmpty(t, http.StatusText(limit.Status))
		require.NoError(t, copied.Set(limit.Name, limit.Value), "List and Set speak the same language")
	}
	assert.Equal(t, DefaultLimits(), copied, "every field is in the list")
}

func FuzzParseSize(f *testing.F) {
	for _, s := range []string{"", "0", "8m", "64K", "1g", "9223372036854775807", "8589934592g", "-1k", "1kk", "1_0"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, err := ParseSize(s)
		if err != nil {
			assert.Zero(t, n)
			return
		}
		assert.GreaterOrEqual(t, n, int64(0))
		again, err := ParseSize(formatSize(n))
		require.NoError(t, err)
		assert.Equal(t, n, again)
	})
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
