//go:build unix

package http1_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/internal/peer"
)

// maxConns is how many connections a client may have at once.
const maxConns = 16

// A visitor is Go's client.
type visitor struct {
	http.Client
	t    *testing.T
	base string
}

func visit(t *testing.T, address string) *visitor {
	connections := &http.Transport{
		MaxConnsPerHost: maxConns, MaxIdleConnsPerHost: maxConns, DisableCompression: true,
		ExpectContinueTimeout: time.Minute,
	}
	t.Cleanup(connections.CloseIdleConnections)
	return &visitor{http.Client{Transport: connections, Timeout: time.Minute}, t, "http://" + address}
}

// send makes a request and returns the response and its body. A body of unknown length goes in chunks.
func (v *visitor) send(method, target string, body io.Reader) (*http.Response, string) {
	v.t.Helper()
	req, err := http.NewRequestWithContext(v.t.Context(), method, v.base+target, body)
	require.NoError(v.t, err)
	return v.do(req)
}

func (v *visitor) do(req *http.Request) (*http.Response, string) {
	v.t.Helper()
	resp, err := v.Do(req)
	require.NoError(v.t, err, req.URL)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	require.NoError(v.t, err, req.URL)
	return resp, string(text)
}

// stream hides the length of a body.
func stream(b []byte) io.Reader { return struct{ io.Reader }{bytes.NewReader(b)} }

// exchangeBodies sends and fetches bodies of all sizes, of known and of unknown length.
func (v *visitor) exchangeBodies(duplex bool) {
	for _, n := range sizes {
		for name, body := range map[string]io.Reader{
			"length": bytes.NewReader(payload[:n]), "chunked": stream(payload[:n]),
		} {
			_, got := v.send("POST", "/upload", body)
			assert.Equal(v.t, digest(n), got, "%s upload of %d bytes", name, n)
		}
		for _, length := range []string{"", "&length"} {
			_, got := v.send("GET", fmt.Sprintf("/give?n=%d%s", n, length), nil)
			assert.True(v.t, got == string(payload[:n]), "%d of %d bytes came, %q", len(got), n, length)
		}
		if !duplex && n > 1<<20 {
			continue
		}
		_, got := v.send("POST", "/echo", stream(payload[:n]))
		assert.True(v.t, got == string(payload[:n]), "%d of %d bytes came back", len(got), n)
	}
}

// askAll has small requests of all kinds answered one after the other, and returns how many.
func (v *visitor) askAll() (requests int64) {
	for _, code := range []int{200, 201, 204, 206, 304, 400, 404, 418, 500, 503} {
		resp, _ := v.send("GET", fmt.Sprintf("/status?code=%d", code), nil)
		assert.Equal(v.t, code, resp.StatusCode)
		requests++
	}
	for range 10 {
		resp, body := v.send("HEAD", "/give?n=1000&length", nil)
		assert.Equal(v.t, int64(1000), resp.ContentLength)
		assert.Empty(v.t, body)
		_, body = v.send("PUT", "/upload", bytes.NewReader(payload[:1000]))
		assert.Equal(v.t, digest(1000), body)
		resp, body = v.send("POST", "/noread", bytes.NewReader(payload[:1000]))
		assert.Equal(v.t, 413, resp.StatusCode)
		assert.Equal(v.t, "not read", body)
		requests += 3
	}
	return requests
}

