package open

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// ErrAddress is wrapped by every error about the form of an address.
var ErrAddress = errors.New("bad address")

// An Address is a parsed address of a listener or an application.
type Address struct {
	Scheme  string // "http", "https", "fcgi", "scgi", "cgi", "static" or "egi"
	Engine  string // "gofast", or "" for our own
	Network string // "tcp", "unix", "fd", "exec", or "" if Target is no address of a socket
	Target  string // HOST:PORT, path, descriptor or its name, command or name
	Path    string // of an http application: the base path
}

// The forms of addresses, for messages and help texts.
const (
	ListenerForms = "http://HOST:PORT, https://HOST:PORT, fcgi://HOST:PORT, scgi://HOST:PORT, http+unix://PATH, " +
		"fcgi+unix://PATH, scgi+unix://PATH, http+fd:N, https+fd:N, fcgi+fd:N, scgi+fd:N (N: a descriptor, or a name of " +
		"LISTEN_FDNAMES) or cgi:"
	AppForms = "http://HOST:PORT, https://HOST:PORT, fcgi://HOST:PORT, scgi://HOST:PORT, http+unix://PATH, " +
		"fcgi+unix://PATH, scgi+unix://PATH, cgi:FILE, cgi:DIR/, static:DIR, egi:NAME, fcgi+exec:COMMAND, " +
		"scgi+exec:COMMAND, fcgi+gofast://HOST:PORT or fcgi+gofast+unix://PATH"
)

// ParseListener parses the address of a listener. The error wraps [ErrAddress].
func ParseListener(s string) (Address, error) {
	if s == "cgi:" {
		return Address{Scheme: "cgi"}, nil
	}
	a, err := parse(s)
	switch {
	case err != nil:
	case a.Engine != "", a.Network == "exec", a.Network == "":
		err = formError("not the address of a listener")
	case a.Path != "":
		err = fmt.Errorf("a listener takes every path: leave out %s", a.Path)
	}
	if err != nil {
		return Address{}, addressError(s, err, "a listener is "+ListenerForms)
	}
	return a, nil
}

// ParseApp parses the address of an application. The error wraps [ErrAddress].
func ParseApp(s string) (Address, error) {
	a, err := parse(s)
	if err == nil && a.Network == "fd" {
		err = formError("not the address of an application")
	}
	if err == nil && a.Network == "tcp" && strings.HasPrefix(a.Target, ":") {
		err = errors.New("an application needs a host")
	}
	if err != nil {
		return Address{}, addressError(s, err, "an application is "+AppForms)
	}
	return a, nil
}

// A formError is an error for somebody who has to see what addresses look like.
type formError string

func (e formError) Error() string { return string(e) }

func addressError(s string, err error, forms string) error {
	if _, ok := err.(formError); ok {
		return fmt.Errorf("%w %q: %w; %s", ErrAddress, s, err, forms)
	}
	return fmt.Errorf("%w %q: %w", ErrAddress, s, err)
}

// literals are the prefixes after which everything is taken as it is.
var literals = map[string]Address{
	"http+unix://":        {Scheme: "http", Network: "unix"},
	"fcgi+unix://":        {Scheme: "fcgi", Network: "unix"},
	"scgi+unix://":        {Scheme: "scgi", Network: "unix"},
	"fcgi+gofast+unix://": {Scheme: "fcgi", Network: "unix", Engine: "gofast"},
	"fcgi+exec:":          {Scheme: "fcgi", Network: "exec"},
	"scgi+exec:":          {Scheme: "scgi", Network: "exec"},
	"http+fd:":            {Scheme: "http", Network: "fd"},
	"https+fd:":           {Scheme: "https", Network: "fd"},
	"fcgi+fd:":            {Scheme: "fcgi", Network: "fd"},
	"scgi+fd:":            {Scheme: "scgi", Network: "fd"},
	"cgi:":                {Scheme: "cgi"},
	"static:":             {Scheme: "static"},
	"egi:":                {Scheme: "egi"},
}

