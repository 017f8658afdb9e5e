package adaptertest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/adapters"
)

// Lacks names what a way to the application cannot do because its protocol cannot.
type Lacks struct {
	Truncation    bool // the end of a response without Content-Length is always its end
	Informational bool // 1xx
	Stderr        bool // diagnostics
	AppStatus     bool // exit statuses
	Trailer       bool // trailer fields
	LocalRedirect bool // a local redirect is followed, or told to the client
	Spelling      bool // field names as written, beyond what HTTP has
	Bytes         bool // variables that HTTP has no place for
	Killed        bool // an application that is told that nobody waits may be ended before it can say so
	Duplex        bool // the body is sent before the response is read
	Error         bool // the Handler's own error; a response with its status comes instead
}

// Run holds h, which leads to [App], to the list of behaviours.
func Run(t *testing.T, h adapters.Handler, lacks Lacks) {
	r := &runner{h: h, lacks: lacks}
	for _, b := range behaviours {
		t.Run(b.name, func(t *testing.T) { b.check(t, r) })
	}
}

type runner struct {
	h     adapters.Handler
	lacks Lacks
}

var behaviours = []struct {
	name  string
	check func(*testing.T, *runner)
}{
	{"variables arrive", variablesArrive},
	{"bodies are echoed", bodiesAreEchoed},
	{"body of unknown length", bodyOfUnknownLength},
	{"status", statusArrives},
	{"header fields", headerFields},
	{"HEAD", headHasNoBody},
	{"large responses", largeResponses},
	{"events arrive one by one", eventsArrive},
	{"answer before the body is read", answerBeforeBody},
	{"both directions at once", bothDirections},
	{"a truncated response is no complete one", truncatedResponse},
	{"close tells the application", closeTells},
	{"cancel tells the application", cancelTells},
	{"a broken upload is no complete one", brokenUpload},
	{"diagnostics and exit status", diagnostics},
	{"early hints", earlyHints},
	{"local redirect", localRedirect},
	{"a busy application", busyApplication},
	{"trailer", trailerArrives},
	{"requests do not mix", requestsDoNotMix},
}

func (r *runner) request(method, target string, body io.Reader, length int64) *adapters.Request {
	path, query, _ := strings.Cut(target, "?")
	return &adapters.Request{
		Method: method, URI: target, Proto: "HTTP/1.1", Host: "example.org", Query: query, Scheme: "http",
		Script: adapters.Script{PathInfo: path}, Body: body, ContentLength: length,
		Remote: adapters.Endpoint{Addr: "192.0.2.7", Port: "4711"},
		Local:  adapters.Endpoint{Addr: "192.0.2.1", Port: "80", Name: "example.org"},
		Header: adapters.Header{{Name: "Accept", Value: "*/*"}},
	}
}

func (r *runner) get(target string) *adapters.Request { return r.request("GET", target, nil, 0) }

func (r *runner) serve(t *testing.T, req *adapters.Request) *adapters.Response {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	resp, err := r.h.Serve(ctx, req)
	if err != nil {
		cancel()
		require.NoError(t, err)
	}
	resp.Body = adapters.OnClose(resp.Body, cancel)
	return resp
}

// ask serves req and reads the body.
func (r *runner) ask(t *testing.T, req *adapters.Request) (*adapters.Response, string) {
	t.Helper()
	resp := r.serve(t, req)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp, string(body)
}

func variablesArrive(t *testing.T, r *runner) {
	req := r.get("/vars?a=%20&b")
	req.Header = append(req.Header, adapters.Header{
		{Name: "Cookie", Value: "a=1"}, {Name: "X-Forwarded-For", Value: "spoof"},
		{Name: "X-High", Value: "caf\xc3\xa9"}, {Name: "X-Two", Value: "1"}, {Name: "X-Two", Value: "2"},
		{Name: "Proxy", Value: "http://evil"}, {Name: "X_Two", Value: "spoof"}}...)
	_, body := r.ask(t, req)
	for _, line := range []string{`REQUEST_METHOD="GET"`, `QUERY_STRING="a=%20&b"`, `REQUEST_URI="/vars?a=%20&b"`,
		`HTTP_COOKIE="a=1"`, `HTTP_X_TWO="1, 2"`, `HTTP_HOST="example.org"`, `HTTP_X_HIGH="café"`,
		`GATEWAY_INTERFACE="CGI/1.1"`} {
		assert.Contains(t, body, line+"\n")
	}
	assert.Contains(t, body, `SERVER_PROTOCOL="HTTP/`)
	assert.NotContains(t, body, "HTTP_PROXY")
	if r.lacks.Bytes {
		return
	}
	req.Vars = []adapters.Var{{Name: "REMOTE_IDENT", Value: "\xff\xfe"}, {Name: "HTTPS", Value: "on"},
		{Name: "LONG", Value: strings.Repeat("v", 70_000)}, {Name: "QUERY_STRING", Value: "rewritten"}}
	_, body = r.ask(t, req)
	for _, line := range []string{`REMOTE_IDENT="\xff\xfe"`, `HTTPS="on"`, `LONG="` + strings.Repeat("v", 70_000) + `"`,
		`QUERY_STRING="rewritten"`, `REMOTE_ADDR="192.0.2.7"`, `REMOTE_PORT="4711"`} {
		assert.True(t, strings.Contains(body, line+"\n"), "no %.60s", line)
	}
}

