package cli

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestHeldLog(t *testing.T) {
	for _, tt := range []struct {
		name  string
		level slog.Level
		wait  time.Duration
		end   func(end func(drop bool))
		want  string
		drops bool
	}{
		{"held", slog.LevelInfo, 0, func(func(bool)) {}, "", false},
		{"released in order", slog.LevelInfo, 0, func(end func(bool)) { end(false) }, "one two three", false},
		{"dropped", slog.LevelInfo, 0, func(end func(bool)) { end(true) }, "", true},
		{"late", slog.LevelInfo, holdTime, func(func(bool)) {}, "one two three", false},
		{"late and dropped", slog.LevelInfo, holdTime, func(end func(bool)) { end(true) }, "one two", false},
		{"not held", slog.LevelDebug, 0, func(func(bool)) {}, "one two three", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var text bytes.Buffer
				log, end := holdLog(slog.New(slog.NewTextHandler(&text, &slog.HandlerOptions{Level: tt.level})))
				defer end(true)
				log.Info("one", "line", "x")
				log.With("a", "b").WithGroup("g").Info("two", "c", "d")
				time.Sleep(tt.wait)
				synctest.Wait()
				dropped := false
				tt.end(func(drop bool) { dropped = end(drop) })
				assert.Equal(t, tt.drops, dropped)
				log.Info("three")
				var got []string
				for line := range strings.Lines(text.String()) {
					_, msg, _ := strings.Cut(line, "msg=")
					word, _, _ := strings.Cut(strings.TrimSpace(msg), " ")
					got = append(got, word)
				}
				assert.Equal(t, tt.want, strings.Join(got, " "))
				if strings.Contains(tt.want, "two") {
					assert.Contains(t, text.String(), "msg=two a=b g.c=d")
				}
			})
		})
	}
}
