package open

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/adapters/pool"
	"github.com/gangway-go/gangway/adapters/proxy"
	"github.com/gangway-go/gangway/adapters/static"
	"github.com/gangway-go/gangway/cgi"
	"github.com/gangway-go/gangway/egi"
	"github.com/gangway-go/gangway/fastcgi"
	"github.com/gangway-go/gangway/fastcgi/gofast"
	"github.com/gangway-go/gangway/internal/sandbox"
	"github.com/gangway-go/gangway/internal/sockio"
	"github.com/gangway-go/gangway/scgi"
)

// An App is an opened application.
type App struct {
	Address Address
	// Backend carries requests to the application as they are.
	Backend adapters.Handler

	kind    kind
	options AppOptions
	start   func(context.Context) error
	close   func(context.Context) error
}

// A kind is what the path of a request means to an application.
type kind int

const (
	socket  kind = iota // FastCGI or SCGI
	program             // cgi:FILE
	folder              // cgi:DIR/
	files               // static:DIR
	builtin             // egi:NAME
	server              // HTTP
)

// closeTime is how long the function that Handler returns waits for processes.
const closeTime = 10 * time.Second

// Handler opens and starts the application at address for requests that no web server has divided into script and path.
// The function ends what was started.
func Handler(address string) (adapters.Handler, func() error, error) {
	app, err := Open(address, AppOptions{})
	if err != nil {
		return nil, nil, err
	}
	stop := func() error {
		ctx, cancel := context.WithTimeout(context.Background(), closeTime)
		defer cancel()
		return app.Close(ctx)
	}
	if err := app.Start(context.Background()); err != nil {
		stop()
		return nil, nil, err
	}
	return app.Handler(), stop, nil
}

// Open opens the application at address. Nothing is connected or started yet, but a file or folder must exist. The
// error wraps [ErrAddress] or [ErrOption], or says what is missing.
func Open(address string, o AppOptions) (*App, error) {
	a, err := ParseApp(address)
	if err != nil {
		return nil, err
	}
	o.Log = cmp.Or(o.Log, slog.Default())
	nothing := func(context.Context) error { return nil }
	app := &App{Address: a, options: o, start: nothing, close: nothing}
	open := map[string]func() error{
		"fcgi": app.openSocket, "scgi": app.openSocket, "cgi": app.openScript, "static": app.openFolder,
		"egi": app.openBuiltin, "http": app.openProxy, "https": app.openProxy,
	}
	if err := open[a.Scheme](); err != nil {
		return nil, err
	}
	if err := app.checkOptions(); err != nil {
		return nil, err
	}
	switch app.kind {
	case socket, program, folder:
		if o.Wrap != nil {
			app.Backend = o.Wrap(app.Backend)
		}
	}
	return app, nil
}

// Start starts the application if it is ours to start ("fcgi+exec:"), and returns when it is ready. After an error it
// is tried again until Close; meanwhile requests are answered with 503.
func (app *App) Start(ctx context.Context) error { return app.start(ctx) }

// Close ends what Start started, and the connections that are kept. ctx bounds the waiting for requests under way.
func (app *App) Close(ctx context.Context) error { return app.close(ctx) }

// Probe connects to the application's socket and reports why that fails; nil if it has none that exists before Start.
func (app *App) Probe(ctx context.Context) error {
	if a := app.Address; a.Network == "tcp" || a.Network == "unix" {
		conn, err := app.dial()(ctx, a.Network, a.Target)
		if err != nil {
			return sockio.NoSocket(a.Target, err)
		}
		return conn.Close()
	}
	return nil
}

// DefaultConnectTimeout is how long the opening of a connection may take (limit connect-timeout).
const DefaultConnectTimeout = 5 * time.Second

// dial returns what opens connections, and gives up in time.
func (app *App) dial() func(ctx context.Context, network, address string) (net.Conn, error) {
	dial, limit := app.options.Dial, cmp.Or(app.options.ConnectTimeout, DefaultConnectTimeout)
	if dial == nil {
		if app.Address.Network == "unix" { // it opens at once or not at all
			return func(_ context.Context, network, address string) (net.Conn, error) { return net.Dial(network, address) }
		}
		dial = new(net.Dialer).DialContext
	}
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		timed, cancel := context.WithTimeout(ctx, limit)
		defer cancel()
		conn, err := dial(timed, network, address)
		if err != nil && sockio.Over(ctx) == nil && sockio.Over(timed) != nil {
			late := fmt.Errorf("%w: no connection within %v", adapters.ErrTimeout, limit)
			err = adapters.ConnectTimeout(&adapters.Error{Op: "dial", Limit: "connect-timeout", Err: late})
		}
		return conn, err
	}
}

func (app *App) openSocket() error {
	app.kind = socket
	a := app.Address
	switch {
	case a.Network == "exec":
		return app.openCommand()
	case a.Engine == "gofast":
		o := &app.options
		engine := &gofast.Engine{
			Network: a.Network, Address: a.Target, Dial: o.Dial, HeaderLimit: o.HeaderLimit, SpoolLimit: o.SpoolLimit,
			Timeout: o.Timeout, ConnectTimeout: o.ConnectTimeout,
		}
		app.Backend, app.close = engine, func(context.Context) error { return engine.Close() }
	default:
		app.Backend = app.client(a.Network, a.Target)
		if c, ok := app.Backend.(*fastcgi.Client); ok {
			app.close = func(context.Context) error { return c.Close() }
		}
	}
	return nil
}

