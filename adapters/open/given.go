package open

import (
	"context"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gangway-go/gangway/adapters"
)

// Given returns the application for requests in which a web server has named the script already: its variables pass
// unchanged but for the options that are set.
func (app *App) Given() adapters.Handler { return app.MapGiven(app.Backend) }

// MapGiven is Given with another backend, which sees what the application would.
func (app *App) MapGiven(backend adapters.Handler) adapters.Handler {
	o, h := &app.options, withVars(backend, app.options.Vars)
	switch {
	case app.kind == folder && o.Prefix != "":
		return app.Map(backend) // the path is ours to divide
	case app.kind == files:
		return adapters.Mount(o.Prefix, h)
	case app.kind == folder:
		return &givenScript{folder: app.Address.Target, to: h}
	case o.Root != "" || o.Script != "":
		h = app.replacing(h)
	}
	return mount(o.Prefix, h)
}

// replacing returns h for requests with the options that are set in the place of the web server's variables. A
// SCRIPT_NAME that could lead out of Root is refused: there are web servers that pass on whatever their client sent.
func (app *App) replacing(h adapters.Handler) adapters.Handler {
	replaced := with(h, app.replace)
	return adapters.HandlerFunc(func(ctx context.Context, req *adapters.Request) (*adapters.Response, error) {
		name := req.Script.Name
		names := app.kind == socket && app.options.Script == "" // a file
		if names && name != "" && (name[0] != '/' || adapters.HiddenPath(name) || strings.Contains(name, "\x00")) {
			return nil, fmt.Errorf("%w: SCRIPT_NAME %.200q", adapters.ErrNotFound, name)
		}
		return replaced.Serve(ctx, req)
	})
}

// replace puts the options that are set in the place of the web server's variables.
func (app *App) replace(req *adapters.Request) {
	o, s := &app.options, &req.Script
	if o.Root != "" {
		s.Root = o.Root
		req.Vars = slices.DeleteFunc(slices.Clone(req.Vars), func(v adapters.Var) bool { return v.Name == "PATH_TRANSLATED" })
	}
	switch {
	case o.Script != "":
		s.Filename = path.Join(o.Root, o.Script)
	case app.kind == socket:
		s.Filename = strings.TrimSuffix(o.Root, "/") + s.Name
	}
}

// A givenScript runs the CGI program that the web server named in SCRIPT_FILENAME, or in DOCUMENT_ROOT and SCRIPT_NAME,
// if it lies beneath a folder; fcgiwrap's way.
type givenScript struct {
	folder string
	to     adapters.Handler
}

// Serve implements [adapters.Handler]. The error wraps [adapters.ErrNotFound] or [adapters.ErrForbidden].
func (g *givenScript) Serve(ctx context.Context, req *adapters.Request) (*adapters.Response, error) {
	name := withoutProxy(req.Script.Filename)
	if name == "" {
		name = req.Script.Root + req.Script.Name
	}
	file, err := g.find(name)
	if err != nil {
		return nil, err
	}
	c := *req
	c.Script.Filename = file
	if rest := name[len(file):]; rest != "" && req.Script.PathInfo == "" {
		if script, ok := strings.CutSuffix(req.Script.Name, rest); ok { // as fcgiwrap does
			c.Script.Name, c.Script.PathInfo = script, rest
		}
	}
	return g.to.Serve(ctx, &c)
}

// withoutProxy returns a path without "proxy:fcgi://HOST", which Apache's mod_proxy_fcgi puts before it.
func withoutProxy(name string) string {
	rest, ok := strings.CutPrefix(name, "proxy:fcgi://")
	if slash := strings.IndexByte(rest, '/'); ok && slash >= 0 {
		return rest[slash:]
	}
	return name
}

// find walks name to a file and checks where it really lies. Dot segments are the system's to resolve: behind a file they
// lead nowhere. It begins at the front, where a name that is longer than any path costs no more than its first part.
func (g *givenScript) find(name string) (string, error) {
	if !filepath.IsAbs(name) || strings.IndexByte(name, 0) >= 0 {
		return "", fmt.Errorf("%w: SCRIPT_FILENAME %.200q is no absolute path", adapters.ErrForbidden, name)
	}
	for end := 1; end <= len(name); end++ {
		if end < len(name) && name[end] != '/' {
			continue
		}
		info, err := os.Stat(name[:end])
		if err != nil {
			break
		}
		if info.Mode().IsRegular() {
			return name[:end], g.holds(name[:end])
		}
	}
	return "", fmt.Errorf("%w: no program at %.200q", adapters.ErrNotFound, name)
}

// holds returns an error unless file lies beneath the folder, symbolic links followed, and is not hidden there.
func (g *givenScript) holds(file string) error {
	folder, err := filepath.EvalSymlinks(g.folder)
	if err != nil {
		return err
	}
	real, err := filepath.EvalSymlinks(file)
	if err != nil {
		return err
	}
	rel, err := filepath.Rel(folder, real)
	if err != nil || !filepath.IsLocal(rel) {
		return fmt.Errorf("%w: %s does not lie beneath %s", adapters.ErrForbidden, real, g.folder)
	}
	if name, ok := strings.CutPrefix(file, g.folder+"/"); ok {
		rel = name // as it was asked for: links may lead to what is hidden
	}
	if g.folder != "/" && adapters.HiddenPath("/"+filepath.ToSlash(rel)) {
		return fmt.Errorf("%w: %s has a hidden component", adapters.ErrNotFound, file)
	}
	return nil
}
