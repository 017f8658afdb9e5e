package middleware

import (
	"cmp"
	"context"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/gangway-go/gangway/adapters"
)

// Forwarded believes what trusted proxies in front say about the client, in X-Forwarded-For and its like or in
// Forwarded (RFC 7239, https://www.rfc-editor.org/rfc/rfc7239), and nobody else. The fields must not change once Wrap
// is called.
//
// Remote becomes the address that is right-most in the list and not trusted: what stands to its left the client may
// have made up. Who is really connected is kept in REALIP_REMOTE_ADDR and REALIP_REMOTE_PORT.
//
// Every X-Forwarded-* and Forwarded that is not believed is removed, also those that a trusted proxy may have passed on
// without having looked at them, and so is X-Real-Ip from anybody who is not trusted. Of X-Forwarded-For the part from
// the client's address on stays. Authentication, logs and limits by address belong behind this Middleware.
type Forwarded struct {
	// Trusted are the networks of the proxies. A client on a Unix socket is 127.0.0.1.
	Trusted []netip.Prefix
	// Proto, Host and Port say that all of the proxies set X-Forwarded-Proto, -Host and -Port, and let none of the client
	// through. X-Forwarded-For they all have to set, unless Standard.
	Proto, Host, Port bool
	// Standard says that all of them set Forwarded instead: then its for, proto and host count, and no X-Forwarded-*.
	Standard bool
	// ServerNames are those of the frontend, of which Host chooses one.
	ServerNames []string
}

// Wrap is the [adapters.Middleware].
func (f *Forwarded) Wrap(next adapters.Handler) adapters.Handler {
	return adapters.HandlerFunc(func(ctx context.Context, req *adapters.Request) (*adapters.Response, error) {
		return next.Serve(ctx, f.request(req))
	})
}

// A hop is what a proxy says about who has asked it.
type hop struct {
	addr              string // empty if it does not say it in a form that can be understood
	port              string
	proto, host, text string // text is the whole element
}

// request returns what is passed on.
func (f *Forwarded) request(req *adapters.Request) *adapters.Request {
	c := *req
	trusted := adapters.InNetworks(f.Trusted, req.Remote.Addr)
	c.Header = withoutForwarded(req.Header, trusted)
	if !trusted {
		return &c
	}
	var client hop
	if f.Standard {
		client = f.standard(&c, req.Header)
	} else {
		client = f.usual(&c, req.Header)
	}
	if client.addr != "" {
		f.replace(&c, client)
	}
	f.place(&c, client)
	return &c
}

// withoutForwarded returns h without what nobody vouches for; X-Real-Ip is a trusted proxy's.
func withoutForwarded(h adapters.Header, trusted bool) adapters.Header {
	dropped := func(field adapters.Field) bool {
		const prefix = "X-Forwarded-"
		name := field.Name
		return len(name) >= len(prefix) && adapters.EqualName(name[:len(prefix)], prefix) ||
			adapters.EqualName(name, "Forwarded") || adapters.EqualName(name, "X-Forwarded") ||
			!trusted && adapters.EqualName(name, "X-Real-Ip")
	}
	if !slices.ContainsFunc(h, dropped) {
		return slices.Clip(h) // to which fields can be added
	}
	return slices.DeleteFunc(h.Clone(), dropped)
}

// replace puts the client in the place of the proxy.
func (f *Forwarded) replace(c *adapters.Request, client hop) {
	known := slices.ContainsFunc(c.Vars, func(v adapters.Var) bool { return v.Name == "REALIP_REMOTE_ADDR" })
	if !known {
		c.Vars = append(slices.Clip(c.Vars), adapters.PeerVars(c.Remote)...)
	}
	c.Remote = adapters.Endpoint{Addr: client.addr, Port: client.port}
	c.TLS = nil // is the proxy's
}

// place sets scheme, host and port of what the client has asked for.
func (f *Forwarded) place(c *adapters.Request, client hop) {
	port := ""
	if client.host != "" {
		c.Host = client.host
		if len(f.ServerNames) > 0 {
			c.NameServer(f.ServerNames)
		}
	}
	if client.proto != "" {
		c.Scheme = client.proto
		if _, p, err := net.SplitHostPort(c.Host); err == nil {
			port = p
		}
		port = cmp.Or(port, map[string]string{"http": "80", "https": "443"}[c.Scheme])
	}
	if given := c.Header.Get("X-Forwarded-Port"); given != "" {
		port = given
	}
	c.Local.Port = cmp.Or(port, c.Local.Port)
}

