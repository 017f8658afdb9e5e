// Package status counts what a gateway does, and tells it over HTTP: as JSON at /, and at /metrics in the text format
// of Prometheus (version 0.0.4, https://prometheus.io/docs/instrumenting/exposition_formats/).
//
// Begin with [Status]. It counts the requests that pass its Wrap, and the limits that its Log hears of:
//
//	s := status.New()
//	log := slog.New(s.Log(slog.Default().Handler()))
//	server := &http1.Server{Handler: s.Wrap(app), Log: log}
//	s.Conns = func() map[string]map[string]int { ... }
//	http.ListenAndServe("127.0.0.1:9090", adapters.HTTP(s))
package status

import (
	"context"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gangway-go/gangway/adapters"
)

// A Status is the counters, and an [adapters.Handler] that tells them. It is safe for concurrent use.
type Status struct {
	// Conns returns how many connections each listener has in each state; nil if that is not known. It must not change
	// once a request was served.
	Conns func() map[string]map[string]int

	started  time.Time
	inFlight atomic.Int64
	classes  [len(classNames)]atomic.Int64
	received atomic.Int64
	sent     atomic.Int64

	mu     sync.Mutex
	limits map[string]int64
}

// New returns a Status that has counted nothing.
func New() *Status { return &Status{started: time.Now(), limits: map[string]int64{}} }

// classNames are the classes of requests: by the first digit of their status, and those whose client had gone.
var classNames = [...]string{"1xx", "2xx", "3xx", "4xx", "5xx", "aborted"}

func (s *Status) count(status int) {
	class := max(0, min(status/100-1, 4))
	if status == adapters.StatusClientGone {
		class = len(classNames) - 1
	}
	s.classes[class].Add(1)
}

// Wrap is the [adapters.Middleware] that counts requests: by the status of the answer, and the bytes of both bodies.
func (s *Status) Wrap(next adapters.Handler) adapters.Handler {
	return adapters.HandlerFunc(func(ctx context.Context, req *adapters.Request) (*adapters.Response, error) {
		s.inFlight.Add(1)
		answered := false
		defer func() {
			if !answered { // also after a panic
				s.inFlight.Add(-1)
			}
		}()
		if _, seeks := req.Body.(io.Seeker); req.Body != nil && !seeks {
			c := *req
			c.Body = &countedBody{req.Body, &s.received}
			req = &c
		}
		resp, err := next.Serve(ctx, req)
		if err != nil {
			s.count(adapters.StatusOf(err))
			return nil, err
		}
		s.count(resp.Status)
		answered = true
		resp.Body = adapters.OnEnd(resp.Body, func(n int64, _ error) {
			s.sent.Add(n)
			s.inFlight.Add(-1)
		})
		return resp, nil
	})
}

// A countedBody is the body of a request.
type countedBody struct {
	io.Reader
	read *atomic.Int64
}

func (b *countedBody) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	b.read.Add(int64(n))
	return n, err
}

// Len is for [adapters.ReadableAtOnce].
func (b *countedBody) Len() int { return int(adapters.ReadableAtOnce(b.Reader)) }

// Serve implements [adapters.Handler].
func (s *Status) Serve(_ context.Context, req *adapters.Request) (*adapters.Response, error) {
	if req.Method != http.MethodGet && req.Method != http.MethodHead {
		return nil, &adapters.Error{Op: "status", Status: http.StatusMethodNotAllowed, Err: adapters.ErrBadRequest}
	}
	switch req.Path() {
	case "/":
		return adapters.Reply(http.StatusOK, "application/json", s.json()), nil
	case "/metrics":
		return adapters.Reply(http.StatusOK, "text/plain; version=0.0.4; charset=utf-8", s.metrics()), nil
	}
	return nil, &adapters.Error{Op: "status", Addr: req.Path(), Err: adapters.ErrNotFound}
}

// Log returns a log that counts the records about limits, by their attribute "limit", and "times" if there were
// several, and passes on to h what that wants to have. The attribute must be one of the record or of the logger.
func (s *Status) Log(h slog.Handler) slog.Handler { return &limitLog{Handler: h, status: s} }

type limitLog struct {
	slog.Handler
	status *Status
	limit  string
}

// Enabled implements slog.Handler: what tells of limits is not less than information.
func (l *limitLog) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelInfo || l.Handler.Enabled(ctx, level)
}

// Handle implements slog.Handler.
func (l *limitLog) Handle(ctx context.Context, r slog.Record) error {
	limit, times := l.limit, int64(1)
	r.Attrs(func(a slog.Attr) bool {
		switch {
		case a.Key == "limit" && a.Value.Kind() == slog.KindString:
			limit = a.Value.String()
		case a.Key == "times" && a.Value.Kind() == slog.KindInt64:
			times = a.Value.Int64()
		}
		return true
	})
	if limit != "" {
		l.status.mu.Lock()
		l.status.limits[limit] += times
		l.status.mu.Unlock()
	}
	if !l.Handler.Enabled(ctx, r.Level) {
		return nil
	}
	return l.Handler.Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (l *limitLog) WithAttrs(attrs []slog.Attr) slog.Handler {
	c := &limitLog{l.Handler.WithAttrs(attrs), l.status, l.limit}
	for _, a := range attrs {
		if a.Key == "limit" {
			c.limit = a.Value.String()
		}
	}
	return c
}

// WithGroup implements slog.Handler.
func (l *limitLog) WithGroup(name string) slog.Handler {
	return &limitLog{l.Handler.WithGroup(name), l.status, l.limit}
}

// hits returns how often each limit was reached.
func (s *Status) hits() map[string]int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.limits)
}
