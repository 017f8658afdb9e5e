// Package listenfd takes over a listening socket that this process was started with: the one that a web server or
// spawn-fcgi leaves on descriptor 0 (FCGI_LISTENSOCK_FILENO, FastCGI 1.0 section 2.2), or any other that a supervisor
// hands down. Begin with [Listen].
package listenfd

import (
	"errors"
	"fmt"
	"net"
	"os"
)

// ErrNotListening reports a descriptor that is open, or not, and no listening socket: the process was started in
// another way, as a CGI program for instance.
var ErrNotListening = errors.New("not a listening socket")

// Listen returns the listening socket on descriptor fd, TCP or Unix. It takes the descriptor over: nothing else may use
// it any more. Closing the listener does not remove the file of a Unix socket. An error that wraps [ErrNotListening]
// leaves the descriptor as it was.
func Listen(fd uintptr) (net.Listener, error) {
	if err := check(fd); err != nil {
		return nil, fmt.Errorf("descriptor %d: %w", fd, err)
	}
	f := os.NewFile(fd, "listening socket")
	ln, err := net.FileListener(f) // has a descriptor of its own
	if err != nil {
		return nil, fmt.Errorf("descriptor %d: %w", fd, err)
	}
	return ln, f.Close()
}
