package open

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/gangway-go/gangway/internal/listenfd"
)

func listenOn(a Address, o ListenOptions) (net.Listener, error) {
	switch a.Network {
	case "fd":
		fd, _ := strconv.Atoi(a.Target)
		ln, err := listenfd.Listen(uintptr(fd))
		if err != nil {
			err = fmt.Errorf("%s: %w; it is for a supervisor that opens the socket (systemd, spawn-fcgi)", a, err)
		}
		return ln, err
	case "unix":
		return listenUnix(a, o)
	}
	var lc net.ListenConfig
	if a.Scheme != "fcgi" { // whose connections may be idle for ever
		lc.KeepAlive = -1 // four system calls for each connection; the other servers have time-outs of their own
	}
	ln, err := lc.Listen(context.Background(), "tcp", a.Target)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		err = fmt.Errorf("%s is in use: stop the program that listens there, or choose another port (0 picks a free one)", a)
	case errors.Is(err, fs.ErrPermission):
		err = fmt.Errorf("%s: %w: choose a port above 1023, or give this program CAP_NET_BIND_SERVICE", a, reason(err))
	case err != nil:
		err = fmt.Errorf("%s: %w", a, reason(err))
	}
	return ln, err
}

// reason returns what a net.OpError is about, for the address stands before it.
func reason(err error) error {
	if op := (*net.OpError)(nil); errors.As(err, &op) {
		return op.Err
	}
	return err
}

// maxSocketPath is the most bytes that the path of a Unix socket may have on Linux.
const maxSocketPath = 107

func listenUnix(a Address, o ListenOptions) (net.Listener, error) {
	path := a.Target
	ln, err := net.Listen("unix", path)
	if errors.Is(err, syscall.EADDRINUSE) {
		if err = removeStale(path); err != nil {
			return nil, err
		}
		ln, err = net.Listen("unix", path)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		err = fmt.Errorf("%s: the folder %s does not exist: create it", a, filepath.Dir(path))
	case err != nil && len(path) > maxSocketPath:
		err = fmt.Errorf("%s: %w: a socket's path has at most %d bytes", a, reason(err), maxSocketPath)
	case err != nil:
		err = fmt.Errorf("%s: %w", a, reason(err))
	default:
		if err = setAccess(path, o); err != nil {
			ln.Close()
		}
	}
	if err != nil {
		return nil, err
	}
	return ln, nil
}

func setAccess(path string, o ListenOptions) error {
	if o.SocketMode != 0 {
		if err := os.Chmod(path, o.SocketMode); err != nil {
			return err
		}
	}
	if o.SetOwner {
		return os.Chown(path, o.SocketUID, o.SocketGID)
	}
	return nil
}

// removeStale removes a socket that a dead process left behind.
func removeStale(path string) error {
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	if info.Mode()&fs.ModeSocket == 0 {
		return fmt.Errorf("%s exists and is no socket: remove it, or choose another path", path)
	}
	conn, err := net.DialTimeout("unix", path, time.Second)
	if err == nil {
		conn.Close()
		return fmt.Errorf("another program listens on %s: stop it, or choose another path", path)
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return fmt.Errorf("%s is in use: %w", path, err)
	}
	return os.Remove(path)
}