func (app *App) client(network, address string) adapters.Handler {
	o := &app.options
	if app.Address.Scheme == "scgi" {
		return &scgi.Client{
			Network: network, Address: address, Dial: app.dial(), HeaderLimit: o.HeaderLimit, SpoolLimit: o.SpoolLimit,
		}
	}
	return &fastcgi.Client{
		Network: network, Address: address, Dial: o.Dial, HeaderLimit: o.HeaderLimit, SpoolLimit: o.SpoolLimit,
		Timeout: o.Timeout, ConnectTimeout: o.ConnectTimeout,
	}
}

// commandRequests is how many requests a program of ours gets at once; those that it does not take yet wait in the
// queue of its socket.
const commandRequests = 1000

// openCommand is for a program that accepts connections on its descriptor 0, as FastCGI 1.0 section 2.2 has it.
func (app *App) openCommand() error {
	user, err := app.user()
	if err != nil {
		return err
	}
	group := &pool.Group{
		Name:        app.Address.Target,
		Concurrency: commandRequests,
		MaxQueue:    app.options.Queue,
		MaxWait:     app.options.QueueWait,
		Log:         app.options.Log,
		Spawner: &pool.Command{
			Cmd: func(string) (*exec.Cmd, error) {
				cmd := exec.Command("/bin/sh", "-c", shellCommand(app.Address.Target))
				if user != nil {
					return cmd, user.Set(cmd)
				}
				return cmd, nil
			},
			Inherit:     true,
			BootTimeout: app.options.BootTimeout,
			MaxLines:    app.options.StderrLines,
			Backend:     func(socket string) adapters.Handler { return app.client("unix", socket) },
			Log:         app.options.Log.With("app", app.Address.Target),
		},
	}
	app.Backend, app.start, app.close = group, group.Start, group.Close
	return nil
}

// shellCommand has the program take the place of the shell if the command is nothing but a program and plain words: then
// it hears itself when we die.
func shellCommand(command string) string {
	const special = "|&;<>()$`\\\"'*?[]#~=%!{}\n"
	words := strings.Fields(command)
	if len(words) == 0 || strings.ContainsAny(command, special) {
		return command
	}
	if _, err := exec.LookPath(words[0]); err != nil {
		return command
	}
	return "exec " + command
}

// user returns who the program runs as; nil is who we are.
func (app *App) user() (*sandbox.User, error) {
	switch name := app.options.User; name {
	case "", cgi.Self, cgi.Owner, cgi.OwnerOrRoot:
		return nil, nil
	default:
		user, err := sandbox.LookupUser(name)
		if err == nil {
			err = user.Apply(new(syscall.SysProcAttr))
		}
		return user, err
	}
}

// openScript opens a program for all requests, or a folder of programs.
func (app *App) openScript() error {
	path, err := filepath.Abs(app.Address.Target)
	if err != nil {
		return err
	}
	info, err := os.Stat(path)
	isFolder := strings.HasSuffix(app.Address.Target, "/")
	switch {
	case err != nil:
		return missing("cgi", path, err)
	case isFolder && !info.IsDir():
		return fmt.Errorf("cgi: %s is not a folder", path)
	case !info.IsDir() && !info.Mode().IsRegular():
		return fmt.Errorf("cgi: %s is neither a file nor a folder", path)
	}
	app.Address.Target = path
	o := &app.options
	script := &cgi.Script{
		Env: o.Environ(), Interpreters: o.Run, HeaderLimit: o.HeaderLimit, SpoolLimit: o.SpoolLimit, Log: o.Log,
		User: o.User, Sandbox: o.Sandbox, Limits: o.CGI,
	}
	app.Backend, app.kind = script, folder
	app.close = func(context.Context) error { return script.Close() }
	if info.IsDir() {
		script.Sandbox.Read = append(slices.Clip(script.Sandbox.Read), path)
	} else {
		app.kind, script.Path = program, path
	}
	return script.Check()
}

// missing returns the error for a path that cannot be looked at.
func missing(scheme, path string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s: %s does not exist: create it, or correct the address", scheme, path)
	}
	return fmt.Errorf("%s: %w", scheme, err)
}

func (app *App) openFolder() error {
	dir, err := filepath.Abs(app.Address.Target)
	if err != nil {
		return err
	}
	info, err := os.Stat(dir)
	switch {
	case err != nil:
		return missing("static", dir, err)
	case !info.IsDir():
		return fmt.Errorf("static: %s is not a folder", dir)
	}
	app.Backend = &static.Files{Root: dir, FollowSymlinks: app.options.FollowSymlinks}
	app.Address.Target, app.kind = dir, files
	return nil
}

func (app *App) openBuiltin() error {
	h, ok := egi.Builtin(app.Address.Target)
	if !ok {
		return fmt.Errorf("%w: egi: no built-in app is called %q; there is %s", ErrAddress, app.Address.Target,
			strings.Join(egi.BuiltinNames(), ", "))
	}
	app.Backend, app.kind = h, builtin
	return nil
}

func (app *App) openProxy() error {
	a, dial := app.Address, app.dial()
	path, err := url.PathUnescape(a.Path)
	if err != nil {
		return err
	}
	target := &url.URL{Scheme: a.Scheme, Host: a.Target, Path: path, RawPath: a.Path}
	if a.Network == "unix" {
		target.Host = "localhost"
		connect := dial
		dial = func(ctx context.Context, _, _ string) (net.Conn, error) { return connect(ctx, "unix", a.Target) }
	}
	transport := proxy.NewTransport(dial)
	if app.options.HeaderLimit > 0 {
		transport.MaxResponseHeaderBytes = int64(app.options.HeaderLimit)
	}
	app.Backend, app.kind = &proxy.Handler{Target: target, Transport: transport}, server
	app.close = func(context.Context) error { transport.CloseIdleConnections(); return nil }
	return nil
}
