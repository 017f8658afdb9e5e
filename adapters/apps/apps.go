// Package apps finds out what kind of application a folder holds, starts it and keeps it running, without any
// configuration: PHP (php-fpm, else php-cgi), Rack (SPEC of Rack 2 and 3), WSGI (PEP 3333), PSGI (1.102), CGI scripts
// and files. It is what gangway serve does, for Go programs.
//
// Begin with [Start] for one application, with [Open] for a folder that may hold several:
//
//	site, err := apps.Open(ctx, "", "/srv/site", apps.Options{})
//	http.ListenAndServe(":8080", adapters.HTTP(site))
//
// Rack, WSGI and PSGI applications run in processes of their language, each of which serves one request at a time
// through a loader that is part of this package. Applications get the environment of this process. They run as its
// user; but when that is root, as the owner of their folder.
package apps

import (
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/adapters/pool"
	"github.com/gangway-go/gangway/cgi"
	"github.com/gangway-go/gangway/internal/sandbox"
)

// A Kind is what a folder holds.
type Kind string

// The kinds of applications, in the order in which they are looked for.
const (
	Rack   Kind = "rack"   // config.ru
	WSGI   Kind = "wsgi"   // wsgi.py or app.py with application or app, or Django's manage.py and */wsgi.py
	PSGI   Kind = "psgi"   // app.psgi
	PHP    Kind = "php"    // *.php, or a front controller public/index.php
	CGI    Kind = "cgi"    // cgi-bin/, and files beside it
	Static Kind = "static" // files
	EGI    Kind = "egi"    // NAME.egi, a built-in application of a [Site]
)

// Detect returns what kind of application the folder dir holds; Static if it holds no other.
func Detect(dir string) (Kind, error) {
	info, err := os.Stat(dir)
	switch {
	case err != nil:
		return "", err
	case !info.IsDir():
		return "", fmt.Errorf("%s is not a folder", dir)
	}
	for _, kind := range []Kind{Rack, WSGI, PSGI, PHP, CGI} {
		if entry(kind, dir) != "" {
			return kind, nil
		}
	}
	return Static, nil
}

// entries are the patterns of what each kind of application begins with.
var entries = map[Kind][]string{
	Rack:   {"config.ru"},
	WSGI:   {"wsgi.py", "app.py"},
	PSGI:   {"app.psgi"},
	PHP:    {frontController, "*.php"},
	CGI:    {"cgi-bin"},
	Static: {"."},
}

