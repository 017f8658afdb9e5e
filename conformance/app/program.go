package app

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// program is an application that the suite has started.
type program struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended; its exit code is known then
}

// closedOutput are what a shell does before the command, so that it begins as FastCGI 1.0 section 2.2 says.
const closedOutput = "exec 1>&- 2>&-; "

// startProgram has a shell start the command with ln as descriptor 0, and 1 and 2 closed. It takes over ln.
func startProgram(command string, ln net.Listener, env []string) (*program, error) {
	socket, err := socketOf(ln)
	if err != nil {
		return nil, err
	}
	defer socket.Close()
	cmd := exec.Command("sh", "-c", closedOutput+command)
	cmd.Stdin, cmd.Env = socket, env
	return launch(cmd)
}

// startNonblocking is startProgram with a listening socket that never blocks. The program waits until the socket is so,
// for to start a program makes it block again.
func startNonblocking(command string, ln net.Listener, env []string) (*program, error) {
	socket, err := socketOf(ln)
	if err != nil {
		return nil, err
	}
	defer socket.Close()
	gate, open, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer gate.Close()
	defer open.Close()
	cmd := exec.Command("sh", "-c", "read line <&3; exec 3<&-; "+closedOutput+command)
	cmd.Stdin, cmd.Env, cmd.ExtraFiles = socket, env, []*os.File{gate}
	p, err := launch(cmd)
	if err == nil {
		setNonblock(socket)
	}
	return p, err
}

// socketOf returns the descriptor of ln alone.
func socketOf(ln net.Listener) (*os.File, error) {
	defer ln.Close()
	if u, ok := ln.(*net.UnixListener); ok {
		u.SetUnlinkOnClose(false)
	}
	return ln.(interface{ File() (*os.File, error) }).File()
}

// launch starts cmd in a process group of its own.
func launch(cmd *exec.Cmd) (*program, error) {
	ownGroup(cmd)
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &program{cmd: cmd, done: make(chan struct{})}
	go func() {
		cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

// ended says whether the program has ended within d.
func (p *program) ended(d time.Duration) bool {
	select {
	case <-p.done:
		return true
	case <-time.After(d):
		return false
	}
}

// stop ends the program and what it has started.
func (p *program) stop() {
	p.signal(syscall.SIGTERM)
	p.ended(2 * time.Second)
	p.signal(syscall.SIGKILL)
	<-p.done
}

// Start starts another instance of the program that is under test, with a socket of the network "tcp" or "unix" and
// more environment variables "NAME=VALUE". It returns a T for that instance, which ends with the case. The case needs
// "exec".
func (t *T) Start(network string, env ...string) *T {
	return t.startWith(&Target{network: network, env: env, launch: startProgram})
}

func (t *T) startWith(own *Target) *T {
	own.Script, own.Vars, own.command, own.protocol = t.target.Script, t.target.Vars, t.target.command, t.target.protocol
	if own.network == "unix" {
		dir, err := os.MkdirTemp("", "gangway")
		if err != nil {
			t.Broken(err)
		}
		t.Cleanup(func() { os.RemoveAll(dir) })
		own.address = filepath.Join(dir, "socket")
	}
	t.Cleanup(func() { own.Close() })
	if err := own.start(); err != nil {
		t.Broken(err)
	}
	return &T{T: t.T, target: own, least: slowStart}
}
