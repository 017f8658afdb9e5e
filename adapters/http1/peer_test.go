//go:build unix

package http1_test

import (
	"bytes"
	"context"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/adapters/open"
	"github.com/gangway-go/gangway/internal/peer"
)

// curl runs curl with what it reads from its standard input, and returns what it prints.
func curl(t *testing.T, stdin []byte, args ...string) (string, error) {
	t.Helper()
	args = append([]string{"-q", "-sS", "--max-time", "60"}, args...)
	cmd := exec.CommandContext(t.Context(), peer.Need(t, "curl"), args...)
	cmd.Env = []string{}
	cmd.Stdin = bytes.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	return strings.ReplaceAll(string(out), "\r\n", "\n"), err
}

// post is how many bytes curl sends.
const post = 5 << 20

// Each transfer ends with its status and the number of connections that curl had to make for it.
const count = "|%{http_code} %{num_connects}\n"

var curlTests = []struct {
	name  string
	args  []string // SITE is its URL
	stdin []byte
	want  []string
	not   string
	egi   bool // what FastCGI has no means for
}{
	{name: "GET", args: []string{"-i", "SITE/what?a=%20b"},
		want: []string{"HTTP/1.1 200 OK\n", "\nDate: ", `GET "/what" ?a=%20b 0 `}, not: "Connection:"},
	{name: "HEAD", args: []string{"-I", "SITE/give?n=100000&length"},
		want: []string{"HTTP/1.1 200 OK\n", "\nContent-Length: 100000\n"}},
	{name: "range", args: []string{"-i", "-r", "2-5", "SITE/range"}, want: []string{"HTTP/1.1 206 ", "\n\n2345"}},
	{name: "100 Continue", args: []string{"-v", "-H", "Expect: 100-continue", "--data-binary", "@-", "SITE/upload"},
		stdin: payload[:post], want: []string{"< HTTP/1.1 100 Continue\n", "< HTTP/1.1 200 OK\n", digest(post)}},
	{name: "100 Continue refused", egi: true, args: []string{"-v", "-H", "Expect: 100-continue", "--data-binary", "@-",
		"-w", "|%{size_upload}", "SITE/noread"},
		stdin: payload[:post], want: []string{"< HTTP/1.1 413 ", "not read|0"}, not: "100 Continue\n<"},
	{name: "not expected", args: []string{"-v", "-H", "Expect:", "--data-binary", "@-", "SITE/upload"},
		stdin: payload[:post], want: []string{digest(post)}, not: "100 Continue"},
	{name: "chunked", args: []string{"-v", "-T", "-", "SITE/upload"}, stdin: payload[:post],
		want: []string{"> Transfer-Encoding: chunked\n", digest(post)}},
	{name: "trailer", egi: true, args: []string{"-D", "-", "SITE/trailer"}, want: []string{"\n\nbodyX-Sum: 1\n"}},
	{name: "early hints", egi: true, args: []string{"-i", "SITE/hints"},
		want: []string{"HTTP/1.1 103 Early Hints\nLink: </style.css>; rel=preload\n\nHTTP/1.1 200 OK\n"}},
	{name: "early hints to HTTP/1.0", args: []string{"-i", "-0", "SITE/hints"}, want: []string{"after the hints"},
		not: " 103 "},
	{name: "HTTP/1.0, length unknown", args: []string{"-0", "-D", "-", "-w", "|%{size_download}", "-o", "/dev/null",
		"SITE/give?n=1000000"}, want: []string{"HTTP/1.1 200 OK\n", "Connection: close\n", "|1000000"},
		not: "Transfer-Encoding"},
	{name: "HTTP/1.0, kept", args: []string{"-w", count, "-0", "-H", "Connection: keep-alive", "SITE/give?n=2&length",
		"SITE/status?code=404"}, want: []string{"|200 1\n404|404 0\n"}},
	{name: "one connection", args: []string{"-w", count, "SITE/status?code=200", "--next", "-sS", "-w", count,
		"-d", "a=b", "SITE/echo", "--next", "-sS", "-w", count, "SITE/status?code=404",
		"--next", "-sS", "-w", count, "-T", "-", "SITE/upload"}, stdin: payload[:100_000],
		want: []string{"200|200 1\na=b|200 0\n404|404 0\n" + digest(100_000) + "|200 0\n"}},
	{name: "many at once", args: []string{"-Z", "--parallel-max", "20", "--fail", "SITE/status?code=[200-203]&[1-20]"},
		want: []string{"200", "201", "202", "203"}, not: "curl:"},
	{name: "as a proxy", args: []string{"-x", "SITE", "http://other.example:81/vars?x"},
		want: []string{`HTTP_HOST="other.example:81"`, `REQUEST_URI="/vars?x"`}},
	{name: "asterisk", args: []string{"-X", "OPTIONS", "--request-target", "*", "-w", "|%{http_code}", "SITE"},
		want: []string{"|404"}},
	{name: "h2c upgrade", args: []string{"-v", "--http2", "SITE/status?code=201"},
		want: []string{"> Upgrade: h2c\n", "< HTTP/1.1 201 "}, not: "< HTTP/1.1 101"},
	{name: "WebSocket that the application does not speak", args: []string{"-i", "-H", "Connection: Upgrade", "-H",
		"Upgrade: websocket", "SITE/status?code=201"}, want: []string{"HTTP/1.1 201 "}, not: "Upgrade"},
	{name: "CONNECT", args: []string{"-v", "-p", "-x", "SITE", "http://other.example/"},
		want: []string{"< HTTP/1.1 501 ", "curl: (56)"}},
	{name: "two framings", args: []string{"-i", "-H", "Transfer-Encoding: chunked", "-H", "Content-Length: 3",
		"-d", "abc", "SITE/upload"}, want: []string{"HTTP/1.1 400 ", "Connection: close\n"}},
	{name: "PROXY protocol", args: []string{"-i", "--haproxy-protocol", "SITE/what"}, want: []string{"HTTP/1.1 400 "}},
}

