package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/adapters/open"
)

// printExplanation prints what the application of a GET request for the path of --explain would see, and why.
func (g *gateway) printExplanation() error {
	g.endHold(false)
	given := !strings.HasPrefix(g.addresses[0], "http")
	req, err := newRequest("GET", g.explain)
	if err != nil {
		return err
	}
	if given {
		req.Script = adapters.Script{Name: req.Script.PathInfo}
	}
	d := &adapters.Dispatcher{}
	for _, r := range g.routes {
		d.Routes = append(d.Routes, adapters.Route{Host: r.host, Prefix: r.prefix, To: g.explaining(r, given)})
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

// errExplained says that the request has reached an application, and was explained there.
var errExplained = errors.New("explained")

// explaining returns the route's handler with the printing of an explanation in the place of the application.
func (g *gateway) explaining(r route, given bool) adapters.Handler {
	app, ok := r.app.(*open.App)
	if !ok {
		return r.http
	}
	explain := adapters.HandlerFunc(func(ctx context.Context, req *adapters.Request) (*adapters.Response, error) {
		if app.Address.Scheme == "static" {
			return app.Backend.Serve(ctx, req)
		}
		g.print(app, r, req, given)
		return nil, errExplained
	})
	if given {
		return app.MapGiven(explain)
	}
	return app.Map(explain)
}

func (g *gateway) print(app *open.App, r route, req *adapters.Request, given bool) {
	fmt.Fprintf(g.std.out, "application: %s\n", app.Address)
	if where := r.host + r.prefix; where != "" {
		fmt.Fprintf(g.std.out, "route: %s/\n", where)
	}
	if strings.HasPrefix(app.Address.Scheme, "http") {
		fmt.Fprintf(g.std.out, "target: %s%s, as the client sent it behind the path of the URL\n", app.Address.Path, req.URI)
		return
	}
	w := tabwriter.NewWriter(g.std.out, 0, 0, 2, ' ', 0)
	for name, value := range req.All() {
		fmt.Fprintf(w, "%s\t%s\t(%s)\n", name, value, app.Rule(name, given))
	}
	w.Flush()
}
