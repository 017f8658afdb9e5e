package adapters_test

import (
	"context"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	. "github.com/gangway-go/gangway/adapters"
)

// says answers with its name and what it was asked.
func says(name string) Handler {
	return HandlerFunc(func(_ context.Context, req *Request) (*Response, error) {
		return Reply(200, "text/plain", fmt.Sprintf("%s %s %s+%s?%s", name, req.Method, req.Script.Name,
			req.Script.PathInfo, req.Query)), nil
	})
}

var declines = HandlerFunc(func(context.Context, *Request) (*Response, error) { return nil, ErrDeclined })

func redirects(to string) Handler {
	return HandlerFunc(func(context.Context, *Request) (*Response, error) {
		return &Response{Status: 302, LocalRedirect: to, Body: NoBody}, nil
	})
}

func ask(t *testing.T, h Handler, req *Request) (string, error) {
	t.Helper()
	resp, err := h.Serve(context.Background(), req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return string(body), nil
}

func get(host, path string) *Request {
	return &Request{Method: "GET", Host: host, Script: Script{PathInfo: path}, URI: path}
}

func TestDispatcherOrder(t *testing.T) {
	d := &Dispatcher{Routes: []Route{
		{To: says("last")},
		{Prefix: "/", To: declines},
		{Ext: ".php", To: says("php")},
		{Prefix: "/app/", To: says("app")},
		{Prefix: "/app/deep", To: says("deep")},
		{Prefix: "/app", Ext: ".php", To: says("app-php")},
		{Host: "*.example.org", To: says("wild")},
		{Host: "a.example.org", Prefix: "/only", To: says("exact")},
		{Host: "*.b.example.org", To: says("wilder")},
		{Prefix: "/no", To: declines},
	}}
	for _, tt := range []struct{ host, path, want string }{
		{"x", "/", "last"},
		{"x", "/app", "app"},
		{"x", "/app/", "app"},
		{"x", "/apple", "last"},
		{"x", "/app/deep/x", "deep"},
		{"x", "/app/deeper", "app"},
		{"x", "/a.php", "php"},
		{"x", "/a.php/info", "php"},
		{"x", "/a.phpx", "last"},
		{"x", "/app/a.php", "app-php"},
		{"a.example.org", "/only", "exact"},
		{"A.Example.Org.:80", "/only", "exact"},
		{"a.example.org", "/else", "wild"},
		{"a.b.example.org", "/else", "wilder"},
		{"example.org", "/else", "last"},
		{".example.org", "/else", "last"},
		{"[::1]:80", "/no/", "last"},
	} {
		got, err := ask(t, d, get(tt.host, tt.path))
		assert.NoError(t, err)
		assert.Equal(t, tt.want, strings.Fields(got)[0], "%s%s", tt.host, tt.path)
	}
}

func TestDispatcherDeclines(t *testing.T) {
	_, err := ask(t, &Dispatcher{Routes: []Route{{To: declines}, {Prefix: "/x", To: says("x")}}}, get("", "/y"))
	assert.ErrorIs(t, err, ErrDeclined)
	assert.Equal(t, 404, StatusOf(err))
}

func TestDispatcherFollowsLocalRedirects(t *testing.T) {
	d := &Dispatcher{Routes: []Route{
		{Prefix: "/from", To: redirects("/to/%41/../b%20c?q=1#frag")},
		{Prefix: "/bad", To: redirects("/../x")},
		{Prefix: "/loop", To: redirects("/loop")},
		{Prefix: "/to", To: HandlerFunc(func(ctx context.Context, req *Request) (*Response, error) {
			assert.Nil(t, req.Body)
			assert.Zero(t, req.ContentLength)
			assert.False(t, req.Header.Has("Content-Type"))
			assert.Equal(t, []Var{{"OLD", "1"}, {"REDIRECT_STATUS", "200"}, {"REDIRECT_URL", "/from"},
				{"REDIRECT_QUERY_STRING", "old"}}, req.Vars)
			return says("to").Serve(ctx, req)
		})},
	}}
	req := get("", "/from")
	req.Method, req.Body, req.ContentLength, req.Query = "POST", strings.NewReader("x"), 1, "old"
	req.Header, req.Vars = Header{{"content-type", "a/b"}, {"X", "1"}}, []Var{{"OLD", "1"}}
	got, err := ask(t, d, req)
	require.NoError(t, err)
	assert.Equal(t, "to GET +/to/b c?q=1", got)

	_, err = ask(t, d, get("", "/loop"))
	assert.ErrorIs(t, err, ErrRedirectLoop)
	assert.Equal(t, 500, StatusOf(err))
	_, err = ask(t, d, get("", "/bad"))
	assert.ErrorIs(t, err, ErrBadResponse)
}

func TestDispatcherBoundsRedirects(t *testing.T) {
	for limit, ok := range map[int]bool{0: true, 10: true, 9: false} {
		n := 0
		d := &Dispatcher{MaxRedirects: limit, Routes: []Route{{To: HandlerFunc(
			func(ctx context.Context, req *Request) (*Response, error) {
				if n++; n <= 10 {
					return redirects("/").Serve(ctx, req)
				}
				return says("end").Serve(ctx, req)
			})}}}
		_, err := ask(t, d, get("", "/"))
		assert.Equal(t, ok, err == nil, "limit %d: %v", limit, err)
	}
}

func TestDispatcherPassesRedirectsOn(t *testing.T) {
	d := &Dispatcher{MaxRedirects: -1, Routes: []Route{{To: redirects("/b")}}}
	resp, err := d.Serve(context.Background(), get("", "/a"))
	require.NoError(t, err)
	assert.Equal(t, "/b", resp.LocalRedirect)
}

func TestDispatcherRewrites(t *testing.T) {
	rewrite := HandlerFunc(func(_ context.Context, req *Request) (*Response, error) {
		return nil, fmt.Errorf("front: %w", &Rewrite{Path: "/new", Query: "a"})
	})
	d := &Dispatcher{Routes: []Route{{Prefix: "/old", To: rewrite}, {Prefix: "/new", To: says("new")}}}
	req := get("", "/old/x")
	req.Method = "PUT"
	got, err := ask(t, d, req)
	require.NoError(t, err)
	assert.Equal(t, "new PUT +/new?a", got)
}

func TestMount(t *testing.T) {
	h := Mount("/app/", says("app"))
	for path, want := range map[string]string{"/app": "/app+", "/app/": "/app+/", "/app/x": "/app+/x"} {
		got, err := ask(t, h, get("", path))
		require.NoError(t, err)
		assert.Equal(t, "app GET "+want+"?", got)
	}
	_, err := ask(t, h, get("", "/apple"))
	assert.ErrorIs(t, err, ErrDeclined)
}
