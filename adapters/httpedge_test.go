package adapters_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	. "github.com/gangway-go/gangway/adapters"
)

// refusing answers without an interest in the body, which somebody may still be reading.
func refusing(reads bool) Handler {
	return HandlerFunc(func(_ context.Context, req *Request) (*Response, error) {
		if reads {
			go io.Copy(io.Discard, req.Body)
		}
		return Reply(403, "text/plain", "no"), nil
	})
}

// What comes late of a body that was answered early is no request, however little it is.
func TestHTTPLateBodyIsNoRequest(t *testing.T) {
	for _, reads := range []bool{false, true} {
		addr, _ := serveHTTP(t, refusing(reads))
		c, err := net.Dial("tcp", addr)
		require.NoError(t, err)
		defer c.Close()
		_, err = io.WriteString(c, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 38\r\n\r\nabc")
		require.NoError(t, err)
		time.Sleep(1100 * time.Millisecond) // for longer than the rest is read for nothing
		io.WriteString(c, "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n")
		c.SetReadDeadline(time.Now().Add(10 * time.Second))
		answer, _ := io.ReadAll(c)
		assert.Equal(t, 1, strings.Count(string(answer), "HTTP/1.1 "), "%s", answer)
		assert.Contains(t, string(answer), "Connection: close")
	}
}

// Behind a ResponseWriter that hides net/http's the end of a request does not wait for the client.
func TestHTTPHiddenWriter(t *testing.T) {
	f := HTTP(refusing(true))
	over := make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.ServeHTTP(struct{ http.ResponseWriter }{w}, r)
		close(over)
	}))
	defer srv.Close()
	c, err := net.Dial("tcp", srv.Listener.Addr().String())
	require.NoError(t, err)
	defer c.Close()
	io.WriteString(c, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nabc")
	c.SetReadDeadline(time.Now().Add(10 * time.Second))
	answer := make([]byte, 12)
	_, err = io.ReadFull(c, answer)
	require.NoError(t, err)
	assert.Equal(t, "HTTP/1.1 403", string(answer))
	select {
	case <-over:
	case <-time.After(10 * time.Second):
		assert.Fail(t, "ServeHTTP waits for the client")
	}
}

// Fields that frame or route a message have no place in a trailer, RFC 9110 6.5.1.
func TestHTTPTrailerFields(t *testing.T) {
	addr, _ := serveHTTP(t, HandlerFunc(func(_ context.Context, req *Request) (*Response, error) {
		io.Copy(io.Discard, req.Body)
		assert.Equal(t, Header{{"X-Sum", "1"}}, req.Trailer())
		trailer := Header{{"Content-Length", "7"}, {"Transfer-Encoding", "chunked"}, {"Set-Cookie", "a=b"}, {"X-Sum", "2"}}
		return &Response{
			Status: 200, Body: io.NopCloser(strings.NewReader("x")), Trailer: func() Header { return trailer },
		}, nil
	}))
	answer, err := raw(t, addr, "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n"+
		"Trailer: X-Sum, Authorization, Host, Cookie\r\n\r\n1\r\ny\r\n0\r\n"+
		"Authorization: z\r\nHost: evil\r\nCookie: c\r\nX-Sum: 1\r\n\r\n")
	require.NoError(t, err)
	_, trailer, found := strings.Cut(answer, "\r\n0\r\n")
	require.True(t, found, answer)
	assert.Equal(t, "Set-Cookie: a=b\r\nX-Sum: 2\r\n\r\n", trailer)
}

// What handlers in front have set is for the response, not for the 1xx before it.
func TestHTTPInterimKeepsHeader(t *testing.T) {
	f := HTTP(HandlerFunc(func(_ context.Context, req *Request) (*Response, error) {
		require.NoError(t, req.Informational(103, Header{{"Link", "</a.css>"}}))
		return Reply(200, "text/plain", "x"), nil
	}))
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Strict-Transport-Security", "max-age=1")
		f.ServeHTTP(w, r)
	}))
	defer srv.Close()
	answer, err := raw(t, srv.Listener.Addr().String(), "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
	require.NoError(t, err)
	interim, final, _ := strings.Cut(answer, "\r\n\r\n")
	assert.Contains(t, interim, "Link: </a.css>")
	assert.NotContains(t, interim, "Strict")
	assert.Contains(t, final, "Strict-Transport-Security: max-age=1")
	assert.NotContains(t, final, "Link")
}

// A protocol is changed only if the client has asked for it, and then with the fields that RFC 9110 7.8 wants.
func TestHTTPUpgradeAsked(t *testing.T) {
	addr, _ := serveHTTP(t, HandlerFunc(func(context.Context, *Request) (*Response, error) {
		near, far := net.Pipe()
		far.Close()
		return &Response{Status: 101, Header: Header{{"Upgrade", "echo"}}, Body: near}, nil
	}))
	answer, err := raw(t, addr, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
	require.NoError(t, err)
	assert.Contains(t, answer, "HTTP/1.1 501 ")
	answer, err = raw(t, addr, "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
	require.NoError(t, err)
	assert.Equal(t, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n", answer)
}

// Without a body there is no CONTENT_LENGTH, whatever the version of HTTP.
func TestHTTPNoContentLength(t *testing.T) {
	addr, _ := serveHTTP(t, HandlerFunc(func(_ context.Context, req *Request) (*Response, error) {
		for name, value := range req.All() {
			if name == "CONTENT_LENGTH" {
				return Reply(200, "text/plain", "is "+value), nil
			}
		}
		return Reply(200, "text/plain", "none"), nil
	}))
	for proto, c := range clients(t) {
		for method, want := range map[string]string{"GET": "none", "POST": "is 0"} {
			req, err := http.NewRequest(method, "http://"+addr+"/", nil)
			require.NoError(t, err)
			resp, err := c.Do(req)
			require.NoError(t, err)
			body, err := io.ReadAll(resp.Body)
			require.NoError(t, err)
			resp.Body.Close()
			assert.Equal(t, want, string(body), proto+" "+method)
		}
	}
}
