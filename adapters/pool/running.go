package pool

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"time"

	"github.com/gangway-go/gangway/internal/procgroup"
)

// running is a started program with its process group and its private folder.
type running struct {
	cmd    *exec.Cmd
	group  procgroup.Group
	dir    *folder
	grace  time.Duration
	output output

	life context.Context // over when nothing is left
	over context.CancelFunc
	err  error // why it ended, once life is over
}

func newRunning(dir *folder, grace time.Duration, log *slog.Logger) *running {
	r := &running{group: procgroup.Group{KillRest: true}, dir: dir, grace: grace, output: output{log: log}}
	r.life, r.over = context.WithCancel(context.Background())
	return r
}

// prepare gives the process a group of its own.
func (r *running) prepare() {
	r.cmd.SysProcAttr = procgroup.Attr(r.cmd.SysProcAttr)
	procgroup.DieWithParent(r.cmd.SysProcAttr)
}

// start starts the program and the goroutines that live as long as it does.
func (r *running) start() error {
	read, write, err := os.Pipe()
	if err != nil {
		return err
	}
	defer write.Close()
	r.cmd.Stdout, r.cmd.Stderr = write, write
	started := make(chan error)
	go r.run(read, started)
	return <-started
}

// run is the life of the process.
func (r *running) run(read *os.File, started chan<- error) {
	// The kernel tells the process of the death of the thread that started it: this one waits for the process.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer read.Close()
	err := r.cmd.Start()
	if err == nil {
		r.output.pid = r.cmd.Process.Pid
		r.group.Leader = r.cmd.Process
	}
	started <- err
	if err != nil {
		return
	}
	var reader sync.WaitGroup
	reader.Go(func() { r.output.copy(read) })
	if r.err = r.group.Wait(r.cmd.Wait); r.err == nil {
		r.err = errors.New("exit status 0")
	}
	read.SetReadDeadline(time.Now().Add(time.Second)) // a process that left the group may hold the other end
	reader.Wait()
	r.dir.remove()
	r.over()
}

func (r *running) wait() error {
	<-r.life.Done()
	return r.err
}

// stop ends the process group and returns when it is gone.
func (r *running) stop(ctx context.Context) {
	r.group.End(r.grace)
	select {
	case <-r.life.Done():
	case <-ctx.Done():
		r.group.End(0)
		<-r.life.Done()
	}
}
