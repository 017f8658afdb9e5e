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
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/scgi"
)

// peer returns the path of a program that is not ours, which must be there where tests are to prove something.
func peer(t *testing.T, name string) string {
	path, err := exec.LookPath(name)
	if err != nil && os.Getenv("CI") == "" {
		t.Skip(err)
	}
	require.NoError(t, err, "scripts/setup installs it")
	return path
}

// run runs a program until the end of the test, and waits until it accepts connections.
func run(t *testing.T, network, address string, args ...string) {
	cmd := exec.Command(args[0], args[1:]...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGINT) // for uwsgi SIGTERM is a restart
		kill := time.AfterFunc(patience, func() { cmd.Process.Kill() })
		defer kill.Stop()
		cmd.Wait()
		if t.Failed() {
			t.Log(out.String())
		}
	})
	require.Eventually(t, func() bool {
		conn, err := net.Dial(network, address)
		if err == nil {
			conn.Close()
		}
		return err == nil
	}, patience, 10*time.Millisecond, args[0])
}

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
	args := []string{peer(t, "uwsgi"), "--plugin", "python3", "--wsgi-file", wsgi, "--need-app", "--buffer-size", "65535"}
	for _, network := range networks {
		t.Run(network, func(t *testing.T) {
			ln := listen(t, network)
			address := ln.Addr().String()
			ln.Close()
			run(t, network, address, append(args, "--scgi-socket", address)...)
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

// nginx and lighttpd ask the Server.
func TestPeerWebServers(t *testing.T) {
	servers := map[string]func(t *testing.T, dir, web, network, address string){
		"nginx": func(t *testing.T, dir, web, network, address string) {
			if network == "unix" {
				address = "unix:" + address
			}
			conf := fmt.Sprintf(`daemon off; master_process off; pid %[1]s/pid; error_log stderr; events {}
				http { access_log off; client_body_temp_path %[1]s/b; scgi_temp_path %[1]s/s; proxy_temp_path %[1]s/p;
				fastcgi_temp_path %[1]s/f; uwsgi_temp_path %[1]s/u; client_max_body_size 0;
				server { listen %[2]s; location / { scgi_pass %[3]s; include /etc/nginx/scgi_params; } } }`, dir, web, address)
			require.NoError(t, os.WriteFile(dir+"/conf", []byte(conf), 0o644))
			run(t, "tcp", web, peer(t, "nginx"), "-p", dir, "-c", dir+"/conf", "-e", "stderr")
		},
		"lighttpd": func(t *testing.T, dir, web, network, address string) {
			host, port, _ := net.SplitHostPort(web)
			backend := fmt.Sprintf("%q => %q", "socket", address)
			if network == "tcp" {
				h, p, _ := net.SplitHostPort(address)
				backend = fmt.Sprintf("%q => %q, %q => %s", "host", h, "port", p)
			}
			conf := fmt.Sprintf(`server.document-root = %q server.bind = %q server.port = %s server.modules = ("mod_scgi")
				server.upload-dirs = (%[1]q)
				scgi.server = ("/" => ((%[4]s, "check-local" => "disable")))`, dir, host, port, backend)
			require.NoError(t, os.WriteFile(dir+"/conf", []byte(conf), 0o644))
			run(t, "tcp", web, peer(t, "lighttpd"), "-D", "-f", dir+"/conf")
		},
	}
	for name, start := range servers {
		for _, network := range networks {
			t.Run(name+" "+network, func(t *testing.T) { webServer(t, name, network, start) })
		}
	}
}

func webServer(t *testing.T, name, network string, begin func(t *testing.T, dir, web, network, address string)) {
	silent, gone := make(chan struct{}), make(chan error, 1)
	ln := listen(t, network)
	s := &scgi.Server{Log: quiet, Handler: handler(
		func(ctx context.Context, req *adapters.Request) (*adapters.Response, error) {
			switch req.Path() + req.URI {
			case "/silent", "/silent/silent":
				close(silent)
				<-ctx.Done()
				gone <- context.Cause(ctx)
				return nil, context.Cause(ctx)
			case "/cut", "/cut/cut":
				cut := readerFunc(func([]byte) (int, error) { return 0, adapters.ErrTruncated })
				return &adapters.Response{Status: 200, Header: adapters.Header{{Name: "Content-Length", Value: "9"}},
					Body: testBody{io.MultiReader(strings.NewReader("part"), cut), func() {}}}, nil
			case "/early", "/early/early":
				return adapters.Reply(403, "text/plain", "early"), nil
			}
			return echo(ctx, req)
		})}
	go s.Serve(ln)
	t.Cleanup(func() { assert.NoError(t, s.Shutdown(context.Background())) })
	web := listen(t, "tcp")
	address := web.Addr().String()
	web.Close()
	begin(t, t.TempDir(), address, network, ln.Addr().String())
	client := &http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
	ask := func(method, path string, body io.Reader) (int, string, error) {
		req, err := http.NewRequestWithContext(t.Context(), method, "http://"+address+path, body)
		require.NoError(t, err)
		resp, err := client.Do(req)
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
	assert.Equal(t, 200, status)
	assert.Equal(t, `POST /p 7 "chunked"`, body)
	status, body, err = ask("POST", "/early", bytes.NewReader(make([]byte, 3<<20)))
	require.NoError(t, err)
	assert.Equal(t, 403, status)
	assert.Equal(t, "early", body)
	_, body, err = ask("GET", "/cut", nil)
	assert.Error(t, err, "%q", body)

	if network == "unix" && name == "nginx" { // lighttpd tells nobody that its client has left
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			<-silent
			cancel()
		}()
		req, err := http.NewRequestWithContext(ctx, "GET", "http://"+address+"/silent", nil)
		require.NoError(t, err)
		_, err = client.Do(req)
		require.Error(t, err)
		assert.ErrorIs(t, within(t, gone, "the request is cancelled"), adapters.ErrAborted)
	}
}
