//go:build unix

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/gangway-go/gangway/conformance"
	"github.com/gangway-go/gangway/conformance/echo"
)

// A stage is a temporary folder, the programs that run in it, and what there is to say about them. Its methods panic
// with a failure, which perform returns: nothing can be done without what they make.
type stage struct {
	dir     string
	version string
	config  strings.Builder

	mu        sync.Mutex
	processes []*process
	output    output
}

type failure struct{ error }

func newStage() (*stage, error) {
	dir, err := os.MkdirTemp("", "peer")
	if err != nil {
		return nil, err
	}
	return &stage{dir: dir}, os.Chmod(dir, 0o755)
}

// perform starts a peer.
func (s *stage) perform(p peer) (target conformance.Target, err error) {
	defer func() {
		switch cause := recover().(type) {
		case nil:
		case failure:
			err = cause.error
		default:
			panic(cause)
		}
	}()
	return p.start(s), nil
}

func (s *stage) must(err error) {
	if err != nil {
		panic(failure{err})
	}
}

// clear ends the programs, the last one first, and removes the folder.
func (s *stage) clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := len(s.processes) - 1; i >= 0; i-- {
		s.processes[i].stop(true)
	}
	os.RemoveAll(s.dir)
}

// path is that of a file in the folder.
func (s *stage) path(name string) string { return filepath.Join(s.dir, name) }

// write writes a file that everybody may read.
func (s *stage) write(name, text string, mode os.FileMode) string {
	path := s.path(name)
	s.must(os.MkdirAll(filepath.Dir(path), 0o755))
	s.must(os.WriteFile(path, []byte(text), mode))
	s.must(os.Chmod(path, mode))
	return path
}

// configure writes a configuration, which the report is to have.
func (s *stage) configure(name, text string) string {
	s.note("# "+name, text)
	return s.write(name, text, 0o644)
}

// note puts something into the report as configuration. The paths of the folder become DIR there.
func (s *stage) note(lines ...string) {
	for _, line := range lines {
		s.config.WriteString(strings.TrimRight(line, "\n") + "\n")
	}
}

// echo writes the echo application in a language and returns its path.
func (s *stage) echo(language string) string {
	name, text, err := echo.Source(language)
	s.must(err)
	return s.write(name, string(text), 0o755)
}

// environment is the one of this process. Peers get nothing of it, for some show theirs to everybody who asks.
var environment = os.Environ()

func hideEnvironment() {
	os.Clearenv()
	os.Setenv("PATH", "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin")
}

// tool runs a program to its end and returns its output.
func (s *stage) tool(dir string, argv ...string) string {
	cmd := exec.Command("/usr/bin/env", argv...)
	cmd.Dir, cmd.Env = dir, environment
	out, err := cmd.CombinedOutput()
	if err != nil {
		s.must(fmt.Errorf("%s: %w\n%s", strings.Join(argv, " "), err, out))
	}
	return strings.TrimSpace(string(out))
}

// build compiles a Go package in a folder of this repository, whose module may be another, and returns the program.
func (s *stage) build(dir, name string) string {
	s.tool(dir, "go", "build", "-o", s.path(name), ".")
	return s.path(name)
}

// debian sets the version to that of the first of Debian's packages, and notes those of the others.
func (s *stage) debian(packages ...string) {
	for i, p := range packages {
		version := s.tool("", "dpkg-query", "-W", "-f=${Version}", p)
		if i == 0 {
			s.version = version
		}
		s.note("# Debian's " + p + " " + version)
	}
}

// ours sets the version to that of this repository.
func (s *stage) ours() {
	s.version = "of this repository"
	if out, err := exec.Command("git", "rev-parse", "--short", "HEAD").Output(); err == nil {
		s.version = "at " + strings.TrimSpace(string(out))
	} else if info, ok := debug.ReadBuildInfo(); ok {
		s.version = info.Main.Version
	}
}

// address returns a TCP address of loopback on which nobody listens.
func (s *stage) address() string {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	s.must(err)
	defer ln.Close()
	return ln.Addr().String()
}

// A process is a program that was started, and how to start it again.
type process struct {
	s                *stage
	argv             []string
	env              []string
	network, address string

	mu   sync.Mutex
	cmd  *exec.Cmd // nil if it does not run
	done chan struct{}
	over bool // it is not to run any more
}

// start starts a program in a process group of its own and waits until it listens.
func (s *stage) start(network, address string, env []string, argv ...string) *process {
	p := &process{s: s, argv: argv, env: env, network: network, address: address}
	s.mu.Lock()
	s.processes = append(s.processes, p)
	s.mu.Unlock()
	s.must(p.start())
	return p
}

// startTime is how long a program may take until it listens, and deathTime how long it stays dead.
const startTime, deathTime = 20 * time.Second, 500 * time.Millisecond

func (p *process) start() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd != nil || p.over {
		return nil
	}
	cmd := exec.Command(p.argv[0], p.argv[1:]...)
	cmd.Dir, cmd.Env = p.s.dir, append(os.Environ(), p.env...)
	cmd.Stdout, cmd.Stderr = &p.s.output, &p.s.output
	cmd.WaitDelay = time.Second
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	p.cmd, p.done = cmd, make(chan struct{})
	go p.supervise(cmd, p.done)
	for end := time.Now().Add(startTime); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if conn, err := net.Dial(p.network, p.address); err == nil {
			return conn.Close()
		}
		select {
		case <-p.done:
			return fmt.Errorf("%s ended at its start\n%s", p.argv[0], p.s.logs())
		default:
		}
	}
	return fmt.Errorf("%s does not listen on %s\n%s", p.argv[0], p.address, p.s.logs())
}

// supervise starts the program anew when it has died, after a moment in which the suite can see that.
func (p *process) supervise(cmd *exec.Cmd, done chan struct{}) {
	cmd.Wait()
	close(done)
	time.Sleep(deathTime)
	p.mu.Lock()
	died := p.cmd == cmd && !p.over
	if died {
		p.cmd = nil
	}
	p.mu.Unlock()
	if died {
		p.start()
	}
}

// stop ends the program and what it has started, for good or not.
func (p *process) stop(over bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.over = over
	if p.cmd == nil {
		return
	}
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		p.cmd.Process.Signal(signal)
		select {
		case <-p.done:
		case <-time.After(2 * time.Second):
			continue
		}
		break
	}
	syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	<-p.done
	p.cmd = nil
}

func (p *process) pid() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil {
		return 0
	}
	return p.cmd.Process.Pid
}

// restart is what a target does when it is dead.
func (p *process) restart(ctx context.Context) error {
	if ctx.Err() != nil {
		return errors.ErrUnsupported
	}
	p.stop(false)
	if p.network == "unix" {
		os.Remove(p.address)
	}
	return p.start()
}

// output keeps the end of what programs print.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.text.Len() > 1<<20 {
		o.text.Next(o.text.Len() / 2)
	}
	return o.text.Write(b)
}

func (s *stage) logs() string {
	s.output.mu.Lock()
	defer s.output.mu.Unlock()
	b := s.output.text.Bytes()
	return string(b[max(0, len(b)-4000):])
}