func parse(s string) (Address, error) {
	for prefix, a := range literals {
		if target, ok := strings.CutPrefix(s, prefix); ok {
			return literal(a, target)
		}
	}
	scheme, _, _ := strings.Cut(s, ":")
	if _, ok := literals[scheme+"://"]; ok {
		return Address{}, fmt.Errorf("write %s://PATH", scheme)
	}
	u, err := url.Parse(s)
	if err != nil {
		return Address{}, malformed(s, err)
	}
	a := Address{Scheme: u.Scheme, Network: "tcp"}
	if u.Scheme == "fcgi+gofast" {
		a.Scheme, a.Engine = "fcgi", "gofast"
	}
	known := a.Scheme == "http" || a.Scheme == "https" || a.Scheme == "fcgi" || a.Scheme == "scgi"
	switch {
	case u.Scheme == "" || !known && hostPort.MatchString(s):
		return Address{}, formError("no scheme")
	case !known:
		return Address{}, formError("unknown scheme " + strconv.Quote(u.Scheme))
	case u.Host == "" && len(u.Path) > 1 && a.Scheme != "https":
		return Address{}, fmt.Errorf("no host and port after %s://; a Unix socket is %[1]s+unix://PATH", u.Scheme)
	case u.Opaque != "" || u.Host == "":
		return Address{}, fmt.Errorf("no host and port after %s://", u.Scheme)
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return Address{}, errors.New("user, query and fragment mean nothing here")
	}
	err = a.setHost(u)
	return a, err
}

// hostPort matches HOST:PORT, whose host looks like a scheme, and :PORT.
var hostPort = regexp.MustCompile(`^[^/:+]*:[0-9]+$`)

// malformed returns what is wrong with s, which url.Parse did not take.
func malformed(s string, err error) error {
	scheme, rest, _ := strings.Cut(s, "://")
	host, _, _ := strings.Cut(rest, "/")
	switch {
	case hostPort.MatchString(s):
		return formError("no scheme")
	case strings.Count(host, ":") > 2 && !strings.Contains(host, "["):
		return fmt.Errorf("an IPv6 address stands in brackets, as in %s://[::1]:8000", scheme)
	}
	return formError("no URL: " + errors.Unwrap(err).Error())
}

// fdName matches descriptors and their names, sd_listen_fds(3), but for those that look like a flag.
var fdName = regexp.MustCompile(`^[!-,.-9;-~][!-9;-~]*$`)

func literal(a Address, target string) (Address, error) {
	if target == "" {
		return Address{}, errors.New("nothing after the scheme")
	}
	if a.Network == "fd" && !fdName.MatchString(target) {
		return Address{}, fmt.Errorf("%q is no file descriptor, nor the name of one", target)
	}
	a.Target = target
	return a, nil
}

func (a *Address) setHost(u *url.URL) error {
	port := u.Port()
	isHTTP := a.Scheme == "http" || a.Scheme == "https"
	switch {
	case port == "" && !isHTTP:
		return fmt.Errorf("no port: %s has no usual one", a.Scheme)
	case port == "" && a.Scheme == "https":
		port = "443"
	case port == "":
		port = "80"
	}
	if n, err := strconv.Atoi(port); err != nil || n > 65535 {
		return fmt.Errorf("port %q is not between 0 and 65535", port)
	}
	host := u.Hostname()
	if strings.Contains(host, ":") && !strings.HasPrefix(u.Host, "[") {
		return fmt.Errorf("an IPv6 address stands in brackets, as in %s://[::1]:%s", a.Scheme, port)
	}
	a.Target = net.JoinHostPort(host, port)
	if path := u.EscapedPath(); path != "" && path != "/" {
		if !isHTTP {
			return fmt.Errorf("a path (%s) means nothing here", path)
		}
		a.Path = path
	}
	return nil
}

// String returns the address as a URL; a path is absolute.
func (a Address) String() string {
	scheme := a.Scheme
	if a.Engine != "" {
		scheme += "+" + a.Engine
	}
	switch a.Network {
	case "tcp":
		return scheme + "://" + a.Target + a.Path
	case "unix":
		path, err := filepath.Abs(a.Target)
		if err != nil || abstract(a.Target) {
			path = a.Target
		}
		return scheme + "+unix://" + path
	case "":
		return scheme + ":" + a.Target
	}
	return scheme + "+" + a.Network + ":" + a.Target
}
