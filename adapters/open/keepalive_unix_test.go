//go:build unix

package open

import (
	"net"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A kept connection of a web server may be idle for ever: only keep-alive finds out that its host is gone.
func TestKeepAlive(t *testing.T) {
	for scheme, want := range map[string]int{"http": 0, "fcgi": 1, "scgi": 0} {
		t.Run(scheme, func(t *testing.T) {
			ln, err := listenOn(Address{Scheme: scheme, Network: "tcp", Target: "127.0.0.1:0"}, ListenOptions{})
			require.NoError(t, err)
			defer ln.Close()
			client, err := net.Dial("tcp", ln.Addr().String())
			require.NoError(t, err)
			defer client.Close()
			conn, err := ln.Accept()
			require.NoError(t, err)
			defer conn.Close()
			raw, err := conn.(*net.TCPConn).SyscallConn()
			require.NoError(t, err)
			var got int
			raw.Control(func(fd uintptr) { got, err = syscall.GetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_KEEPALIVE) })
			require.NoError(t, err)
			assert.Equal(t, want != 0, got != 0)
		})
	}
}