// entry returns the path beneath dir of the first thing that an application of this kind begins with; "" without one.
func entry(kind Kind, dir string) string {
	patterns := entries[kind]
	if kind == WSGI && exists(filepath.Join(dir, "manage.py")) {
		patterns = append(patterns[:len(patterns):len(patterns)], "*/wsgi.py")
	}
	for _, pattern := range patterns {
		// Glob would take characters of dir for a pattern.
		if matches, _ := fs.Glob(os.DirFS(dir), pattern); len(matches) > 0 {
			return matches[0]
		}
	}
	return ""
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// Options say how applications are run. The zero value is ready for use.
type Options struct {
	// Programs are what runs the applications of a kind, instead of what is in PATH: "/usr/bin/python3.12" for WSGI,
	// "/opt/php/sbin/php-fpm" or a php-cgi for PHP.
	Programs map[Kind]string
	// Processes is how many requests an application serves at once, each in a process of its own; 0 means 2 to 4, by the
	// number of processors.
	Processes int
	// MaxRequests, MaxQueue and MaxWait are those of [pool.Group].
	MaxRequests, MaxQueue int
	MaxWait               time.Duration
	// User is who the applications run as: "USER" or "USER:GROUP", names or numbers; [cgi.Self] is who we are and
	// [cgi.Owner] who owns the folder, or a CGI script. Empty is Self, but for root Owner; scripts of root's own are run
	// if the folder is root's, too. Sandbox and CGI are Sandbox and Limits of [cgi.Script], and for these only.
	User    string
	Sandbox cgi.Sandbox
	CGI     cgi.Limits
	// Env is that of [cgi.Script], and for these only.
	Env []string
	// BootTimeout, Grace and MaxLines are those of [pool.Command].
	BootTimeout, Grace time.Duration
	MaxLines           int
	// HeaderLimit, SpoolLimit, ConnectTimeout and Timeout are those of [fastcgi.Client], and of the other clients as far
	// as they have them.
	HeaderLimit             int
	SpoolLimit              int64
	ConnectTimeout, Timeout time.Duration
	// Wrap goes around what answers the requests that are for no file; nil is nothing. It is the place of
	// [adapters.Bodies].
	Wrap adapters.Middleware
	// Log takes what the applications write and what happens to their processes; nil is slog.Default.
	Log *slog.Logger
	// Instead returns what is asked in the place of an application, none of which is started then. It is for who wants
	// to see what the application would be asked.
	Instead func(kind Kind, dir string) adapters.Handler
}

func (o *Options) processes() int {
	return cmp.Or(max(o.Processes, 0), min(max(runtime.NumCPU(), 2), 4))
}

// An App is a running application. It is an [adapters.Handler]; mounted beneath a prefix ([adapters.Mount]) it sees the
// prefix as SCRIPT_NAME. Files in its folder public come before it. Its sources are never sent.
type App struct {
	Kind Kind
	Dir  string // absolute

	handler adapters.Handler
	runsAs  *sandbox.User // nil is who we are
	start   func(context.Context) error
	close   func(context.Context) error
}

// Start starts the application in the folder dir; the kind "" stands for what [Detect] finds. It returns when the
// application is ready, or with the reason why it is not.
func Start(ctx context.Context, kind Kind, dir string, o Options) (*App, error) {
	a, err := newApp(kind, dir, o, nil)
	if err != nil {
		return nil, err
	}
	if err := a.boot(ctx); err != nil {
		now, cancel := context.WithCancel(ctx)
		cancel()
		a.Close(now)
		return nil, err
	}
	return a, nil
}

func (a *App) boot(ctx context.Context) error {
	if err := a.start(ctx); err != nil {
		return a.fault(err)
	}
	return nil
}

// newApp makes an App that is not started. hide is that of [files].
func newApp(kind Kind, dir string, o Options, hide func(string) bool) (*App, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if kind, err = resolve(kind, dir); err != nil {
		return nil, err
	}
	a := &App{Kind: kind, Dir: dir}
	a.start = func(context.Context) error { return nil }
	a.close = a.start
	if a.runsAs, err = a.user(o.User); err != nil {
		return nil, a.fault(err)
	}
	switch first := entry(kind, dir); {
	case kind == Static:
		a.handler = files(dir, hide)
	case kind == CGI:
		err = a.initCGI(o, hide)
	case kind == PHP:
		err = a.initPHP(first == frontController, o, hide)
	default:
		err = a.initLoader(first, o)
	}
	if err != nil {
		return nil, a.fault(err)
	}
	return a, nil
}

func (a *App) fault(err error) error { return fmt.Errorf("%s: %w", a.Kind, err) }

// resolve returns kind, or what Detect finds for "", after a look whether dir holds it.
func resolve(kind Kind, dir string) (Kind, error) {
	found, err := Detect(dir)
	switch {
	case err != nil || kind == "":
		return found, err
	case entries[kind] == nil:
		return "", fmt.Errorf("unknown kind of application %q", kind)
	case entry(kind, dir) == "":
		return "", fmt.Errorf("%s: %s has no %s", kind, dir, strings.Join(entries[kind], " or "))
	}
	return kind, nil
}

// Serve implements [adapters.Handler].
func (a *App) Serve(ctx context.Context, req *adapters.Request) (*adapters.Response, error) {
	return a.handler.Serve(ctx, req)
}

// Close stops the application: see [pool.Group.Close].
func (a *App) Close(ctx context.Context) error { return a.close(ctx) }

// run lets g and c run the processes of the application.
func (a *App) run(g *pool.Group, c *pool.Command, o *Options) {
	log := cmp.Or(o.Log, slog.Default())
	g.Name, g.Spawner = string(a.Kind)+" "+a.Dir, c
	g.MaxQueue, g.MaxWait, g.Log = o.MaxQueue, o.MaxWait, log
	c.BootTimeout, c.Grace, c.MaxLines, c.Log = o.BootTimeout, o.Grace, o.MaxLines, log.With("app", g.Name)
	a.handler, a.start, a.close = g, g.Start, g.Close
	if o.Instead != nil {
		a.handler = o.Instead(a.Kind, a.Dir)
		a.start = func(context.Context) error { return nil }
		a.close = a.start
	}
	a.handler = o.wrap(a.handler)
}

func (o *Options) wrap(h adapters.Handler) adapters.Handler {
	if o.Wrap == nil {
		return h
	}
	return o.Wrap(h)
}
