package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"text/tabwriter"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/adapters/apps"
	"github.com/gangway-go/gangway/adapters/open"
)

// printExplanation prints what the application of a GET request for the path of --explain would see, and why.
func (g *gateway) printExplanation() error {
	g.endHold(false)
	listener, err := open.ParseListener(g.addresses[0])
	if err != nil {
		return err
	}
	req, err := g.explained(listener)
	if err != nil {
		return err
	}
	given := !strings.HasPrefix(listener.Scheme, "http")
	if given {
		req.Script = adapters.Script{Name: req.Script.PathInfo}
	}
	d := &adapters.Dispatcher{}
	for _, r := range g.routes {
		to, err := g.explaining(r, given)
		if err != nil {
			return err
		}
		d.Routes = append(d.Routes, adapters.Route{Host: r.host, Prefix: r.prefix, To: to})
	}
	resp, err := d.Serve(context.Background(), req)
	switch {
	case errors.Is(err, errExplained):
		return nil
	case err != nil:
		fmt.Fprintf(g.std.out, "%d: no application is asked: %v\n", adapters.StatusOf(err), err)
		return nil
	}
	defer resp.Body.Close()
	if location := resp.Header.Get("Location"); location != "" {
		fmt.Fprintf(g.std.out, "%d: no application is asked: redirect to %s\n", resp.Status, location)
		return nil
	}
	fmt.Fprintf(g.std.out, "%d: no application is asked: a file is sent, %s, %s bytes\n", resp.Status,
		resp.Header.Get("Content-Type"), resp.Header.Get("Content-Length"))
	return nil
}

// explained returns the request of --explain as it would come to the listener.
func (g *gateway) explained(listener open.Address) (*adapters.Request, error) {
	scheme, rest, isURL := strings.Cut(g.explain, "://")
	if !isURL || strings.Contains(scheme, "/") {
		scheme, rest, isURL = "", g.explain, false
	}
	host, path, hasPath := strings.Cut(rest, "/")
	known := scheme == "" || scheme == "http" || scheme == "https"
	if !known || host != "" && !adapters.ValidHost(host) || !hasPath && !isURL {
		return nil, usage("--explain %s: write /PATH, HOST/PATH or http://HOST/PATH", g.explain)
	}
	req, err := newRequest("GET", "/"+path)
	if err != nil {
		return nil, err
	}
	if strings.HasPrefix(listener.Scheme, "http") {
		req.Scheme = cmp.Or(scheme, listener.Scheme)
		reach(req, listener)
	}
	req.Host, req.Scheme = cmp.Or(host, req.Host), cmp.Or(scheme, req.Scheme)
	req.NameServer(g.listener.NamesOf(listener))
	return req, nil
}

// reach says what a client on this host would, and the ends of its connection, if it goes by the listener's address.
func reach(req *adapters.Request, listener open.Address) {
	if listener.Network != "tcp" {
		req.Remote, req.Local = adapters.Endpoint{}, adapters.Endpoint{}
		return
	}
	host, port, _ := net.SplitHostPort(listener.Target)
	usual := map[string]string{"http": "80", "https": "443"}[req.Scheme]
	if port == "0" { // any
		port = usual
	}
	req.Local.Port = port
	switch ip, err := netip.ParseAddr(host); {
	case host == "" || err == nil && ip.IsUnspecified():
		host = req.Host
	case err == nil:
		req.Remote.Addr, req.Local.Addr = host, host
	}
	req.Host = net.JoinHostPort(host, port)
	if port == usual {
		req.Host = strings.TrimSuffix(req.Host, ":"+port)
	}
}

// errExplained says that the request has reached an application, and was explained there.
var errExplained = errors.New("explained")

// explaining returns the route's handler with the printing of an explanation in the place of the application.
func (g *gateway) explaining(r route, given bool) (adapters.Handler, error) {
	app, ok := r.app.(*open.App)
	if !ok {
		return r.app.(*folder).explaining(g, given)
	}
	where := "application: " + app.Address.String() + "\n"
	if r.host+r.prefix != "" {
		where += "route: " + r.host + r.prefix + "/\n"
	}
	to := g.printer(where, func(name string) string { return app.Rule(name, given) })
	switch app.Address.Scheme {
	case "static":
		to = app.Backend
	case "http", "https":
		to = g.targetPrinter(where, app.Address.Path)
	}
	if given {
		return app.MapGiven(to), nil
	}
	return app.Map(to), nil
}

// printer returns a handler that prints what it is asked: where, and each variable with its rule.
func (g *gateway) printer(where string, rule func(name string) string) adapters.Handler {
	return adapters.HandlerFunc(func(_ context.Context, req *adapters.Request) (*adapters.Response, error) {
		io.WriteString(g.std.out, where)
		w := tabwriter.NewWriter(g.std.out, 0, 0, 2, ' ', 0)
		for name, value := range req.All() {
			fmt.Fprintf(w, "%s\t%s\t(%s)\n", name, value, rule(name))
		}
		w.Flush()
		return nil, errExplained
	})
}

// targetPrinter is printer for an application that gets no variables.
func (g *gateway) targetPrinter(where, base string) adapters.Handler {
	return adapters.HandlerFunc(func(_ context.Context, req *adapters.Request) (*adapters.Response, error) {
		fmt.Fprintf(g.std.out, "%starget: %s%s, as the client sent it behind the path of the URL\n", where,
			strings.TrimSuffix(base, "/"), req.URI)
		return nil, errExplained
	})
}

// explaining is that of the applications of a folder.
func (f *folder) explaining(g *gateway, given bool) (adapters.Handler, error) {
	common, err := open.Open("egi:echo", open.AppOptions{Vars: f.vars})
	if err != nil {
		return nil, err
	}
	instead := func(kind apps.Kind, dir string) adapters.Handler {
		return g.printer(fmt.Sprintf("application: %s %s\n", kind, dir), func(name string) string {
			if rule := folderRule(kind, dir, name); rule != "" && common.Rule(name, given) != "var" {
				return rule
			}
			return common.Rule(name, given)
		})
	}
	f.site, err = apps.Open(context.Background(), f.kind, f.dir, apps.Options{Log: f.log, Instead: instead})
	if given {
		return adapters.HandlerFunc(f.serveGiven), err
	}
	return f, err
}

// folderRule says how the application of a folder gets a variable that concerns its script; "" if it concerns another
// thing.
func folderRule(kind apps.Kind, dir, name string) string {
	switch name {
	case "SCRIPT_NAME":
		switch kind {
		case apps.PHP:
			return "the path up to the first file beneath " + dir + ", else index.php"
		case apps.CGI:
			return "the path up to the first file beneath " + dir
		}
		return "where it is mounted"
	case "PATH_INFO":
		return "the rest of the path"
	case "SCRIPT_FILENAME":
		return "the folder and SCRIPT_NAME"
	case "DOCUMENT_ROOT":
		return "the folder"
	case "PATH_TRANSLATED":
		return "the folder and PATH_INFO"
	}
	return ""
}
