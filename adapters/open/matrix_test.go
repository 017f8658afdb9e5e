package open_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/adapters/adaptertest"
	"github.com/gangway-go/gangway/adapters/open"
	"github.com/gangway-go/gangway/adapters/proxy"
	"github.com/gangway-go/gangway/cgi"
	"github.com/gangway-go/gangway/internal/peer"
)

// lacks says what each protocol has no means for, whether it is on the way in or on the way out.
var lacks = map[string]adaptertest.Lacks{
	"http":   {Stderr: true, AppStatus: true, LocalRedirect: true, Bytes: true, Error: true},
	"h2c":    {Stderr: true, AppStatus: true, LocalRedirect: true, Bytes: true, Error: true},
	"fcgi":   {Informational: true, Trailer: true, Error: true},
	"gofast": {Informational: true, Trailer: true, Error: true, AppStatus: true, Duplex: true},
	"scgi":   {Informational: true, Trailer: true, Error: true, Stderr: true, AppStatus: true},
	"cgi":    {Informational: true, Trailer: true, Error: true, AppStatus: true, Truncation: true, Killed: true},
	"egi":    {},
}

func join(a, b adaptertest.Lacks) adaptertest.Lacks {
	return adaptertest.Lacks{
		Truncation: a.Truncation || b.Truncation, Informational: a.Informational || b.Informational,
		Stderr: a.Stderr || b.Stderr, AppStatus: a.AppStatus || b.AppStatus, Trailer: a.Trailer || b.Trailer,
		LocalRedirect: a.LocalRedirect || b.LocalRedirect, Duplex: a.Duplex || b.Duplex, Killed: a.Killed || b.Killed,
		Bytes: a.Bytes || b.Bytes, Error: a.Error || b.Error,
	}
}

// listen serves h at address until the test ends, and returns the real address.
func listen(t *testing.T, address string, h adapters.Handler) string {
	t.Helper()
	return listenWith(t, address, h, open.ListenOptions{SocketMode: 0o666})
}

func listenNetHTTP(t *testing.T, h adapters.Handler) string {
	t.Helper()
	return listenWith(t, "http://127.0.0.1:0", h, open.ListenOptions{NetHTTP: true})
}

func listenWith(t *testing.T, address string, h adapters.Handler, o open.ListenOptions) string {
	t.Helper()
	l, err := open.Listen(address, h, o)
	require.NoError(t, err)
	served := make(chan error, 1)
	go func() { served <- l.Serve() }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		assert.NoError(t, l.Shutdown(ctx), address)
		assert.NoError(t, <-served)
	})
	return l.String()
}

// socket returns the address of a new Unix socket.
func socket(t *testing.T, scheme string) string {
	return scheme + "+unix://" + filepath.Join(peer.Dir(t), "s")
}

func client(t *testing.T, address string) adapters.Handler {
	t.Helper()
	app, err := open.Open(address, open.AppOptions{})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, app.Close(context.Background())) })
	return app.Given()
}

// backends open the way to the reference application; each returns its address, if it has one.
var backends = []struct {
	name, protocol string
	open           func(t *testing.T) (adapters.Handler, string)
}{
	{"FastCGI over TCP", "fcgi", backend("fcgi://127.0.0.1:0")},
	{"FastCGI over Unix", "fcgi", backend("fcgi")},
	{"SCGI over TCP", "scgi", backend("scgi://127.0.0.1:0")},
	{"CGI", "cgi", func(t *testing.T) (adapters.Handler, string) {
		address := "cgi:" + buildScript(t)
		return client(t, address), address
	}},
	{"HTTP", "http", backend("http://127.0.0.1:0")},
	{"gofast", "gofast", func(t *testing.T) (adapters.Handler, string) {
		address := "fcgi+gofast" + listen(t, socket(t, "fcgi"), adaptertest.App())[len("fcgi"):]
		return client(t, address), address
	}},
	{"EGI", "egi", func(*testing.T) (adapters.Handler, string) { return adaptertest.App(), "" }},
}

func backend(address string) func(t *testing.T) (adapters.Handler, string) {
	return func(t *testing.T) (adapters.Handler, string) {
		real := address
		if !strings.Contains(address, ":") {
			real = socket(t, address)
		}
		real = listen(t, real, adaptertest.App())
		return client(t, real), real
	}
}

