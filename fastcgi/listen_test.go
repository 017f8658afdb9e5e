package fastcgi

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/internal/listenfd"
)

// The test starts itself as a web server starts an application: with a listening socket on descriptor 0 only.
func TestServerListener(t *testing.T) {
	if os.Getenv("FASTCGI_TEST_LISTENER") != "" {
		serveListener(t)
		return
	}
	if runtime.GOOS == "windows" {
		_, err := Listener()
		require.ErrorIs(t, err, errors.ErrUnsupported)
		return
	}
	self, err := os.Executable()
	require.NoError(t, err)
	for _, network := range []string{"tcp", "unix"} {
		address := "127.0.0.1:0"
		if network == "unix" {
			address = filepath.Join(t.TempDir(), "socket")
		}
		ln, err := net.Listen(network, address)
		require.NoError(t, err)
		f, err := ln.(interface{ File() (*os.File, error) }).File()
		require.NoError(t, err)
		cmd := exec.Command("/bin/sh", "-c", `exec "$0" -test.run='^TestServerListener$' >&- 2>&-`, self)
		cmd.Env = append(os.Environ(), "FASTCGI_TEST_LISTENER=1")
		cmd.Stdin = f
		require.NoError(t, cmd.Start())
		nc, err := net.Dial(network, ln.Addr().String())
		require.NoError(t, err)
		w := &testWeb{Conn: nc, t: t}
		w.send(get(1, responderKeep, pair("X", "1")))
		w.expect(ok(1, "[X=1]"))
		w.send(get(1, responderOnce, pair("REQUEST_URI", "/exit")))
		w.expectEnd(ok(1, ""))
		require.NoError(t, cmd.Wait())
		for _, c := range []interface{ Close() error }{nc, f, ln} {
			require.NoError(t, c.Close())
		}
	}
}

func serveListener(t *testing.T) {
	ln, err := Listener()
	require.NoError(t, err)
	s := &Server{}
	s.Handler = adapters.HandlerFunc(func(ctx context.Context, req *adapters.Request) (*adapters.Response, error) {
		if req.URI == "/exit" {
			go s.Shutdown(context.Background())
		}
		return testApp(ctx, req)
	})
	require.ErrorIs(t, s.Serve(ln), http.ErrServerClosed)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	require.NoError(t, s.Shutdown(ctx))
}

func TestServerListenerAsCGI(t *testing.T) {
	if os.Getenv("FASTCGI_TEST_CGI") != "" {
		_, err := Listener()
		require.ErrorIs(t, err, listenfd.ErrNotListening)
		require.NotErrorIs(t, err, syscall.EBADF)
		return
	}
	if runtime.GOOS == "windows" {
		return
	}
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.Command(self, "-test.run=^TestServerListenerAsCGI$")
	cmd.Env = append(os.Environ(), "FASTCGI_TEST_CGI=1")
	pr, pw, err := os.Pipe()
	require.NoError(t, err)
	cmd.Stdin = pr
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.NoError(t, pr.Close())
	require.NoError(t, pw.Close())
}
