package faulty

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// streamExchange is a request over SCGI or uwsgi: the meta-variables, the body, and then the response until the
// connection ends.
type streamExchange struct {
	net.Conn
	dialer *dialer
	vars   []Var
	total  int    // of the response, so far
	first  []byte // of the response
	cancel func() bool
	sent   chan struct{}
	once   sync.Once

	// For faults.
	failed atomic.Bool
	sized  bool
}

// exchange sends the request on a connection of its own and waits for the first of the response.
func (d *dialer) exchange(ctx context.Context, vars []Var, head []byte, body io.Reader) (io.ReadCloser, error) {
	conn, err := d.dial(ctx)
	if err != nil {
		return nil, err
	}
	x := &streamExchange{Conn: conn, dialer: d, vars: vars, sent: make(chan struct{})}
	x.cancel = context.AfterFunc(ctx, x.abort)
	go x.send(head, body)
	first := make([]byte, 16<<10)
	n, err := x.Read(first)
	if n == 0 {
		x.Close()
		return nil, refusalOf(err)
	}
	x.first = first[:n]
	return x, nil
}

// abort ends the request for a client that has gone.
func (x *streamExchange) abort() {
	if !x.dialer.fault.in("works-for-nobody", "zeros-for-missing") {
		x.Conn.Close()
	}
}

// send sends the request. That it fails shows in the response.
func (x *streamExchange) send(head []byte, body io.Reader) {
	defer close(x.sent)
	if _, err := x.Conn.Write(head); err != nil {
		return
	}
	buf := make([]byte, 32<<10)
	for {
		n, err := body.Read(buf)
		last := errors.Is(err, io.EOF)
		if _, werr := x.Conn.Write(x.dialer.mis.piece(x.vars, buf[:n], last)); werr != nil || last {
			x.missent(werr)
			return
		}
		if err != nil && x.dialer.fault.is("zeros-for-missing") {
			x.Conn.Write(make([]byte, 100000))
			return
		}
		if err != nil {
			x.Conn.Close() // the client is gone
			return
		}
		x.Conn.SetReadDeadline(time.Now().Add(x.dialer.timeout)) // an application that reads is not silent
	}
}

// Read is that of io.Reader.
func (x *streamExchange) Read(p []byte) (int, error) {
	if len(x.first) > 0 {
		n := copy(p, x.first)
		x.first = x.first[n:]
		return n, nil
	}
	if !x.dialer.fault.is("waits-for-ever") {
		x.Conn.SetReadDeadline(time.Now().Add(x.dialer.timeout))
	}
	n, err := x.Conn.Read(p)
	return x.misheard(p, n, err)
}

// Close closes the connection.
func (x *streamExchange) Close() error {
	x.once.Do(func() {
		x.cancel()
		x.Conn.Close()
		<-x.sent
	})
	return nil
}
