//go:build unix

package adapters

import (
	"net"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestKeepAlive(t *testing.T) {
	near, far := net.Pipe()
	defer far.Close()
	KeepAlive(near) // nothing to be done
	near.Close()

	lc := net.ListenConfig{KeepAlive: -1}
	ln, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer ln.Close()
	client, err := net.Dial("tcp", ln.Addr().String())
	require.NoError(t, err)
	defer client.Close()
	conn, err := ln.Accept()
	require.NoError(t, err)
	defer conn.Close()
	KeepAlive(conn)
	raw, err := conn.(*net.TCPConn).SyscallConn()
	require.NoError(t, err)
	var on int
	raw.Control(func(fd uintptr) { on, err = syscall.GetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_KEEPALIVE) })
	require.NoError(t, err)
	assert.NotZero(t, on)
}
