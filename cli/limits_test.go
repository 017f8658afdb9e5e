package cli

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/adapters/open"
)

func TestLimits(t *testing.T) {
	for _, tt := range []struct {
		name     string
		settings []string
		want     open.AppOptions
		header   int
	}{
		{"defaults", nil, open.AppOptions{Timeout: time.Minute}, 72 << 10},
		{"set", []string{"timeout=5m", "response-header=1m", "spool=2g", "uri=1k", "header-bytes=3k"},
			open.AppOptions{Timeout: 5 * time.Minute, HeaderLimit: 1 << 20, SpoolLimit: 2 << 30}, 4 << 10},
		{"none", []string{"timeout=0", "response-header=0", "spool=0", "uri=0"},
			open.AppOptions{Timeout: -1, HeaderLimit: math.MaxInt, SpoolLimit: math.MaxInt64}, 16 << 20},
		{"huge", []string{"header-bytes=1g"}, open.AppOptions{Timeout: time.Minute}, 16 << 20},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l, err := newLimits(tt.settings)
			require.NoError(t, err)
			var o open.AppOptions
			l.apply(&o)
			assert.Equal(t, tt.want, o)
			assert.Equal(t, tt.header, l.httpHeader())
		})
	}
}
