package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/adapters/apps"
)

// kinds are the values of --app.
var kinds = []apps.Kind{apps.PHP, apps.Rack, apps.WSGI, apps.PSGI, apps.CGI, apps.Static}

func serveCommand(std streams) *cli.Command {
	return &cli.Command{
		Name:            "serve",
		Usage:           "find the applications of a folder, start them and serve them",
		UsageText:       "gangway serve [DIR] [flags]",
		Description:     serveHelp,
		HideHelpCommand: true,
		OnUsageError:    usageError,
		Flags: slices.Concat([]cli.Flag{
			&cli.StringSliceFlag{Name: "listen", Usage: "`URL` of a listener; may repeat (default: " + defaultListener + ")"},
			&cli.StringFlag{Name: "app", Usage: "`KIND` of DIR: " + kindList() + " (default: what is found)"},
			varFlag(),
		}, mountMappingFlags(), confineFlags(), listenerFlags(), trustFlags()),
		Action: func(c *cli.Context) error { return serve(c, std) },
	}
}

const defaultListener = "http://127.0.0.1:8080"

const serveHelp = `the folder you are in, on ` + defaultListener + `:
   gangway serve

a folder, for a browser and for nginx's fastcgi_pass:
   gangway serve ~/site --listen http://127.0.0.1:8000 --listen fcgi+unix://app.sock

What makes a folder an application, in this order: config.ru (Rack), wsgi.py or app.py (WSGI), app.psgi (PSGI), *.php,
cgi-bin/, else files. Files in DIR/public come first; public/index.php is PHP's one script, if it is there, and else
DIR/index.php the one for paths that no file or script is for. A sub-folder that holds an application takes the prefix
/SUB/, and NAME.egi mounts the built-in application NAME. Dot-files and the sources of applications are never sent.

Listeners, signals and exit codes are those of "gangway help bridge".`

func kindList() string {
	var names []string
	for _, k := range kinds {
		names = append(names, string(k))
	}
	return strings.Join(names, ", ")
}

func serve(c *cli.Context, std streams) error {
	if c.NArg() > 1 {
		return usage("unexpected argument %q: serve takes one folder", c.Args().Get(1))
	}
	kind := apps.Kind(c.String("app"))
	if kind != "" && !slices.Contains(kinds, kind) {
		return usage("--app %s: there are %s", kind, kindList())
	}
	s, err := newSettings(c, std)
	if err != nil {
		return err
	}
	if flag := s.mappings.unmounted(); flag != "" {
		return usage("--%s VALUE: serve takes its folder as it is; --%s /PREFIX=VALUE is for one of --mount", flag, flag)
	}
	g := &gateway{settings: s, std: std, addresses: c.StringSlice("listen")}
	if len(g.addresses) == 0 {
		g.addresses = []string{defaultListener}
	}
	if err := g.checkListeners(c, "--listen"); err != nil {
		return err
	}
	dir := "."
	if c.NArg() == 1 {
		dir = c.Args().First()
	}
	if _, err := apps.Detect(dir); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s: no such folder: create it, or correct the path", dir)
	} else if err != nil {
		return err
	}
	f := &folder{kind: kind, dir: dir, log: s.app.Log, vars: s.app.Vars, limits: s.limits, confine: s.confine}
	f.env, f.wrap = s.app.Environ(), s.bodies.Wrap(s.bodyModes.of(""))
	g.routes = []route{{url: dir, app: f, http: f, given: adapters.HandlerFunc(f.serveGiven)}}
	if err := g.addMounts(); err != nil {
		return err
	}
	f.sandboxIdle = g.checkSandbox() != nil
	if g.explain != "" {
		return g.printExplanation()
	}
	return g.run()
}

// A folder is the applications that serve finds.
type folder struct {
	kind apps.Kind
	dir  string
	log  *slog.Logger
	vars []adapters.Var
	env  []string // the same, for programs

	limits  *limits
	confine confinement
	// sandboxIdle says that there is a sandbox, and no CGI program for it but those of the folder.
	sandboxIdle bool
	wrap        adapters.Middleware

	site *apps.Site // nil before Start
}

// Start starts the applications. The error is that none of them runs.
func (f *folder) Start(ctx context.Context) error {
	o := apps.Options{Log: f.log, Env: f.env, Wrap: f.wrap}
	f.limits.applySite(&o)
	f.confine.applySite(&o)
	site, err := apps.Open(ctx, f.kind, f.dir, o)
	if err != nil {
		return err
	}
	f.site = site
	if f.sandboxIdle && !slices.ContainsFunc(site.Mounts, func(m *apps.Mount) bool { return m.Kind == apps.CGI }) {
		return errNoPrograms
	}
	if ctx.Err() != nil {
		return nil
	}
	if up := slices.ContainsFunc(site.Mounts, func(m *apps.Mount) bool { return m.Err == nil }); !up {
		return site.Mounts[0].Err
	}
	for _, m := range site.Mounts {
		if log := f.log.With("kind", m.Kind, "prefix", m.Prefix+"/"); m.Err != nil {
			log.Error("application not started, its requests are answered with 503", "error", m.Err)
		} else {
			log.Info("application started")
		}
	}
	return nil
}

// Close ends the applications.
func (f *folder) Close(ctx context.Context) error {
	if f.site == nil {
		return nil
	}
	return f.site.Close(ctx)
}

// Serve implements [adapters.Handler].
func (f *folder) Serve(ctx context.Context, req *adapters.Request) (*adapters.Response, error) {
	if len(f.vars) > 0 {
		c := *req
		c.Vars = append(slices.Clip(c.Vars), f.vars...)
		req = &c
	}
	return f.site.Serve(ctx, req)
}

// serveGiven is Serve for a request that a web server has divided: here the files decide.
func (f *folder) serveGiven(ctx context.Context, req *adapters.Request) (*adapters.Response, error) {
	c := *req
	c.Script = adapters.Script{PathInfo: req.Path()}
	c.Vars = slices.DeleteFunc(slices.Clone(c.Vars), func(v adapters.Var) bool { return v.Name == "PATH_TRANSLATED" })
	return f.Serve(ctx, &c)
}
