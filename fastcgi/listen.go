package fastcgi

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"

	"github.com/gangway-go/gangway/fastcgi/wire"
	"github.com/gangway-go/gangway/internal/listenfd"
)

// Listener returns the listening socket that the web server, or spawn-fcgi, left on descriptor 0 for this process:
// FCGI_LISTENSOCK_FILENO, FastCGI 1.0 section 2.2. An error means that the process was started in another way, as a CGI
// program for instance. Call it once.
func Listener() (net.Listener, error) {
	ln, err := listenfd.Listen(wire.ListenSockFileno)
	if err != nil {
		return nil, fmt.Errorf("fastcgi: %w", err)
	}
	return ln, nil
}

// webServerAddrs returns the addresses in FCGI_WEB_SERVER_ADDRS, FastCGI 1.0 section 3.2; none if it is not set. A list
// without an address allows nobody, which is a list of the invalid address.
func webServerAddrs() (addrs []netip.Addr, err error) {
	list, bound := os.LookupEnv(wire.WebServerAddrs)
	switch {
	case !bound:
		return nil, nil
	case list == "":
		return []netip.Addr{{}}, nil
	}
	for text := range strings.SplitSeq(list, ",") {
		addr, err := netip.ParseAddr(strings.TrimSpace(text))
		if err != nil {
			return nil, fmt.Errorf("fastcgi: %s=%q: %w", wire.WebServerAddrs, list, err)
		}
		addrs = append(addrs, addr.Unmap())
	}
	return addrs, nil
}

// isWebServer reports whether addrs allows the peer at addr; no other transport than TCP has addresses to compare.
func isWebServer(addrs []netip.Addr, addr net.Addr) bool {
	if len(addrs) == 0 {
		return true
	}
	tcp, ok := addr.(*net.TCPAddr)
	return ok && slices.Contains(addrs, tcp.AddrPort().Addr().Unmap().WithZone(""))
}
