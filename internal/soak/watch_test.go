//go:build linux

package soak

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A sample is what gangway has at one time.
type sample struct {
	at                                    time.Time
	descriptors, threads, children, temps int
	memory                                int // PSS in KiB
	open                                  []string
	running                               []string
}

// look looks at what the program has.
func (p *program) look() sample {
	pid := p.cmd.Process.Pid
	proc := func(name string) string { return fmt.Sprintf("/proc/%d/%s", pid, name) }
	s := sample{at: time.Now()}
	entries, _ := os.ReadDir(proc("fd"))
	for _, e := range entries {
		target, err := os.Readlink(proc("fd/" + e.Name()))
		if err == nil {
			s.open = append(s.open, target)
		}
		if strings.HasPrefix(target, p.temp) { // a file without a name
			s.temps++
		}
	}
	s.descriptors = len(s.open)
	named, _ := os.ReadDir(p.temp)
	s.temps += len(named)
	tasks, _ := filepath.Glob(proc("task/*"))
	s.threads = len(tasks)
	for _, task := range tasks {
		children, _ := os.ReadFile(task + "/children")
		for _, child := range strings.Fields(string(children)) {
			command, _ := os.ReadFile("/proc/" + child + "/cmdline")
			s.running = append(s.running, strings.ReplaceAll(string(command), "\x00", " "))
		}
	}
	s.children = len(s.running)
	s.memory = pss(proc("smaps_rollup"))
	return s
}

func pss(file string) (kib int) {
	text, _ := os.ReadFile(file)
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "Pss:"); ok {
			kib, _ = strconv.Atoi(strings.Fields(rest)[0])
		}
	}
	return kib
}

// A watcher looks at gangway all the time.
type watcher struct {
	over    chan struct{}
	samples chan []sample
}

func watch(s *soak) *watcher {
	w := &watcher{over: make(chan struct{}), samples: make(chan []sample, 1)}
	go func() {
		var samples []sample
		ticker := time.NewTicker(time.Second)
		defer ticker.Stop()
		for {
			select {
			case <-w.over:
				w.samples <- samples
				return
			case <-s.gangway.ended:
				s.violate("gangway", "it has ended: see its log")
				<-w.over
				w.samples <- samples
				return
			case <-ticker.C:
				samples = append(samples, s.gangway.look())
				s.setLatest(samples[len(samples)-1])
			}
		}
	}()
	return w
}

// stop returns all samples.
func (w *watcher) stop() []sample {
	close(w.over)
	return <-w.samples
}

// A measure is one of the numbers that must not grow.
type measure struct {
	name  string
	of    func(sample) int
	slack int // that is nothing
}

var measures = []measure{
	{"descriptors", func(s sample) int { return s.descriptors }, 10},
	{"threads", func(s sample) int { return s.threads }, 4},
	{"processes", func(s sample) int { return s.children }, 4},
	{"temporary files", func(s sample) int { return s.temps }, 4},
	{"PSS in KiB", func(s sample) int { return s.memory }, 0},
}

// warmUp is the part of the run that nothing is compared with: its first quarter.
const warmUp = 4

// thirds returns the medians of the thirds of what follows the warm-up.
func (m measure) thirds(samples []sample) (medians [3]int) {
	samples = samples[len(samples)/warmUp:]
	third := len(samples) / 3
	if third == 0 {
		return medians
	}
	for i := range medians {
		var values []int
		for _, s := range samples[i*third : (i+1)*third] {
			values = append(values, m.of(s))
		}
		slices.Sort(values)
		medians[i] = values[third/2]
	}
	return medians
}

// checkFlat finds what has grown by more than a tenth, or a quarter in a run that may end before everything is warm.
func (s *soak) checkFlat(samples []sample) {
	part := 10
	if *duration < 10*time.Minute {
		part = 4
	}
	for _, m := range measures {
		if medians := m.thirds(samples); medians[2] > medians[0]+medians[0]/part+m.slack {
			s.violate("growth", fmt.Sprintf("%s: medians of the thirds are %d", m.name, medians))
		}
	}
}

// leaveTime is how long gangway may take to let everything go when nobody asks it any more.
const leaveTime = time.Minute

// checkLeft waits until gangway has no more than before.
func (s *soak) checkLeft(before sample) {
	deadline := time.Now().Add(leaveTime)
	now := s.gangway.look()
	for ; time.Now().Before(deadline); now = s.gangway.look() {
		if now.descriptors <= before.descriptors && now.children <= before.children && now.temps <= before.temps {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	s.print("left at the end, and before: descriptors %d, %d; processes %d, %d; temporary files %d, %d; PSS %d, %d KiB",
		now.descriptors, before.descriptors, now.children, before.children, now.temps, before.temps, now.memory,
		before.memory)
	if now.descriptors > before.descriptors {
		s.violate("left", fmt.Sprintf("descriptors: %q", surplus(now.open, before.open)))
	}
	if now.children > before.children {
		s.violate("left", fmt.Sprintf("processes: %q", now.running))
	}
	if now.temps > before.temps {
		names, _ := os.ReadDir(s.gangway.temp)
		s.violate("left", fmt.Sprintf("%d temporary files: %v", now.temps, names))
	}
}

// surplus returns what is in now and not in before.
func surplus(now, before []string) (list []string) {
	for _, name := range now {
		if !slices.Contains(before, name) {
			list = append(list, name)
		}
	}
	return list
}
