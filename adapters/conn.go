package adapters

import "net"

// ResetConn closes c so that its peer sees a reset and not the end of a response, where the protocol below can say so:
// TCP, also beneath TLS. It is for responses that cannot be completed.
func ResetConn(c net.Conn) error {
	inner := c
	if wrapped, ok := c.(interface{ NetConn() net.Conn }); ok {
		inner = wrapped.NetConn()
	}
	if tcp, ok := inner.(*net.TCPConn); ok {
		tcp.SetLinger(0)
	}
	return inner.Close()
}
