package proxyproto_test

import (
	"io"
	"net"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/internal/proxyproto"
)

type failure struct {
	peer net.Addr
	err  error
}

func listen(t *testing.T, trusted bool, timeout time.Duration) (*proxyproto.Listener, chan failure) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { ln.Close() })
	failures := make(chan failure, 1)
	return &proxyproto.Listener{
		Listener: ln, Timeout: timeout, Trusted: func(net.Addr) bool { return trusted },
		Failed: func(peer net.Addr, err error) { failures <- failure{peer, err} },
	}, failures
}

// connect returns both ends of a connection, on which text was sent.
func connect(t *testing.T, ln net.Listener, text string) (client, server net.Conn) {
	t.Helper()
	client, err := net.Dial("tcp", ln.Addr().String())
	require.NoError(t, err)
	t.Cleanup(func() { client.Close() })
	_, err = io.WriteString(client, text)
	require.NoError(t, err)
	server, err = ln.Accept() // also before a header has come
	require.NoError(t, err)
	t.Cleanup(func() { server.Close() })
	return client, server
}

func TestListener(t *testing.T) {
	const header = "PROXY TCP4 192.0.2.1 192.0.2.2 1234 80\r\n"
	t.Run("trusted", func(t *testing.T) {
		ln, _ := listen(t, true, time.Minute)
		client, server := connect(t, ln, header+"text")
		assert.Equal(t, "192.0.2.1:1234", server.RemoteAddr().String())
		assert.Equal(t, "192.0.2.2:80", server.LocalAddr().String())
		b := make([]byte, 10)
		n, err := server.Read(b)
		require.NoError(t, err)
		assert.Equal(t, "text", string(b[:n]))
		inner := server.(*proxyproto.Conn).NetConn()
		assert.Equal(t, client.LocalAddr(), inner.RemoteAddr())
	})
	t.Run("UNKNOWN", func(t *testing.T) {
		ln, _ := listen(t, true, time.Minute)
		client, server := connect(t, ln, "PROXY UNKNOWN\r\n")
		assert.Equal(t, client.LocalAddr().String(), server.RemoteAddr().String())
		assert.Equal(t, client.RemoteAddr().String(), server.LocalAddr().String())
	})
	t.Run("not trusted", func(t *testing.T) {
		ln, _ := listen(t, false, time.Minute)
		client, server := connect(t, ln, header)
		assert.Equal(t, client.LocalAddr().String(), server.RemoteAddr().String())
		b := make([]byte, len(header))
		_, err := io.ReadFull(server, b)
		require.NoError(t, err)
		assert.Equal(t, header, string(b))
	})
	t.Run("no header", func(t *testing.T) {
		ln, failures := listen(t, true, time.Minute)
		client, server := connect(t, ln, "GET / HTTP/1.1\r\n")
		_, err := server.Read(make([]byte, 1))
		assert.ErrorIs(t, err, proxyproto.ErrHeader)
		assert.Equal(t, client.LocalAddr().String(), server.RemoteAddr().String())
		assert.ErrorIs(t, (<-failures).err, proxyproto.ErrHeader)
	})
	t.Run("slow", func(t *testing.T) {
		ln, failures := listen(t, true, 10*time.Millisecond)
		_, server := connect(t, ln, header[:20])
		_, err := server.Read(make([]byte, 1))
		assert.ErrorIs(t, err, os.ErrDeadlineExceeded)
		assert.ErrorIs(t, (<-failures).err, os.ErrDeadlineExceeded)
	})
}
