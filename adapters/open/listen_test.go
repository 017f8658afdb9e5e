package open_test

import (
	"context"
	"crypto/tls"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/adapters/open"
	"github.com/gangway-go/gangway/egi"
	"github.com/gangway-go/gangway/internal/peer"
)

func TestListenerNamesItsAddress(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	for address, want := range map[string]string{
		"http://127.0.0.1:0":  `^http://127\.0\.0\.1:[1-9]\d*$`,
		"fcgi://localhost:0":  `^fcgi://localhost:[1-9]\d*$`,
		"scgi://:0":           `^scgi://\[::\]:[1-9]\d*$`,
		"fcgi+unix://" + path: `^fcgi\+unix://` + regexp.QuoteMeta(path) + `$`,
	} {
		got := listen(t, address, egi.Echo)
		if strings.HasPrefix(got, "scgi://0.0.0.0") { // without IPv6
			continue
		}
		assert.Regexp(t, want, got)
	}
}

func TestListenFails(t *testing.T) {
	dir := t.TempDir()
	used := listen(t, "http://127.0.0.1:0", egi.Echo)
	usedSocket := listen(t, "fcgi+unix://"+dir+"/used", egi.Echo)
	require.NoError(t, os.WriteFile(dir+"/file", nil, 0o600))
	for address, want := range map[string]string{
		used:                           "is in use: stop the program that listens there, or choose another port",
		usedSocket:                     "another program listens on " + dir + "/used: stop it, or choose another path",
		"fcgi+unix://" + dir + "/file": "exists and is no socket: remove it, or choose another path",
		"scgi+unix://" + dir + "/no/s": "the folder " + dir + "/no does not exist: create it",
		"fcgi+unix://" + dir + "/" + strings.Repeat("x", 200): "a socket's path has at most",
		"fcgi+fd:99":            "it is for a supervisor that opens the socket",
		"https://127.0.0.1:0":   "https needs a certificate",
		"cgi:":                  "no listening socket",
		"static:/":              "bad address",
		"http://192.0.2.1:8080": "http://192.0.2.1:8080: bind",
	} {
		_, err := open.Listen(address, egi.Echo, open.ListenOptions{})
		assert.ErrorContains(t, err, want, address)
	}
}

func TestStaleSocketIsReplaced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	ln, err := net.Listen("unix", path)
	require.NoError(t, err)
	ln.(*net.UnixListener).SetUnlinkOnClose(false)
	require.NoError(t, ln.Close())
	listen(t, "scgi+unix://"+path, egi.Echo)
	app, err := open.Open("scgi+unix://"+path, open.AppOptions{})
	require.NoError(t, err)
	assert.NoError(t, app.Probe(t.Context()))
}

func TestSocketAccess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	o := open.ListenOptions{SocketMode: 0o660, SetOwner: true, SocketUID: os.Getuid(), SocketGID: -1}
	l, err := open.Listen("fcgi+unix://"+path, egi.Echo, o)
	require.NoError(t, err)
	info, err := os.Stat(path)
	require.NoError(t, err)
	assert.Equal(t, fs.FileMode(0o660), info.Mode().Perm())
	require.NoError(t, l.Shutdown(t.Context()))
	_, err = os.Stat(path)
	assert.ErrorIs(t, err, fs.ErrNotExist, "the socket stays")
}

func TestShutdownCuts(t *testing.T) {
	started := make(chan struct{})
	l, err := open.Listen("http://127.0.0.1:0", adapters.HandlerFunc(
		func(ctx context.Context, _ *adapters.Request) (*adapters.Response, error) {
			close(started)
			<-ctx.Done()
			return nil, context.Cause(ctx)
		}), open.ListenOptions{})
	require.NoError(t, err)
	served := make(chan error, 1)
	go func() { served <- l.Serve() }()
	go func() {
		resp, err := http.Get(l.String())
		if err == nil {
			resp.Body.Close()
		}
	}()
	<-started
	over, cancel := context.WithCancel(t.Context())
	cancel()
	assert.ErrorIs(t, l.Shutdown(over), context.Canceled)
	assert.NoError(t, <-served)
}

func TestHTTPS(t *testing.T) {
	cert, key := peer.Certificate(t)
	l, err := open.Listen("https://127.0.0.1:0", egi.Echo, open.ListenOptions{CertFile: cert, KeyFile: key})
	require.NoError(t, err)
	go l.Serve()
	defer l.Shutdown(context.Background())
	for _, h2 := range []bool{false, true} {
		transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: h2}
		resp, err := (&http.Client{Transport: transport}).Get(l.String())
		require.NoError(t, err)
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		resp.Body.Close()
		transport.CloseIdleConnections()
		assert.Equal(t, h2, resp.ProtoMajor == 2, resp.Proto)
		assert.Contains(t, string(body), "HTTPS=on")
	}
}

func TestHandler(t *testing.T) {
	h, stop, err := open.Handler(listen(t, "fcgi://127.0.0.1:0", egi.Echo))
	require.NoError(t, err)
	defer stop()
	resp, err := h.Serve(t.Context(), requestFor(t, "/x"))
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	assert.Contains(t, string(body), "PATH_INFO=/x\n")
}
