package cli

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/adapters/middleware"
)

// trustFlags say what is believed of a request, what of it is passed on, and what clients are told.
func trustFlags() []cli.Flag {
	const proxies, requests = "Proxies in front", "Requests"
	return []cli.Flag{
		&cli.StringSliceFlag{Name: "trust-proxy", Category: proxies, Usage: "`CIDR[,CIDR...]` of the proxies that say who " +
			"the client is; may repeat"},
		&cli.StringFlag{Name: "trust-header", Category: proxies, Value: "for,proto", Usage: "`LIST` of what all of them " +
			"set: for, proto, host, port of X-Forwarded-*, or forwarded"},
		&cli.BoolFlag{Name: "proxy-protocol", Category: proxies, Usage: "take the PROXY protocol, from --trust-proxy only"},
		&cli.StringFlag{Name: "proxy-status", Category: proxies, Value: "trusted", Usage: "`on|off|trusted`: who is told " +
			"the kind of a failure, in Proxy-Status; trusted are clients on this machine and --trust-proxy"},

		&cli.StringSliceFlag{Name: "server-name", Category: "Listeners", Usage: "`NAME` of this server for SERVER_NAME; " +
			"may repeat, then the client chooses (default: the listener's host or address)"},
		&cli.StringSliceFlag{Name: "allow-header", Category: requests, Usage: "`NAME` of a header field with _ or . that " +
			"is passed on; may repeat"},
		&cli.StringSliceFlag{Name: "pass-authorization", Category: requests, Usage: "`[[HOST]/PREFIX=]on|off|when-not-ours`" +
			": whether the application gets the client's password (default: when-not-ours)"},
		&cli.StringSliceFlag{Name: "on-abort", Category: requests, Usage: "`[[HOST]/PREFIX=]abort|finish[:TIME]|ignore`: " +
			"what becomes of the application when its client leaves (default: abort)"},
	}
}

// A trust is what these flags say.
type trust struct {
	forwarded *middleware.Forwarded // nil if nobody is trusted
	names     *middleware.FieldNames
	hides     perApp[bool]                // Authorization from an application
	onAbort   perApp[*middleware.OnAbort] // one for each application
}

// parseTrust comes behind the parsing of mounts, listeners and passwords.
func (s *settings) parseTrust(c *cli.Context) error {
	networks, err := parseNetworks(c.StringSlice("trust-proxy"))
	if err != nil {
		return err
	}
	names := c.StringSlice("server-name")
	for _, name := range names {
		if name == "" || !adapters.ValidHost(name) {
			return usage("--server-name %s: write a name without a port, such as example.org", name)
		}
	}
	s.listener.ServerNames = names
	if len(networks) > 0 {
		s.trust.forwarded = &middleware.Forwarded{Trusted: networks, ServerNames: names}
		if err := parseTrusted(c.String("trust-header"), s.trust.forwarded); err != nil {
			return err
		}
	} else if c.IsSet("trust-header") || c.Bool("proxy-protocol") {
		return usage("--trust-header and --proxy-protocol go with --trust-proxy CIDR: nobody else is believed")
	}
	if c.Bool("proxy-protocol") {
		s.listener.ProxyProtocol = networks
	}
	if s.trust.names, err = middleware.NewFieldNames(c.StringSlice("allow-header"), s.log); err != nil {
		return usage("--allow-header: %w", err)
	}
	if s.listener.Reporter, err = newReporter(c.String("proxy-status"), networks); err != nil {
		return err
	}
	return s.parsePerApp(c)
}

// parseNetworks reads lists of networks and addresses.
func parseNetworks(lists []string) (networks []netip.Prefix, err error) {
	for _, list := range lists {
		for word := range strings.SplitSeq(list, ",") {
			n, err := netip.ParsePrefix(word)
			if addr, addrErr := netip.ParseAddr(word); addrErr == nil {
				n, err = addr.Prefix(addr.BitLen())
			}
			if err != nil || n.Addr().Is4In6() || n.Addr().Zone() != "" {
				return nil, usage("--trust-proxy %s: write a network such as 10.0.0.0/8, or an address", word)
			}
			networks = append(networks, n.Masked())
		}
	}
	return networks, nil
}

