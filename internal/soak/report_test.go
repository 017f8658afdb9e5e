//go:build linux

package soak

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// What became of requests.
const (
	right   = "right"   // the whole answer, and nothing else
	failed  = "failed"  // a failure that showed, of an application that fails
	excused = "excused" // a failure that showed, while php-fpm was disturbed
	left    = "left"    // the client did not wait for the answer
	wrong   = "wrong"   // a violation
)

var outcomes = []string{right, failed, excused, left, wrong}

// A report counts and remembers.
type report struct {
	mu      sync.Mutex
	counts  map[[2]string]map[string]int // application and door, then outcome
	events  map[string]int
	faults  []string
	latest  sample
	started time.Time
	last    int // requests at the last line
}

func newReport() *report {
	return &report{counts: map[[2]string]map[string]int{}, events: map[string]int{}, started: time.Now()}
}

// add counts a request.
func (r *report) add(app, door, outcome string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	key := [2]string{app, door}
	if r.counts[key] == nil {
		r.counts[key] = map[string]int{}
	}
	r.counts[key][outcome]++
}

// note counts something that happened.
func (r *report) note(event string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events[event]++
}

// maxFaults is how many violations are printed when they happen.
const maxFaults = 20

// violate notes that something that must hold does not.
func (r *report) violate(what, how string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	text := fmt.Sprintf("%s +%.1fs: %s: %s", time.Now().UTC().Format("15:04:05.000"), time.Since(r.started).Seconds(),
		what, how)
	r.faults = append(r.faults, text)
	if len(r.faults) <= maxFaults {
		fmt.Println("soak: VIOLATION", text)
	}
}

func (r *report) violations() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.faults)
}

func (r *report) setLatest(s sample) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.latest = s
}

// total returns how many requests had each outcome, of those that match.
func (r *report) total(match func(key [2]string) bool) (sum map[string]int, all int) {
	sum = map[string]int{}
	for key, counts := range r.counts {
		if match(key) {
			for outcome, n := range counts {
				sum[outcome] += n
				all += n
			}
		}
	}
	return sum, all
}

// progress prints a line.
func (r *report) progress() {
	r.mu.Lock()
	defer r.mu.Unlock()
	sum, all := r.total(func([2]string) bool { return true })
	fmt.Printf("soak: %4.0fs %7d requests (%d/s):", time.Since(r.started).Seconds(), all,
		(all-r.last)/int(progressTime.Seconds()))
	r.last = all
	for _, o := range outcomes {
		fmt.Printf(" %s %d", o, sum[o])
	}
	l := r.latest
	fmt.Printf("; violations %d; descriptors %d, threads %d, processes %d, temporary files %d, PSS %d KiB\n",
		len(r.faults), l.descriptors, l.threads, l.children, l.temps, l.memory)
}

// table prints what happened.
func (r *report) table(samples []sample) {
	r.mu.Lock()
	defer r.mu.Unlock()
	row := func(name string, match func([2]string) bool) {
		sum, all := r.total(match)
		fmt.Printf("%-24s %8d", name, all)
		for _, o := range outcomes {
			fmt.Printf(" %8d", sum[o])
		}
		fmt.Println()
	}
	for i, head := range []string{"application", "door"} {
		fmt.Printf("\n%-24s %8s %8s\n", head, "requests", strings.Join(outcomes, "  "))
		names := map[string]bool{}
		for key := range r.counts {
			names[key[i]] = true
		}
		for _, name := range slices.Sorted(maps.Keys(names)) {
			row(name, func(key [2]string) bool { return key[i] == name })
		}
	}
	row("all", func([2]string) bool { return true })
	fmt.Printf("\n%-24s %10s %10s %10s\n", "medians of the thirds", "first", "second", "last")
	for _, m := range measures {
		medians := m.thirds(samples)
		fmt.Printf("%-24s %10d %10d %10d\n", m.name, medians[0], medians[1], medians[2])
	}
	fmt.Println()
	for _, event := range slices.Sorted(maps.Keys(r.events)) {
		fmt.Printf("%s: %d\n", event, r.events[event])
	}
	for _, fault := range r.faults[:min(len(r.faults), maxFaults)] {
		fmt.Println("VIOLATION", fault)
	}
}
