package cli

import (
	"os"
	"runtime"
	"runtime/debug"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestGCPercent(t *testing.T) {
	for live, want := range map[uint64]int{0: 400, 4 << 20: 400, 8 << 20: 200, 16 << 20: 100, 1 << 30: 100} {
		assert.Equal(t, want, gcPercent(live), live)
	}
}

// percent is what GOGC is now.
func percent() int {
	p := debug.SetGCPercent(100)
	debug.SetGCPercent(p)
	return p
}

func TestCollectRarely(t *testing.T) {
	require.NoError(t, os.Unsetenv("GOGC"))
	before := percent()
	end := collectRarely()
	assert.Equal(t, 400, percent())
	held := make([]byte, 64<<20)
	for deadline := time.Now().Add(20 * time.Second); percent() != 100 && time.Now().Before(deadline); {
		runtime.GC()
		time.Sleep(time.Millisecond)
	}
	assert.Equal(t, 100, percent(), "with 64 MB in use")
	runtime.KeepAlive(held)
	end()
	assert.Equal(t, before, percent())
}

func TestCollectAsTold(t *testing.T) {
	t.Setenv("GOGC", "50")
	before := percent()
	defer collectRarely()()
	assert.Equal(t, before, percent())
}
