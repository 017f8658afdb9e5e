package adapters

import "net"

// ResetConn closes c so that its peer sees a reset and not the end of a response, where the protocol below can say so:
// TCP, also beneath TLS. It is for responses that cannot be completed.
func ResetConn(c net.Conn) error {
	inner := beneath(c)
	if tcp, ok := inner.(*net.TCPConn); ok {
		tcp.SetLinger(0)
	}
	return inner.Close()
}

// KeepAlive lets c fail when its peer's host is gone, where it is TCP.
func KeepAlive(c net.Conn) {
	if tcp, ok := beneath(c).(*net.TCPConn); ok {
		tcp.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true})
	}
}

// beneath returns the connection that TLS and others use, or c itself.
func beneath(c net.Conn) net.Conn {
	for {
		wrapped, ok := c.(interface{ NetConn() net.Conn })
		if !ok {
			return c
		}
		c = wrapped.NetConn()
	}
}
