package open

import (
	"cmp"
	"context"
	"net"
	"net/netip"
	"time"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/adapters/http1"
	"github.com/gangway-go/gangway/internal/proxyproto"
)

// NamesOf returns the names of the server at a: ServerNames, or what stands in their place.
func (o *ListenOptions) NamesOf(a Address) []string {
	if len(o.ServerNames) > 0 || a.Network != "tcp" {
		return o.ServerNames
	}
	host, _, _ := net.SplitHostPort(a.Target)
	if _, err := netip.ParseAddr(host); err == nil || host == "" {
		return nil
	}
	return []string{host}
}

// identifying returns ln, or a listener in front of it that learns who the clients of balancers are.
func (o *ListenOptions) identifying(ln net.Listener) net.Listener {
	if o.ProxyProtocol == nil {
		return ln
	}
	return &proxyproto.Listener{
		Listener: ln,
		Timeout:  min(cmp.Or(o.Limits.HeaderTimeout, http1.DefaultHeaderTimeout), time.Minute),
		Trusted: func(peer net.Addr) bool {
			return adapters.InNetworks(o.ProxyProtocol, adapters.EndpointOf(peer).Addr)
		},
		Failed: func(peer net.Addr, err error) {
			o.Log.Warn("connection closed, it does not begin with a header of the PROXY protocol", "peer", peer, "error", err)
		},
	}
}

// withPeer keeps who is really connected, for the requests of a connection that a balancer speaks for.
func withPeer(ctx context.Context, c net.Conn) context.Context {
	if p := proxied(c); p != nil {
		return adapters.WithPeer(ctx, adapters.EndpointOf(p.NetConn().RemoteAddr()))
	}
	return ctx
}

// proxied returns the connection of a balancer that is in c; nil if there is none.
func proxied(c net.Conn) *proxyproto.Conn {
	for {
		switch wrapped := c.(type) {
		case *proxyproto.Conn:
			return wrapped
		case interface{ NetConn() net.Conn }:
			c = wrapped.NetConn()
		default:
			return nil
		}
	}
}