func parseTrusted(list string, f *middleware.Forwarded) error {
	words := strings.Split(list, ",")
	for _, word := range words {
		switch word {
		case "for":
		case "proto":
			f.Proto = true
		case "host":
			f.Host = true
		case "port":
			f.Port = true
		case "forwarded":
			f.Standard = true
		default:
			return usage("--trust-header %s: there are for, proto, host, port, and forwarded", word)
		}
	}
	switch {
	case f.Standard && len(words) > 1:
		return usage("--trust-header %s: forwarded stands alone, for it says all", list)
	case !f.Standard && !slices.Contains(words, "for"):
		return usage("--trust-header %s: without for nobody knows which hop the others are about", list)
	}
	return nil
}

// newReporter returns who tells clients about failures.
func newReporter(who string, networks []netip.Prefix) (*adapters.Reporter, error) {
	r := &adapters.Reporter{Name: "gangway"}
	switch who {
	case "off":
	case "on":
		r.Trusted = func(adapters.Endpoint) bool { return true }
	case "trusted":
		near := append([]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}, networks...)
		r.Trusted = func(client adapters.Endpoint) bool { return adapters.InNetworks(near, client.Addr) }
	default:
		return nil, usage("--proxy-status %s: there are on, off and trusted", who)
	}
	return r, nil
}

// perApp is what a flag says of each application, by [HOST]/PREFIX; "" is all others.
type perApp[T any] map[string]T

func (p perApp[T]) of(where string) T {
	if v, ok := p[where]; ok {
		return v
	}
	return p[""]
}

// perAppForms says what the values of these flags look like.
var perAppForms = map[string]string{
	"body":               "auto, spool and stream",
	"on-abort":           "abort, finish, finish:TIME such as finish:30s, and ignore",
	"pass-authorization": "on, off and when-not-ours",
}

// readPerApp reads VALUE or [HOST]/PREFIX=VALUE.
func readPerApp[T any](
	c *cli.Context, mounts []mount, flag, initial string, parse func(string) (T, bool),
) (perApp[T], error) {
	p := perApp[T]{}
	for i, v := range append([]string{initial}, c.StringSlice(flag)...) {
		where, value, one := strings.Cut(v, "=")
		if !one {
			where, value = "", v
		}
		where = strings.TrimSuffix(where, "/")
		known := func(m mount) bool { return m.host+m.prefix == where }
		if one && !slices.ContainsFunc(mounts, known) {
			return nil, usage("--%s %s: there is no --mount %s/", flag, v, where)
		}
		if _, again := p[where]; again && (where != "" || i > 1) {
			return nil, usage("--%s %s: it is given already", flag, v)
		}
		parsed, ok := parse(value)
		if !ok {
			return nil, usage("--%s %s: there is no %q, but %s", flag, v, value, perAppForms[flag])
		}
		p[where] = parsed
	}
	return p, nil
}

func (s *settings) parsePerApp(c *cli.Context) (err error) {
	s.trust.hides, err = readPerApp(c, s.mounts, "pass-authorization", "when-not-ours", func(v string) (hide, ok bool) {
		switch v {
		case "on":
			return false, true
		case "off":
			return true, true
		}
		return len(s.auth) > 0, v == "when-not-ours"
	})
	if err != nil {
		return err
	}
	policies, err := readPerApp(c, s.mounts, "on-abort", "abort", func(v string) (*middleware.OnAbort, bool) {
		name, limit, timed := strings.Cut(v, ":")
		o := &middleware.OnAbort{Log: s.log}
		var err error
		if timed {
			o.Time, err = time.ParseDuration(limit)
			timed = err == nil && o.Time > 0
		}
		switch name {
		case "abort":
		case "finish":
			o.Policy = middleware.Finish
			return o, timed == strings.Contains(v, ":")
		case "ignore":
			o.Policy = middleware.Ignore
		default:
			return nil, false
		}
		return o, name == v
	})
	s.trust.onAbort = policies
	return err
}

// front is what stands before everything else at a listener of HTTP.
func (t *trust) front() []adapters.Middleware {
	chain := []adapters.Middleware{t.names.Wrap}
	if t.forwarded != nil {
		chain = append(chain, t.forwarded.Wrap)
	}
	return chain
}

// around is what goes around the application that is mounted at a place.
func (t *trust) around(where string, app adapters.Handler) adapters.Handler {
	app = t.onAbort.of(where).Wrap(app)
	if t.hides.of(where) {
		app = middleware.WithoutFields("Authorization")(app)
	}
	return app
}

// wait waits for the applications that run on without their clients.
func (t *trust) wait(ctx context.Context) {
	var waits sync.WaitGroup
	for _, o := range t.onAbort {
		waits.Go(func() { o.Close(ctx) })
	}
	waits.Wait()
}
