package cli

import (
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/gangway-go/gangway/adapters/apps"
	"github.com/gangway-go/gangway/adapters/open"
	"github.com/gangway-go/gangway/cgi"
	"github.com/gangway-go/gangway/internal/sandbox"
)

// A confinement is what the programs that we start are held to.
type confinement struct {
	user    string
	sandbox cgi.Sandbox
}

// confineFlags say what programs that we start may do.
func confineFlags() []cli.Flag {
	const category = "Programs that gangway starts"
	return []cli.Flag{
		&cli.StringFlag{Name: "user", Category: category, Usage: "`USER[:GROUP]` that they run as; self is gangway's, " +
			"owner is that of the CGI program, or of the application's folder (default: owner if gangway runs as root)"},
		&cli.StringFlag{Name: "umask", Category: category, Usage: "`MODE` that files of theirs, and of gangway, do not " +
			"get, such as 0077"},
		&cli.StringFlag{Name: "sandbox", Category: category, Value: "off", Usage: "`off|standard|strict`: what CGI " +
			"programs are kept from; Linux 6.2 or later"},
		&cli.StringSliceFlag{Name: "sandbox-read", Category: category, Usage: "`PATH` that they may read and run in a " +
			"sandbox"},
		&cli.StringSliceFlag{Name: "sandbox-write", Category: category, Usage: "`PATH` that they may change in a sandbox"},
	}
}

func (s *settings) parseConfinement(c *cli.Context) (err error) {
	f := &s.confine
	if f.user = c.String("user"); !slices.Contains([]string{"", cgi.Self, cgi.Owner}, f.user) {
		if _, err := sandbox.LookupUser(f.user); err != nil {
			return usage("--user %s: %w", f.user, err)
		}
	}
	switch profile := c.String("sandbox"); profile {
	case "off":
		if c.IsSet("sandbox-read") || c.IsSet("sandbox-write") {
			return usage("--sandbox-read and --sandbox-write need --sandbox standard or strict")
		}
	case cgi.Standard, cgi.Strict:
		f.sandbox.Profile = profile
	default:
		return usage("--sandbox %s: there are off, standard and strict", profile)
	}
	if f.sandbox.Read, err = absolute(c.StringSlice("sandbox-read")); err == nil {
		f.sandbox.Write, err = absolute(c.StringSlice("sandbox-write"))
	}
	if mode := c.String("umask"); mode != "" && err == nil {
		n, parse := strconv.ParseUint(mode, 8, 32)
		if parse != nil || n > 0o777 {
			return usage("--umask %s: write three octal digits, such as 0077", mode)
		}
		err = setUmask(int(n))
	}
	return err
}

func absolute(paths []string) (all []string, err error) {
	for _, path := range paths {
		if path, err = filepath.Abs(path); err != nil {
			return nil, err
		}
		all = append(all, path)
	}
	return all, nil
}

func (f *confinement) apply(o *open.AppOptions) {
	o.User, o.Sandbox = f.user, f.sandbox
	if f.user == "" && sandbox.Root() {
		o.User = cgi.Owner
	}
}

func (f *confinement) applySite(o *apps.Options) { o.User, o.Sandbox = f.user, f.sandbox }

// checkSandbox refuses a sandbox that would hold nobody.
func (g *gateway) checkSandbox() error {
	program := func(r route) bool { return strings.HasPrefix(r.url, "cgi:") }
	if g.confine.sandbox.Profile == "" || slices.ContainsFunc(g.routes, program) {
		return nil
	}
	return errNoPrograms
}

var errNoPrograms = usage("--sandbox is for CGI programs, and there are none")