var bodySizes = []int{0, 1, 8 << 10, 64<<10 + 1, 1 << 20}

func testBody(n int) []byte {
	b := make([]byte, n)
	new(pattern).Read(b)
	return b
}

func bodiesAreEchoed(t *testing.T, r *runner) {
	for _, n := range bodySizes {
		want := testBody(n)
		for name, body := range map[string]io.Reader{
			"at hand": bytes.NewReader(want), "stream": struct{ io.Reader }{bytes.NewReader(want)},
		} {
			_, got := r.ask(t, r.request("POST", "/echo", body, int64(n)))
			assert.True(t, string(want) == got, "%d bytes, %s: %d came back", n, name, len(got))
		}
	}
}

func bodyOfUnknownLength(t *testing.T, r *runner) {
	for _, n := range bodySizes {
		_, got := r.ask(t, r.request("PUT", "/upload", struct{ io.Reader }{bytes.NewReader(testBody(n))}, -1))
		assert.Equal(t, fmt.Sprintf("%d %s", n, patternSum(int64(n))), got)
	}
}

func statusArrives(t *testing.T, r *runner) {
	for _, code := range []int{200, 201, 204, 206, 304, 404, 418, 500, 503} {
		resp, body := r.ask(t, r.get("/status?code="+strconv.Itoa(code)))
		assert.Equal(t, code, resp.Status)
		if adapters.BodyAllowed("GET", code) {
			assert.Equal(t, strconv.Itoa(code), body)
		} else {
			assert.Empty(t, body)
			assert.Equal(t, `"x"`, resp.Header.Get("ETag"))
		}
	}
}

func headerFields(t *testing.T, r *runner) {
	resp, body := r.ask(t, r.get("/fields"))
	assert.Equal(t, "fields", body)
	assert.Equal(t, `text/x-odd; a="b c"`, resp.Header.Get("Content-Type"))
	for _, f := range oddFields {
		if r.lacks.Spelling && strings.ContainsAny(f.Name, "_.") {
			continue
		}
		assert.Contains(t, resp.Header.Values(f.Name), f.Value)
	}
	assert.Len(t, resp.Header.Values("Set-Cookie"), 2)
}

func headHasNoBody(t *testing.T, r *runner) {
	req := r.get("/big?n=100000&length")
	req.Method = "HEAD"
	resp := r.serve(t, req)
	assert.Equal(t, "100000", resp.Header.Get("Content-Length"))
	assert.NoError(t, adapters.Drain(resp.Body, 1<<20))
}

func largeResponses(t *testing.T, r *runner) {
	for _, n := range []int64{0, 1, 5000, 65535, 65536, 3 << 20} {
		for _, length := range []string{"", "&length"} {
			resp, body := r.ask(t, r.get(fmt.Sprintf("/big?n=%d%s", n, length)))
			assert.True(t, string(testBody(int(n))) == body, "%d%s: %d bytes", n, length, len(body))
			if length != "" {
				assert.Equal(t, strconv.FormatInt(n, 10), resp.Header.Get("Content-Length"))
			}
		}
	}
}

func eventsArrive(t *testing.T, r *runner) {
	next := filepath.Join(t.TempDir(), "next")
	resp := r.serve(t, r.get("/events?next="+next))
	defer resp.Body.Close()
	var buf bytes.Buffer
	for i := range 3 {
		want := fmt.Sprintf("data: %d\n\n", i)
		_, err := io.CopyN(&buf, resp.Body, int64(len(want)))
		require.NoError(t, err)
		assert.Equal(t, want, buf.String())
		buf.Reset()
		require.NoError(t, os.WriteFile(next+strconv.Itoa(i), nil, 0o600))
	}
	n, err := resp.Body.Read(make([]byte, 1))
	assert.Zero(t, n)
	assert.Equal(t, io.EOF, err)
}

func answerBeforeBody(t *testing.T, r *runner) {
	body := &blockingBody{first: bytes.NewReader(testBody(200_000)), shut: make(chan struct{})}
	defer body.stop()
	resp := r.serve(t, r.request("POST", "/noread", body, 10<<20))
	got, err := io.ReadAll(resp.Body)
	assert.NoError(t, err)
	assert.Equal(t, "not read", string(got))
	assert.Equal(t, 413, resp.Status)
	body.stop()
	resp.Body.Close()
}