// usual reads X-Forwarded-For and the others that count, and gives c those that are true.
func (f *Forwarded) usual(c *adapters.Request, h adapters.Header) (client hop) {
	hops := list(h, "X-Forwarded-For")
	at := f.client(len(hops), func(i int) string {
		addr, _ := parseNode(hops[i])
		return addr
	})
	if at < len(hops) {
		client.addr, client.port = parseNode(hops[at])
		c.Header.Add("X-Forwarded-For", strings.Join(hops[at:], ", "))
	}
	for _, field := range []struct {
		name   string
		set    bool
		valid  func(string) (string, bool)
		target *string
	}{
		{"X-Forwarded-Proto", f.Proto, validProto, &client.proto},
		{"X-Forwarded-Host", f.Host, validHost, &client.host},
		{"X-Forwarded-Port", f.Port, validPort, new(string)},
	} {
		values := list(h, field.name)
		if !field.set || len(values) == 0 {
			continue
		}
		value := values[len(values)-1]
		if len(values) == len(hops) && at < len(hops) {
			value = values[at] // by the proxy that the client has asked
		}
		if value, ok := field.valid(value); ok {
			*field.target = value
			c.Header.Add(field.name, value)
		}
	}
	return client
}

// standard does the same with Forwarded.
func (f *Forwarded) standard(c *adapters.Request, h adapters.Header) (client hop) {
	hops, ok := parseForwarded(strings.Join(h.Values("Forwarded"), ","))
	at := f.client(len(hops), func(i int) string { return hops[i].addr })
	if !ok || at == len(hops) {
		return client
	}
	texts := make([]string, 0, len(hops))
	for _, hop := range hops[at:] {
		texts = append(texts, hop.text)
	}
	c.Header.Add("Forwarded", strings.Join(texts, ", "))
	return hops[at]
}

// client returns which of n hops is the client: the last one that is not trusted, else the first one. One that cannot
// be understood ends the search before it. n means that there is none.
func (f *Forwarded) client(n int, addr func(i int) string) (at int) {
	for at = n; at > 0 && addr(at-1) != ""; {
		at--
		if !adapters.InNetworks(f.Trusted, addr(at)) {
			break
		}
	}
	return at
}

// list returns the elements of the list in all fields of a name.
func list(h adapters.Header, name string) (elements []string) {
	for _, value := range h.Values(name) {
		for element := range strings.SplitSeq(value, ",") {
			if element = strings.TrimSpace(element); element != "" {
				elements = append(elements, element)
			}
		}
	}
	return elements
}

// parseNode parses ADDR, ADDR:PORT, [ADDR] or [ADDR]:PORT; addr is empty if s is something else.
func parseNode(s string) (addr, port string) {
	if a, err := netip.ParseAddr(s); err == nil && a.Zone() == "" {
		return a.Unmap().String(), ""
	}
	if p, err := netip.ParseAddrPort(s); err == nil && p.Addr().Zone() == "" {
		return p.Addr().Unmap().String(), strconv.Itoa(int(p.Port()))
	}
	if inner, ok := strings.CutPrefix(s, "["); ok {
		if inner, ok = strings.CutSuffix(inner, "]"); ok {
			if a, err := netip.ParseAddr(inner); err == nil && a.Is6() && a.Zone() == "" {
				return a.Unmap().String(), ""
			}
		}
	}
	return "", ""
}

func validProto(s string) (string, bool) {
	s = strings.ToLower(s)
	return s, s == "http" || s == "https"
}

func validHost(s string) (string, bool) { return s, s != "" && adapters.ValidHost(s) }

func validPort(s string) (string, bool) {
	n, err := strconv.ParseUint(s, 10, 16)
	return s, err == nil && n > 0
}

// parseForwarded parses the value of Forwarded, RFC 7239 section 4; ok is false if it has not its form.
func parseForwarded(s string) (hops []hop, ok bool) {
	for s = strings.TrimLeft(s, " \t,"); s != ""; s = strings.TrimLeft(s, " \t,") {
		var h hop
		rest, ok := parseElement(s, &h)
		if !ok {
			return nil, false
		}
		h.text = strings.TrimRight(s[:len(s)-len(rest)], " \t")
		hops, s = append(hops, h), rest
	}
	return hops, true
}

// parseElement parses one forwarded-element and returns what follows it: nothing, or a comma.
func parseElement(s string, h *hop) (rest string, ok bool) {
	seen := map[string]bool{}
	for {
		name, after, ok := strings.Cut(s, "=")
		if name = strings.ToLower(name); !ok || !adapters.ValidName(name) || seen[name] {
			return "", false
		}
		seen[name] = true
		end := strings.IndexAny(after, ";, \t")
		if end < 0 || strings.HasPrefix(after, `"`) {
			end = len(after)
		}
		value, tail, ok := paramValue(after[:end])
		if !ok {
			return "", false
		}
		tail = strings.TrimLeft(tail+after[end:], " \t")
		switch name {
		case "for":
			h.addr, h.port = parseNode(value)
		case "proto":
			h.proto, ok = validProto(value)
		case "host":
			h.host, ok = validHost(value)
		}
		if !ok {
			return "", false
		}
		if tail == "" || tail[0] == ',' {
			return tail, true
		}
		if tail[0] != ';' {
			return "", false
		}
		s = strings.TrimLeft(tail[1:], " \t")
	}
}