// TestProxies puts servers that nobody here wrote between a client and the Server.
func TestProxies(t *testing.T) {
	const kept = `proxy_http_version 1.1; proxy_set_header Connection "";`
	nginx := func(lines string) func(*testing.T, string) string {
		return func(t *testing.T, site string) string {
			app := fmt.Sprintf("upstream app { server %s; keepalive %d; }", site, maxConns)
			return peer.Nginx(t, "location / { proxy_pass http://app; "+lines+" }", app)
		}
	}
	haproxy := func(line string) func(*testing.T, string) string {
		return func(t *testing.T, site string) string { return peer.HAProxyHTTP(t, site, line) }
	}
	tests := []struct {
		name, app string
		start     func(t *testing.T, site string) string
		keeps     bool // connections to the Server
		unread    int  // bytes that it sends to the end though nobody reads them; without a buffer nginx may hang up
		duplex    bool // goes on with the request when the response has begun; nginx does not
		passes    bool // 1xx
	}{
		{name: "nginx, HTTP 1.0", app: "EGI", start: nginx(""), unread: large},
		{name: "nginx, kept", app: "FastCGI", start: nginx(kept), keeps: true, unread: large},
		{name: "nginx, unbuffered", app: "EGI", start: nginx(kept + "proxy_request_buffering off; proxy_buffering off;"),
			keeps: true},
		{name: "HAProxy, kept", app: "EGI", start: haproxy("http-reuse always"), keeps: true, unread: large,
			duplex: true, passes: true},
		{name: "HAProxy, closing", app: "FastCGI", start: haproxy("option http-server-close"), unread: large,
			duplex: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newSite(t, applications[tt.app](t))
			v := visit(t, tt.start(t, s.address))
			requests, connections := v.askAll(), s.accepted.Load()
			if tt.keeps {
				assert.EqualValues(t, 1, connections, "for %d requests", requests)
			} else {
				assert.Equal(t, requests, connections)
			}
			v.exchangeBodies(tt.duplex)
			connections = s.accepted.Load()
			requests = v.crowd()
			if connections = s.accepted.Load() - connections; tt.keeps {
				assert.LessOrEqual(t, connections, requests/10, "for %d requests", requests)
			} else {
				assert.Equal(t, requests, connections)
			}
			v.beRefused(tt.unread)
			assert.True(t, v.expects("/upload"))
			if tt.passes {
				assert.False(t, v.expects("/noread"))
				assert.Equal(t, []string{"103 </style.css>; rel=preload"}, v.hints())
			}
			s.answersAll(t)
		})
	}
}

// Bodies that nobody reads: of a small one the Server takes the rest and keeps the connection.
const small, large = 200 << 10, 2 << 20

// beRefused sends bodies up to n bytes that nobody reads, of known and of unknown length.
func (v *visitor) beRefused(n int) {
	v.t.Helper()
	for size := small; size <= n; size += large - small {
		for _, body := range []io.Reader{bytes.NewReader(payload[:size]), stream(payload[:size])} {
			resp, text := v.send("POST", "/noread", body)
			assert.Equal(v.t, 413, resp.StatusCode, "%d bytes", size)
			assert.Equal(v.t, "not read", text)
		}
	}
}

// hints returns the interim responses to /hints.
func (v *visitor) hints() (got []string) {
	req, err := http.NewRequestWithContext(httptrace.WithClientTrace(v.t.Context(), &httptrace.ClientTrace{
		Got1xxResponse: func(code int, header textproto.MIMEHeader) error {
			got = append(got, fmt.Sprintf("%d %s", code, header.Get("Link")))
			return nil
		},
	}), "GET", v.base+"/hints", nil)
	require.NoError(v.t, err)
	_, body := v.do(req)
	assert.Equal(v.t, "after the hints", body)
	return got
}

// expects offers a body to the target and reports whether it was wanted.
func (v *visitor) expects(target string) bool {
	continued := false
	req, err := http.NewRequestWithContext(httptrace.WithClientTrace(v.t.Context(), &httptrace.ClientTrace{
		Got100Continue: func() { continued = true },
	}), "POST", v.base+target, bytes.NewReader(payload[:5<<20]))
	require.NoError(v.t, err)
	req.Header.Set("Expect", "100-continue")
	_, body := v.do(req)
	if continued {
		assert.Equal(v.t, digest(5<<20), body)
	} else {
		assert.Equal(v.t, "not read", body)
	}
	return continued
}

// crowd sends many requests at once, and returns how many.
func (v *visitor) crowd() (requests int64) {
	var all sync.WaitGroup
	for i := range 2 * maxConns {
		all.Go(func() {
			for j := range 10 {
				want := strings.Repeat(fmt.Sprintf("%d-%d ", i, j), 1+1000*(i%3))
				resp, err := v.Post(v.base+"/echo", "", strings.NewReader(want))
				if !assert.NoError(v.t, err) {
					return
				}
				got, err := io.ReadAll(resp.Body)
				resp.Body.Close()
				assert.NoError(v.t, err)
				assert.True(v.t, want == string(got), "request %d-%d", i, j)
			}
		})
	}
	all.Wait()
	return 2 * maxConns * 10
}
