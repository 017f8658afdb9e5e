package cli

import (
	"cmp"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/adapters/middleware"
	"github.com/gangway-go/gangway/adapters/open"
	"github.com/gangway-go/gangway/adapters/static"
	"github.com/gangway-go/gangway/adapters/status"
)

// settings are what the flags of serve and bridge say.
type settings struct {
	log       *slog.Logger
	json      slog.Handler                   // of all that is printed; nil if that is text
	app       open.AppOptions                // for every application
	endHold   func(drop bool) (dropped bool) // of what applications log
	mounts    []mount
	mappings  mappings
	listener  open.ListenOptions
	limits    *limits
	confine   confinement
	bodies    *adapters.Bodies
	bodyModes perApp[adapters.BodyMode]
	trust     trust
	accessLog string
	auth      []adapters.Middleware
	sendfile  *middleware.Sendfile // nil is off
	grace     time.Duration
	explain   string // what is asked for; empty is off
	statusURL string
	counters  *status.Status // nil without statusURL
}

// A mount is an application beneath a prefix.
type mount struct {
	host, prefix, url string
}

func newSettings(c *cli.Context, std streams) (*settings, error) {
	s := &settings{accessLog: c.String("access-log"), grace: c.Duration("grace"), explain: c.String("explain")}
	var err error
	for _, parse := range []func() error{
		func() error { return s.parseLog(c, std) },
		func() error { return s.parseStatus(c) },
		func() error { s.limits, err = newLimits(c.StringSlice("limit")); return err },
		func() error { s.app, err = appOptions(c); return err },
		func() error { return s.parseConfinement(c) },
		func() error { return s.parseMounts(c.StringSlice("mount")) },
		func() error { s.mappings, err = readMappings(c, s.mounts); return err },
		func() error { return s.parseBodies(c) },
		func() error { return s.parseListener(c) },
		func() error { return s.parseAuth(c) },
		func() error { return s.parseTrust(c) },
		func() error { return s.parseSendfile(c) },
	} {
		if err := parse(); err != nil {
			return nil, err
		}
	}
	if s.grace < 0 {
		return nil, usage("--grace %v: a time cannot be negative", s.grace)
	}
	s.app.Log, s.endHold = holdLog(s.log)
	s.limits.apply(&s.app)
	s.confine.apply(&s.app)
	return s, nil
}

// parseLog makes the log of this process on standard error, which also becomes the default one.
func (s *settings) parseLog(c *cli.Context, std streams) error {
	var o slog.HandlerOptions
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.String("log-level"))); err != nil {
		return usage("--log-level %s: there are debug, info, warn and error", c.String("log-level"))
	}
	o.Level = level
	o.ReplaceAttr = func(_ []string, a slog.Attr) slog.Attr {
		if a.Value.Kind() == slog.KindDuration {
			a.Value = slog.StringValue(a.Value.Duration().String()) // JSON has nanoseconds else
		}
		return a
	}
	switch format := c.String("log-format"); format {
	case "text":
		s.log = slog.New(slog.NewTextHandler(std.err, &o))
	case "json":
		s.json = slog.NewJSONHandler(std.err, &o)
		s.log = slog.New(s.json)
	default:
		return usage("--log-format %s: there are text and json", format)
	}
	slog.SetDefault(s.log)
	return nil
}

// appOptions reads the flags that hold for every application.
func appOptions(c *cli.Context) (open.AppOptions, error) {
	o := open.AppOptions{FollowSymlinks: c.Bool("follow-symlinks")}
	for _, v := range c.StringSlice("var") {
		name, value, ok := strings.Cut(v, "=")
		if !ok || name == "" {
			return o, usage("--var %s: write NAME=VALUE", v)
		}
		o.Vars = append(o.Vars, adapters.Var{Name: name, Value: value})
	}
	for _, r := range c.StringSlice("run") {
		ext, program, ok := strings.Cut(r, "=")
		if !ok || program == "" || !strings.HasPrefix(ext, ".") {
			return o, usage("--run %s: write .EXT=PROGRAM", r)
		}
		if o.Run == nil {
			o.Run = map[string]string{}
		}
		o.Run[ext] = program
	}
	return o, nil
}

func (s *settings) parseMounts(values []string) error {
	for _, v := range values {
		where, url, ok := strings.Cut(v, "=")
		host, path, slash := strings.Cut(where, "/")
		switch {
		case !ok || !slash || url == "":
			return usage("--mount %s: write [HOST]/PREFIX=URL, such as /api=fcgi://127.0.0.1:9000", v)
		case strings.Contains(host, ":"):
			return usage("--mount %s: a host stands without its port here", v)
		case strings.Contains(where, "//") || strings.Contains(where, "/."):
			return usage("--mount %s: no path that is looked for has an empty segment, or one that begins with a dot", v)
		}
		s.mounts = append(s.mounts, mount{host, strings.TrimSuffix("/"+path, "/"), url})
	}
	return nil
}

