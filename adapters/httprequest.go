package adapters

import (
	"cmp"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
)

// HTTP returns r as net/http's server would hand it to an http.Handler, with a context from which [RequestOf] gets r
// back: for applications in this process and for clients of HTTP. URL.Path is r.Path, which is canonical and after a
// rewrite not URI's path, URL.RawQuery is Query; RequestURI stays what the client sent. Trailer is filled at the body's
// io.EOF. Header is a map of its own. The error wraps [ErrBadRequest]: URI cannot be parsed.
func (r *Request) HTTP(ctx context.Context) (*http.Request, error) {
	u, err := r.url()
	if err != nil {
		return nil, err
	}
	major, minor, ok := http.ParseHTTPVersion(r.Proto)
	if !ok {
		major, minor = 1, 1
	}
	hr := (&http.Request{
		Method:     r.Method,
		URL:        u,
		Proto:      r.Proto,
		ProtoMajor: major,
		ProtoMinor: minor,
		Header:     r.Header.HTTP(),
		Body:       http.NoBody,
		Host:       r.Host,
		RemoteAddr: remoteAddr(r.Remote),
		RequestURI: r.URI,
		TLS:        r.TLS,
	}).WithContext(context.WithValue(ctx, requestKey{}, r))
	if hr.TLS == nil && r.Scheme == "https" {
		hr.TLS = &tls.ConnectionState{HandshakeComplete: true} // as net/http/cgi says it
	}
	if r.HasBody() {
		r.httpBody(hr)
	}
	return hr, nil
}

func (r *Request) url() (*url.URL, error) {
	u := new(url.URL)
	if r.URI != "" {
		var err error
		if u, err = url.ParseRequestURI(r.URI); err != nil {
			return nil, fmt.Errorf("%w: URI %.80q", ErrBadRequest, r.URI)
		}
	}
	if path := r.Path(); path != "" && path != u.Path {
		u.Path, u.RawPath = path, ""
	}
	u.RawQuery = r.Query
	return u, nil
}

func remoteAddr(e Endpoint) string {
	if e.Addr == "" {
		return ""
	}
	return net.JoinHostPort(e.Addr, cmp.Or(e.Port, "0"))
}

func (r *Request) httpBody(hr *http.Request) {
	hr.ContentLength = r.ContentLength
	if r.ContentLength > 0 {
		hr.Header["Content-Length"] = []string{strconv.FormatInt(r.ContentLength, 10)}
	} else {
		hr.TransferEncoding = []string{"chunked"}
	}
	if r.Trailer == nil {
		hr.Body = io.NopCloser(r.Body)
		return
	}
	hr.Trailer = make(http.Header)
	hr.Body = &trailedBody{r, hr.Trailer}
}

// A trailedBody fills in the trailer of an http.Request at the end of its body.
type trailedBody struct {
	r       *Request
	trailer http.Header // the map and not the request, of which middleware makes copies
}

func (b *trailedBody) Read(p []byte) (int, error) {
	n, err := b.r.Body.Read(p)
	if err == io.EOF {
		clear(b.trailer)
		for _, f := range b.r.Trailer() {
			b.trailer.Add(f.Name, f.Value)
		}
	}
	return n, err
}

func (b *trailedBody) Close() error { return nil }

type requestKey struct{}

// RequestOf returns the Request from which [Request.HTTP] made the http.Request with this context, so that an
// http.Handler sees what HTTP has no place for: AuthType, Script, Vars. It is read-only. Without one it returns nil.
func RequestOf(ctx context.Context) *Request {
	r, _ := ctx.Value(requestKey{}).(*Request)
	return r
}