// The tests with curl; those with egi are about what FastCGI has no means for.
func TestCurl(t *testing.T) {
	for name, application := range applications {
		s := newSite(t, application(t))
		for _, tt := range curlTests {
			t.Run(name+"/"+tt.name, func(t *testing.T) {
				if tt.egi && name != "EGI" {
					return
				}
				var args []string
				for _, arg := range tt.args {
					args = append(args, strings.ReplaceAll(arg, "SITE", "http://"+s.address))
				}
				out, _ := curl(t, tt.stdin, args...) // which fails where the answer is a refusal
				for _, text := range tt.want {
					assert.Contains(t, out, text)
				}
				if tt.not != "" {
					assert.NotContains(t, out, tt.not)
				}
			})
		}
	}
}

// Whoever begins with HTTP/2 is handed over, or refused if there is nobody for it.
func TestCurlHTTP2(t *testing.T) {
	s := newSite(t, adapters.HandlerFunc(reference))
	out, err := curl(t, nil, "-i", "--http2-prior-knowledge", "http://"+s.address+"/status?code=201")
	require.Error(t, err)
	assert.NotContains(t, out, "HTTP/2 201")

	l, err := open.Listen("http://127.0.0.1:0", adapters.HandlerFunc(reference), open.ListenOptions{})
	require.NoError(t, err)
	served := make(chan error, 1)
	go func() { served <- l.Serve() }()
	defer func() {
		assert.NoError(t, l.Shutdown(context.Background()))
		assert.NoError(t, <-served)
	}()
	out, err = curl(t, payload[:100_000], "-i", "--http2-prior-knowledge", "-T", "-", l.String()+"/upload")
	require.NoError(t, err, out)
	assert.Contains(t, out, "HTTP/2 200")
	assert.Contains(t, out, digest(100_000))
	out, err = curl(t, nil, "-i", l.String()+"/status?code=201")
	require.NoError(t, err, out)
	assert.Contains(t, out, "HTTP/1.1 201 ")
}

