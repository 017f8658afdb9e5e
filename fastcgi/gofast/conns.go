package gofast

import (
	"net"
	"net/netip"
	"sync"

	upstream "github.com/yookoala/gofast"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/fastcgi"
)

// ConnFactory lets h answer what a program asks through gofast: each connection of the factory is one in memory, to a
// [fastcgi.Server] with h. stop closes all of them, and makes later ones fail with [net.ErrClosed].
//
// What h says is bounded by what gofast's client and its ResponsePipe understand: they take a response that is cut
// short for a complete one, and wait for ever on a header line of more than 1024 bytes.
func ConnFactory(h adapters.Handler) (connect upstream.ConnFactory, stop func() error) {
	server := &fastcgi.Server{Handler: h, WebServerAddrs: []netip.Addr{}}
	ln := &pipes{accept: make(chan net.Conn), done: make(chan struct{})}
	go server.Serve(ln)
	return ln.dial, server.Close
}

// pipes is a listener in memory.
type pipes struct {
	accept chan net.Conn
	once   sync.Once
	done   chan struct{}
}

func (l *pipes) dial() (net.Conn, error) {
	near, far := net.Pipe()
	select {
	case l.accept <- far:
		return near, nil
	case <-l.done:
		return nil, &net.OpError{Op: "dial", Net: "pipe", Err: net.ErrClosed}
	}
}

// Accept returns the far end of the next connection.
func (l *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-l.accept:
		return c, nil
	case <-l.done:
		return nil, &net.OpError{Op: "accept", Net: "pipe", Err: net.ErrClosed}
	}
}

// Close makes Accept and dial fail.
func (l *pipes) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

// Addr returns no address in particular.
func (l *pipes) Addr() net.Addr { return pipeAddr{} }

type pipeAddr struct{}

func (pipeAddr) Network() string { return "pipe" }
func (pipeAddr) String() string  { return "pipe" }
