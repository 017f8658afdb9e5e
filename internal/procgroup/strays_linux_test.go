package procgroup_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/gangway-go/gangway/internal/procgroup"
)

// TestStrays: what has left the group for a session of its own ends with it, unless its parents have ended before.
func TestStrays(t *testing.T) {
	const asleep = "echo $$; exec sleep 1000"
	tests := []struct {
		name, script string
		processes    int
		grace        time.Duration
		how          string
	}{
		{"asked", "setsid sh -c '" + asleep + "' & wait", 1, patience, "signal: terminated"},
		{"at once", "setsid sh -c '" + asleep + "' & wait", 1, 0, "signal: killed"},
		{"grandchild", "sh -c \"setsid sh -c '" + asleep + "' & wait\" & wait", 1, patience, "signal: terminated"},
		{"a session in a session", "setsid sh -c \"setsid sh -c '" + asleep + "' & " + "echo \\$\\$; wait\" & wait", 2, patience,
			"signal: terminated"},
		{"deaf", "setsid sh -c \"trap '' TERM; " + asleep + "\" & wait", 1, patience, "signal: terminated"},
		{"all deaf", deaf + "setsid sh -c '" + asleep + "' & wait", 1, 50 * time.Millisecond, "signal: killed"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := start(t, procgroup.Attr(nil), tt.script)
			for range tt.processes {
				s.id(t)
			}
			s.End(tt.grace)
			assert.Equal(t, tt.how, s.end())
			s.requireNothingLeft(t)
		})
	}
	t.Run("daemon", func(t *testing.T) {
		s := start(t, procgroup.Attr(nil), "(setsid sh -c '"+asleep+"' &); echo 0; while :; do sleep 0.2; done")
		id := s.id(t) + s.id(t) // the 0 says that its parent has ended
		s.End(patience)
		assert.Equal(t, "signal: terminated", s.end())
		s.requireRest(t, id)
	})
}
