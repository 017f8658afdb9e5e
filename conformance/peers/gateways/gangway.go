package main

import (
	"context"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/adapters/middleware"
	"github.com/gangway-go/gangway/adapters/open"
)

// gangway is gangway's backends and its HTTP frontends.
func gangway(s setup) error {
	g := &gateway{setup: s}
	if folder, ok := strings.CutPrefix(s.app, "cgi:"); ok {
		programs := g.open("cgi:"+folder+"/", open.AppOptions{Prefix: "/cgi-bin"})
		g.add("/cgi-bin", programs)
		g.add("/cgi-bin/auth", g.protect(programs))
		g.add("", g.open("static:"+filepath.Join(s.dir, "www"), open.AppOptions{}))
	} else {
		g.sockets()
	}
	if g.err != nil {
		return g.err
	}
	log, err := os.OpenFile(filepath.Join(s.dir, "error.log"), os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	g.log = slog.New(slog.NewTextHandler(log, nil))
	limits := middleware.DefaultLimits()
	limits.HeaderBytes, limits.URI = 256<<10, 64<<10 // what the other servers are configured for
	limits.Timeout = s.timeout
	h := adapters.Chain(&adapters.Dispatcher{Routes: g.routes}, middleware.Recover(g.log), limits.Wrap)
	return g.listen(h)
}

type gateway struct {
	setup
	routes []adapters.Route
	log    *slog.Logger
	err    error
}

// sockets adds the routes of an application behind a socket.
func (g *gateway) sockets() {
	www := filepath.Join(g.dir, "www")
	app := func(prefix string) adapters.Handler { return g.open(g.app, open.AppOptions{Prefix: prefix}) }
	g.add("/app", app("/app"))
	g.add("/app2", app("/app2"))
	g.add("/auth", g.protect(app("/auth")))
	g.add("", g.open(g.app, open.AppOptions{Root: www}))
	if !strings.HasPrefix(g.app, "fcgi") {
		return
	}
	g.add("/authorized", middleware.Authorize(g.raw(g.app))(app("/authorized")))
	files := g.open("static:"+www, open.AppOptions{})
	file := adapters.HandlerFunc(func(ctx context.Context, req *adapters.Request) (*adapters.Response, error) {
		return files.Serve(ctx, req.WithPath("/static.txt", ""))
	})
	g.add("/filtered", middleware.Filter(file)(app("/filtered")))
}

// open opens an application.
func (g *gateway) open(address string, o open.AppOptions) adapters.Handler {
	app := g.start(address, o)
	if app == nil {
		return nil
	}
	return app.Handler()
}

// raw opens an application that gets requests as they are.
func (g *gateway) raw(address string) adapters.Handler {
	app := g.start(address, open.AppOptions{})
	if app == nil {
		return nil
	}
	return app.Backend
}

func (g *gateway) start(address string, o open.AppOptions) *open.App {
	o.Timeout = g.timeout
	app, err := open.Open(address, o)
	if err == nil {
		err = app.Start(context.Background())
	}
	if err != nil {
		g.err = err
		return nil
	}
	return app
}

func (g *gateway) add(prefix string, h adapters.Handler) {
	g.routes = append(g.routes, adapters.Route{Prefix: prefix, To: h})
}

// protect asks for a password.
func (g *gateway) protect(h adapters.Handler) adapters.Handler {
	users, err := middleware.OpenHtpasswd(filepath.Join(g.dir, "users"))
	if err != nil {
		g.err = err
		return h
	}
	return (&middleware.Basic{Realm: "conformance", Users: users}).Wrap(h)
}

// listen serves until a listener fails.
func (g *gateway) listen(h adapters.Handler) error {
	_, port, _ := net.SplitHostPort(g.http)
	addresses := []string{"http://" + g.http, "http://[::1]:" + port, "http+unix://" + filepath.Join(g.dir, "http.sock")}
	if g.tls != "" {
		addresses = append(addresses, "https://"+g.tls)
	}
	ended := make(chan error)
	for _, address := range addresses {
		ln, err := open.Listen(address, h, open.ListenOptions{
			CertFile: filepath.Join(g.dir, "certificate.pem"), KeyFile: filepath.Join(g.dir, "key.pem"),
			Log: g.log, NetHTTP: g.netHTTP, Limits: open.ListenLimits{MaxHeader: 512 << 10},
		})
		if err != nil && strings.Contains(address, "[::1]") {
			continue // there is no IPv6 here
		}
		if err != nil {
			return err
		}
		go func() { ended <- ln.Serve() }()
	}
	return <-ended
}
