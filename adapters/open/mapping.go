package open

import (
	"cmp"
	"context"
	"path/filepath"
	"slices"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/adapters/static"
)

// Handler returns the application for requests that arrive as HTTP: their path is divided into script and rest.
func (app *App) Handler() adapters.Handler { return app.Map(app.Backend) }

// Map is Handler with another backend, which sees what the application would.
func (app *App) Map(backend adapters.Handler) adapters.Handler {
	o, h := &app.options, withVars(backend, app.options.Vars)
	switch {
	case app.kind == folder, app.kind == socket && o.Root != "":
		h = app.resolver(h)
	case app.kind == program:
		h = withScript(h, app.Address.Target, cmp.Or(o.Root, filepath.Dir(app.Address.Target)))
	case app.kind == socket && o.Script != "":
		h = withScript(h, o.Script, "")
	}
	return mount(o.Prefix, h)
}

// resolver finds the script in a tree of files.
func (app *App) resolver(h adapters.Handler) *adapters.ScriptResolver {
	o := &app.options
	r := &adapters.ScriptResolver{
		To: h, Root: o.Root, LocalRoot: o.LocalRoot, Ext: o.Ext, Index: o.Index, Script: o.Script,
		Fallback: o.Fallback, FollowSymlinks: o.FollowSymlinks, Log: o.Log,
	}
	sendsFiles := o.Script == "" || o.Static
	if app.kind == folder {
		r.Root, sendsFiles = app.Address.Target, o.Ext != nil
		if r.Ext == nil {
			r.Ext = []string{"*"}
		}
		if r.Index == nil {
			r.Index = []string{}
		}
	}
	if sendsFiles {
		r.Files = &static.Files{Root: cmp.Or(r.LocalRoot, r.Root), FollowSymlinks: o.FollowSymlinks}
	}
	return r
}

func mount(prefix string, h adapters.Handler) adapters.Handler {
	if prefix == "" || prefix == "/" {
		return h
	}
	return adapters.Mount(prefix, h)
}

func withVars(h adapters.Handler, vars []adapters.Var) adapters.Handler {
	if len(vars) == 0 {
		return h
	}
	return with(h, func(req *adapters.Request) { req.Vars = append(slices.Clip(req.Vars), vars...) })
}

// withScript sets the script's file and root, and leaves its name and the rest of the path.
func withScript(h adapters.Handler, file, root string) adapters.Handler {
	return with(h, func(req *adapters.Request) { req.Script.Filename, req.Script.Root = file, root })
}

// with returns h for requests that change has changed, in a copy.
func with(h adapters.Handler, change func(*adapters.Request)) adapters.Handler {
	return adapters.HandlerFunc(func(ctx context.Context, req *adapters.Request) (*adapters.Response, error) {
		c := *req
		change(&c)
		return h.Serve(ctx, &c)
	})
}
