//go:build unix

package fastcgi

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/yookoala/gofast"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/internal/peer"
	"github.com/gangway-go/gangway/internal/testlog"
)

// peerApp does what web servers that nobody here wrote are to be tried with.
type peerApp struct {
	waits  chan bool  // /wait was asked for
	ended  chan error // why its context was cancelled
	events chan string
	hangs  chan bool
}

func (a *peerApp) Serve(ctx context.Context, req *adapters.Request) (*adapters.Response, error) {
	path, _, _ := strings.Cut(req.URI, "?")
	switch path[strings.LastIndexByte(path, '/'):] {
	case "/echo":
		body := []byte{}
		if req.Body != nil {
			var err error
			if body, err = io.ReadAll(req.Body); err != nil {
				return nil, err
			}
		}
		return response(adapters.NoBody, "X-Body", fmt.Sprint(len(body), " ", digest(string(body))), "X-Method", req.Method,
			"X-Query", req.Query, "X-Cookie", req.Header.Get("Cookie")), nil
	case "/big":
		return response(plain{strings.NewReader(bigText)}, "Content-Type", "text/plain"), nil
	case "/header":
		return response(adapters.NoBody, "X-Long", strings.Repeat("h", 3000)), nil
	case "/304":
		resp := response(adapters.NoBody, "ETag", `"x"`)
		resp.Status = 304
		return resp, nil
	case "/busy":
		return nil, &adapters.Error{Op: "app", RetryAfter: time.Second, Err: adapters.ErrBusy}
	case "/early":
		return nil, adapters.ErrTooLarge
	case "/stderr":
		io.WriteString(req.Stderr, "said to stderr\n")
		return adapters.Reply(200, "text/plain", "hello"), nil
	case "/cut":
		return response(plain{io.MultiReader(strings.NewReader(bigText), panicReader())}), nil
	case "/hang":
		return response(plain{io.MultiReader(strings.NewReader(bigText), readFunc(func([]byte) (int, error) {
			a.hangs <- true
			<-ctx.Done()
			return 0, context.Cause(ctx)
		}))}), nil
	case "/wait":
		context.AfterFunc(ctx, func() { a.ended <- context.Cause(ctx) })
		io.WriteString(req.Stderr, "waiting\n")
		a.waits <- true
		<-ctx.Done()
		return nil, context.Cause(ctx)
	case "/events":
		return response(plain{readFunc(func(p []byte) (int, error) {
			event, ok := <-a.events
			if !ok {
				return 0, io.EOF
			}
			return copy(p, event), nil
		})}, "Content-Type", "text/event-stream", "X-Accel-Buffering", "no"), nil
	}
	return nil, adapters.ErrNotFound
}

var bigText = random(5 << 20)

// servePeers starts a server that web servers of other users reach.
func servePeers(t *testing.T, network string) (*testServer, *peerApp) {
	app := &peerApp{make(chan bool, 10), make(chan error, 10), make(chan string), make(chan bool, 1)}
	ts := &testServer{t: t, logs: &testlog.Buffer{}}
	ts.Server = &Server{Handler: app, Log: ts.logs.Logger()}
	address := "127.0.0.1:0"
	if network == "unix" {
		address = peer.Dir(t) + "/fcgi.sock"
	}
	ln, err := net.Listen(network, address)
	require.NoError(t, err)
	ts.addr = ln.Addr()
	if network == "unix" {
		require.NoError(t, os.Chmod(address, 0o777))
	}
	served := make(chan error, 1)
	go func() { served <- ts.Serve(ln) }()
	t.Cleanup(func() {
		if t.Failed() {
			t.Log("the server logged:\n", ts.logs)
		}
		assert.NoError(t, ts.Close())
		ctx, cancel := context.WithTimeout(context.Background(), testTimeout)
		defer cancel()
		assert.NoError(t, ts.Shutdown(ctx))
		assert.ErrorIs(t, <-served, http.ErrServerClosed)
	})
	return ts, app
}

// A webServer is one between an HTTP client and ours.
type webServer struct {
	base   string
	app    *peerApp
	server *testServer

	streams bool // passes events on at once
	aborts  bool // tells us at once that its client has gone
	early   bool // passes an answer on that comes before the body is read
}

func (s *webServer) do(t *testing.T, method, path string, body io.Reader) (*http.Response, string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), testTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, s.base+path, body)
	require.NoError(t, err)
	req.Header.Set("Cookie", "a=b; c=d")
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp, string(b), err
}

// lengthless hides how long a body is, so that it is sent chunked.
type lengthless struct{ io.Reader }

