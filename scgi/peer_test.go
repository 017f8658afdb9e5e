//go:build unix

package scgi_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/internal/peer"
	"github.com/gangway-go/gangway/scgi"
)

// uWSGI runs a WSGI application behind its SCGI socket.
func TestPeerUWSGI(t *testing.T) {
	dir := t.TempDir()
	wsgi := filepath.Join(dir, "app.py")
	require.NoError(t, os.WriteFile(wsgi, []byte(`
def application(env, start):
    body = env["wsgi.input"].read()
    start("201 Made", [("Content-Type", "text/plain"), ("X-Method", env["REQUEST_METHOD"]), ("X-A", "1"), ("X-A", "2")])
    yield ("%s|%s|%s|%d|" % (env["PATH_INFO"], env["QUERY_STRING"], env["HTTP_X_LONG"], len(body))).encode("latin1")
    yield body
`), 0o644))
	uwsgi := peer.Need(t, "uwsgi")
	for _, network := range networks {
		t.Run(network, func(t *testing.T) {
			ln := listen(t, network)
			address := ln.Addr().String()
			ln.Close()
			peer.Start(t, exec.Command(uwsgi, "--plugin", "python3", "--wsgi-file", wsgi, "--need-app", "--die-on-term",
				"--buffer-size", "65535", "--scgi-socket", address), network, address)
			c := &scgi.Client{Network: network, Address: address}
			for _, size := range []int{0, 5, 1 << 20} {
				long := strings.Repeat("\xe9", 30_000)
				req := &adapters.Request{
					Method: "POST", Proto: "HTTP/1.1", URI: "/p/q?r", Query: "r", Script: adapters.Script{PathInfo: "/p/q"},
					Header: adapters.Header{{Name: "X-Long", Value: long}},
					Body:   bytes.NewReader(make([]byte, size)), ContentLength: int64(size),
				}
				resp, body, err := ask(t, c, req)
				require.NoError(t, err)
				assert.Equal(t, 201, resp.Status)
				assert.Equal(t, "POST", resp.Header.Get("X-Method"))
				assert.Equal(t, []string{"1", "2"}, resp.Header.Values("X-A"))
				want := fmt.Sprintf("/p/q|r|%s|%d|", long, size)
				assert.True(t, strings.HasPrefix(body, want))
				assert.Len(t, body, len(want)+size)
			}
		})
	}
}

// Web servers ask the Server.
func TestPeerWebServers(t *testing.T) {
	for _, network := range networks {
		t.Run("nginx "+network, func(t *testing.T) {
			app := newPeerApp(t, network)
			pass := app.address
			if network == "unix" {
				pass = "unix:" + pass
			}
			web := peer.Nginx(t, "location / { scgi_pass "+pass+"; include /etc/nginx/scgi_params; }")
			app.serve(t, web)
			if network == "unix" { // over TCP nobody can tell
				app.leave(t, web)
			}
		})
		t.Run("lighttpd "+network, func(t *testing.T) {
			app := newPeerApp(t, network)
			host, port, _ := net.SplitHostPort(app.address)
			to := fmt.Sprintf(`"socket" => %q`, app.address)
			if network == "tcp" {
				to = fmt.Sprintf(`"host" => %q, "port" => %s`, host, port)
			}
			app.serve(t, peer.Lighttpd(t, `server.modules += ("mod_scgi")
				scgi.server = ("/" => ((`+to+`, "check-local" => "disable")))`))
		})
	}
	t.Run("Apache tcp", func(t *testing.T) {
		app := newPeerApp(t, "tcp")
		app.serve(t, peer.Apache(t, "ProxyPass / scgi://"+app.address+"/"))
	})
}

// A peerApp is the Server that a web server asks.
type peerApp struct {
	address      string
	silent, gone chan error
}

func newPeerApp(t *testing.T, network string) *peerApp {
	ln := listen(t, network)
	app := &peerApp{address: ln.Addr().String(), silent: make(chan error, 1), gone: make(chan error, 1)}
	s := &scgi.Server{Log: quiet, Handler: handler(app.answer)}
	go s.Serve(ln)
	t.Cleanup(func() { assert.NoError(t, s.Shutdown(context.Background())) })
	return app
}

func (app *peerApp) answer(ctx context.Context, req *adapters.Request) (*adapters.Response, error) {
	switch req.URI {
	case "/silent":
		app.silent <- nil
		<-ctx.Done()
		app.gone <- context.Cause(ctx)
		return nil, context.Cause(ctx)
	case "/cut":
		cut := readerFunc(func([]byte) (int, error) { return 0, adapters.ErrTruncated })
		return &adapters.Response{Status: 200, Header: adapters.Header{{Name: "Content-Length", Value: "9"}},
			Body: testBody{io.MultiReader(strings.NewReader("part"), cut), func() {}}}, nil
	case "/early":
		return adapters.Reply(403, "text/plain", "early"), nil
	}
	return echo(ctx, req)
}

// peerClient keeps no connection.
var peerClient = &http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}

func (app *peerApp) serve(t *testing.T, web string) {
	ask := func(method, path string, body io.Reader) (int, string, error) {
		req, err := http.NewRequestWithContext(t.Context(), method, "http://"+web+path, body)
		require.NoError(t, err)
		resp, err := peerClient.Do(req)
		if err != nil {
			return 0, "", err
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		return resp.StatusCode, string(b), err
	}

	status, body, err := ask("GET", "/a%20b?c", nil)
	require.NoError(t, err)
	assert.Equal(t, 200, status)
	assert.Equal(t, `GET /a%20b?c 0 ""`, body)
	status, body, err = ask("POST", "/p", struct{ io.Reader }{strings.NewReader("chunked")})
	require.NoError(t, err)
	if status != http.StatusLengthRequired { // as Apache wants it
		assert.Equal(t, 200, status)
		assert.Equal(t, `POST /p 7 "chunked"`, body)
	}
	status, body, err = ask("POST", "/early", bytes.NewReader(make([]byte, 3<<20)))
	require.NoError(t, err)
	assert.Equal(t, 403, status)
	assert.Equal(t, "early", body)
	_, body, err = ask("GET", "/cut", nil)
	assert.Error(t, err, "%q", body)
}

// leave checks that the Server learns that the web server's client has left.
func (app *peerApp) leave(t *testing.T, web string) {
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-app.silent
		cancel()
	}()
	req, err := http.NewRequestWithContext(ctx, "GET", "http://"+web+"/silent", nil)
	require.NoError(t, err)
	_, err = peerClient.Do(req)
	require.Error(t, err)
	assert.ErrorIs(t, within(t, app.gone, "the request is cancelled"), adapters.ErrAborted)
}
