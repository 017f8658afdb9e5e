package listenfd_test

import (
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/internal/leak"
	"github.com/gangway-go/gangway/internal/listenfd"
)

// childVar is set in a process that a test starts with a listening socket on descriptor 0.
const childVar = "LISTENFD_TEST"

func TestMain(m *testing.M) {
	if os.Getenv(childVar) != "" {
		serveOne()
		return
	}
	leak.Main(m)
}

// serveOne answers one connection on descriptor 0.
func serveOne() {
	ln, err := listenfd.Listen(0)
	if err == nil {
		var nc net.Conn
		if nc, err = ln.Accept(); err == nil {
			_, err = io.WriteString(nc, "served at "+ln.Addr().String())
			nc.Close()
		}
		ln.Close()
	}
	if err != nil {
		os.Stderr.WriteString(err.Error())
		os.Exit(1)
	}
}

type filer interface {
	net.Listener
	File() (*os.File, error)
}

func TestListen(t *testing.T) {
	if runtime.GOOS == "windows" {
		_, err := listenfd.Listen(0)
		require.ErrorContains(t, err, "unsupported")
		return
	}
	for _, network := range []string{"tcp", "unix"} {
		t.Run(network, func(t *testing.T) {
			address := "127.0.0.1:0"
			if network == "unix" {
				address = filepath.Join(t.TempDir(), "socket")
			}
			ln, err := net.Listen(network, address)
			require.NoError(t, err)
			defer ln.Close()
			f, err := ln.(filer).File()
			require.NoError(t, err)
			defer f.Close()
			cmd := exec.Command(os.Args[0])
			cmd.Env = append(os.Environ(), childVar+"=1")
			cmd.Stdin, cmd.Stderr = f, os.Stderr
			require.NoError(t, cmd.Start())
			nc, err := net.Dial(network, ln.Addr().String())
			require.NoError(t, err)
			got, err := io.ReadAll(nc)
			require.NoError(t, err)
			assert.Equal(t, "served at "+ln.Addr().String(), string(got))
			require.NoError(t, nc.Close())
			require.NoError(t, cmd.Wait())
			if network == "unix" {
				assert.FileExists(t, address, "the socket is not the child's to remove")
			}
		})
	}
}

func TestNotListening(t *testing.T) {
	if runtime.GOOS == "windows" {
		return
	}
	file, err := os.Open(os.Args[0])
	require.NoError(t, err)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	nc, err := net.Dial("tcp", ln.Addr().String())
	require.NoError(t, err)
	udp, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	connected, err := nc.(*net.TCPConn).File()
	require.NoError(t, err)
	packets, err := udp.(*net.UDPConn).File()
	require.NoError(t, err)
	pr, pw, err := os.Pipe()
	require.NoError(t, err)
	for name, f := range map[string]*os.File{"file": file, "connection": connected, "UDP": packets, "pipe": pr} {
		_, err := listenfd.Listen(f.Fd())
		require.ErrorIs(t, err, listenfd.ErrNotListening, name)
		require.NoError(t, f.Close(), name)
	}
	_, err = listenfd.Listen(1 << 20)
	require.ErrorIs(t, err, listenfd.ErrNotListening)
	require.ErrorContains(t, err, "descriptor 1048576")
	for _, c := range []io.Closer{ln, nc, udp, pw} {
		require.NoError(t, c.Close())
	}
}