// parseBodies reads what slow clients do to applications.
func (s *settings) parseBodies(c *cli.Context) (err error) {
	s.bodies = s.limits.bodies()
	s.bodyModes, err = readPerApp(c, s.mounts, "body", "auto", func(v string) (adapters.BodyMode, bool) {
		mode := adapters.BodyMode(v)
		return mode, mode == adapters.BodyAuto || mode == adapters.BodyStream || mode == adapters.BodySpool
	})
	return err
}

func (s *settings) parseListener(c *cli.Context) error {
	o := &s.listener
	o.Log, o.CertFile, o.KeyFile = s.log, c.String("cert"), c.String("key")
	o.Limits = s.limits.listener()
	switch v := c.String("http"); v {
	case "own":
	case "net":
		o.NetHTTP = true
	default:
		return usage("--http %s: write own or net", v)
	}
	if mode := c.String("socket-mode"); mode != "" {
		n, err := strconv.ParseUint(mode, 8, 32)
		if err != nil || n == 0 || n > 0o777 {
			return usage("--socket-mode %s: write three octal digits, such as 0660", mode)
		}
		o.SocketMode = fs.FileMode(n)
	}
	if owner := c.String("socket-owner"); owner != "" {
		return parseOwner(owner, o)
	}
	return nil
}

// parseOwner reads USER, USER:GROUP or :GROUP, names or numbers.
func parseOwner(owner string, o *open.ListenOptions) error {
	name, group, _ := strings.Cut(owner, ":")
	o.SetOwner, o.SocketUID, o.SocketGID = true, -1, -1
	for _, part := range []struct {
		what, name string
		id         *int
		lookup     func(string) (string, error)
	}{
		{"user", name, &o.SocketUID, func(name string) (string, error) {
			u, err := user.Lookup(name)
			return cmp.Or(u, &user.User{}).Uid, err
		}},
		{"group", group, &o.SocketGID, func(name string) (string, error) {
			g, err := user.LookupGroup(name)
			return cmp.Or(g, &user.Group{}).Gid, err
		}},
	} {
		if part.name == "" {
			continue
		}
		id, err := strconv.Atoi(part.name)
		if err != nil {
			var text string
			if text, err = part.lookup(part.name); err == nil {
				id, err = strconv.Atoi(text)
			}
		}
		if err != nil {
			return usage("--socket-owner %s: there is no %s %q", owner, part.what, part.name)
		}
		*part.id = id
	}
	return nil
}

func (s *settings) parseAuth(c *cli.Context) error {
	realm := c.String("auth-realm")
	if file := c.String("auth-basic"); file != "" {
		users, err := middleware.OpenHtpasswd(file)
		if err != nil {
			return err
		}
		s.auth = append(s.auth, (&middleware.Basic{Realm: realm, Users: users, PassAuthorization: true}).Wrap)
	}
	if file := c.String("auth-digest"); file != "" {
		users, err := middleware.OpenHtdigest(file, realm)
		if err != nil {
			return err
		}
		s.auth = append(s.auth, (&middleware.Digest{Users: users, PassAuthorization: true}).Wrap)
	}
	if len(s.auth) > 1 {
		return usage("--auth-basic and --auth-digest exclude each other")
	}
	return nil
}

func (s *settings) parseSendfile(c *cli.Context) error {
	dirs, accel := c.StringSlice("sendfile"), c.StringSlice("accel")
	if len(dirs)+len(accel) == 0 {
		return nil
	}
	s.sendfile = &middleware.Sendfile{Log: s.log}
	for _, dir := range dirs {
		path, err := filepath.Abs(dir)
		if err != nil {
			return err
		}
		root, err := fileRoot("--sendfile", path, path)
		if err != nil {
			return err
		}
		s.sendfile.Paths = append(s.sendfile.Paths, root)
	}
	for _, v := range accel {
		prefix, dir, ok := strings.Cut(v, "=")
		if !ok || dir == "" || !strings.HasPrefix(prefix, "/") {
			return usage("--accel %s: write /PREFIX=DIR", v)
		}
		root, err := fileRoot("--accel", prefix, dir)
		if err != nil {
			return err
		}
		s.sendfile.URIs = append(s.sendfile.URIs, root)
	}
	return nil
}

// fileRoot returns the root of a flag's folder, which must exist.
func fileRoot(flag, prefix, dir string) (middleware.FileRoot, error) {
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return middleware.FileRoot{}, fmt.Errorf("%s: folder %s does not exist: create it, or correct the path", flag, dir)
	}
	return middleware.FileRoot{Prefix: prefix, Files: static.Dir(dir)}, nil
}
