//go:build linux

package soak

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/internal/peer"
)

// restartTime is between two disturbances of php-fpm.
const restartTime = 9 * time.Second

// afterTime is how long after a disturbance failures still are its: connections that it broke are found broken.
const afterTime = time.Second

// php is a php-fpm that is restarted in all ways.
type php struct {
	s       *soak
	process *peer.Process
	random  *rand.Rand
	ready   int // times that it has said so

	mu      sync.Mutex
	windows []window
}

// A window is a time in which requests to php-fpm may fail.
type window struct {
	from, to time.Time
	bodies   bool // only those with a body: php-fpm lets its processes finish, and what has no body is asked again
}

func startPHP(s *soak) *php {
	process, socket := peer.PHPFPM(s.t, `pm.max_children = 12
[global]
process_control_timeout = 10s`)
	require.NoError(s.t, os.Symlink(socket, s.dir+"/php.sock"))
	return &php{s: s, process: process, random: s.random(phpPurpose), ready: 1}
}

// disturb reloads php-fpm, kills one of its processes, or kills it and starts it again.
func (p *php) disturb() {
	w := window{from: time.Now(), to: time.Now().Add(answerTime)}
	switch p.random.IntN(3) {
	case 0:
		w.bodies = true
		p.open(w)
		p.reload()
	case 1:
		p.open(w)
		p.killWorker()
	case 2:
		p.open(w)
		p.killAll()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.windows[len(p.windows)-1].to = time.Now().Add(afterTime)
}

func (p *php) open(w window) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.windows = append(p.windows, w)
}

func (p *php) reload() {
	p.s.note("php-fpm reload")
	before := strings.Count(p.process.Log(), "ready to handle connections")
	require.NoError(p.s.t, p.process.Cmd.Process.Signal(syscall.SIGUSR2))
	again := func() bool { return strings.Count(p.process.Log(), "ready to handle connections") > before }
	require.Eventually(p.s.t, again, time.Minute, 10*time.Millisecond, "php-fpm does not come back")
}

func (p *php) killWorker() {
	p.s.note("php-fpm worker killed")
	list, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%[1]d/children", p.process.Cmd.Process.Pid))
	require.NoError(p.s.t, err)
	workers := strings.Fields(string(list))
	require.NotEmpty(p.s.t, workers)
	pid, err := strconv.Atoi(workers[p.random.IntN(len(workers))])
	require.NoError(p.s.t, err)
	syscall.Kill(pid, syscall.SIGKILL)
}

func (p *php) killAll() {
	p.s.note("php-fpm killed")
	require.NoError(p.s.t, syscall.Kill(-p.process.Cmd.Process.Pid, syscall.SIGKILL))
	p.process.Stop()
	time.Sleep(time.Duration(p.random.IntN(1000)) * time.Millisecond)
	socket, err := filepath.EvalSymlinks(p.s.dir + "/php.sock")
	require.NoError(p.s.t, err)
	p.process = peer.Start(p.s.t, exec.Command(p.process.Path, p.process.Args[1:]...), "unix", socket)
}

// settle waits until the last disturbance is over.
func (p *php) settle() {
	if n := len(p.windows); n > 0 {
		time.Sleep(time.Until(p.windows[n-1].to))
	}
}

// excuses reports whether a request that failed between two times may have.
func (p *php) excuses(from, to time.Time, hasBody bool) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, w := range p.windows {
		if from.Before(w.to) && to.After(w.from) && (hasBody || !w.bodies) {
			return true
		}
	}
	return false
}
