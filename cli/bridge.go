package cli

import (
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/gangway-go/gangway/adapters/open"
)

func bridgeCommand(std streams) *cli.Command {
	return &cli.Command{
		Name:            "bridge",
		Usage:           "carry requests from one protocol to another",
		UsageText:       "gangway bridge --from URL [--from URL ...] --to URL [flags]",
		Description:     bridgeHelp,
		HideHelpCommand: true,
		OnUsageError:    usageError,
		Flags: slices.Concat([]cli.Flag{
			&cli.StringSliceFlag{Name: "from", Usage: "`URL` of a listener; may repeat"},
			&cli.StringFlag{Name: "to", Usage: "`URL` of the application"},
		}, mappingFlags(), appFlags(), confineFlags(), listenerFlags(), trustFlags()),
		Action: func(c *cli.Context) error { return bridge(c, std) },
	}
}

const bridgeHelp = `HTTP in front of php-fpm; files that are no scripts are sent as they are:
   gangway bridge --from http://127.0.0.1:8000 --to fcgi+unix:///run/php/php-fpm.sock --root /srv/www

CGI programs behind nginx's fastcgi_pass:
   gangway bridge --from fcgi+unix:///run/cgi.sock --socket-mode 0660 --to cgi:/usr/lib/cgi-bin/

a resident application as a CGI program:
   gangway bridge --from cgi: --to scgi://127.0.0.1:4000

several applications behind one listener, the second beneath /api, the third with a folder of its own:
   gangway bridge --from http://:8000 --to static:public --mount /api=scgi://127.0.0.1:4000 \
      --mount /blog=fcgi+unix:///run/php/php-fpm.sock --root /blog=/srv/wordpress --fallback /blog=index.php

which variables would the application see, and why:
   gangway bridge --from http://:8000 --to fcgi://127.0.0.1:9000 --root /srv/www --explain /index.php/news

Listeners: ` + open.ListenerForms + `.

Applications: ` + open.AppForms + `.

Flags of path and script concern the application of --to; one of --mount gets its prefix as SCRIPT_NAME and the rest of
the path as PATH_INFO, unless --root, --local-root, --script and --fallback name it: --root [HOST]/PREFIX=DIR. php-fpm
needs --root, for it says "Primary script unknown" without a SCRIPT_FILENAME. Applications of http:// get the path as
the client sent it, prefix and all. Requests that come by fcgi, scgi or cgi keep the variables of the web server; only
flags that are given replace them.

Each listener prints "listening on URL" to standard error when it is ready. SIGTERM and SIGINT end the program when the
requests under way are answered, or after --grace; a second one ends it now. SIGUSR1 reopens the access log. SIGUSR2,
and SIGHUP without a terminal, has the program that is on disk now take the place of this process, with its listening
sockets: no connection is refused; a new program that does not get ready changes nothing. Exit codes: 0, 1 if something
cannot be started or requests were cut, 2 for a wrong command line.

TYPE+fd:NAME is a socket of systemd's that FileDescriptorName= calls so (LISTEN_FDS), TYPE+fd:N descriptor N. To systemd
gangway says when it is ready, is replaced, stops, and is alive (Type=notify, WatchdogSec=).`

func bridge(c *cli.Context, std streams) error {
	if c.Args().Present() && !fromWebServer() {
		return usage("unexpected argument %q: the application is given by --to URL", c.Args().First())
	}
	if len(c.StringSlice("from")) == 0 {
		return usage("--from URL is missing: the listener, such as http://127.0.0.1:8000 or fcgi+unix:///run/x.sock")
	}
	s, err := newSettings(c, std)
	if err != nil {
		return err
	}
	g := &gateway{settings: s, std: std, addresses: c.StringSlice("from")}
	if err := g.checkListeners(c, "--from"); err != nil {
		return err
	}
	if err := g.addRoutes(c); err != nil {
		return err
	}
	if err := g.checkSandbox(); err != nil {
		return err
	}
	if g.explain != "" {
		return g.printExplanation()
	}
	return g.run()
}

// addRoutes opens the applications of --to and --mount.
func (g *gateway) addRoutes(c *cli.Context) error {
	to := c.String("to")
	o := g.app
	addMapping(c, g.mappings, &o)
	switch {
	case to == "" && len(g.mounts) == 0:
		return usage("--to URL is missing: the application, such as fcgi://127.0.0.1:9000 or cgi:/srv/app.cgi")
	case to != "":
		if err := g.addRoute("", "", to, o); err != nil {
			return err
		}
	}
	return g.addMounts()
}

// addMounts opens the applications of --mount.
func (g *gateway) addMounts() error {
	for _, m := range g.mounts {
		o := g.app
		g.mappings.apply(m.host+m.prefix, &o)
		o.Prefix = m.prefix
		if err := g.addRoute(m.host, m.prefix, m.url, o); err != nil {
			return err
		}
	}
	return nil
}

func (g *gateway) addRoute(host, prefix, url string, o open.AppOptions) error {
	if slices.ContainsFunc(g.routes, func(r route) bool { return r.host == host && r.prefix == prefix }) {
		return usage("two applications for %s/: give each a prefix of its own", host+prefix)
	}
	o.Wrap = g.bodies.Wrap(g.bodyModes.of(host + prefix))
	app, err := open.Open(url, o)
	if err != nil {
		return err
	}
	g.routes = append(g.routes, route{host, prefix, url, app, app.Handler(), app.Given()})
	return nil
}

// checkListeners checks the flags that concern listeners, given by the flag called name.
func (g *gateway) checkListeners(c *cli.Context, name string) error {
	var http, https bool
	unix := strings.HasPrefix(g.statusURL, "http+unix:")
	for _, address := range g.addresses {
		a, err := open.ParseListener(address)
		switch {
		case err != nil:
			return err
		case a.Scheme == "cgi" && len(g.addresses) > 1:
			return usage("%s cgi: stands alone: this process then is the script", name)
		case a.Scheme == "cgi" && g.counters != nil:
			return usage("--status and %s cgi: exclude each other: this process answers one request", name)
		case a.Scheme == "cgi" && g.accessLog == "-":
			return usage("--access-log - and %s cgi: exclude each other: standard output is the response", name)
		}
		http = http || strings.HasPrefix(a.Scheme, "http")
		https, unix = https || a.Scheme == "https", unix || a.Network == "unix"
	}
	if !http && (c.IsSet("trust-proxy") || c.IsSet("server-name") || c.IsSet("allow-header")) {
		return usage("--trust-proxy, --server-name and --allow-header are for http listeners, and there is none: a web " +
			"server has decided already")
	}
	switch {
	case https && (c.String("cert") == "" || c.String("key") == ""):
		return usage("an https listener needs --cert FILE and --key FILE")
	case !https && (c.IsSet("cert") || c.IsSet("key")):
		return usage("--cert and --key are for https listeners, and there is none")
	case !unix && (c.IsSet("socket-mode") || c.IsSet("socket-owner")):
		return usage("--socket-mode and --socket-owner are for Unix sockets, and there is none")
	}
	return nil
}
