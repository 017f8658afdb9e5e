// Package leak fails a test binary that leaves something behind: a goroutine, a file descriptor or a child process
// (the last two on Linux). Every package of this module has it check its tests; begin with [Main]:
//
//	func TestMain(m *testing.M) { leak.Main(m) }
package leak

import (
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"runtime"
	"strings"
	"time"
)

// M is what leak needs of a [testing.M].
type M interface {
	Run() int
}

// grace is how long what the tests have let go may take to end. Only a leak takes that long.
var grace = 10 * time.Second

// Main runs the tests and exits the process with their exit code, or with 1 if they passed and something is left.
// It does not return.
func Main(m M) {
	os.Exit(Check(m).Run())
}

// Check returns an M that runs m and then looks at what is left, for a package whose TestMain must hand an M to
// somebody else. What was there before Run is not counted. What is left goes to standard error.
func Check(m M) M {
	return checked{m}
}

type checked struct{ m M }

func (c checked) Run() int {
	before := take()
	code := c.m.Run()
	if code != 0 || fuzzWorker() {
		return code
	}
	left := await(before)
	if len(left) == 0 {
		return 0
	}
	report(os.Stderr, left)
	return 1
}

// A snapshot holds what the process has at one time: by its identity, which no other thing gets soon after, how it
// looks to a person.
type snapshot map[string]string

func take() snapshot {
	s := snapshot{}
	addGoroutines(s)
	addDescriptors(s)
	addChildren(s)
	return s
}

// since returns what is in s and not in before.
func (s snapshot) since(before snapshot) snapshot {
	left := snapshot{}
	for id, look := range s {
		if _, old := before[id]; !old {
			left[id] = look
		}
	}
	return left
}

// await returns what is left when the grace period is over, or as soon as nothing is left.
func await(before snapshot) snapshot {
	deadline := time.Now().Add(grace)
	for pause := time.Millisecond; ; pause = min(2*pause, 100*time.Millisecond) {
		// The kept connections of the default client are a cache of the process and nobody's leak.
		http.DefaultClient.CloseIdleConnections()
		left := take().since(before)
		if len(left) == 0 || time.Now().After(deadline) {
			return left
		}
		if left.onlyPipes() { // of splice(2), which package net keeps until the garbage collector has run twice
			runtime.GC()
		}
		time.Sleep(pause)
	}
}

func (s snapshot) onlyPipes() bool {
	for id := range s {
		if !strings.Contains(id, " pipe:") {
			return false
		}
	}
	return true
}

func report(w io.Writer, left snapshot) {
	fmt.Fprintf(w, "leak: the tests passed and left %d behind:\n", len(left))
	for id, look := range left {
		fmt.Fprintf(w, "leak: %s: %s\n", id, look)
	}
}

// fuzzWorker reports whether the fuzzing engine runs this process: it ends a worker at any point of a test.
func fuzzWorker() bool {
	f := flag.Lookup("test.fuzzworker")
	return f != nil && f.Value.String() == "true"
}
