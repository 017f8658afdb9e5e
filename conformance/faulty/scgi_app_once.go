package faulty

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"time"
)

// onceServer serves connections that have one request each. A peer that embeds it has its Close.
type onceServer struct {
	mu     sync.Mutex
	closed bool
	ln     net.Listener
	conns  map[net.Conn]bool
	serves sync.WaitGroup
	ctx    context.Context
	cancel context.CancelFunc
}

// start makes ready, and says whether the server is not closed yet.
func (s *onceServer) start() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ctx == nil {
		s.conns = map[net.Conn]bool{}
		s.ctx, s.cancel = context.WithCancel(context.Background())
	}
	return !s.closed
}

// serve handles the connections of ln, which it closes, until Close; then it returns nil.
func (s *onceServer) serve(ln net.Listener, handle func(net.Conn)) error {
	open := s.start()
	defer ln.Close()
	s.mu.Lock()
	s.ln = ln
	s.mu.Unlock()
	for open {
		c, err := ln.Accept()
		if open = s.start(); err != nil {
			if open && !errors.Is(err, net.ErrClosed) {
				return err
			}
			break
		}
		s.mu.Lock()
		s.conns[c] = true
		s.mu.Unlock()
		s.serves.Go(func() {
			handle(c)
			s.mu.Lock()
			delete(s.conns, c)
			s.mu.Unlock()
		})
	}
	s.serves.Wait()
	return nil
}

// stop ends everything at once.
func (s *onceServer) stop() {
	s.start()
	s.cancel()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	if s.ln != nil {
		s.ln.Close()
	}
	for c := range s.conns {
		c.Close()
	}
}

// Close ends everything at once and waits until it has ended.
func (s *onceServer) Close() {
	s.stop()
	s.serves.Wait()
}

// scgiPeer and uwsgiPeer are the names of the applications, for Main.
const (
	scgiPeer  = "scgi-app"
	uwsgiPeer = "uwsgi-app"
)

// onceMain is an application that is started with its listening socket as descriptor 0.
func onceMain(name string) error {
	ln, err := net.FileListener(os.Stdin)
	if err != nil {
		return err
	}
	if strings.HasPrefix(name, uwsgiPeer) {
		return (&UWSGIApp{Fault: name}).Serve(ln)
	}
	return (&SCGIApp{Fault: name}).Serve(ln)
}

// onceLinger is how long a web server that is still sending may take to see that the response has ended.
const onceLinger = 500 * time.Millisecond

// hangUp closes the connection so that what was written arrives, though the peer has sent more than was read.
func hangUp(c net.Conn) {
	defer c.Close()
	half, ok := c.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil {
		return
	}
	c.SetReadDeadline(time.Now().Add(onceLinger))
	io.Copy(io.Discard, c)
}

// The limits of SCGIApp and UWSGIApp.
const (
	onceMaxHeader = 1 << 20
	onceMaxBody   = 64 << 20
)
