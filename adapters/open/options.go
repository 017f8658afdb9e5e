package open

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/cgi"
)

// ErrOption is wrapped by every error about options that contradict each other or the address.
var ErrOption = errors.New("bad option")

// AppOptions say how the path of a request is divided into script and rest, and what else the application is told. The
// zero value gives the whole path to the application as PATH_INFO.
type AppOptions struct {
	Prefix    string   // SCRIPT_NAME of an application that has no script
	Root      string   // folder of the scripts as the application sees it
	LocalRoot string   // the same folder as we see it; empty means Root
	Script    string   // the script for all requests
	Fallback  string   // the script for paths that are for nothing that exists
	Index     []string // names tried for a folder; nil is index.php and index.html, of cgi:DIR/ none
	Ext       []string // extensions of scripts; nil is .php, of cgi:DIR/ every file
	Static    bool     // with Script: existing files that are no scripts are sent as they are

	Run            map[string]string // interpreters of CGI programs by extension, ".py": "python3"
	Vars           []adapters.Var    // win over every other variable
	FollowSymlinks bool              // symbolic links may lead out of the folder

	Timeout     time.Duration // silence of the application; 0 is the backend's default, below 0 is none
	HeaderLimit int           // bytes of its response header; 0 is adapters.DefaultHeaderLimit
	SpoolLimit  int64         // bytes of a body of unknown length; 0 is adapters.DefaultSpoolLimit

	ConnectTimeout time.Duration // for opening a connection; 0 is DefaultConnectTimeout
	Queue          int           // requests that wait for a process of ours; 0 is pool.DefaultQueue
	QueueWait      time.Duration // for how long; 0 is pool.DefaultWait
	BootTimeout    time.Duration // for a process of ours to accept a connection; 0 is pool.DefaultBoot
	StderrLines    int           // of a process of ours that are logged in a second; 0 is pool.DefaultMaxLines

	// User, Sandbox and CGI are User, Sandbox and Limits of [cgi.Script]. Programs of fcgi+exec: and scgi+exec: run as
	// User, too, unless it is cgi.Owner or cgi.OwnerOrRoot: they have none.
	User    string
	Sandbox cgi.Sandbox
	CGI     cgi.Limits

	// Wrap goes around an application that serves only so much at once: FastCGI, SCGI, CGI; nil is nothing. It is the
	// place of [adapters.Bodies].
	Wrap adapters.Middleware
	// Dial opens connections; nil is that of a net.Dialer.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	Log  *slog.Logger // nil is slog.Default
}

// Environ returns Vars as the Env of a [cgi.Script], which keeps some variables of a request from programs of other
// users. One with an empty value removes a variable, and is left to the request.
func (o *AppOptions) Environ() (env []string) {
	for i, v := range o.Vars {
		again := slices.ContainsFunc(o.Vars[i+1:], func(later adapters.Var) bool { return later.Name == v.Name })
		if v.Value != "" && !again {
			env = append(env, v.Name+"="+v.Value)
		}
	}
	return env
}

// options are the names of the options that divide the path, by the kind of application that knows them.
var options = map[kind][]string{
	socket:  {"prefix", "root", "local-root", "script", "fallback", "index", "ext", "static"},
	program: {"prefix", "root"},
	folder:  {"prefix", "index", "ext"},
	files:   {"prefix"},
	builtin: {"prefix"},
	server:  {"prefix"},
}

// given returns the names of those that are set.
func (o *AppOptions) given() []string {
	var names []string
	for _, option := range []struct {
		name string
		set  bool
	}{
		{"prefix", o.Prefix != ""}, {"root", o.Root != ""}, {"local-root", o.LocalRoot != ""},
		{"script", o.Script != ""}, {"fallback", o.Fallback != ""}, {"index", o.Index != nil}, {"ext", o.Ext != nil},
		{"static", o.Static},
	} {
		if option.set {
			names = append(names, option.name)
		}
	}
	return names
}

// checkOptions refuses options that can never work, and completes the others. A Root that is not here is no fault: it
// is the application's.
func (app *App) checkOptions() error {
	o := &app.options
	for _, name := range o.given() {
		if !slices.Contains(options[app.kind], name) {
			return fmt.Errorf("%w: %s means nothing to %s", ErrOption, name, app.Address)
		}
	}
	switch {
	case o.Prefix != "" && o.Prefix[0] != '/':
		return fmt.Errorf("%w: prefix %q does not begin with a slash", ErrOption, o.Prefix)
	case o.Static && o.Script == "":
		return fmt.Errorf("%w: static goes with script; with root alone files are sent anyway", ErrOption)
	case o.LocalRoot != "" && o.Root == "":
		return fmt.Errorf("%w: local-root needs root, the same folder as the application sees it", ErrOption)
	case o.Script != "" && o.Fallback != "":
		return fmt.Errorf("%w: script and fallback exclude each other: one script for all, or for what is not there",
			ErrOption)
	case app.kind == socket && o.Root == "" && (o.Static || o.Fallback != "" || o.Index != nil || o.Ext != nil):
		return fmt.Errorf("%w: static, fallback, index and ext need root, the folder of the scripts", ErrOption)
	}
	return app.checkRoots()
}

func (app *App) checkRoots() error {
	o := &app.options
	if o.Root == "" {
		return nil
	}
	if o.LocalRoot != "" && !strings.HasPrefix(o.Root, "/") {
		return fmt.Errorf("%w: root %q is no absolute path of the application", ErrOption, o.Root)
	}
	var err error
	if o.LocalRoot == "" {
		if o.Root, err = filepath.Abs(o.Root); err != nil {
			return err
		}
	}
	if info, err := os.Stat(app.localRoot()); err == nil && !info.IsDir() {
		return fmt.Errorf("%w: root %s is not a folder", ErrOption, app.localRoot())
	}
	if o.Script, err = app.beneathRoot("script", o.Script); err == nil {
		o.Fallback, err = app.beneathRoot("fallback", o.Fallback)
	}
	return err
}

func (app *App) localRoot() string {
	if app.options.LocalRoot != "" {
		return app.options.LocalRoot
	}
	return app.options.Root
}

// beneathRoot returns the script that the option says as a path beneath Root.
func (app *App) beneathRoot(option, script string) (string, error) {
	if !strings.HasPrefix(script, "/") {
		return script, nil
	}
	root := app.options.Root
	rest, ok := strings.CutPrefix(script, strings.TrimSuffix(root, "/")+"/")
	if !ok {
		return "", fmt.Errorf("%w: %s %s does not lie beneath root %s", ErrOption, option, script, root)
	}
	return rest, nil
}
