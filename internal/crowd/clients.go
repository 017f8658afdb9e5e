package crowd

import (
	"net/netip"
	"sync"
)

// Clients counts the connections of each client, if there is a limit. It is safe for concurrent use.
type Clients struct {
	Most int // that a client may have; 0 is any number

	mu     sync.Mutex
	counts map[Client]int
}

// A Client is an address, or a /64 network of IPv6, of which a host may have all addresses. The zero value is none.
type Client struct{ addr netip.Addr }

// Enter counts a connection from there, or reports that it would be one too many. A Unix socket's has no port and is not
// counted. Leave is to be called with what Enter returns.
func (c *Clients) Enter(addr, port string) (client Client, ok bool) {
	if c.Most <= 0 || port == "" {
		return Client{}, true
	}
	ip, err := netip.ParseAddr(addr)
	if err != nil {
		return Client{}, true
	}
	if ip = ip.Unmap().WithZone(""); ip.Is6() {
		ip = netip.PrefixFrom(ip, 64).Masked().Addr()
	}
	client = Client{ip}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.counts[client] >= c.Most {
		return Client{}, false
	}
	if c.counts == nil {
		c.counts = map[Client]int{}
	}
	c.counts[client]++
	return client, true
}

// Leave undoes Enter.
func (c *Clients) Leave(client Client) {
	if client == (Client{}) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.counts[client]--; c.counts[client] == 0 {
		delete(c.counts, client)
	}
}
