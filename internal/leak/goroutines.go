package leak

import (
	"runtime"
	"strings"
)

// lasting are functions of the standard library whose goroutine, once started, stays as long as the process.
var lasting = []string{
	"os/signal.signal_recv(",
	"os/signal.loop(",
	"runtime.ensureSigM",
	"runtime.runFinalizers(",
	"runtime.runCleanups(",
	"testing.(*M).startAlarm",
}

// addGoroutines adds every goroutine but the calling one and the lasting ones.
func addGoroutines(s snapshot) {
	stacks := strings.Split(allStacks(), "\n\n")
	for _, stack := range stacks[1:] {
		id, _, _ := strings.Cut(stack, " [")
		if !lasts(stack) {
			s[id] = stack
		}
	}
}

// allStacks returns the stacks of all goroutines, the calling one first, with an empty line between two.
func allStacks() string {
	for size := 64 << 10; ; size *= 2 {
		buf := make([]byte, size)
		if n := runtime.Stack(buf, true); n < size {
			return string(buf[:n])
		}
	}
}

func lasts(stack string) bool {
	for _, name := range lasting {
		if strings.Contains(stack, name) {
			return true
		}
	}
	return false
}
