package proxy_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/adapters/proxy"
	"github.com/gangway-go/gangway/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

// newProxy returns a Handler each of whose connections is served by app.
func newProxy(t *testing.T, base string, app func(net.Conn)) *proxy.Handler {
	t.Helper()
	target, err := url.Parse(base)
	require.NoError(t, err)
	transport := proxy.NewTransport(func(context.Context, string, string) (net.Conn, error) {
		ours, theirs := net.Pipe()
		go func() {
			defer theirs.Close()
			app(theirs)
		}()
		return ours, nil
	})
	t.Cleanup(transport.CloseIdleConnections)
	return &proxy.Handler{Target: target, Transport: transport}
}

// readHead reads a request up to its body.
func readHead(c net.Conn) (head string, br *bufio.Reader) {
	br = bufio.NewReader(c)
	for !strings.HasSuffix(head, "\r\n\r\n") {
		line, err := br.ReadString('\n')
		if err != nil {
			break
		}
		head += line
	}
	return head, br
}

// answering returns an application that reads a request head, keeps it, answers with text and closes.
func answering(head *string, text string) func(net.Conn) {
	return func(c net.Conn) {
		got, br := readHead(c)
		if head != nil {
			*head = got
		}
		go io.Copy(io.Discard, br)
		io.WriteString(c, text)
	}
}

func newRequest(method, uri string, fields ...string) *adapters.Request {
	raw, query, _ := strings.Cut(uri, "?")
	path, err := adapters.CanonicalPath(raw)
	if err != nil {
		path = ""
	}
	req := &adapters.Request{
		Method: method, URI: uri, Proto: "HTTP/1.1", Host: "example.org", Scheme: "http", Query: query,
		Script: adapters.Script{PathInfo: path},
		Remote: adapters.Endpoint{Addr: "192.0.2.1", Port: "4711"},
		Vars:   []adapters.Var{{Name: "SECRET", Value: "never sent"}},
	}
	for i := 0; i < len(fields); i += 2 {
		req.Header.Add(fields[i], fields[i+1])
	}
	return req
}

func ask(t *testing.T, h adapters.Handler, req *adapters.Request) (resp *adapters.Response, body string, err error) {
	t.Helper()
	resp, err = h.Serve(t.Context(), req)
	if err != nil {
		require.Nil(t, resp)
		return nil, "", err
	}
	b, err := io.ReadAll(resp.Body)
	assert.NoError(t, resp.Body.Close())
	return resp, string(b), err
}

const noContent = "HTTP/1.1 204 No Content\r\n\r\n"

func TestTarget(t *testing.T) {
	tests := []struct {
		name, base, uri string
		rewrite         func(*adapters.Request) *adapters.Request
		want            string
	}{
		{"root", "http://app", "/", nil, "/"},
		{"as sent", "http://app/", "/a%2Fb/%7e%41|^\"?q=%zz&+", nil, "/a%2Fb/%7e%41|^\"?q=%zz&+"},
		{"empty query", "http://app", "/a?", nil, "/a?"},
		{"behind the base", "http://app/base%2F1/", "/a?b", nil, "/base%2F1/a?b"},
		{"dot segments", "http://app/base", "/a/../b", nil, "/base/a/../b"},
		{"two slashes", "http://app", "//no.host/x", nil, "//no.host/x"},
		{"two slashes and a query", "http://app/", "//x//%2F%7e?", nil, "//x//%2F%7e?"},
		{"two slashes behind the base", "http://app/base", "//x", nil, "/base//x"},
		{"path rewritten", "http://app/base", "/a%2Fb?q", func(r *adapters.Request) *adapters.Request {
			return r.WithPath("/new path", "q")
		}, "/base/new%20path?q"},
		{"query rewritten", "http://app", "/a%2Fb?q", func(r *adapters.Request) *adapters.Request {
			return r.WithPath("/a/b", "new")
		}, "/a/b?new"},
		{"mounted", "http://app", "/app/x", func(r *adapters.Request) *adapters.Request {
			r.Script, _ = r.Script.Mount("/app")
			return r
		}, "/app/x"},
		{"asterisk", "http://app/base", "*", nil, "*"},
		{"absolute form", "http://app", "http://example.org/x?q", func(r *adapters.Request) *adapters.Request {
			r.Script.PathInfo = "/x"
			return r
		}, "/x?q"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var head string
			h := newProxy(t, tt.base, answering(&head, noContent))
			req := newRequest("GET", tt.uri)
			if tt.rewrite != nil {
				req = tt.rewrite(req)
			}
			_, _, err := ask(t, h, req)
			require.NoError(t, err)
			line, _, _ := strings.Cut(head, "\r\n")
			assert.Equal(t, "GET "+tt.want+" HTTP/1.1", line)
		})
	}
}

