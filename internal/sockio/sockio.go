// Package sockio reads and writes sockets at less cost than package net. Begin with New.
package sockio

import (
	"context"
	"errors"
	"io"
	"net"
	"syscall"
	"time"
)

// A Conn is a connection that is read by at most one goroutine at a time, and written by at most one. On Linux its
// system calls do not tell the scheduler that they may take long, because they never wait. What that saves is small
// unless a write wakes up a process that takes over the processor: then another thread would take over our work.
//
// What Read and Write do otherwise is what those of the connection do.
type Conn struct {
	net.Conn
	raw     syscall.RawConn // nil if there is no descriptor to use
	in, out transfer

	look   func(fd uintptr) // peek
	peeked [1]byte
	quiet  bool
}

// A Lender has a buffer only while there is something to read.
type Lender interface {
	Lend() []byte
	Return() // Nothing was read into the buffer that was lent last.
}

// New returns the Conn of nc.
func New(nc net.Conn) *Conn {
	c := &Conn{Conn: nc}
	switch nc := nc.(type) { // others may have a Read of their own
	case *net.TCPConn:
		c.raw = descriptor(nc)
	case *net.UnixConn:
		c.raw = descriptor(nc)
	}
	c.in.ready, c.out.ready, c.look = c.in.read, c.out.write, c.peek
	return c
}

func descriptor(sc syscall.Conn) syscall.RawConn {
	if !direct {
		return nil
	}
	raw, _ := sc.SyscallConn()
	return raw
}

func (c *Conn) Read(p []byte) (int, error) {
	if c.raw == nil || len(p) == 0 {
		return c.Conn.Read(p)
	}
	c.in.begin(p)
	return c.read()
}

// ReadLent reads into a buffer of lender's. Where sockets are not read directly, it is lent while Read waits.
func (c *Conn) ReadLent(lender Lender) (int, error) {
	if c.raw != nil {
		c.in.begin(nil)
		c.in.lender = lender
		return c.read()
	}
	n, err := c.Conn.Read(lender.Lend())
	if n == 0 {
		lender.Return()
	}
	return n, err
}

func (c *Conn) read() (int, error) {
	n, err := c.in.end(c.raw.Read(c.in.ready))
	if n == 0 && err == nil {
		err = io.EOF
	}
	return n, err
}

func (c *Conn) Write(p []byte) (int, error) {
	if c.raw == nil || len(p) == 0 {
		return c.Conn.Write(p)
	}
	c.out.begin(p)
	return c.out.end(c.raw.Write(c.out.ready))
}

// Quiet reports whether the connection is open and nothing has come, as far as can be seen without a Read, in whose
// place it is called.
func (c *Conn) Quiet() bool {
	return c.raw == nil || c.raw.Control(c.look) == nil && c.quiet
}

// CloseWrite ends one direction, if the connection can do that.
func (c *Conn) CloseWrite() error {
	half, ok := c.Conn.(interface{ CloseWrite() error })
	if !ok {
		return errors.ErrUnsupported
	}
	return half.CloseWrite()
}

// NetConn returns the connection that New was given.
func (c *Conn) NetConn() net.Conn { return c.Conn }

// Control runs f with the descriptor unless there is none to use.
func (c *Conn) Control(f func(fd uintptr)) {
	if c.raw != nil {
		c.raw.Control(f)
	}
}

// Over returns why ctx is over, or should be, and nil if it is not: a connection notices the deadline of ctx, and ctx
// itself maybe a moment later.
func Over(ctx context.Context) error {
	if deadline, ok := ctx.Deadline(); ok && ctx.Err() == nil && !time.Now().Before(deadline) {
		return context.DeadlineExceeded
	}
	return context.Cause(ctx)
}

// A transfer is what is being read or written.
type transfer struct {
	ready  func(fd uintptr) (done bool) // read or write: made once and not for each
	lender Lender
	b      []byte
	n      int
	err    error
}

func (t *transfer) begin(b []byte) { t.b, t.n, t.err = b, 0, nil }

func (t *transfer) end(err error) (int, error) {
	t.b, t.lender = nil, nil
	if err == nil {
		err = t.err
	}
	return t.n, err
}
