//go:build unix

package sockio

import (
	"os"
	"syscall"
)

// direct says whether sockets are read and written here, and not by package net.
const direct = true

func (t *transfer) read(fd uintptr) bool {
	if t.lender != nil {
		t.b = t.lender.Lend()
	}
	n, err := read(fd, t.b)
	if t.lender != nil && n == 0 {
		t.lender.Return()
	}
	if err == syscall.EAGAIN {
		return false
	}
	t.n, t.err = n, os.NewSyscallError("read", err)
	return true
}

func (t *transfer) write(fd uintptr) bool {
	for t.n < len(t.b) {
		n, err := write(fd, t.b[t.n:])
		if err == syscall.EAGAIN {
			return false
		}
		if t.err = os.NewSyscallError("write", err); err != nil {
			break
		}
		t.n += n
	}
	return true
}

func (c *Conn) peek(fd uintptr) {
	_, err := peek(fd, c.peeked[:])
	c.quiet = err == syscall.EAGAIN
}