func TestBadTarget(t *testing.T) {
	h := newProxy(t, "http://app", func(net.Conn) { t.Error("connected") })
	for _, uri := range []string{"/a b", "/a\r\nX: y", "/?a b", "/\x7f"} {
		req := newRequest("GET", uri)
		_, _, err := ask(t, h, req)
		assert.ErrorIs(t, err, adapters.ErrBadRequest, uri)
	}
}

func TestRequestFields(t *testing.T) {
	tests := []struct {
		name string
		req  *adapters.Request
		want string
	}{
		{"none", newRequest("GET", "/"), "" +
			"GET / HTTP/1.1\r\nHost: example.org\r\n" +
			"X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Host: example.org\r\nX-Forwarded-Proto: http\r\n\r\n"},
		{"end to end", newRequest("GET", "/", "User-Agent", "x", "Accept-Encoding", "br", "X-A", "1", "X-A", "2"), "" +
			"GET / HTTP/1.1\r\nHost: example.org\r\nUser-Agent: x\r\nAccept-Encoding: br\r\nX-A: 1\r\nX-A: 2\r\n" +
			"X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Host: example.org\r\nX-Forwarded-Proto: http\r\n\r\n"},
		{"hop by hop", newRequest("GET", "/", "Connection", "close, X-Mine", "X-Mine", "1", "Keep-Alive", "5",
			"TE", "gzip, trailers", "Proxy-Connection", "x", "Upgrade", "h2c"), "" +
			"GET / HTTP/1.1\r\nHost: example.org\r\nTe: trailers\r\n" +
			"X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Host: example.org\r\nX-Forwarded-Proto: http\r\n\r\n"},
		{"forged", newRequest("GET", "/", "X-Forwarded-For", "10.0.0.1", "x-forwarded-proto", "https",
			"X-Forwarded-Port", "1", "Forwarded", "for=10.0.0.1"), "" +
			"GET / HTTP/1.1\r\nHost: example.org\r\n" +
			"X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Host: example.org\r\nX-Forwarded-Proto: http\r\n\r\n"},
		{"forged by an alias", newRequest("GET", "/", "X_Forwarded_For", "10.0.0.1", "x_forwarded-host", "evil",
			"Connection", "Upgrade, HTTP2-Settings", "HTTP2-Settings", "AAMAAABkAAQCAAAAAAIAAAAA", "Upgrade", "h2c"), "" +
			"GET / HTTP/1.1\r\nHost: example.org\r\n" +
			"X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Host: example.org\r\nX-Forwarded-Proto: http\r\n\r\n"},
		{"empty POST", newRequest("POST", "/"), "" +
			"POST / HTTP/1.1\r\nHost: example.org\r\nContent-Length: 0\r\n" +
			"X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Host: example.org\r\nX-Forwarded-Proto: http\r\n\r\n"},
		{"upgrade", newRequest("GET", "/", "Connection", "keep-alive, upgrade", "Upgrade", "websocket"), "" +
			"GET / HTTP/1.1\r\nHost: example.org\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
			"X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Host: example.org\r\nX-Forwarded-Proto: http\r\n\r\n"},
		{"nothing known", &adapters.Request{Method: "GET", URI: "/", Script: adapters.Script{PathInfo: "/"}}, "" +
			"GET / HTTP/1.1\r\nHost: app\r\n\r\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var head string
			before := tt.req.Header.Clone()
			_, _, err := ask(t, newProxy(t, "http://app", answering(&head, noContent)), tt.req)
			require.NoError(t, err)
			assert.Equal(t, tt.want, head)
			assert.Equal(t, before, tt.req.Header, "the request is not changed")
		})
	}
}

func TestResponse(t *testing.T) {
	tests := []struct {
		name, wire string
		status     int
		header     adapters.Header
		body       string
		trailer    adapters.Header
	}{
		{"length", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-a: 1\r\nX-A: 2\r\n\r\nhello", 200,
			fields("Content-Length", "5", "X-A", "1", "X-A", "2"), "hello", nil},
		{"chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n" +
			"2\r\nhe\r\n3\r\nllo\r\n0\r\nX-Sum: 1\r\nX-Other: 2\r\n\r\n", 200,
			fields(), "hello", fields("X-Other", "2", "X-Sum", "1")},
		{"until close", "HTTP/1.0 200 OK\r\n\r\nhello", 200, fields(), "hello", fields()},
		{"hop by hop", "HTTP/1.1 404 No\r\nConnection: X-Mine\r\nX-Mine: 1\r\nKeep-Alive: 5\r\n" +
			"Content-Length: 0\r\n\r\n", 404, fields("Content-Length", "0"), "", nil},
		{"redirect", "HTTP/1.1 302 Found\r\nLocation: /else\r\nContent-Length: 0\r\n\r\n", 302,
			fields("Content-Length", "0", "Location", "/else"), "", nil},
		{"compressed", "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\n\x1f\x8bx", 200,
			fields("Content-Encoding", "gzip", "Content-Length", "3"), "\x1f\x8bx", nil},
		{"304", "HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\n\r\n", 304, fields("Etag", `"x"`), "", nil},
		{"interim", "HTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n" + noContent, 204, fields(), "", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := newProxy(t, "http://app", answering(nil, tt.wire))
			resp, body, err := ask(t, h, newRequest("GET", "/"))
			require.NoError(t, err)
			assert.Equal(t, tt.status, resp.Status)
			assert.Equal(t, tt.header, resp.Header)
			assert.Equal(t, tt.body, body)
			if tt.trailer == nil {
				assert.Nil(t, resp.Trailer)
			} else {
				assert.Equal(t, tt.trailer, resp.Trailer())
			}
		})
	}
}

