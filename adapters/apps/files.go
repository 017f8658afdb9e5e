package apps

import (
	"context"
	"net/http"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/adapters/static"
	"github.com/gangway-go/gangway/cgi"
	"github.com/gangway-go/gangway/internal/sandbox"
)

// files answers with the files beneath dir, but for sources and what hide, if it is not nil, says of a path beneath dir
// in lower case.
func files(dir string, hide func(name string) bool) *static.Files {
	hides := func(name string) bool { return isSource(name) || hide != nil && hide(name) }
	return &static.Files{Root: dir, Hide: hides}
}

// sources are the names of files that tell an application's code or configuration, and what they end in.
var sources = []string{
	"config.ru", "gemfile", "gemfile.lock", "rakefile", "wsgi.py", "app.py", "manage.py", "app.psgi", "cpanfile",
	"composer.json", "composer.lock",
}

var sourceEnds = []string{".php", ".phtml", ".phar", ".inc", ".psgi", ".egi", "~", ".bak", ".orig", ".swp"}

func isSource(name string) bool {
	base := path.Base(name)
	return slices.Contains(sources, base) ||
		slices.ContainsFunc(sourceEnds, func(end string) bool { return strings.HasSuffix(base, end) })
}

// publicFirst lets the files in the folder public of the application come before it, if there is such a folder.
func (a *App) publicFirst() {
	dir := filepath.Join(a.Dir, "public")
	if !exists(dir) {
		return
	}
	public, app := files(dir, nil), a.handler
	a.handler = adapters.HandlerFunc(func(ctx context.Context, req *adapters.Request) (*adapters.Response, error) {
		if req.Method == http.MethodGet || req.Method == http.MethodHead {
			resp, err := public.Serve(ctx, req)
			switch {
			case err != nil: // whatever it is, the application may know better
			case resp.Status == http.StatusMovedPermanently: // a folder, which may well be a page of the application
				resp.Body.Close()
			default:
				return resp, nil
			}
		}
		return app.Serve(ctx, req)
	})
}

const cgiBin = "/cgi-bin"

// initCGI serves the programs beneath cgi-bin, and the files outside of it.
func (a *App) initCGI(o Options, hide func(string) bool) error {
	outside := files(a.Dir, func(name string) bool { return within("/"+name, cgiBin) || hide != nil && hide(name) })
	script := &cgi.Script{
		Grace: o.Grace, HeaderLimit: o.HeaderLimit, SpoolLimit: o.SpoolLimit, Log: o.Log,
		User: o.User, Sandbox: o.Sandbox, Limits: o.CGI, Env: o.Env,
	}
	if o.User == "" && sandbox.Root() {
		script.User = cgi.Owner
		if a.runsAs == nil { // the folder is root's
			script.User = cgi.OwnerOrRoot
		}
	}
	script.Sandbox.Read = append(slices.Clip(script.Sandbox.Read), filepath.Join(a.Dir, cgiBin))
	programs := &adapters.ScriptResolver{Root: a.Dir, Ext: []string{"*"}, Index: []string{}, To: script, Log: o.Log}
	if o.Instead != nil {
		programs.To = o.Instead(a.Kind, a.Dir)
	}
	programs.To = o.wrap(programs.To)
	a.close = func(context.Context) error { return script.Close() }
	a.handler = adapters.HandlerFunc(func(ctx context.Context, req *adapters.Request) (*adapters.Response, error) {
		if within(req.Script.PathInfo, cgiBin) {
			return programs.Serve(ctx, req)
		}
		return outside.Serve(ctx, req)
	})
	if o.Instead != nil {
		return nil
	}
	return script.Check()
}

// within reports whether path is prefix or lies beneath it.
func within(path, prefix string) bool {
	rest, ok := strings.CutPrefix(path, prefix)
	return ok && (rest == "" || rest[0] == '/')
}
