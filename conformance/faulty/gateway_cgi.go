package faulty

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"
)

// cgiBackend runs the program that SCRIPT_FILENAME names, once for each request (RFC 3875 section 7.2).
type cgiBackend struct {
	timeout time.Duration
	fault   fault
	log     io.Writer
}

// lingering is how long the response of a process that has ended stays open if a child of it has the other end of the pipe.
const lingering = 100 * time.Millisecond

func (b *cgiBackend) Close() {}

// RoundTrip is that of backend.
func (b *cgiBackend) RoundTrip(ctx context.Context, vars []Var, body io.Reader) (io.ReadCloser, error) {
	cmd, err := b.command(vars)
	if err != nil {
		return nil, err
	}
	run, err := b.start(cmd, body)
	if err != nil {
		return nil, &Refusal{500, err.Error()}
	}
	context.AfterFunc(ctx, func() { kill(cmd) })
	first := make([]byte, 1)
	switch n, err := run.Read(first); {
	case n > 0:
		run.first = first
		return run, nil
	case errors.Is(err, os.ErrDeadlineExceeded):
		run.Close()
		return nil, &Refusal{504, "the program was silent"}
	default:
		run.Close()
		return nil, &Refusal{502, fmt.Sprintf("the program wrote nothing: %v", err)}
	}
}

// command describes the process for a request.
func (b *cgiBackend) command(vars []Var) (*exec.Cmd, error) {
	cmd := &exec.Cmd{Env: []string{"PATH=" + os.Getenv("PATH")}, Stderr: b.log, WaitDelay: lingering}
	for _, v := range vars {
		if v.Name == "SCRIPT_FILENAME" {
			cmd.Path = v.Value
		}
		cmd.Env = append(cmd.Env, v.Name+"="+v.Value)
	}
	info, err := os.Stat(cmd.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, &Refusal{404, err.Error()}
	case err != nil:
		return nil, &Refusal{403, err.Error()}
	case !info.Mode().IsRegular() || info.Mode()&0o111 == 0:
		return nil, &Refusal{403, cmd.Path + " is no program"}
	}
	cmd.Args = []string{cmd.Path}
	cmd.Dir = filepath.Dir(cmd.Path)
	ownGroup(cmd)
	return cmd, nil
}

// start starts the process and what feeds it and waits for its end.
func (b *cgiBackend) start(cmd *exec.Cmd, body io.Reader) (*cgiRun, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer w.Close()
	cmd.Stdout = w
	stdin, err := cmd.StdinPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		r.Close()
		return nil, err
	}
	run := &cgiRun{stdout: r, cmd: cmd, timeout: b.timeout, ended: make(chan struct{})}
	go feed(cmd, stdin, body)
	go run.wait()
	return run, nil
}

// feed sends body. If it cannot be had whole the client is gone, and the program must not take what came for all.
func feed(cmd *exec.Cmd, stdin io.WriteCloser, body io.Reader) {
	defer stdin.Close()
	buf := make([]byte, 32<<10)
	for {
		n, err := body.Read(buf)
		if n > 0 {
			if _, failed := stdin.Write(buf[:n]); failed != nil {
				return // the program does not want it
			}
		}
		if err == io.EOF {
			return
		}
		if err != nil {
			kill(cmd)
			return
		}
	}
}

// cgiRun is a process and its response.
type cgiRun struct {
	stdout  *os.File
	cmd     *exec.Cmd
	timeout time.Duration
	first   []byte // what was read already

	ended chan struct{} // closed when the process has ended
	mu    sync.Mutex    // for the deadline of stdout
	err   error         // set before ended is closed: how the process ended
}

// wait reaps the process. From then on its response is over when nothing comes for a moment.
func (r *cgiRun) wait() {
	r.err = r.cmd.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	close(r.ended)
	r.stdout.SetReadDeadline(time.Now().Add(lingering))
}

// Read returns io.EOF if the response is over and the process was not killed.
func (r *cgiRun) Read(b []byte) (int, error) {
	if len(r.first) > 0 {
		n := copy(b, r.first)
		r.first = r.first[n:]
		return n, nil
	}
	r.expect()
	n, err := r.stdout.Read(b)
	if n > 0 || err == nil {
		return n, nil
	}
	return 0, r.end(err)
}

// expect gives the process time for its next bytes.
func (r *cgiRun) expect() {
	r.mu.Lock()
	defer r.mu.Unlock()
	patience := r.timeout
	select {
	case <-r.ended:
		patience = lingering
	default:
	}
	r.stdout.SetReadDeadline(time.Now().Add(patience))
}

// end says what the end of standard output means.
func (r *cgiRun) end(err error) error {
	if err == io.EOF {
		select {
		case <-r.ended:
		case <-time.After(r.timeout):
			return os.ErrDeadlineExceeded
		}
	}
	select {
	case <-r.ended:
	default:
		return err
	}
	var exit *exec.ExitError
	if errors.As(r.err, &exit) && !exit.Exited() {
		return fmt.Errorf("%w: %v", io.ErrUnexpectedEOF, r.err)
	}
	return io.EOF
}

// Close kills what still runs.
func (r *cgiRun) Close() error {
	select {
	case <-r.ended:
	default:
		kill(r.cmd)
		<-r.ended
	}
	return r.stdout.Close()
}
