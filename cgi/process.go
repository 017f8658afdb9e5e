package cgi

import (
	"os"
	"runtime"
	"syscall"
	"time"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/internal/procgroup"
)

// A process is a running script, and on Linux the leader of its process group.
type process struct {
	group procgroup.Group
	ended chan struct{} // closed when it has ended and state is there
	state *os.ProcessState
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
		return nil, errClosed
	}
	attr := &os.ProcAttr{Env: env, Files: files, Sys: new(syscall.SysProcAttr)}
	if runtime.GOOS == "linux" { // elsewhere the group would be killed when its id may be somebody else's
		attr.Sys = procgroup.Attr(attr.Sys)
	}
	started, err := s.startProcess(c, attr)
	if err != nil {
		return nil, err
	}
	p := &process{group: procgroup.Group{Leader: started}, ended: make(chan struct{})}
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
func (p *process) abort(grace time.Duration) { p.group.End(grace) }

// wait returns when the process has ended and nothing of an aborted one is left.
func (p *process) wait() {
	p.group.Wait(func() (err error) {
		p.state, err = p.group.Leader.Wait()
		return err
	})
	close(p.ended)
}
