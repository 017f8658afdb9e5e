package adapters_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/adapters"
)

// A writes keeps each Write by itself, and fails from write number fail on if that is not 0.
type writes struct {
	all  []string
	fail int
}

func (w *writes) Write(b []byte) (int, error) {
	if w.fail > 0 && len(w.all)+1 >= w.fail {
		return 0, io.ErrClosedPipe
	}
	w.all = append(w.all, string(b))
	return len(b), nil
}

// A script is a Response.Body that is written as the parts tell: a string is one Write, an error its end,
// wait a Flush, thrown a panic.
type script struct {
	parts  []any
	closed int
}

type wait struct{}

// thrown is a panic.
type thrown struct{ v any }

func (s *script) Read(p []byte) (int, error) { return 0, io.EOF } // only for who discards it

func (s *script) WriteTo(w io.Writer) (written int64, err error) {
	for _, part := range s.parts {
		switch part := part.(type) {
		case string:
			n, err := io.WriteString(w, part)
			written += int64(n)
			if err != nil {
				return written, err
			}
		case error:
			return written, part
		case wait:
			w.(adapters.Flusher).Flush()
		case thrown:
			panic(part.v)
		}
	}
	return written, nil
}

func (s *script) Close() error {
	s.closed++
	return nil
}

func TestAnswer(t *testing.T) {
	big := strings.Repeat("b", 100_000)
	text := adapters.Header{{Name: "Content-Type", Value: "text/plain"}}
	two := adapters.Header{{Name: "Content-Length", Value: "2"}}
	const ok = "Status: 200 OK\r\nContent-Type: text/plain\r\n\r\n"
	failure := func(status, more string, length int) string {
		return fmt.Sprintf("Status: %s\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: %d\r\n%s\r\n%s\n",
			status, length, more, status)
	}
	busy := &adapters.Error{Op: "test", RetryAfter: 1500 * time.Millisecond, Err: adapters.ErrBusy}
	tests := []struct {
		name   string
		method string
		resp   adapters.Response
		body   []any
		err    error // of the Handler
		fail   int   // the Write that fails
		want   []string
		whole  bool
		fails  error
		panics bool
	}{
		{name: "small, in one write", body: []any{"a", "b"}, want: []string{ok + "ab"}, whole: true},
		{name: "waits", body: []any{wait{}, "a", wait{}, wait{}, "b"}, want: []string{ok, "a", "b"}, whole: true},
		{name: "no body", want: []string{ok}, whole: true},
		{name: "big", body: []any{big, "c"}, want: []string{ok, big, "c"}, whole: true},
		{name: "HEAD", method: "HEAD", body: []any{"a"}, want: []string{ok}, whole: true},
		{name: "304", resp: adapters.Response{Status: 304}, body: []any{"a"},
			want: []string{"Status: 304 Not Modified\r\nContent-Type: text/plain\r\n\r\n"}, whole: true},
		{name: "local redirect", resp: adapters.Response{LocalRedirect: "/x?y", Status: 302}, body: []any{"a"},
			want: []string{"Location: /x?y\r\n\r\n"}, whole: true},
		{name: "101", resp: adapters.Response{Status: 101}, want: []string{failure("501 Not Implemented", "", 20)},
			whole: true, fails: adapters.ErrUpgrade},
		{name: "handler fails", err: adapters.ErrUnreachable, want: []string{failure("502 Bad Gateway", "", 16)},
			whole: true, fails: adapters.ErrUnreachable},
		{name: "busy", err: busy, want: []string{failure("503 Service Unavailable", "Retry-After: 2\r\n", 24)},
			whole: true, fails: adapters.ErrBusy},
		{name: "handler fails to HEAD", method: "HEAD", err: adapters.ErrNotFound,
			want:  []string{strings.TrimSuffix(failure("404 Not Found", "", 14), "404 Not Found\n")},
			whole: true, fails: adapters.ErrNotFound},
		{name: "client gone", err: context.Canceled, fails: context.Canceled},
		{name: "cut before it was sent", body: []any{"a", adapters.ErrTruncated},
			want: []string{failure("502 Bad Gateway", "", 16)}, whole: true, fails: adapters.ErrTruncated},
		{name: "cut after", body: []any{wait{}, "a", adapters.ErrTruncated}, want: []string{ok, "a"},
			fails: adapters.ErrTruncated},
		{name: "shorter than its length", resp: adapters.Response{Header: two}, body: []any{"a", wait{}},
			want: []string{"Status: 200 OK\r\nContent-Length: 2\r\n\r\na"}, fails: adapters.ErrTruncated},
		{name: "body panics", body: []any{"a", thrown{"odd"}}, want: []string{failure("500 Internal Server Error", "", 26)},
			whole: true, panics: true},
		{name: "body panics after", body: []any{wait{}, "a", thrown{"odd"}}, want: []string{ok, "a"}, panics: true},
		{name: "body aborts", body: []any{"a", thrown{http.ErrAbortHandler}}, fails: adapters.ErrAborted},
		{name: "handler panics", want: []string{failure("500 Internal Server Error", "", 26)}, whole: true, panics: true},
		{name: "first write fails", body: []any{"a"}, fail: 1, fails: adapters.ErrAborted},
		{name: "later write fails", body: []any{big[:32<<10], "c"}, fail: 2, want: []string{ok}, fails: adapters.ErrAborted},
		{name: "failure cannot be written", err: adapters.ErrBusy, fail: 1, fails: adapters.ErrBusy},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			body := &script{parts: tt.body}
			resp := tt.resp
			resp.Body = body
			if resp.Status == 0 {
				resp.Status = 200
			}
			if resp.Header == nil {
				resp.Header = text
			}
			answers := tt.err == nil && (tt.body != nil || !tt.panics)
			h := adapters.HandlerFunc(func(context.Context, *adapters.Request) (*adapters.Response, error) {
				if tt.err != nil {
					return nil, tt.err
				}
				if !answers {
					panic("odd")
				}
				return &resp, nil
			})
			w := &writes{fail: tt.fail}
			whole, err := adapters.Answer(t.Context(), w, h, &adapters.Request{Method: tt.method}, nil)
			assert.Equal(t, tt.want, w.all)
			assert.Equal(t, tt.whole, whole)
			if tt.panics {
				assert.ErrorContains(t, err, "application panics: odd")
			} else {
				assert.ErrorIs(t, err, tt.fails)
			}
			if answers {
				assert.Positive(t, body.closed)
			}
		})
	}
}