func fields(pairs ...string) adapters.Header {
	h := adapters.Header{}
	for i := 0; i < len(pairs); i += 2 {
		h.Add(pairs[i], pairs[i+1])
	}
	return h
}

// TestPrefixes cuts responses at every byte: none may look complete.
func TestPrefixes(t *testing.T) {
	for name, wire := range map[string]string{
		"length":  "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
		"chunked": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\nX-Sum: 1\r\n\r\n",
		"interim": "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx",
	} {
		t.Run(name, func(t *testing.T) {
			for n := range len(wire) {
				h := newProxy(t, "http://app", answering(nil, wire[:n]))
				resp, _, err := ask(t, h, newRequest("GET", "/"))
				require.Error(t, err, "%q", wire[:n])
				assert.Equal(t, 502, adapters.StatusOf(err), "%q: %v", wire[:n], err)
				switch {
				case n == 0:
					assert.ErrorIs(t, err, adapters.ErrUnreachable)
				case resp != nil:
					assert.ErrorIs(t, err, adapters.ErrTruncated, "%q", wire[:n])
				}
			}
			_, _, err := ask(t, newProxy(t, "http://app", answering(nil, wire)), newRequest("GET", "/"))
			assert.NoError(t, err)
		})
	}
}

func TestBadResponse(t *testing.T) {
	for name, wire := range map[string]string{
		"another protocol": "SSH-2.0-OpenSSH\r\n\r\n",
		"status":           "HTTP/1.1 abc No\r\n\r\n",
		"status 600":       "HTTP/1.1 600 No\r\nContent-Length: 0\r\n\r\n",
		"status 099":       "HTTP/1.1 099 No\r\nContent-Length: 0\r\n\r\n",
		"field":            "HTTP/1.1 200 OK\r\nno field\r\n\r\n",
		"long header":      "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 1<<17) + "\r\n\r\n",
		"two lengths":      "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxy",
		"not asked for":    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := ask(t, newProxy(t, "http://app", answering(nil, wire)), newRequest("GET", "/"))
			assert.ErrorIs(t, err, adapters.ErrBadResponse)
			assert.Contains(t, err.Error(), "proxy: ")
		})
	}
}

func TestUnreachable(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	addr := l.Addr().String()
	require.NoError(t, l.Close())
	h := &proxy.Handler{Target: &url.URL{Scheme: "http", Host: addr}} // the shared transport
	_, _, err = ask(t, h, newRequest("GET", "/"))
	assert.ErrorIs(t, err, adapters.ErrUnreachable)
	assert.Equal(t, 502, adapters.StatusOf(err))
	assert.Contains(t, err.Error(), addr)
}

type timeout struct{}

func (timeout) Error() string { return "slow" }
func (timeout) Timeout() bool { return true }

func TestTransportErrors(t *testing.T) {
	tests := []struct {
		name   string
		err    error
		status int
		is     error
	}{
		{"dial", &net.OpError{Op: "dial", Err: errors.New("refused")}, 502, adapters.ErrUnreachable},
		{"time-out", timeout{}, 504, adapters.ErrTimeout},
		{"cut", io.ErrUnexpectedEOF, 502, adapters.ErrTruncated},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := &proxy.Handler{Target: &url.URL{Scheme: "http", Host: "app"}, Transport: roundTrip(
				func(*http.Request) (*http.Response, error) { return nil, tt.err })}
			_, _, err := ask(t, h, newRequest("GET", "/"))
			assert.ErrorIs(t, err, tt.is)
			assert.Equal(t, tt.status, adapters.StatusOf(err))
		})
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestTrace(t *testing.T) {
	req := newRequest("GET", "/")
	req.Trace = new(adapters.Trace)
	_, _, err := ask(t, newProxy(t, "http://app:81", answering(nil, noContent)), req)
	require.NoError(t, err)
	backend, attempts := req.Trace.Backend()
	assert.Equal(t, "app:81", backend)
	assert.Equal(t, 1, attempts)
	for _, p := range []adapters.Phase{adapters.Assigned, adapters.Sent, adapters.FirstByte} {
		assert.False(t, req.Trace.At(p).IsZero(), p)
	}
}
