package cli

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// A heldLog keeps what applications log while they start. If none of them starts, the reason is one line and the rest
// is dropped; else, or when the start takes long, all of it is logged.
type heldLog struct {
	slog.Handler
	held *heldRecords
}

type heldRecords struct {
	mu      sync.Mutex
	through bool // nothing is held any more
	lines   bool // some of what is held was printed by an application
	records []func()
}

// holdTime is how long records are held.
const holdTime = 3 * time.Second

// holdLog returns a log that writes to log, and a function that ends the holding: what was held is logged, or dropped.
// It reports whether that were lines of applications. For who wants to see everything nothing is held.
func holdLog(log *slog.Logger) (held *slog.Logger, end func(drop bool) (dropped bool)) {
	h := &heldRecords{}
	if log.Enabled(context.Background(), slog.LevelDebug) {
		return log, func(bool) bool { return false }
	}
	late := time.AfterFunc(holdTime, func() { h.end(false) })
	return slog.New(heldLog{log.Handler(), h}), func(drop bool) bool {
		late.Stop()
		return h.end(drop)
	}
}

func (h *heldRecords) end(drop bool) (dropped bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	dropped = drop && h.lines
	h.through = !drop
	for _, log := range h.records {
		if h.through {
			log()
		}
	}
	h.records, h.lines = nil, false
	return dropped
}

// Handle implements slog.Handler.
func (l heldLog) Handle(ctx context.Context, r slog.Record) error {
	l.held.mu.Lock()
	defer l.held.mu.Unlock()
	if l.held.through {
		return l.Handler.Handle(ctx, r)
	}
	r = r.Clone()
	r.Attrs(func(a slog.Attr) bool {
		l.held.lines = l.held.lines || a.Key == "line"
		return !l.held.lines
	})
	l.held.records = append(l.held.records, func() { l.Handler.Handle(ctx, r) })
	return nil
}

// WithAttrs implements slog.Handler.
func (l heldLog) WithAttrs(attrs []slog.Attr) slog.Handler {
	return heldLog{l.Handler.WithAttrs(attrs), l.held}
}

// WithGroup implements slog.Handler.
func (l heldLog) WithGroup(name string) slog.Handler {
	return heldLog{l.Handler.WithGroup(name), l.held}
}
