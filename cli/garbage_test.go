package cli

import (
	"runtime"
	"runtime/debug"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
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
	t.Setenv("GOGC", "") // as if it were not set
	defer debug.SetGCPercent(debug.SetGCPercent(70))
	end := collectRarely()
	assert.Greater(t, percent(), 100)
	held := make([]byte, 64<<20)
	for deadline := time.Now().Add(20 * time.Second); percent() != 100 && time.Now().Before(deadline); {
		runtime.GC()
		time.Sleep(time.Millisecond)
	}
	assert.Equal(t, 100, percent(), "with 64 MB in use")
	runtime.KeepAlive(held)
	end()
	assert.Equal(t, 70, percent())
	runtime.GC()
	time.Sleep(10 * time.Millisecond)
	assert.Equal(t, 70, percent(), "after the end")
}

func TestCollectAsTold(t *testing.T) {
	t.Setenv("GOGC", "50")
	before := percent()
	defer collectRarely()()
	assert.Equal(t, before, percent())
}
