//go:build unix

package server

import (
	"errors"
	"net"
	"syscall"
	"time"
)

// clog makes nobody accept the server's connections until the case ends: the queue is as short as it can be, and full.
func (t *T) clog() error {
	t.target.deafen()
	t.Cleanup(func() { t.target.Listen() })
	_, ln, err := listenSocket(t.target.App)
	if err != nil {
		return err
	}
	t.Cleanup(func() { ln.Close() })
	raw, err := ln.(syscall.Conn).SyscallConn()
	if err != nil {
		return err
	}
	raw.Control(func(fd uintptr) { err = syscall.Listen(int(fd), 0) })
	for range 8 {
		conn, err := net.DialTimeout(ln.Addr().Network(), ln.Addr().String(), 200*time.Millisecond)
		if slow, ok := err.(net.Error); ok && slow.Timeout() || errors.Is(err, syscall.EAGAIN) {
			return nil
		}
		if err != nil {
			return err
		}
		t.Cleanup(func() { conn.Close() })
	}
	return errors.New("the queue of connections does not become full")
}