func TestLogFailure(t *testing.T) {
	tests := []struct {
		err  error
		want string
	}{
		{adapters.ErrUnreachable, "level=ERROR msg=\"request failed\" status=502 error=\"application not reachable\""},
		{errors.New("odd"), "level=ERROR msg=\"request failed\" status=500 error=odd"},
		{adapters.ErrNotFound, "level=INFO msg=\"request failed\" status=404 error=\"not found\""},
		{adapters.ErrAborted, "level=DEBUG msg=\"request failed\" status=499 error=\"request aborted\""},
	}
	for _, tt := range tests {
		var out bytes.Buffer
		log := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))
		adapters.LogFailure(t.Context(), log, tt.err)
		_, line, found := strings.Cut(strings.TrimSpace(out.String()), " ")
		require.True(t, found)
		assert.Equal(t, tt.want, line)
	}
}

func TestLoggedURI(t *testing.T) {
	assert.Equal(t, "/x", adapters.LoggedURI("/x"))
	assert.Equal(t, strings.Repeat("x", 2000), adapters.LoggedURI(strings.Repeat("x", 2000)))
	assert.Equal(t, strings.Repeat("x", 2000)+"...", adapters.LoggedURI(strings.Repeat("x", 2001)))
}

func TestAnswerRefusesOddResponses(t *testing.T) {
	for name, resp := range map[string]*adapters.Response{
		"no status":      {Body: adapters.NoBody},
		"interim status": {Status: 103, Body: adapters.NoBody},
		"split":          {Status: 302, LocalRedirect: "/x\r\nSet-Cookie: a=b", Body: adapters.NoBody},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			h := adapters.HandlerFunc(func(context.Context, *adapters.Request) (*adapters.Response, error) { return resp, nil })
			whole, err := adapters.Answer(t.Context(), &out, h, &adapters.Request{Method: "GET"}, nil)
			assert.True(t, whole)
			assert.ErrorIs(t, err, adapters.ErrBadResponse)
			assert.Regexp(t, "^Status: 502 Bad Gateway\r\n", out.String())
		})
	}
}
