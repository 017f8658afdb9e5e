//go:build unix

package faulttest

import (
	"context"
	"errors"
	"fmt"
	stdlog "log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	upstream "github.com/yookoala/gofast"

	"github.com/gangway-go/gangway/internal/leak"
	"github.com/gangway-go/gangway/internal/peer"
)

// The environment that makes this program a server with plain gofast in it.
const (
	modeVar   = "FAULTTEST_MODE"
	listenVar = "FAULTTEST_LISTEN"
	socketVar = "FAULTTEST_SOCKET"
)

func TestMain(m *testing.M) {
	if mode := os.Getenv(modeVar); mode != "" {
		fmt.Fprintln(os.Stderr, serveGofast(mode))
		os.Exit(1)
	}
	leak.Main(m)
}

// gofast serves the application over HTTP with gofast in a process of its own. The modes are those of gofastHandler.
func gofast(t *testing.T, socket, mode string) (site, *peer.Process) {
	t.Helper()
	listen := filepath.Join(peer.Dir(t), "http")
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), modeVar+"="+mode, listenVar+"="+listen, socketVar+"="+socket)
	p := peer.Start(t, cmd, "unix", listen)
	return site{network: "unix", address: listen}, p
}

func serveGofast(mode string) error {
	h, err := gofastHandler(mode, os.Getenv(socketVar))
	if err != nil {
		return err
	}
	ln, err := net.Listen("unix", os.Getenv(listenVar))
	if err != nil {
		return err
	}
	return http.Serve(ln, h)
}

// gofastHandler uses gofast as its documentation does.
func gofastHandler(mode, socket string) (http.Handler, error) {
	clients := upstream.SimpleClientFactory(upstream.SimpleConnFactory("unix", socket))
	usual := upstream.Chain(upstream.BasicParamsMap, upstream.MapHeader)
	kind, argument, _ := strings.Cut(mode, " ")
	switch kind {
	case "simple":
	case "files": // of a folder
		usual = upstream.NewPHPFS(argument)
	case "endpoint": // a script
		usual = upstream.NewFileEndpoint(argument)
	case "pool": // scale and expiry
		scale, expiry, _ := strings.Cut(argument, " ")
		n, err := strconv.Atoi(scale)
		if err != nil {
			return nil, err
		}
		d, err := time.ParseDuration(expiry)
		if err != nil {
			return nil, err
		}
		clients = upstream.NewClientPool(clients, uint(n), d).CreateClient
	case "shared": // one client for all requests
		one, err := clients()
		if err != nil {
			return nil, err
		}
		clients = func() (upstream.Client, error) { return upstream.ClientFunc(one.Do), nil }
	case "deadline": // for requests
		d, err := time.ParseDuration(argument)
		if err != nil {
			return nil, err
		}
		h := upstream.NewHandler(usual(upstream.BasicSession), clients)
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			ctx, cancel := context.WithTimeout(r.Context(), d)
			defer cancel()
			h.ServeHTTP(w, r.WithContext(ctx))
		}), nil
	case "authorizer":
		debug.SetGCPercent(-1) // or else it finds the connections that nobody closes
		session := upstream.NewAuthPrepare()(upstream.BasicSession)
		return upstream.NewAuthorizer(clients, session).Wrap(http.HandlerFunc(tellUser)), nil
	case "regret": // fails after the request was sent
		usual = upstream.Chain(usual, func(inner upstream.SessionHandler) upstream.SessionHandler {
			return func(c upstream.Client, r *upstream.Request) (*upstream.ResponsePipe, error) {
				if _, err := inner(c, r); err != nil {
					return nil, err
				}
				return nil, errors.New("regret")
			}
		})
	case "logger":
		h := upstream.NewHandler(usual(upstream.BasicSession), clients)
		h.SetLogger(stdlog.New(os.Stderr, "my log: ", 0))
		return h, nil
	default:
		return nil, fmt.Errorf("no mode %q", mode)
	}
	return upstream.NewHandler(usual(upstream.BasicSession), clients), nil
}

func newResponsePipe() any { return upstream.NewResponsePipe() }

// responsePipe returns the names of the methods of what a gofast client returns.
func responsePipe() (names []string) {
	for m := range reflect.TypeOf(newResponsePipe()).Methods() {
		names = append(names, m.Name)
	}
	return names
}

// tellUser is what an authorizer protects: it says who the user is.
func tellUser(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Header.Get("Remote-User")) }

// A trial is a request and what both make of it. a is what the client gets and c what the application got, if it was
// asked.
type trial struct {
	name, request   string
	gangway, gofast func(t *testing.T, a answer, c *call)
}

// run tries both, each with an application of its own.
func (tt trial) run(t *testing.T) {
	t.Helper()
	try := func(t *testing.T, start func(*app) site, wait time.Duration, look func(*testing.T, answer, *call)) {
		t.Parallel()
		app := startApp(t)
		a := start(app).askFor(wait, tt.request)
		look(t, a, app.call(0))
	}
	t.Run("gangway", func(t *testing.T) {
		try(t, func(a *app) site { return fastcgi(t, a) }, patience, tt.gangway)
	})
	t.Run("gofast", func(t *testing.T) {
		try(t, func(a *app) site { s, _ := gofast(t, a.socket, "simple"); return s }, moment, tt.gofast)
	})
}

func runAll(t *testing.T, trials []trial) {
	t.Helper()
	for _, tt := range trials {
		t.Run(tt.name, tt.run)
	}
}

func hangs(t *testing.T, a answer, _ *call) {
	t.Helper()
	require.True(t, a.hangs, "it answered %d", a.status)
}
