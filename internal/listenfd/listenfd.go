// Package listenfd takes over listening sockets that this process was started with: the one that a web server or
// spawn-fcgi leaves on descriptor 0 (FCGI_LISTENSOCK_FILENO, FastCGI 1.0 section 2.2), and those that systemd, or any
// other supervisor, hands down (sd_listen_fds(3), systemd 252). Begin with [Listen]; [Find] and [Forget] are for the
// latter.
package listenfd

import (
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// ErrNotListening reports a descriptor that is open, or not, and no listening socket: the process was started in
// another way, as a CGI program for instance.
var ErrNotListening = errors.New("not a listening socket")

// ErrNotHandedOver reports a socket that the supervisor has not handed to this process.
var ErrNotHandedOver = errors.New("no such socket was handed over")

// taken are the descriptors that were taken over: their numbers may be somebody else's by now.
var taken sync.Map

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
	taken.Store(fd, true)
	return ln, f.Close()
}

// The variables of sd_listen_fds(3).
const (
	pidVar   = "LISTEN_PID"
	countVar = "LISTEN_FDS"
	namesVar = "LISTEN_FDNAMES"
)

// First is the descriptor of the first socket, SD_LISTEN_FDS_START.
const First = 3

// handed returns the names of the sockets that a supervisor has handed to this process, from descriptor First on: nil
// if it has not.
func handed() []string {
	n, err := strconv.Atoi(os.Getenv(countVar))
	if err != nil || n <= 0 || os.Getenv(pidVar) != strconv.Itoa(os.Getpid()) {
		return nil
	}
	var names []string
	if list := os.Getenv(namesVar); list != "" {
		names = strings.Split(list, ":")
	}
	for len(names) < n {
		names = append(names, "unknown") // as sd_listen_fds_with_names(3) calls them
	}
	return names[:n]
}

// Find returns the descriptor of the socket that the supervisor calls name, in LISTEN_FDNAMES. A number is taken for
// the descriptor itself. The error wraps [ErrNotHandedOver] unless there are several of that name.
func Find(name string) (uintptr, error) {
	names := handed()
	if fd, err := strconv.ParseUint(name, 10, 31); err == nil {
		if names != nil && fd >= First && fd >= uint64(First+len(names)) {
			return 0, fmt.Errorf("%w: %s are descriptors %d to %d", ErrNotHandedOver, countVar, First, First+len(names)-1)
		}
		return uintptr(fd), nil
	}
	i := slices.Index(names, name)
	switch {
	case names == nil:
		return 0, fmt.Errorf("%w: there is no %s with a %s of ours", ErrNotHandedOver, countVar, pidVar)
	case i < 0:
		return 0, fmt.Errorf("%w: they are called %s (%s)", ErrNotHandedOver, strings.Join(names, ", "), namesVar)
	case slices.Contains(names[i+1:], name):
		return 0, fmt.Errorf("several sockets are called %s: take them by number, from %d on, or name each "+
			"(FileDescriptorName=)", name, First)
	}
	return uintptr(First + i), nil
}

// Forget closes the sockets of the supervisor that Listen has not taken over and returns their names. It removes the
// variables from the environment, so that programs that are started later do not take them for theirs.
func Forget() (unused []string) {
	for i, name := range handed() {
		fd := uintptr(First + i)
		if _, ok := taken.Load(fd); !ok {
			os.NewFile(fd, name).Close()
			unused = append(unused, fmt.Sprintf("%s (descriptor %d)", name, fd))
		}
	}
	for _, name := range []string{pidVar, countVar, namesVar} {
		os.Unsetenv(name)
	}
	return unused
}