// A blockingBody gives what it has and then blocks until the frontend, here the test, shuts it.
type blockingBody struct {
	first io.Reader
	shut  chan struct{}
	once  sync.Once
}

func (b *blockingBody) stop() { b.once.Do(func() { close(b.shut) }) }

func (b *blockingBody) Read(p []byte) (int, error) {
	if n, err := b.first.Read(p); err == nil {
		return n, nil
	}
	<-b.shut
	return 0, adapters.ErrAborted
}

func bothDirections(t *testing.T, r *runner) {
	if r.lacks.Duplex {
		return
	}
	pr, pw := io.Pipe()
	defer pw.Close()
	go io.WriteString(pw, "ping 0")
	resp := r.serve(t, r.request("POST", "/echo", io.LimitReader(pr, 18), 18))
	defer resp.Body.Close()
	for i := range 3 {
		got := make([]byte, 6)
		_, err := io.ReadFull(resp.Body, got)
		require.NoError(t, err)
		assert.Equal(t, fmt.Sprintf("ping %d", i), string(got))
		if i < 2 {
			go fmt.Fprintf(pw, "ping %d", i+1) // an application in this process reads no earlier than we do
		}
	}
	_, err := resp.Body.Read(make([]byte, 1))
	assert.Equal(t, io.EOF, err)
}

func truncatedResponse(t *testing.T, r *runner) {
	targets := []string{"/truncated?length"}
	if !r.lacks.Truncation {
		targets = append(targets, "/truncated")
	}
	for _, target := range targets {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		resp, err := r.h.Serve(ctx, r.get(target))
		if err == nil {
			_, err = io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
			if resp.Status >= 500 {
				continue // it was seen before the header went out
			}
		}
		assert.Error(t, err, target)
	}
}

func diagnostics(t *testing.T, r *runner) {
	var lines bytes.Buffer
	req := r.get("/stderr")
	req.Stderr = &lines
	resp, body := r.ask(t, req)
	assert.Equal(t, "said", body)
	if !r.lacks.Stderr {
		assert.Equal(t, "a diagnostic line\n", lines.String())
	}
	if !r.lacks.AppStatus {
		require.NotNil(t, resp.AppStatus)
		assert.Equal(t, 7, resp.AppStatus())
	}
}

func earlyHints(t *testing.T, r *runner) {
	var got []string
	req := r.get("/hints")
	req.Informational = func(status int, h adapters.Header) error {
		got = append(got, fmt.Sprint(status, " ", h.Get("Link")))
		return nil
	}
	_, body := r.ask(t, req)
	assert.Equal(t, "after the hints", body)
	if !r.lacks.Informational {
		assert.Equal(t, []string{"103 </style.css>; rel=preload"}, got)
	}
}

func localRedirect(t *testing.T, r *runner) {
	resp := r.serve(t, r.get("/local"))
	defer resp.Body.Close()
	if r.lacks.LocalRedirect {
		assert.Equal(t, "/vars?from=local", resp.Header.Get("Location"))
		return
	}
	assert.Equal(t, "/vars?from=local", resp.LocalRedirect)
}

func busyApplication(t *testing.T, r *runner) {
	resp, err := r.h.Serve(context.Background(), r.get("/busy"))
	if !r.lacks.Error {
		assert.Equal(t, 503, adapters.StatusOf(err))
		return
	}
	require.NoError(t, err)
	defer resp.Body.Close()
	assert.Equal(t, 503, resp.Status)
	assert.Equal(t, "3", resp.Header.Get("Retry-After"))
}

func trailerArrives(t *testing.T, r *runner) {
	resp, body := r.ask(t, r.get("/trailer"))
	assert.Equal(t, "body", body)
	if !r.lacks.Trailer {
		require.NotNil(t, resp.Trailer)
		assert.Equal(t, "1", resp.Trailer().Get("X-Sum"))
	}
}

func requestsDoNotMix(t *testing.T, r *runner) {
	var all sync.WaitGroup
	for i := range 16 {
		all.Go(func() {
			for j := range 5 {
				want := strings.Repeat(fmt.Sprintf("%d-%d ", i, j), 1+1000*(i%3))
				resp, err := r.h.Serve(context.Background(),
					r.request("POST", "/echo", strings.NewReader(want), int64(len(want))))
				if !assert.NoError(t, err) {
					return
				}
				got, err := io.ReadAll(resp.Body)
				resp.Body.Close()
				assert.NoError(t, err)
				assert.True(t, want == string(got), "request %d-%d", i, j)
			}
		})
	}
	all.Wait()
}
