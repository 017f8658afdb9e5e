//go:build !unix

package app

import (
	"errors"
	"net"
	"os"
	"os/exec"
)

// program is an application that the suite has started: on no system but Unix can it be given a listening socket.
type program struct {
	cmd  *exec.Cmd
	done chan struct{}
}

func startProgram(_ string, ln net.Listener, _ []string) (*program, error) {
	ln.Close()
	return nil, errors.ErrUnsupported
}

func startWith(string, *os.File, []string) (*program, error) { return nil, errors.ErrUnsupported }

func (p *program) stop() {}
