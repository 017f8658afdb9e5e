// Package proxy carries requests to an application that speaks HTTP/1.1 (RFC 9110, RFC 9112): bodies stream both ways,
// interim responses, trailers and changes of the protocol pass, redirects are not followed and nothing is decompressed.
// HTTP/2 towards the application is not spoken.
//
// Begin with [Handler] and [NewTransport].
package proxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/gangway-go/gangway/adapters"
)

// A Handler asks the application at Target. It is safe for concurrent use; its fields must not change once it is in
// use.
//
// The application gets the request target behind the path of Target, as the client sent it unless path or query were
// rewritten, and the client's Host. It gets no meta-variables but X-Forwarded-For, X-Forwarded-Host and
// X-Forwarded-Proto, made of Request.Remote, Host and Scheme; every other X-Forwarded-* and Forwarded is removed, also
// when it is written with underscores, since anybody can send them: whoever trusts a proxy in front sets Remote and
// Scheme by what it said. A change of the protocol is passed on, but for that to HTTP/2 (h2c).
//
// An error wraps [adapters.ErrUnreachable], [adapters.ErrTimeout], [adapters.ErrBadResponse] or
// [adapters.ErrTruncated].
type Handler struct {
	// Target is http or https, a host, and the path in front of all others. A query is ignored.
	Target *url.URL
	// Transport makes the connections; nil is one of [NewTransport] that all Handlers share. Another one must speak
	// HTTP/1.1 and must not decompress.
	Transport http.RoundTripper
}

// Serve sends req to the application.
func (h *Handler) Serve(ctx context.Context, req *adapters.Request) (*adapters.Response, error) {
	x := &exchange{
		ctx: ctx, req: req, addr: h.Target.Host, upgrade: upgradeOf(req.Header), headerLimit: adapters.DefaultHeaderLimit,
	}
	out, err := x.request(h.Target)
	if err != nil {
		return nil, err
	}
	transport := h.Transport
	if transport == nil {
		transport = sharedTransport()
	}
	if t, ok := transport.(*http.Transport); ok && t.MaxResponseHeaderBytes > 0 {
		x.headerLimit = t.MaxResponseHeaderBytes
	}
	req.Trace.Attempt(x.addr)
	resp, err := transport.RoundTrip(out)
	for i := 0; err == nil && x.stale(); i++ {
		if resp.Body.Close(); x.body != nil || i == maxStale {
			return nil, x.bad(errStale)
		}
		resp, err = transport.RoundTrip(out)
	}
	x.endInterim()
	if err != nil {
		return nil, x.failed(err)
	}
	return x.response(resp)
}

// An exchange is one request and its response.
type exchange struct {
	ctx      context.Context
	req      *adapters.Request
	addr     string
	upgrade  string       // the protocol that the client wants to change to
	body     *requestBody // nil without a body
	answered atomic.Bool  // a byte of the response came
	conn     atomic.Pointer[conn]

	headerLimit int64 // bytes of the response header, and of the interim ones before it

	mu     sync.Mutex
	over   bool  // no interim response may be passed on any more
	hinted int64 // bytes of interim responses
}

// upgradeOf returns the protocol that a request wants to change to, RFC 9110 7.8. HTTP/2 is none: over it a client
// could ask for what nobody here has looked at.
func upgradeOf(h adapters.Header) string {
	if !h.HasToken("Connection", "Upgrade") || h.HasToken("Upgrade", "h2c") {
		return ""
	}
	return h.Get("Upgrade")
}

func (x *exchange) request(base *url.URL) (*http.Request, error) {
	target, err := targetOf(base, x.req)
	if err != nil {
		return nil, err
	}
	c := *x.req
	c.Header = adapters.StripHopByHop(c.Header)
	out, err := c.HTTP(httptrace.WithClientTrace(x.ctx, x.trace()))
	if err != nil {
		return nil, err
	}
	out.URL = urlOf(base, target)
	out.RequestURI = ""
	x.setFields(out.Header)
	if out.Body != http.NoBody {
		x.body = &requestBody{src: out.Body, ctx: x.ctx}
		out.Body = x.body
	}
	return out, nil
}

// targetOf returns what goes into the request line: what the client sent, if that still is what is asked for.
func targetOf(base *url.URL, req *adapters.Request) (string, error) {
	if req.URI == "*" {
		return req.URI, nil
	}
	target := req.URI
	raw, query, _ := strings.Cut(target, "?")
	if path, err := adapters.CanonicalPath(raw); err != nil || path != req.Path() || query != req.Query {
		target = (&url.URL{Path: req.Path(), RawQuery: req.Query}).RequestURI()
	}
	for i := range len(target) {
		if c := target[i]; c <= ' ' || c == 0x7f {
			return "", fmt.Errorf("proxy: %w: target %.80q", adapters.ErrBadRequest, target)
		}
	}
	return strings.TrimSuffix(base.EscapedPath(), "/") + target, nil
}

