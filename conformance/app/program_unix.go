//go:build unix

package app

import (
	"net"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// program is an application that the suite has started.
type program struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
}

// startProgram has a shell start the command in a process group of its own, with ln as descriptor 0 and 1 and 2 closed, FastCGI
// 1.0 section 2.2. It takes over ln.
func startProgram(command string, ln net.Listener, env []string) (*program, error) {
	defer ln.Close()
	if u, ok := ln.(*net.UnixListener); ok {
		u.SetUnlinkOnClose(false)
	}
	socket, err := ln.(interface{ File() (*os.File, error) }).File()
	if err != nil {
		return nil, err
	}
	defer socket.Close()
	return startWith(command, socket, env)
}

func startWith(command string, stdin *os.File, env []string) (*program, error) {
	p := &program{cmd: exec.Command("sh", "-c", "exec 1>&- 2>&-; "+command), done: make(chan struct{})}
	p.cmd.Stdin, p.cmd.Env = stdin, env
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		p.cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

// signal sends a signal to the program and what it has started.
func (p *program) signal(s syscall.Signal) { syscall.Kill(-p.cmd.Process.Pid, s) }

// stop ends the program.
func (p *program) stop() {
	p.signal(syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(2 * time.Second):
	}
	p.signal(syscall.SIGKILL)
	<-p.done
}
