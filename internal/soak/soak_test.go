//go:build linux

package soak

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	_ "github.com/gangway-go/gangway/cli" // so that the test runs again when what it builds has changed
	"github.com/gangway-go/gangway/conformance/faulty"
	"github.com/gangway-go/gangway/internal/leak"
	"github.com/gangway-go/gangway/internal/peer"
)

var (
	duration = flag.Duration("duration", 2*time.Minute, "how long clients come")
	pause    = flag.Duration("pause", 1200*time.Millisecond, "mean pause of a client between two requests")
	seedFlag = flag.Uint64("seed", 0, "of all decisions; 0 is another one each time")
	binary   = flag.String("gangway", "", "the program under test; none is one built from this tree")
)

const (
	clients = 200
	// answerTime is how long an answer may take. Whoever takes longer hangs.
	answerTime = 90 * time.Second
	// progressTime is between two lines.
	progressTime = 5 * time.Second
)

func TestMain(m *testing.M) {
	faulty.Main()
	appMain()
	leak.Main(m)
}

// A soak is one run.
type soak struct {
	t     *testing.T
	dir   string
	seed  uint64
	began time.Time
	*report
	gangway *program
	doors   []door
	php     *php
	mutants *mutants
	over    chan struct{} // closed when clients are to leave
}

// random returns decisions that depend on the seed and what they are for, and on nothing else.
func (s *soak) random(purpose uint64) *rand.Rand { return rand.New(rand.NewPCG(s.seed, purpose)) }

// TestSoak: every request to an application that is right is answered right, whatever happens beside it, and in the end
// nothing is left and nothing has grown.
func TestSoak(t *testing.T) {
	s := &soak{t: t, dir: peer.Dir(t), seed: *seedFlag, over: make(chan struct{}), report: newReport()}
	if s.seed == 0 {
		s.seed = rand.Uint64()
	}
	s.print("seed %d, %v, %d clients; make soak SEED=%[1]d makes the same decisions again", s.seed, *duration, clients)
	stopApps := s.startApps()
	fresh := s.freshGoroutines()
	s.gangway = s.startGangway()
	s.doors = s.openDoors()
	s.began = time.Now()
	before := s.gangway.look()
	var everybody sync.WaitGroup
	for i := range clients {
		everybody.Go(func() { newClient(s, i).run() })
	}
	watcher := watch(s)
	s.disturb()
	close(s.over)
	everybody.Wait()
	samples := watcher.stop()
	stopApps()
	s.checkFlat(samples)
	s.checkLeft(before)
	s.checkCounters()
	s.checkGoroutines(fresh)
	s.checkLog()
	s.table(samples)
	if n := s.violations(); n > 0 {
		t.Errorf("%d violations; seed %d", n, s.seed)
	}
}

// disturb restarts what can be restarted, as long as the run lasts, and prints how it goes.
func (s *soak) disturb() {
	end, progress := time.After(*duration), time.NewTicker(progressTime)
	defer progress.Stop()
	mutate, restart := time.NewTicker(mutantTime), time.NewTicker(restartTime)
	defer mutate.Stop()
	defer restart.Stop()
	for {
		select {
		case <-end:
			s.php.settle()
			return
		case <-progress.C:
			s.progress()
		case <-mutate.C:
			s.mutants.turn()
		case <-restart.C:
			s.php.disturb()
		}
	}
}

// print prints a line of the run, also where tests that pass print nothing.
func (s *soak) print(format string, args ...any) {
	fmt.Fprintf(os.Stdout, "soak: "+format+"\n", args...)
}

func write(t *testing.T, name, content string) {
	t.Helper()
	require.NoError(t, os.WriteFile(name, []byte(content), 0o644))
}
