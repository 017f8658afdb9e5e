package cli

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync"
)

// spareHeap is how much garbage may gather, in bytes, before it is collected, even if less is in use.
const spareHeap = 16 << 20

// collectRarely has garbage collected when there is spareHeap of it, or as much as is in use if that is more: Go's own
// rule collects the small heap of a busy gateway dozens of times a second. Whoever sets GOGC decides instead. The
// function that it returns ends that.
func collectRarely() (end func()) {
	if os.Getenv("GOGC") != "" {
		return func() {}
	}
	before := debug.SetGCPercent(gcPercent(0))
	var mu sync.Mutex
	ended := false
	afterCollection(func() (again bool) {
		mu.Lock()
		defer mu.Unlock()
		if !ended {
			debug.SetGCPercent(gcPercent(inUse()))
		}
		return !ended
	})
	return func() {
		mu.Lock()
		defer mu.Unlock()
		ended = true
		debug.SetGCPercent(before)
	}
}

// gcPercent is what is to be GOGC if so many bytes are in use. The least heap of Go, 4 MB, counts as used.
func gcPercent(used uint64) int {
	return int(max(100, spareHeap*100/max(used, 4<<20)))
}

// afterCollection calls f after each collection until it returns false.
func afterCollection(f func() (again bool)) {
	runtime.AddCleanup(new([16]byte), func(struct{}) {
		if f() {
			afterCollection(f)
		}
	}, struct{}{})
}

// inUse returns what GOGC is a percentage of, as the last collection found it.
func inUse() (bytes uint64) {
	samples := []metrics.Sample{
		{Name: "/gc/heap/live:bytes"}, {Name: "/gc/scan/stack:bytes"}, {Name: "/gc/scan/globals:bytes"},
	}
	metrics.Read(samples)
	for _, sample := range samples {
		bytes += sample.Value.Uint64()
	}
	return bytes
}
