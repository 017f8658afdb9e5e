//go:build unix

package listenfd

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
)

// check asks as FastCGI 1.0 section 2.2 says: a listening socket is a socket without a peer. So is one that was never
// used, hence the second question.
func check(fd uintptr) error {
	switch _, err := syscall.Getpeername(int(fd)); {
	case err == nil:
		return fmt.Errorf("%w: it is connected", ErrNotListening)
	case !errors.Is(err, syscall.ENOTCONN):
		return fmt.Errorf("%w: %w", ErrNotListening, err)
	}
	if listening, err := syscall.GetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_ACCEPTCONN); err != nil {
		return err
	} else if listening == 0 {
		return ErrNotListening
	}
	return nil
}

// File returns the socket of ln with a descriptor of its own, for a process that is to take it over. Unlike that of the
// listener's own method File, its Fd does not have the socket block, which is also that of ln.
func File(ln net.Listener) (*os.File, error) {
	sc, ok := ln.(syscall.Conn)
	if !ok {
		return nil, fmt.Errorf("%T: %w", ln, errors.ErrUnsupported)
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return nil, err
	}
	var f *os.File
	failed := raw.Control(func(fd uintptr) {
		syscall.ForkLock.RLock()
		defer syscall.ForkLock.RUnlock()
		var own int
		if own, err = syscall.Dup(int(fd)); err == nil {
			syscall.CloseOnExec(own)
			f = os.NewFile(uintptr(own), ln.Addr().String())
		}
	})
	return f, cmp.Or(failed, err)
}
