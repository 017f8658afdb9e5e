//go:build unix

package listenfd

import (
	"errors"
	"fmt"
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
