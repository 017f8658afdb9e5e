package open

import (
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/adapters/http1"
	"github.com/gangway-go/gangway/internal/crowd"
)

// netConns are the connections of a net/http server, as far as that tells. It bounds them as http1.Server does, except
// that it cannot answer connections that are too many.
type netConns struct {
	log     *slog.Logger
	most    int
	clients crowd.Clients
	crowded crowd.Tally

	mu    sync.Mutex
	conns map[net.Conn]*netConn
}

// A netConn is what is known of a connection.
type netConn struct {
	state   http.ConnState
	since   time.Time
	client  crowd.Client
	counted bool // client is known
}

func newNetConns(o *ListenOptions) *netConns {
	c := &netConns{log: o.Log, most: http1.MaxConns(o.Limits.MaxConns), conns: map[net.Conn]*netConn{}}
	c.clients.Most = o.Limits.MaxClientConns
	c.crowded.Tell = func(times int) {
		c.log.Warn("all connections taken: new ones take the place of those that wait for a request, or are refused",
			"limit", "connections", "times", times, "connections", c.most)
	}
	return c
}

// note is an http.Server's ConnState.
func (c *netConns) note(nc net.Conn, state http.ConnState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch known := c.conns[nc]; {
	case state == http.StateNew:
		c.add(nc)
	case known == nil:
	case state == http.StateClosed, state == http.StateHijacked:
		c.clients.Leave(known.client)
		delete(c.conns, nc)
	default:
		known.state, known.since = state, time.Now()
		if !known.counted {
			c.admit(nc, known)
		}
	}
}

func (c *netConns) add(nc net.Conn) {
	if len(c.conns) >= c.most {
		c.crowded.Note()
		if !c.evict() {
			nc.Close()
			return
		}
	}
	known := &netConn{state: http.StateNew, since: time.Now()}
	c.conns[nc] = known
	if proxied(nc) == nil { // else its address is to be read yet
		c.admit(nc, known)
	}
}

// admit counts the connection for its client, or closes it.
func (c *netConns) admit(nc net.Conn, known *netConn) {
	remote := adapters.EndpointOf(nc.RemoteAddr())
	if known.client, known.counted = c.clients.Enter(remote.Addr, remote.Port); known.counted {
		return
	}
	c.log.Info("connection refused: too many of this client", "limit", "client-connections", "remote", remote.Addr)
	delete(c.conns, nc)
	nc.Close()
}

// evict closes, of a few connections, the one that has waited longest for a request.
func (c *netConns) evict() bool {
	const few, fresh = 16, 100 * time.Millisecond
	looked, longest, now := 0, fresh, time.Now()
	var victim net.Conn
	for nc, known := range c.conns {
		if looked++; victim != nil && looked > few {
			break
		}
		if waited := now.Sub(known.since); known.state != http.StateActive && waited >= longest {
			victim, longest = nc, waited
		}
	}
	if victim == nil {
		return false
	}
	c.clients.Leave(c.conns[victim].client)
	delete(c.conns, victim)
	victim.Close()
	return true
}

// count returns how many there are, and in which states.
func (c *netConns) count() (n int, states map[string]int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	states = map[string]int{}
	for _, known := range c.conns {
		states[known.state.String()]++
	}
	return len(c.conns), states
}
