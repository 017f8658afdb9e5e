package script

import (
	"bytes"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/gangway-go/gangway/conformance"
)

// The most that is kept of what a program writes. One that writes more to standard output is killed.
const (
	mostOutput = 16 << 20
	mostErrors = 64 << 10
)

// process is a program that runs, the leader of a process group of its own.
type process struct {
	t      *T
	cmd    *exec.Cmd
	conn   *conformance.Conn // standard input and output
	kept   *os.File          // the program's end of standard input
	keep   bool              // it stays open
	exited chan struct{}
	ending sync.Once

	reading sync.WaitGroup // of what follows
	stdout  bytes.Buffer
	stderr  bytes.Buffer
	output  chan struct{} // closed at the end of standard output
}

// start starts the program. It is killed with its process group when the case ends, at the latest.
func (t *T) start(r *request) *process {
	var files [6]*os.File // the program's end and ours, of each of the three
	for i := range 3 {
		read, write, err := os.Pipe()
		if err != nil {
			t.Broken(err)
		}
		files[2*i], files[2*i+1] = read, write
	}
	in, out, errs := files[1], files[2], files[4]
	p := &process{t: t, exited: make(chan struct{}), output: make(chan struct{}), keep: r.keep}
	p.cmd = t.command(r)
	p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr = files[0], files[3], files[5]
	p.conn = t.Wrap(&stdio{in: in, out: out}, "standard input and output of "+strings.Join(p.cmd.Args, " "))
	if p.keep { // what the program leaves is counted, so all must be there when it begins
		p.feed(r)
	}
	err := p.cmd.Start()
	files[3].Close()
	files[5].Close()
	if p.kept = files[0]; !p.keep {
		p.kept.Close()
	}
	stderr := t.Wrap(&stdio{out: errs}, "standard error")
	t.Note("environment: %q", p.cmd.Env)
	if err != nil {
		p.kept.Close()
		t.Fail("the program cannot be started: %v", err)
	}
	limit(p.cmd.Process.Pid)
	go func() {
		p.cmd.Wait()
		close(p.exited)
	}()
	t.Cleanup(p.end)
	p.converse(r, stderr)
	return p
}

// command returns what is run for a request.
func (t *T) command(r *request) *exec.Cmd {
	words := append(append([]string{t.target.Path}, t.target.Args...), r.args...)
	if r.shell != "" {
		words = append([]string{"/bin/sh", "-c", r.shell + `exec "$0" "$@"`}, words...)
	}
	cmd := &exec.Cmd{Path: words[0], Args: words, Env: r.vars, SysProcAttr: group()}
	if !r.untouched {
		cmd.Env = append([]string{"PATH=" + os.Getenv("PATH")}, r.vars...)
	}
	switch {
	case r.dir != "":
		cmd.Dir = r.dir
	case t.target.Dir != "":
		cmd.Dir = t.target.Dir
	default:
		cmd.Dir = filepath.Dir(t.target.Path)
	}
	return cmd
}

// converse writes standard input and begins to read what the program writes.
func (p *process) converse(r *request, stderr *conformance.Conn) {
	if r.deaf {
		stderr.Close()
	}
	p.reading.Go(func() {
		io.CopyN(&p.stderr, stderr, mostErrors)
		io.Copy(io.Discard, stderr)
	})
	if !p.keep && (r.stdin != "" || !r.hold) {
		p.reading.Go(func() { p.feed(r) })
	}
	switch {
	case r.gone:
		p.t.Note("the suite closes its end of standard output")
		p.conn.Conn.(*stdio).out.Close()
		close(p.output)
	case !r.late:
		p.read()
	}
}

// feed writes standard input, and its end if the request has one.
func (p *process) feed(r *request) {
	p.conn.Write([]byte(r.stdin))
	if !r.hold {
		p.conn.CloseWrite()
	}
}

// read begins to read standard output.
func (p *process) read() {
	p.reading.Go(func() {
		if n, _ := io.CopyN(&p.stdout, p.conn, mostOutput); n == mostOutput {
			p.t.Note("killed: more than %d bytes of output", mostOutput)
			kill(p.cmd.Process)
		}
		close(p.output)
	})
}

// await waits for the end of the program and of its output. It fails if that takes too long.
func (p *process) await() *response {
	limit := p.t.limit()
	select {
	case <-p.exited:
	case <-time.After(limit):
		p.t.Hang("the program has not ended after %v", limit)
	case <-p.t.Context().Done():
		p.t.Hang("the program has not ended")
	}
	open := false
	select {
	case <-p.output:
	case <-time.After(p.t.Patience()):
		open = true
	}
	left := others(p.cmd.Process)
	for end := time.Now().Add(p.t.Patience()); left && time.Now().Before(end); left = others(p.cmd.Process) {
		time.Sleep(5 * time.Millisecond)
	}
	unread := -1
	if p.keep {
		unread = p.rest()
	}
	p.end()
	r := parse(p.stdout.Bytes(), p.t.target.NPH)
	r.stderr, r.open, r.left, r.unread = p.stderr.Bytes(), open, left, unread
	r.end, r.signalled = p.cmd.ProcessState.String(), !p.cmd.ProcessState.Exited()
	p.t.Note("the program ended: %s", r.end)
	return r
}

// rest counts the bytes that the program has left in standard input.
func (p *process) rest() int {
	p.conn.Conn.(*stdio).in.Close()
	n, _ := io.Copy(io.Discard, p.kept)
	return int(n)
}

// end kills what is left and waits until nothing of it is.
func (p *process) end() {
	p.ending.Do(func() {
		kill(p.cmd.Process)
		<-p.exited
		p.conn.Close()
		p.kept.Close()
		p.reading.Wait()
	})
}

// stdio is two pipes as a connection, in the log of which the bytes are.
type stdio struct {
	net.Conn // nil: nobody asks for addresses or deadlines
	in, out  *os.File
}

func (s *stdio) Read(b []byte) (int, error)  { return s.out.Read(b) }
func (s *stdio) Write(b []byte) (int, error) { return s.in.Write(b) }
func (s *stdio) CloseWrite() error           { return s.in.Close() }

// Close closes both ends.
func (s *stdio) Close() error {
	if s.in != nil {
		s.in.Close()
	}
	return s.out.Close()
}
