package cli

import (
	"io"
	"os"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/adapters/open"
)

// newRequest returns a request as a client on this host would make it.
func newRequest(method, target string) (*adapters.Request, error) {
	if !strings.HasPrefix(target, "/") {
		return nil, usage("path %q does not begin with a slash", target)
	}
	raw, query, _ := strings.Cut(target, "?")
	path, err := adapters.CanonicalPath(raw)
	if err != nil {
		return nil, err
	}
	return &adapters.Request{
		Method: method,
		URI:    target,
		Proto:  "HTTP/1.1",
		Host:   "localhost",
		Query:  query,
		Scheme: "http",
		Script: adapters.Script{PathInfo: path},
		Remote: adapters.Endpoint{Addr: "127.0.0.1"},
		Local:  adapters.Endpoint{Addr: "127.0.0.1", Port: "80", Name: "localhost"},
	}, nil
}

// callRequest returns the request that the flags of call describe, and a function that closes its files.
func callRequest(c *cli.Context, std streams, app open.Address) (*adapters.Request, func(), error) {
	target := "/"
	if c.NArg() == 2 {
		target = c.Args().Get(1)
	}
	req, err := newRequest("GET", target)
	if err != nil {
		return nil, nil, err
	}
	b := &requestBuilder{req: req, std: std}
	for _, step := range []func(*cli.Context) error{b.addHeader, b.addBody, b.setMethod, b.setRole} {
		if err := step(c); err != nil {
			b.close()
			return nil, nil, err
		}
	}
	if req.Role != adapters.Responder && app.Scheme != "fcgi" {
		b.close()
		return nil, nil, usage("--role %s: only FastCGI has roles", c.String("role"))
	}
	return req, b.close, nil
}

type requestBuilder struct {
	req   *adapters.Request
	std   streams
	files []*os.File
}

func (b *requestBuilder) close() {
	for _, f := range b.files {
		f.Close()
	}
}

func (b *requestBuilder) addHeader(c *cli.Context) error {
	for _, line := range c.StringSlice("header") {
		name, value, ok := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		switch {
		case !ok || !adapters.ValidName(name) || !adapters.ValidValue(value):
			return usage("--header %q: write 'NAME: VALUE'", line)
		case adapters.EqualName(name, "Content-Length"):
			return usage("--header %q: the length is that of --data", line)
		case adapters.EqualName(name, "Host"):
			b.req.Host = value
		default:
			b.req.Header.Add(name, value)
		}
	}
	return nil
}

// formType is what curl says of the bodies that it is given on its command line.
const formType = "application/x-www-form-urlencoded"

func (b *requestBuilder) addBody(c *cli.Context) error {
	if !c.IsSet("data") {
		return nil
	}
	b.req.Method = "POST"
	if !b.req.Header.Has("Content-Type") {
		b.req.Header.Add("Content-Type", formType)
	}
	data := c.String("data")
	name, isFile := strings.CutPrefix(data, "@")
	switch {
	case !isFile:
		b.req.Body, b.req.ContentLength = strings.NewReader(data), int64(len(data))
		return nil
	case name == "-":
		b.req.Body, b.req.ContentLength = b.std.in, -1
		return nil
	}
	f, info, err := b.open("--data", name)
	if err != nil {
		return err
	}
	b.req.Body, b.req.ContentLength = f, -1
	if info.Mode().IsRegular() {
		b.req.ContentLength = info.Size()
	}
	return nil
}

// open opens a file that the flag names.
func (b *requestBuilder) open(flag, name string) (*os.File, os.FileInfo, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, nil, usage("%s: %w", flag, err)
	}
	b.files = append(b.files, f)
	info, err := f.Stat()
	return f, info, err
}

func (b *requestBuilder) setMethod(c *cli.Context) error {
	if !c.IsSet("request") {
		return nil
	}
	b.req.Method = c.String("request")
	if !adapters.ValidName(b.req.Method) {
		return usage("--request %q is no method", b.req.Method)
	}
	return nil
}

func (b *requestBuilder) setRole(c *cli.Context) error {
	i := slices.Index([]string{"responder", "authorizer", "filter"}, c.String("role"))
	if i < 0 {
		return usage("--role %s: there are responder, authorizer and filter", c.String("role"))
	}
	b.req.Role = adapters.Role(i)
	name := c.String("filter-data")
	switch isFilter := b.req.Role == adapters.Filter; {
	case isFilter != (name != ""):
		return usage("--role filter and --filter-data FILE go together")
	case !isFilter:
		return nil
	}
	f, info, err := b.open("--filter-data", name)
	if err != nil {
		return err
	}
	b.req.Data = &adapters.Data{Body: io.LimitReader(f, info.Size()), Length: info.Size(), LastMod: info.ModTime()}
	return nil
}
