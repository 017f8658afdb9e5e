package adapters

import (
	"context"
	"net/http"
	"net/netip"
)

// InNetworks reports whether addr, as Endpoint.Addr has it, is in one of the networks. IPv4 addresses may be mapped
// into IPv6.
func InNetworks(networks []netip.Prefix, addr string) bool {
	a, err := netip.ParseAddr(addr)
	if err != nil {
		return false
	}
	a = a.Unmap().WithZone("")
	for _, n := range networks {
		if n.Contains(a) {
			return true
		}
	}
	return false
}

// PeerVars returns the variables that keep who really is connected, where Remote is another because a trusted proxy
// says so: REALIP_REMOTE_ADDR and, if it has one, REALIP_REMOTE_PORT, as nginx calls it.
func PeerVars(peer Endpoint) []Var {
	vars := []Var{{"REALIP_REMOTE_ADDR", peer.Addr}, {"REALIP_REMOTE_PORT", peer.Port}}
	if peer.Port == "" {
		vars = vars[:1:1]
	}
	return vars
}

type peerKey struct{}

// WithPeer is for the ConnContext of an http.Server whose connections are those of proxies, and say another RemoteAddr
// than that of peer: [HTTPFrontend] gives the application the variables of [PeerVars].
func WithPeer(ctx context.Context, peer Endpoint) context.Context {
	return context.WithValue(ctx, peerKey{}, PeerVars(peer))
}

func peerVars(r *http.Request) []Var {
	vars, _ := r.Context().Value(peerKey{}).([]Var)
	return vars
}