// frontends put a frontend before a backend and return the way to it.
var frontends = []struct {
	name, protocol string
	open           func(t *testing.T, h adapters.Handler, address string) adapters.Handler
}{
	{"HTTP/1.1", "http", func(t *testing.T, h adapters.Handler, _ string) adapters.Handler {
		return client(t, listen(t, "http://127.0.0.1:0", h))
	}},
	{"HTTP/1.1 of net/http", "http", func(t *testing.T, h adapters.Handler, _ string) adapters.Handler {
		return client(t, listenNetHTTP(t, h))
	}},
	{"HTTP/2", "h2c", func(t *testing.T, h adapters.Handler, _ string) adapters.Handler {
		target, err := url.Parse(listen(t, "http://127.0.0.1:0", h))
		require.NoError(t, err)
		transport := &http.Transport{Protocols: new(http.Protocols), DisableCompression: true}
		transport.Protocols.SetUnencryptedHTTP2(true)
		t.Cleanup(transport.CloseIdleConnections)
		return &proxy.Handler{Target: target, Transport: transport}
	}},
	{"FastCGI", "fcgi", func(t *testing.T, h adapters.Handler, _ string) adapters.Handler {
		return client(t, listen(t, socket(t, "fcgi"), h))
	}},
	{"SCGI", "scgi", func(t *testing.T, h adapters.Handler, _ string) adapters.Handler {
		return client(t, listen(t, "scgi://127.0.0.1:0", h))
	}},
	{"CGI", "cgi", func(t *testing.T, _ adapters.Handler, address string) adapters.Handler {
		return &cgi.Script{Path: buildScript(t), Env: []string{"GANGWAY_TEST_TO=" + address}}
	}},
}

var (
	scriptBuilt sync.Once
	scriptPath  string
	scriptError error
)

// buildScript builds the reference application as a CGI program, once.
func buildScript(t *testing.T) string {
	scriptBuilt.Do(func() {
		scriptPath = filepath.Join(programs, "script")
		var out []byte
		build := exec.Command("go", "build", "-o", scriptPath, "../adaptertest/script")
		if out, scriptError = build.CombinedOutput(); scriptError != nil {
			scriptError = fmt.Errorf("%w: %s", scriptError, out)
		}
	})
	require.NoError(t, scriptError)
	return scriptPath
}

// Every frontend before every backend behaves like the application itself, as far as the protocols can.
func TestMatrix(t *testing.T) {
	for _, front := range frontends {
		for _, back := range backends {
			if front.name == "CGI" && (back.name == "EGI" || back.name == "CGI") {
				continue // a process that serves itself is the backend "CGI"
			}
			t.Run(fmt.Sprintf("%s to %s", front.name, back.name), func(t *testing.T) {
				h, address := back.open(t)
				way := front.open(t, h, address)
				adaptertest.Run(t, adaptertest.Lint(t, way), join(lacks[front.protocol], lacks[back.protocol]))
			})
		}
	}
}

// The same with what keeps slow clients from holding the application between the two. Only a client that waits for a
// part of the answer before it sends the rest of a request waits for ever.
func TestMatrixWithBodies(t *testing.T) {
	for _, front := range frontends {
		for _, back := range backends {
			own := front.name == "HTTP/1.1" && (back.name == "CGI" || back.name == "SCGI over TCP")
			if front.name == "CGI" || front.name == "HTTP/2" || back.name != "FastCGI over Unix" && !own {
				continue
			}
			t.Run(fmt.Sprintf("%s to %s", front.name, back.name), func(t *testing.T) {
				bodies := new(adapters.Bodies)
				h, _ := back.open(t)
				way := front.open(t, bodies.Wrap(adapters.BodyAuto)(h), "")
				lacking := join(lacks[front.protocol], lacks[back.protocol])
				lacking.Duplex = true
				lacking.Killed = true // nor is it asked, if the client is slow because the machine is
				adaptertest.Run(t, adaptertest.Lint(t, way), lacking)
				assert.Eventually(t, func() bool {
					memory, disk := bodies.Used()
					return memory+disk == 0
				}, 10*time.Second, time.Millisecond, "bodies are kept")
			})
		}
	}
}

// A Unix socket that nobody listens on is replaced, one that is in use is not.
func TestListenTakesOverStaleSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	stale, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	require.NoError(t, err)
	stale.SetUnlinkOnClose(false)
	stale.Close()
	address := listen(t, "scgi+unix://"+path, adaptertest.App())
	_, err = open.Listen(address, adaptertest.App(), open.ListenOptions{})
	assert.ErrorContains(t, err, "another program listens on")
}