func (s *webServer) run(t *testing.T) {
	for i := range 3 {
		for _, size := range []int{0, 1, 100_000, 5 << 20} {
			body := bigText[:size]
			resp, _, err := s.do(t, "POST", fmt.Sprintf("/echo?n=%d", i), strings.NewReader(body))
			require.NoError(t, err)
			assert.Equal(t, 200, resp.StatusCode)
			h := resp.Header
			assert.Equal(t, []string{fmt.Sprint(size, " ", digest(body)), "POST", fmt.Sprint("n=", i), "a=b; c=d"},
				[]string{h.Get("X-Body"), h.Get("X-Method"), h.Get("X-Query"), h.Get("X-Cookie")})
		}
	}
	body := bigText[:300_000]
	resp, _, err := s.do(t, "PUT", "/echo", lengthless{strings.NewReader(body)})
	require.NoError(t, err)
	assert.Equal(t, fmt.Sprint(len(body), " ", digest(body)), resp.Header.Get("X-Body"))

	resp, text, err := s.do(t, "GET", "/big", nil)
	require.NoError(t, err)
	assert.Equal(t, 200, resp.StatusCode)
	assert.True(t, text == bigText)
	for path, status := range map[string]int{"/header": 200, "/304": 304, "/busy": 503, "/missing": 404, "/stderr": 200} {
		resp, _, err := s.do(t, "GET", path, nil)
		require.NoError(t, err)
		assert.Equal(t, status, resp.StatusCode, path)
	}
	resp, text, err = s.do(t, "HEAD", "/stderr", nil)
	require.NoError(t, err)
	assert.Equal(t, []any{200, ""}, []any{resp.StatusCode, text})
	if s.early {
		resp, _, err = s.do(t, "POST", "/early", strings.NewReader(bigText))
		require.NoError(t, err)
		assert.Equal(t, 413, resp.StatusCode)
	}
	t.Run("cut", s.cut)
	if s.streams {
		t.Run("events", s.eventsArrive)
	}
	if s.aborts {
		t.Run("abort", s.abort)
	}
	t.Run("close", s.close)
}

func (s *webServer) cut(t *testing.T) {
	_, _, err := s.do(t, "GET", "/cut", nil)
	assert.Error(t, err, "the response looks complete")
}

// close is that of our server, with a response under way.
func (s *webServer) close(t *testing.T) {
	go func() {
		<-s.app.hangs
		s.server.Close()
	}()
	_, _, err := s.do(t, "GET", "/hang", nil)
	assert.Error(t, err, "the response looks complete")
}

func (s *webServer) eventsArrive(t *testing.T) {
	nc, err := net.Dial("tcp", strings.TrimPrefix(s.base, "http://"))
	require.NoError(t, err)
	defer nc.Close()
	nc.SetDeadline(time.Now().Add(testTimeout))
	io.WriteString(nc, "GET /events HTTP/1.0\r\nHost: localhost\r\n\r\n")
	br := bufio.NewReader(nc)
	for i := range 3 {
		event := fmt.Sprintf("data: %d\n", i)
		s.app.events <- event
		for line := ""; line != event; {
			line, err = br.ReadString('\n')
			require.NoError(t, err)
		}
	}
	close(s.app.events)
}

func (s *webServer) abort(t *testing.T) {
	nc, err := net.Dial("tcp", strings.TrimPrefix(s.base, "http://"))
	require.NoError(t, err)
	io.WriteString(nc, "GET /wait HTTP/1.1\r\nHost: localhost\r\n\r\n")
	select {
	case <-s.app.waits:
	case <-time.After(testTimeout):
		t.Fatal("not asked")
	}
	nc.Close()
	select {
	case err := <-s.app.ended:
		assert.ErrorIs(t, err, adapters.ErrAborted)
	case <-time.After(testTimeout):
		t.Fatal("not aborted")
	}
}

var bothNetworks = []string{"tcp", "unix"}

func TestServerPeerNginx(t *testing.T) {
	for _, network := range bothNetworks {
		const streaming = "fastcgi_request_buffering off; fastcgi_buffering off;"
		for _, way := range []string{"", "fastcgi_keep_conn on;", streaming, streaming + "fastcgi_keep_conn on;"} {
			t.Run(network+" "+way, func(t *testing.T) {
				ts, app := servePeers(t, network)
				address := ts.addr.String()
				if network == "unix" {
					address = "unix:" + address
				}
				keepalive := ""
				if strings.Contains(way, "keep_conn") {
					keepalive = "keepalive 4;"
				}
				nginx := peer.Nginx(t, fmt.Sprintf(`
					location / {
						fastcgi_pass app; include /etc/nginx/fastcgi_params; fastcgi_pass_header X-Accel-Buffering; %s
					}
				}
				upstream app { server %s; %s }
				server { listen unix:%s/other.sock;`, way, address, keepalive, peer.Dir(t)))
				(&webServer{base: "http://" + nginx, app: app, server: ts, streams: true, aborts: true, early: true}).run(t)
			})
		}
	}
}

