package open

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// A unixListener removes the file of its socket when it is closed, unless another socket has taken its place.
type unixListener struct {
	*net.UnixListener
	path  string
	file  fs.FileInfo // as long as the socket is open no other file has its number
	keep  atomic.Bool // the file is left to somebody else
	close sync.Once
}

// newUnixListener takes over ln, whose socket has a file, or has none if it is abstract.
func newUnixListener(ln *net.UnixListener) *unixListener {
	ln.SetUnlinkOnClose(false)
	l := &unixListener{UnixListener: ln, path: ln.Addr().String()}
	if path, err := filepath.Abs(l.path); err == nil && !abstract(l.path) {
		l.path = path
		l.file, _ = os.Lstat(path)
	}
	return l
}

func (l *unixListener) Close() error {
	l.close.Do(func() {
		if info, err := os.Lstat(l.path); err == nil && l.file != nil && os.SameFile(l.file, info) && !l.keep.Load() {
			os.Remove(l.path)
		}
	})
	return l.UnixListener.Close()
}

// inherited returns ln as a listener that leaves the file of its socket alone, until it is told otherwise.
func inherited(ln net.Listener) net.Listener {
	unix, ok := ln.(*net.UnixListener)
	if !ok {
		return ln
	}
	l := newUnixListener(unix)
	l.keep.Store(true)
	return l
}

// abstract reports whether path is a name of Linux's that is no path.
func abstract(path string) bool { return strings.HasPrefix(path, "@") }

// maxSocketPath is the most bytes that the path of a Unix socket may have on Linux.
const maxSocketPath = 107

func listenUnix(a Address, o ListenOptions) (net.Listener, error) {
	path := a.Target
	if abstract(path) && (o.SocketMode != 0 || o.SetOwner) {
		return nil, fmt.Errorf("%w: %s has no file, so neither a mode nor an owner", ErrOption, a)
	}
	defer lockFolder(filepath.Dir(path))()
	ln, err := bindUnix(path, o.SocketMode)
	if errors.Is(err, syscall.EADDRINUSE) {
		if err = removeStale(path); err != nil {
			return nil, err
		}
		ln, err = bindUnix(path, o.SocketMode)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		err = fmt.Errorf("%s: the folder %s does not exist: create it", a, filepath.Dir(path))
	case err != nil && len(path) > maxSocketPath:
		err = fmt.Errorf("%s: %w: a socket's path has at most %d bytes", a, reason(err), maxSocketPath)
	case err != nil:
		err = fmt.Errorf("%s: %w", a, reason(err))
	}
	if err != nil {
		return nil, err
	}
	l := newUnixListener(ln.(*net.UnixListener))
	if err = setAccess(path, o); err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}

func bindUnix(path string, mode fs.FileMode) (net.Listener, error) {
	var lc net.ListenConfig
	if mode != 0 {
		lc.Control = limitMode(mode)
	}
	return lc.Listen(context.Background(), "unix", path)
}

// setAccess follows no link out of the folder: who may write there could have put one in the place of the socket.
func setAccess(path string, o ListenOptions) error {
	if o.SocketMode == 0 && !o.SetOwner {
		return nil
	}
	folder, err := os.OpenRoot(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer folder.Close()
	name := filepath.Base(path)
	if o.SocketMode != 0 {
		if err := folder.Chmod(name, o.SocketMode); err != nil {
			return err
		}
	}
	if o.SetOwner {
		return folder.Lchown(name, o.SocketUID, o.SocketGID)
	}
	return nil
}

// removeStale removes a socket that a dead process left behind. The caller has locked its folder: of two that find it
// the second would remove the new socket of the first, or one that is about to listen.
func removeStale(path string) error {
	if abstract(path) {
		return inUse(path)
	}
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
		return inUse(path)
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return fmt.Errorf("%s is in use: %w", path, err)
	}
	return os.Remove(path)
}

func inUse(path string) error {
	return fmt.Errorf("another program listens on %s: stop it, or choose another path", path)
}
