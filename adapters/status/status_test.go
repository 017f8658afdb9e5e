package status

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

// get asks s for path.
func get(t *testing.T, s *Status, path string) string {
	t.Helper()
	resp, err := s.Serve(t.Context(), &adapters.Request{Method: "GET", Script: adapters.Script{PathInfo: path}})
	require.NoError(t, err)
	b, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return string(b)
}

// app answers with the status and the text of the request's target, or fails.
var app = adapters.HandlerFunc(func(_ context.Context, req *adapters.Request) (*adapters.Response, error) {
	if req.Body != nil {
		io.Copy(io.Discard, req.Body)
	}
	var status int
	switch fmt.Sscan(req.URI, &status); status {
	case 502:
		return nil, adapters.ErrUnreachable
	case 499:
		return nil, adapters.ErrAborted
	case 0:
		panic("no status")
	}
	return adapters.Reply(status, "text/plain", "12345"), nil
})

// busy returns a Status that has seen a bit of everything.
func busy(t *testing.T) *Status {
	s := New()
	s.started = time.Unix(1700000000, 0).UTC()
	s.Conns = func() map[string]map[string]int {
		return map[string]map[string]int{"http://a:1": {"idle": 2, "new": 1}, `x"\`: {"header": 3}}
	}
	h := s.Wrap(app)
	for _, uri := range []string{"200", "200", "302", "404", "500", "502", "499", "101"} {
		req := &adapters.Request{URI: uri, Body: struct{ io.Reader }{strings.NewReader("abc")}}
		if uri == "404" {
			req.Body = strings.NewReader("seeks")
		}
		if resp, err := h.Serve(t.Context(), req); err == nil {
			io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
		}
	}
	open, err := h.Serve(t.Context(), &adapters.Request{URI: "204"})
	require.NoError(t, err)
	t.Cleanup(func() {
		open.Body.Close()
		assert.Contains(t, get(t, s, "/metrics"), "gangway_requests_in_flight 0\n")
	})
	assert.Panics(t, func() { h.Serve(t.Context(), &adapters.Request{URI: "x"}) })
	log := slog.New(s.Log(slog.DiscardHandler))
	log.Info("a", "limit", "body")
	log.With("limit", "body").WithGroup("g").Info("b", "status", 413)
	log.Warn("c", "limit", "connections", "times", 20)
	log.Warn("no limit")
	log.Debug("not seen", "limit", "body")
	return s
}

func TestJSON(t *testing.T) {
	var got report
	require.NoError(t, json.Unmarshal([]byte(get(t, busy(t), "/")), &got))
	assert.Equal(t, map[string]int{"idle": 2, "new": 1}, got.Connections["http://a:1"])
	assert.EqualValues(t, 1, got.Requests.InFlight)
	assert.Equal(t, map[string]int64{"1xx": 1, "2xx": 3, "3xx": 1, "4xx": 1, "5xx": 2, "aborted": 1}, got.Requests.Responses)
	assert.Equal(t, map[string]int64{"body": 2, "connections": 20}, got.Limits)
	assert.EqualValues(t, 7*3, got.Bytes.Received)
	assert.EqualValues(t, 6*5, got.Bytes.Sent)
	assert.Equal(t, int64(1700000000), got.Started.Unix())
}

func TestMetrics(t *testing.T) {
	got := get(t, busy(t), "/metrics")
	for _, line := range []string{
		"# TYPE gangway_connections gauge", `gangway_connections{listener="http://a:1",state="idle"} 2`,
		`gangway_connections{listener="x\"\\",state="header"} 3`, "gangway_requests_in_flight 1",
		"# TYPE gangway_responses_total counter", `gangway_responses_total{class="2xx"} 3`,
		`gangway_responses_total{class="aborted"} 1`, `gangway_limit_hits_total{limit="connections"} 20`,
		"gangway_received_bytes_total 21", "gangway_sent_bytes_total 30", "gangway_start_time_seconds 1700000000",
	} {
		assert.Contains(t, got, line+"\n")
	}
	form := regexp.MustCompile(`^(# (HELP|TYPE) gangway_[a-z_]+ .+|gangway_[a-z_]+(\{([a-z]+="([^"\\]|\\.)*",?)+\})? \d+)$`)
	for line := range strings.Lines(got) {
		assert.Regexp(t, form, strings.TrimSuffix(line, "\n"))
	}
}

func TestServe(t *testing.T) {
	s := New()
	for _, tt := range []struct {
		method, path string
		status       int
	}{
		{"GET", "/", 200}, {"HEAD", "/metrics", 200}, {"POST", "/", 405}, {"GET", "/x", 404},
	} {
		resp, err := s.Serve(t.Context(), &adapters.Request{Method: tt.method, Script: adapters.Script{PathInfo: tt.path}})
		if err != nil {
			assert.Equal(t, tt.status, adapters.StatusOf(err), tt.path)
			continue
		}
		assert.Equal(t, tt.status, resp.Status)
	}
}

// TestLogPassesOn: what is counted is logged as before.
func TestLogPassesOn(t *testing.T) {
	var b strings.Builder
	s := New()
	log := slog.New(s.Log(slog.NewTextHandler(&b, &slog.HandlerOptions{Level: slog.LevelError})))
	log.Info("quiet", "limit", "a")
	log.With("x", "y").Error("loud", "limit", "b", "error", errors.New("e"))
	assert.NotContains(t, b.String(), "quiet")
	assert.Contains(t, b.String(), "msg=loud x=y limit=b error=e")
	assert.Equal(t, map[string]int64{"a": 1, "b": 1}, s.hits())
	debug := s.Log(slog.NewTextHandler(&b, &slog.HandlerOptions{Level: slog.LevelDebug}))
	assert.True(t, debug.Enabled(t.Context(), slog.LevelDebug))
	assert.False(t, log.Enabled(t.Context(), slog.LevelDebug))
}

func TestReadableAtOnce(t *testing.T) {
	h := New().Wrap(adapters.HandlerFunc(func(_ context.Context, req *adapters.Request) (*adapters.Response, error) {
		assert.EqualValues(t, 3, adapters.ReadableAtOnce(req.Body))
		return nil, adapters.ErrNotFound
	}))
	h.Serve(t.Context(), &adapters.Request{Body: &countedBody{strings.NewReader("abc"), &New().received}})
}