func TestServerPeerApache(t *testing.T) {
	for _, network := range bothNetworks {
		for _, way := range []string{"", "enablereuse=on"} {
			t.Run(network+" "+way, func(t *testing.T) {
				ts, app := servePeers(t, network)
				target := "fcgi://" + ts.addr.String() + "/"
				if network == "unix" {
					target = "unix:" + ts.addr.String() + "|fcgi://localhost/"
				}
				apache := peer.Apache(t, fmt.Sprintf("ProxyPass / %q flushpackets=on %s\n", target, way))
				(&webServer{base: "http://" + apache, app: app, server: ts, streams: true}).run(t)
			})
		}
	}
}

func TestServerPeerLighttpd(t *testing.T) {
	for _, network := range bothNetworks {
		t.Run(network, func(t *testing.T) {
			ts, app := servePeers(t, network)
			where := fmt.Sprintf(`"socket" => %q`, ts.addr.String())
			if tcp, ok := ts.addr.(*net.TCPAddr); ok {
				where = fmt.Sprintf(`"host" => "127.0.0.1", "port" => %d`, tcp.Port)
			}
			lighttpd := peer.Lighttpd(t, fmt.Sprintf(`server.modules = ("mod_fastcgi")
				server.stream-response-body = 2
				fastcgi.server = ( "/" => (( %s, "check-local" => "disable" )) )`, where))
			(&webServer{base: "http://" + lighttpd, app: app, server: ts, streams: true}).run(t)
		})
	}
}

// lighttpd asks an Authorizer before it sends a file.
func TestServerPeerLighttpdAuthorizer(t *testing.T) {
	ts := serveTest(t, "tcp", &Server{Handler: adapters.HandlerFunc(
		func(_ context.Context, req *adapters.Request) (*adapters.Response, error) {
			assert.Equal(t, adapters.Authorizer, req.Role)
			assert.Nil(t, req.Body)
			if req.Header.Get("X-Key") != "right" {
				return nil, adapters.ErrForbidden
			}
			return response(adapters.NoBody, "Variable-WHO", "somebody"), nil
		})})
	base := peer.Lighttpd(t, fmt.Sprintf(`server.modules = ("mod_fastcgi")
		index-file.names = ("index.html")
		fastcgi.server = ( "/" => (( "host" => "127.0.0.1", "port" => %d, "mode" => "authorizer",
			"check-local" => "disable" )) )`, ts.addr.(*net.TCPAddr).Port))
	for key, status := range map[string]int{"right": 200, "wrong": 403} {
		req, err := http.NewRequest("GET", "http://"+base+"/index.html", nil)
		require.NoError(t, err)
		req.Header.Set("X-Key", key)
		req.Close = true
		resp, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		resp.Body.Close()
		assert.Equal(t, status, resp.StatusCode, key)
	}
}

// cgi-fcgi is libfcgi's web server: its request is the environment and the standard input.
func TestServerPeerCgiFcgi(t *testing.T) {
	program := peer.Need(t, "cgi-fcgi")
	for _, network := range bothNetworks {
		t.Run(network, func(t *testing.T) {
			ts, _ := servePeers(t, network)
			for _, size := range []int{0, 10, 300_000} {
				ctx, cancel := context.WithTimeout(t.Context(), testTimeout)
				defer cancel()
				cmd := exec.CommandContext(ctx, program, "-bind", "-connect", ts.addr.String())
				cmd.Env = []string{"REQUEST_METHOD=POST", "REQUEST_URI=/echo", fmt.Sprint("CONTENT_LENGTH=", size),
					"HTTP_COOKIE=" + strings.Repeat("c", 20_000)}
				cmd.Stdin = strings.NewReader(bigText[:size])
				out, err := cmd.Output()
				require.NoError(t, err)
				assert.Contains(t, string(out), fmt.Sprint("X-Body: ", size, " ", digest(bigText[:size])))
				assert.Contains(t, string(out), strings.Repeat("c", 20_000))
			}
		})
	}
}

// gofast is a client in Go, of net/http/fcgi's family.
func TestServerPeerGofast(t *testing.T) {
	ts, _ := servePeers(t, "tcp")
	handler := gofast.NewHandler(
		gofast.NewPHPFS("/nowhere")(gofast.BasicSession),
		gofast.SimpleClientFactory(gofast.SimpleConnFactory("tcp", ts.addr.String())))
	for _, size := range []int{1, 100_000} {
		req := httptest.NewRequest("POST", "/echo", bytes.NewReader([]byte(bigText[:size])))
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, req)
		assert.Equal(t, 200, w.Code)
		assert.Equal(t, fmt.Sprint(size, " ", digest(bigText[:size])), w.Header().Get("X-Body"))
	}
}
