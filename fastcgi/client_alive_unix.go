//go:build unix

package fastcgi

import (
	"net"
	"syscall"
)

// A prober finds out whether a kept connection can still be used. It is a field of its connection, so that asking
// allocates nothing.
type prober struct {
	raw  syscall.RawConn // nil if there is no descriptor to look at
	peek func(fd uintptr)
	ok   bool
	byte [1]byte
}

// newProber returns the prober of nc.
func newProber(nc net.Conn) *prober {
	p := new(prober)
	if sc, ok := nc.(syscall.Conn); ok {
		p.raw, _ = sc.SyscallConn()
	}
	p.peek = p.look
	return p
}

// alive reports whether the connection is open and nothing came on it, for nothing has been asked.
func (p *prober) alive() bool {
	if p.raw == nil {
		return true
	}
	return p.raw.Control(p.peek) == nil && p.ok
}

func (p *prober) look(fd uintptr) {
	_, _, err := syscall.Recvfrom(int(fd), p.byte[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
	p.ok = err == syscall.EAGAIN || err == syscall.EWOULDBLOCK
}
