package faulty

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/gangway-go/gangway/fastcgi/wire"
)

// What the FastCGI application tells a web server that asks.
const (
	fcgiMaxConns = 50
	fcgiMaxReqs  = 50
)

// FCGIApp is the echo application over FastCGI 1.0: all roles, requests that share a connection, bounded memory. It is
// event driven: the goroutine that reads a connection also takes in the requests' bodies, which are only hashed, so
// that no request waits for another; each request then has a goroutine that answers.
//
// Serve may be called once; Close and Shutdown at any time.
type FCGIApp struct {
	Fault string // the name of the one fault, or "" for none
	// Requests is after how many requests the application ends; 0 for never.
	Requests int64

	ctx    context.Context
	cancel context.CancelFunc
	once   sync.Once
	serves sync.WaitGroup

	active atomic.Int64 // requests that have begun and not ended
	served atomic.Int64 // requests that have ended

	accepted, empty atomic.Int64 // what some mutants count: connections, and those that were of no use
	lock            sync.Mutex   // which one mutant holds too long

	fcgiBreaksB

	mu       sync.Mutex
	ln       net.Listener
	conns    map[*fcgiConn]bool
	stopping bool
}

// fault says whether the application is to have this fault.
func (a *FCGIApp) fault(slug string) bool {
	name, ok := strings.CutPrefix(a.Fault, "fcgi-app/")
	return ok && name == slug
}

func (a *FCGIApp) start() {
	a.once.Do(func() {
		a.ctx, a.cancel = context.WithCancel(context.Background())
		a.conns = map[*fcgiConn]bool{}
	})
}

// Serve serves the connections of ln, which it closes, until Close or Shutdown; then it returns nil.
func (a *FCGIApp) Serve(ln net.Listener) error {
	a.start()
	a.mu.Lock()
	a.ln = ln
	a.mu.Unlock()
	defer ln.Close()
	slots := make(chan struct{}, fcgiMaxConns)
	for a.accepting() {
		slots <- struct{}{}
		nc, err := ln.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) && !a.accepting() {
				break
			}
			return err
		}
		nc = a.await(nc)
		if !a.welcome(nc) || a.turnsAway() {
			nc.Close()
			<-slots
			continue
		}
		a.begin(nc, slots)
	}
	a.serves.Wait()
	return nil
}

// begin serves a connection beside the others, unless somebody waits for their end already.
func (a *FCGIApp) begin(nc net.Conn, slots chan struct{}) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.stopping {
		nc.Close()
		return
	}
	c := newFCGIConn(a, nc)
	a.conns[c] = true
	a.serves.Go(func() {
		a.serve(c)
		<-slots
	})
}

func (a *FCGIApp) accepting() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return !a.stopping
}

func (a *FCGIApp) serve(c *fcgiConn) {
	c.gate()
	c.serve()
	a.mu.Lock()
	delete(a.conns, c)
	a.mu.Unlock()
}

// Shutdown makes Serve accept no more, finish the requests that have begun and return.
func (a *FCGIApp) Shutdown() {
	a.start()
	a.mu.Lock()
	a.stopping = true
	ln := a.ln
	var conns []*fcgiConn
	for c := range a.conns {
		conns = append(conns, c)
	}
	a.mu.Unlock()
	if ln != nil {
		ln.Close()
	}
	for _, c := range conns {
		if !a.fault("waits-for-open-connections") {
			c.retire()
		}
	}
}

// Close ends everything at once and waits until it has ended.
func (a *FCGIApp) Close() {
	a.Shutdown()
	a.cancel()
	a.mu.Lock()
	for c := range a.conns {
		c.nc.Close()
	}
	a.mu.Unlock()
	a.serves.Wait()
	a.release()
}

// welcome checks a web server against FCGI_WEB_SERVER_ADDRS, FastCGI 1.0 section 3.2.
func (a *FCGIApp) welcome(nc net.Conn) bool {
	list, bound := os.LookupEnv(wire.WebServerAddrs)
	peer, ok := nc.RemoteAddr().(*net.TCPAddr)
	welcome := !bound || ok && fcgiListed(list, peer)
	return welcome != a.misjudges(list, bound, peer)
}

// fcgiListed says whether the list has the address of the web server.
func fcgiListed(list string, peer *net.TCPAddr) bool {
	for addr := range strings.SplitSeq(list, ",") {
		if allowed, err := netip.ParseAddr(addr); err == nil && allowed == peer.AddrPort().Addr().Unmap() {
			return true
		}
	}
	return false
}