// TestGoClient has Go's client do what the proxies do, and send and receive trailers.
func TestGoClient(t *testing.T) {
	for name, application := range applications {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, application(t))
			v := visit(t, s.address)
			requests := v.askAll()
			assert.EqualValues(t, 1, s.accepted.Load(), "connections for %d requests", requests)
			v.beRefused(small)
			v.beRefused(large)
			v.exchangeBodies(true)
			before := s.accepted.Load()
			requests = v.crowd()
			assert.LessOrEqual(t, s.accepted.Load()-before, int64(maxConns), "connections for %d requests", requests)
			assert.True(t, v.expects("/upload"))
			if name == "EGI" {
				assert.False(t, v.expects("/noread"))
				assert.Equal(t, []string{"103 </style.css>; rel=preload"}, v.hints())
				v.sendTrailer()
			}
			s.answersAll(t)
		})
	}
}

func (v *visitor) sendTrailer() {
	req, err := http.NewRequestWithContext(v.t.Context(), "POST", v.base+"/sum", stream(payload[:100_000]))
	require.NoError(v.t, err)
	req.Trailer = http.Header{"X-Sum": {"the sum"}}
	resp, body := v.do(req)
	assert.Equal(v.t, "the sum", body)
	assert.Equal(v.t, http.Header{"X-Sum": {"the sum"}}, resp.Trailer)
}

// A browser fetches a page with all that it refers to, and shows what its scripts have made of it.
func TestBrowser(t *testing.T) {
	t.Parallel()
	const parts = 20
	var page strings.Builder
	page.WriteString("<!doctype html><title>t</title><link rel=stylesheet href=/style>")
	for i := range parts {
		fmt.Fprintf(&page, "<script src=/part?%d></script>", i)
	}
	page.WriteString("<script>fetch('/echo', {method: 'POST', body: 'x'.repeat(200000)}).then(r => r.text())" +
		".then(text => document.body.append('sent ' + text.length + ' '));" +
		"new WebSocket('ws://' + location.host + '/socket').onmessage = m => document.body.append(m.data)</script><body>")
	script := "addEventListener('load', () => document.body.append('part %s '));" + strings.Repeat("\n", 50_000)
	answer := func(contentType, text string) *adapters.Response { // of unknown length
		h := adapters.Header{{Name: "Content-Type", Value: contentType}}
		return &adapters.Response{Status: 200, Header: h, Body: io.NopCloser(strings.NewReader(text))}
	}
	s := newSite(t, adapters.HandlerFunc(func(ctx context.Context, req *adapters.Request) (*adapters.Response, error) {
		switch req.Path() {
		case "/":
			return answer("text/html", page.String()), nil
		case "/style":
			return adapters.Reply(200, "text/css", "body { color: red }"), nil
		case "/socket":
			return greet(req), nil
		case "/part":
			return answer("text/javascript", fmt.Sprintf(script, req.Query)), nil
		}
		return reference(ctx, req)
	}))
	seen := peer.Browse(t, "http://"+s.address+"/")
	for i := range parts {
		assert.Contains(t, seen, fmt.Sprintf("part %d ", i))
	}
	assert.Contains(t, seen, "sent 200000 ")
	assert.Contains(t, seen, "by WebSocket")
	assert.GreaterOrEqual(t, s.begun.Load(), int64(parts+4))
	assert.LessOrEqual(t, s.accepted.Load(), int64(8), "connections for %d requests", s.begun.Load())
	t.Logf("%d requests on %d connections", s.begun.Load(), s.accepted.Load())
	s.answersAll(t)
}

// greet accepts a WebSocket, RFC 6455 4.2.2, and sends one message.
func greet(req *adapters.Request) *adapters.Response {
	const text = "by WebSocket"
	key := sha1.Sum([]byte(req.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	near, far := net.Pipe()
	go func() {
		io.WriteString(far, string([]byte{0x81, byte(len(text))})+text)
		io.Copy(io.Discard, far)
		far.Close()
	}()
	return &adapters.Response{Status: http.StatusSwitchingProtocols, Body: near, Header: adapters.Header{
		{Name: "Upgrade", Value: "websocket"},
		{Name: "Sec-WebSocket-Accept", Value: base64.StdEncoding.EncodeToString(key[:])},
	}}
}
