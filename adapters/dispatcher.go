package adapters

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
)

// A Route says which requests a Handler is asked for. Empty conditions hold for all requests.
type Route struct {
	Host   string // "example.org", or "*.example.org" for every name beneath it
	Prefix string // whole segments: "/app" and "/app/" hold "/app" and "/app/x", not "/apple"
	Ext    string // ".php": some segment of the path ends in it
	To     Handler
}

// A Dispatcher asks the Handlers of its routes, AppWeb's way: of the routes that match a request the one with the most
// exact host comes first, then the longest prefix, then an extension, then the order of Routes. A Handler that returns
// [ErrDeclined] passes the request to the next one; if none is left, so does the Dispatcher. A last route without
// conditions to a file handler is AppWeb's copy handler.
//
// A local redirect (RFC 3875 6.2.2) or a [Rewrite] is matched again, at most MaxRedirects times; then the error is
// [ErrRedirectLoop]. Routes must not change once the Dispatcher is in use. It is safe for concurrent use.
type Dispatcher struct {
	Routes []Route
	// MaxRedirects bounds the local redirects and rewrites of one request; 0 means 10. Below 0 they are returned as they
	// are, for a web server in front that follows local redirects.
	MaxRedirects int

	sort   sync.Once
	sorted []Route
}

// A Rewrite is returned as an error by a Handler that wants its Dispatcher to match the request again with another
// path. Method and body stay; the body must not have been read.
type Rewrite struct {
	Path  string // canonical
	Query string
}

// Error describes the rewrite, for the case that no Dispatcher follows it.
func (r *Rewrite) Error() string { return "rewrite to " + r.Path + " outside of a dispatcher" }

// Serve asks the routes' Handlers.
func (d *Dispatcher) Serve(ctx context.Context, req *Request) (*Response, error) {
	d.sort.Do(d.sortRoutes)
	limit := cmp.Or(d.MaxRedirects, 10)
	if limit < 0 {
		return d.offer(ctx, req)
	}
	for range limit + 1 {
		resp, err := d.offer(ctx, req)
		if err == nil && resp.LocalRedirect == "" {
			return resp, nil // the usual case does not pay for the allocation of rewrite
		}
		rewrite := (*Rewrite)(nil)
		switch {
		case errors.As(err, &rewrite):
			req = req.WithPath(rewrite.Path, rewrite.Query)
		case err != nil:
			return nil, err
		default:
			Drain(resp.Body, math.MaxInt64)
			if req, err = req.redirected(resp.LocalRedirect); err != nil {
				return nil, err
			}
		}
	}
	return nil, fmt.Errorf("%w: at %s", ErrRedirectLoop, req.Path())
}

// redirected returns the request for a local redirect: GET, or HEAD, without a body, and with Apache's REDIRECT_*.
func (r *Request) redirected(location string) (*Request, error) {
	location, _, _ = strings.Cut(location, "#")
	raw, query, _ := strings.Cut(location, "?")
	path, err := CanonicalPath(raw)
	if err != nil {
		return nil, fmt.Errorf("%w: Location %.80q", ErrBadResponse, location)
	}
	c := r.WithPath(path, query)
	if c.Method != "HEAD" {
		c.Method = "GET"
	}
	c.Body, c.Trailer, c.ContentLength = nil, nil, 0
	c.Header = c.Header.Without("Content-Type", "Expect")
	c.Vars = append(slices.Clip(r.Vars),
		Var{"REDIRECT_STATUS", "200"}, Var{"REDIRECT_URL", r.Path()}, Var{"REDIRECT_QUERY_STRING", r.Query})
	return c, nil
}

func (d *Dispatcher) offer(ctx context.Context, req *Request) (*Response, error) {
	host := hostName(req.Host)
	path := req.Path()
	for i := range d.sorted {
		if !d.sorted[i].matches(host, path) {
			continue
		}
		resp, err := d.sorted[i].To.Serve(ctx, req)
		if !errors.Is(err, ErrDeclined) {
			return resp, err
		}
	}
	return nil, fmt.Errorf("%w: no route for %s", ErrDeclined, path)
}

func (d *Dispatcher) sortRoutes() {
	d.sorted = slices.Clone(d.Routes)
	for i := range d.sorted {
		r := &d.sorted[i]
		r.Host, r.Prefix = strings.ToLower(r.Host), strings.TrimSuffix(r.Prefix, "/")
	}
	slices.SortStableFunc(d.sorted, func(a, b Route) int {
		for _, diff := range []int{hostRank(b.Host) - hostRank(a.Host), len(b.Prefix) - len(a.Prefix)} {
			if diff != 0 {
				return diff
			}
		}
		return len(b.Ext) - len(a.Ext)
	})
}

// hostRank orders hosts: exact names, then wildcards by length, then any.
func hostRank(host string) int {
	switch {
	case host == "":
		return 0
	case strings.HasPrefix(host, "*."):
		return len(host)
	}
	return math.MaxInt32
}

func (r *Route) matches(host, path string) bool {
	if r.Host != "" && r.Host != host {
		domain, wildcard := strings.CutPrefix(r.Host, "*")
		if !wildcard || !strings.HasSuffix(host, domain) || len(host) == len(domain) {
			return false
		}
	}
	if !strings.HasPrefix(path, r.Prefix) || len(path) > len(r.Prefix) && r.Prefix != "" && path[len(r.Prefix)] != '/' {
		return false
	}
	return r.Ext == "" || strings.HasSuffix(path, r.Ext) || strings.Contains(path, r.Ext+"/")
}

// hostName returns the name in a Host field, without port and trailing dot, in lower case.
func hostName(host string) string {
	if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.HasSuffix(host, "]") {
		host = host[:i]
	}
	return strings.ToLower(strings.TrimSuffix(host, "."))
}

// Mount returns h for the paths beneath prefix, which becomes SCRIPT_NAME, the rest PATH_INFO. It declines other paths.
// With the prefix "" all of the path is PATH_INFO, also of a request that a web server has divided.
func Mount(prefix string, h Handler) Handler {
	return HandlerFunc(func(ctx context.Context, req *Request) (*Response, error) {
		script, ok := req.Script.Mount(prefix)
		if !ok {
			return nil, ErrDeclined
		}
		c := *req
		c.Script = script
		return h.Serve(ctx, &c)
	})
}
