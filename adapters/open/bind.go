package open

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"syscall"

	"github.com/gangway-go/gangway/internal/listenfd"
)

func listenOn(a Address, o ListenOptions) (net.Listener, error) {
	if o.Inherited != nil {
		return inherited(o.Inherited), nil
	}
	switch a.Network {
	case "fd":
		return listenFD(a)
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

func listenFD(a Address) (net.Listener, error) {
	fd, err := listenfd.Find(a.Target)
	var ln net.Listener
	if err == nil {
		ln, err = listenfd.Listen(fd)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w; it is for a supervisor that opens the socket (systemd, spawn-fcgi)", a, err)
	}
	return ln, nil
}

// reason returns what a net.OpError is about, for the address stands before it.
func reason(err error) error {
	if op := (*net.OpError)(nil); errors.As(err, &op) {
		return op.Err
	}
	return err
}
