//go:build unix

package open

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// stale leaves a socket behind on which nobody listens.
func stale(t *testing.T) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "s")
	ln, err := net.Listen("unix", path)
	require.NoError(t, err)
	ln.(*net.UnixListener).SetUnlinkOnClose(false)
	require.NoError(t, ln.Close())
	return path
}

func unixAddress(path string) Address { return Address{Scheme: "fcgi", Network: "unix", Target: path} }

// Of many that find a stale socket one takes its place, and is the one that is reached.
func TestStaleSocketIsTakenOnce(t *testing.T) {
	for range 50 {
		path := stale(t)
		var got []net.Listener
		var mu sync.Mutex
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				ln, err := listenUnix(unixAddress(path), ListenOptions{})
				if err != nil {
					assert.ErrorContains(t, err, "another program listens on "+path)
					return
				}
				mu.Lock()
				defer mu.Unlock()
				got = append(got, ln)
			})
		}
		all.Wait()
		require.Len(t, got, 1)
		client, err := net.Dial("unix", path)
		require.NoError(t, err)
		conn, err := got[0].Accept()
		require.NoError(t, err)
		for _, c := range []interface{ Close() error }{client, conn, got[0]} {
			require.NoError(t, c.Close())
		}
		require.NoFileExists(t, path)
	}
}

// Only what a listener has made does it remove.
func TestSocketOfAnotherStays(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	first, err := listenUnix(unixAddress(path), ListenOptions{})
	require.NoError(t, err)
	require.NoError(t, os.Remove(path))
	second, err := listenUnix(unixAddress(path), ListenOptions{})
	require.NoError(t, err)
	require.NoError(t, first.Close())
	assert.FileExists(t, path)
	require.NoError(t, second.Close())
	assert.NoFileExists(t, path)
}

// A socket that is handed on keeps its file, until its new owner closes it.
func TestInheritedSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	l, err := Listen("fcgi+unix://"+path, nil, ListenOptions{})
	require.NoError(t, err)
	f, err := l.File()
	require.NoError(t, err)
	ln, err := net.FileListener(f)
	require.NoError(t, err)
	require.NoError(t, f.Close())
	successor, err := Listen("fcgi+unix://"+path, nil, ListenOptions{Inherited: ln})
	require.NoError(t, err)
	assert.Equal(t, l.String(), successor.String())
	l.KeepSocket(true)
	require.NoError(t, l.Shutdown(t.Context()))
	require.FileExists(t, path)

	f, err = successor.File()
	require.NoError(t, err)
	failed, err := Listen("fcgi+unix://"+path, nil, ListenOptions{Inherited: ln})
	require.NoError(t, err)
	require.NoError(t, failed.Shutdown(t.Context()))
	require.FileExists(t, path, "it was not this one's yet")
	ln, err = net.FileListener(f)
	require.NoError(t, err)
	require.NoError(t, f.Close())
	last, err := Listen("fcgi+unix://"+path, nil, ListenOptions{Inherited: ln})
	require.NoError(t, err)
	last.KeepSocket(false)
	require.NoError(t, last.Shutdown(t.Context()))
	assert.NoFileExists(t, path)
}

func TestAbstractSocket(t *testing.T) {
	if runtime.GOOS != "linux" {
		return // only Linux has them
	}
	name := fmt.Sprintf("@gangway-test-%d", os.Getpid())
	l, err := Listen("fcgi+unix://"+name, nil, ListenOptions{})
	require.NoError(t, err)
	assert.Equal(t, "fcgi+unix://"+name, l.String())
	_, err = Listen("fcgi+unix://"+name, nil, ListenOptions{})
	assert.ErrorContains(t, err, "another program listens on "+name)
	require.NoError(t, l.Shutdown(t.Context()))
}

// Who may write the folder of a socket cannot have another file's mode and owner changed.
func TestSocketAccessFollowsNoLink(t *testing.T) {
	for _, o := range []ListenOptions{{SocketMode: 0o666}, {SetOwner: true, SocketUID: os.Getuid(), SocketGID: 1}} {
		secret := filepath.Join(t.TempDir(), "secret")
		require.NoError(t, os.WriteFile(secret, nil, 0o600))
		before, err := os.Stat(secret)
		require.NoError(t, err)
		path := filepath.Join(t.TempDir(), "s")
		require.NoError(t, os.Symlink(secret, path))
		_ = setAccess(path, o) // the owner of the link may well change
		after, err := os.Stat(secret)
		require.NoError(t, err)
		assert.Equal(t, before, after)
	}
}

// An address of a supervisor's becomes that of the socket.
func TestHandedOver(t *testing.T) {
	for network, address := range map[string]string{"tcp": "127.0.0.1:0", "unix": filepath.Join(t.TempDir(), "s")} {
		ln, err := net.Listen(network, address)
		require.NoError(t, err)
		want := map[string]string{"tcp": "scgi://" + ln.Addr().String(), "unix": "scgi+unix://" + address}[network]
		l, err := Listen("scgi+fd:some", nil, ListenOptions{Inherited: ln})
		require.NoError(t, err)
		assert.Equal(t, want, l.String())
		require.NoError(t, l.Shutdown(t.Context()))
		ln.Close()
	}
	_, err := Listen("http+fd:none", nil, ListenOptions{})
	assert.ErrorContains(t, err, "http+fd:none: no such socket was handed over")
}