// urlOf returns the URL with which net/http sends this target.
func urlOf(base *url.URL, target string) *url.URL {
	// Opaque is the only way to send a target exactly as it is, but two slashes would begin a host in it.
	u := &url.URL{Scheme: base.Scheme, Host: base.Host, Opaque: target}
	raw, query, asks := strings.Cut(target, "?")
	if path, err := url.PathUnescape(raw); err == nil && strings.HasPrefix(target, "//") {
		u.Opaque, u.Path, u.RawPath = "", path, raw
		u.RawQuery, u.ForceQuery = query, asks
	}
	return u
}

func (x *exchange) setFields(h http.Header) {
	for name := range h {
		alias := http.CanonicalHeaderKey(strings.ReplaceAll(name, "_", "-")) // many applications take both for the same
		if alias == "Forwarded" || strings.HasPrefix(alias, "X-Forwarded-") {
			delete(h, name)
		}
	}
	for name, value := range map[string]string{
		"X-Forwarded-For":   x.req.Remote.Addr,
		"X-Forwarded-Host":  x.req.Host,
		"X-Forwarded-Proto": x.req.Scheme,
		"Upgrade":           x.upgrade,
	} {
		if value != "" {
			h[name] = []string{value}
		}
	}
	if x.upgrade != "" {
		h["Connection"] = []string{"Upgrade"}
	}
	if x.req.Header.HasToken("TE", "trailers") {
		h["Te"] = []string{"trailers"} // for our own connection, too: trailers are passed on
	}
	if h["User-Agent"] == nil {
		h["User-Agent"] = nil // else net/http sends its own
	}
}

func (x *exchange) trace() *httptrace.ClientTrace {
	t := &httptrace.ClientTrace{
		GotConn: func(info httptrace.GotConnInfo) {
			x.req.Trace.Mark(adapters.Assigned)
			conn := connOf(info.Conn)
			if conn != nil && info.Reused {
				conn.lent.Store(true)
			}
			x.conn.Store(conn)
			if x.body != nil {
				x.body.sendTo(conn)
			}
		},
		WroteHeaders: func() { x.req.Trace.Mark(adapters.Sent) },
		GotFirstResponseByte: func() {
			x.answered.Store(true)
			x.req.Trace.Mark(adapters.FirstByte)
		},
	}
	if x.req.Informational != nil {
		t.Got1xxResponse = x.interim
	}
	return t
}

// interim passes on a 1xx response, in a goroutine of the transport.
func (x *exchange) interim(status int, h textproto.MIMEHeader) error {
	if status == http.StatusContinue {
		return nil // the frontend says it when the body is read
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.over || x.stale() {
		return adapters.ErrAborted
	}
	header := adapters.HeaderFrom(http.Header(h))
	for _, f := range header {
		x.hinted += int64(len(f.Name) + len(f.Value))
	}
	if x.hinted += int64(len("HTTP/1.1 103\r\n\r\n")); x.hinted > x.headerLimit { // with a trace, nobody else counts
		return adapters.LongHeader(x.headerLimit)
	}
	return x.req.Informational(status, adapters.StripHopByHop(header))
}

// maxStale is how many connections with stale responses are given up for one request.
const maxStale = 100

var errStale = errors.New("a response came before its request was sent")

// stale reports whether a response came on a connection on which nothing of the request was written, and then closes that.
func (x *exchange) stale() bool {
	c := x.conn.Load()
	if c == nil || !c.lent.Load() {
		return false
	}
	c.Close()
	return true
}

func (x *exchange) endInterim() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.over = true
}

// failed returns the error for one of the transport.
func (x *exchange) failed(err error) error {
	kind := adapters.ErrUnreachable
	switch {
	case strings.Contains(err.Error(), "server response headers exceeded"): // net/http has no name for it
		err = adapters.LongHeader(x.headerLimit)
	case errors.Is(err, io.ErrUnexpectedEOF):
		kind = adapters.ErrTruncated
	case x.answered.Load():
		kind = adapters.ErrBadResponse
	case errors.Is(err, io.EOF):
		err = new(adapters.HeaderReader).EndError(io.EOF)
	}
	if x.body != nil {
		if failed := x.body.failed(); failed != nil {
			err, kind = failed, adapters.ErrAborted
		}
	}
	return adapters.Failed(x.ctx, "proxy: request", x.addr, kind, err)
}
