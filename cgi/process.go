package cgi

import (
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/gangway-go/gangway/adapters"
)

// A process is a running script, and on Linux the leader of its process group.
type process struct {
	*os.Process
	ended chan struct{} // closed when it has ended and state is there
	state *os.ProcessState

	mu      sync.Mutex // held to signal it
	gone    bool       // it must not be signalled: its id may be somebody else's
	aborted bool
	killer  *time.Timer
}

// run starts c with files as its standard input, output and error. The caller waits for the process and forgets it.
func (s *Script) run(c *command, req *adapters.Request, files []*os.File) (*process, error) {
	env, err := s.environ(c, req)
	if err != nil {
		return nil, err
	}
	s.mu.Lock() // also the system starts one process after the other
	defer s.mu.Unlock()
	if s.closed {
		return nil, fmt.Errorf("%w: closed", adapters.ErrUnreachable)
	}
	started, err := os.StartProcess(c.program, c.argv, &os.ProcAttr{Dir: c.dir, Env: env, Files: files, Sys: ownGroup})
	if err != nil {
		return nil, startError(err)
	}
	p := &process{Process: started, ended: make(chan struct{})}
	if s.running == nil {
		s.running = map[*process]struct{}{}
	}
	s.running[p] = struct{}{}
	s.reaped.Add(1)
	return p, nil
}

func (s *Script) forget(p *process) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.running, p)
	s.reaped.Done()
}

// abort asks the process to end, and forces it when grace is over.
func (p *process) abort(grace time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.gone:
	case grace == 0:
		p.aborted = true
		p.kill()
	case !p.aborted:
		p.aborted = true
		p.terminate()
		p.killer = time.AfterFunc(grace, func() { p.abort(0) })
	}
}

// wait returns when the process has ended and nothing of an aborted one is left.
func (p *process) wait() {
	p.state = p.reap()
	if p.killer != nil {
		p.killer.Stop()
	}
	close(p.ended)
}
