package peer

import (
	"net"
	"sync"
)

// LateListener returns a listener that accepts c only when it is closed, as the kernel may.
func LateListener(c net.Conn) net.Listener {
	l := &lateListener{addr: c.LocalAddr(), closing: make(chan struct{}), conns: make(chan net.Conn, 1)}
	l.conns <- c
	l.end = sync.OnceFunc(func() { close(l.closing) })
	return l
}

type lateListener struct {
	addr    net.Addr
	closing chan struct{}
	conns   chan net.Conn
	end     func()
}

func (l *lateListener) Accept() (net.Conn, error) {
	<-l.closing
	select {
	case c := <-l.conns:
		return c, nil
	default:
		return nil, net.ErrClosed
	}
}

func (l *lateListener) Addr() net.Addr { return l.addr }

func (l *lateListener) Close() error {
	l.end()
	return nil
}
