//go:build unix

package server

import (
	"errors"
	"net"
	"sync"
	"syscall"
	"time"
)

// clog makes nobody accept the server's connections until the case ends, or undo is called: the queue is as short as it
// can be, and full.
func (t *T) clog() (undo func(), err error) {
	t.target.deafen()
	_, ln, err := listenSocket(t.target.App)
	if err != nil {
		return nil, err
	}
	var conns []net.Conn
	undo = sync.OnceFunc(func() {
		ln.Close()
		for _, conn := range conns {
			conn.Close()
		}
		t.target.Listen()
	})
	t.Cleanup(undo)
	raw, err := ln.(syscall.Conn).SyscallConn()
	if err != nil {
		return nil, err
	}
	raw.Control(func(fd uintptr) { err = syscall.Listen(int(fd), 0) })
	for err == nil && len(conns) < 8 {
		conn, err := net.DialTimeout(ln.Addr().Network(), ln.Addr().String(), 200*time.Millisecond)
		if slow, ok := err.(net.Error); ok && slow.Timeout() || errors.Is(err, syscall.EAGAIN) {
			return undo, nil
		}
		if err != nil {
			return nil, err
		}
		conns = append(conns, conn)
	}
	return nil, errors.New("the queue of connections does not become full")
}
