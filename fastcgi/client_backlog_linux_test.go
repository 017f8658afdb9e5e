package fastcgi_test

import (
	"net"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/fastcgi"
)

// TestClientBacklogFull: an application that can take no more connections is busy, not away.
func TestClientBacklogFull(t *testing.T) {
	address := filepath.Join(t.TempDir(), "app.sock")
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	defer syscall.Close(fd)
	require.NoError(t, syscall.Bind(fd, &syscall.SockaddrUnix{Name: address}))
	require.NoError(t, syscall.Listen(fd, 0))
	conn, err := net.Dial("unix", address)
	require.NoError(t, err)
	defer conn.Close()

	c := &fastcgi.Client{Address: address}
	defer c.Close()
	_, _, err = do(c, get())
	require.ErrorIs(t, err, adapters.ErrBusy)
	assert.Equal(t, 503, adapters.StatusOf(err))
	assert.Positive(t, adapters.RetryAfter(err))
	assert.Zero(t, fastcgi.Open(c))
}
