package gofast_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	upstream "github.com/yookoala/gofast"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/fastcgi/gofast"
	"github.com/gangway-go/gangway/internal/testlog"
)

// mapped returns the request behind mw, and its variables.
func mapped(t *testing.T, mw upstream.Middleware, req *adapters.Request) (*adapters.Request, map[string]string, error) {
	var got *adapters.Request
	h := gofast.Map(mw, adapters.HandlerFunc(func(_ context.Context, r *adapters.Request) (*adapters.Response, error) {
		got = r
		return adapters.Reply(200, "text/plain", "hello"), nil
	}))
	resp, err := h.Serve(t.Context(), req)
	if err != nil {
		return nil, nil, err
	}
	assert.Equal(t, "hello", text(t, resp, nil))
	return got, maps.Collect(got.All()), nil
}

// TestMapPHP holds what comes out of NewPHPFS to what a web server would say.
func TestMapPHP(t *testing.T) {
	req := newRequest("POST", "/")
	req.URI, req.Script.PathInfo, req.Query, req.Scheme = "/x/a.php/b%20c?q=1", "/x/a.php/b c", "q=1", "https"
	req.Header = fields("Cookie: a=1", "Accept: a", "cookie: b=2", "accept: b", "Content-Type: text/plain", "Proxy: evil",
		"X_User: evil", "X-Forwarded-For: 192.0.2.9")
	req.AuthType, req.User, req.ID = "Basic", "alice", "id-1"
	req.Vars = []adapters.Var{{Name: "GEO", Value: "fr"}}
	req.Body, req.ContentLength = strings.NewReader("body"), 4
	req.Stderr, req.Trace = new(testlog.Buffer), new(adapters.Trace)
	got, vars, err := mapped(t, upstream.NewPHPFS("/srv/www"), req)
	require.NoError(t, err)
	assert.Equal(t, map[string]string{
		"GATEWAY_INTERFACE": "CGI/1.1", "SERVER_SOFTWARE": "gofast", "SERVER_PROTOCOL": "HTTP/1.1", "REDIRECT_STATUS": "200",
		"REQUEST_METHOD": "POST", "REQUEST_URI": "/x/a.php/b%20c?q=1", "QUERY_STRING": "q=1",
		"REQUEST_SCHEME": "https", "HTTPS": "on", "REQUEST_ID": "id-1", "AUTH_TYPE": "Basic", "REMOTE_USER": "alice",
		"CONTENT_LENGTH": "4", "CONTENT_TYPE": "text/plain", "GEO": "fr",
		"SCRIPT_NAME": "/x/a.php", "SCRIPT_FILENAME": "/srv/www/x/a.php", "DOCUMENT_ROOT": "/srv/www",
		"DOCUMENT_URI": "/x/a.php/b c", "PATH_INFO": "/b c", "PATH_TRANSLATED": "/srv/www/b c",
		"REMOTE_ADDR": "192.0.2.7", "REMOTE_PORT": "5000", "SERVER_ADDR": "192.0.2.1", "SERVER_NAME": "www.example.org",
		"SERVER_PORT": "443", "HTTP_HOST": "www.example.org", "HTTP_COOKIE": "a=1; b=2", "HTTP_ACCEPT": "a, b",
		"HTTP_X_FORWARDED_FOR": "192.0.2.9",
	}, vars)
	assert.Same(t, req.Body, got.Body)
	assert.Same(t, req.Stderr, got.Stderr)
	assert.Same(t, req.Trace, got.Trace)
	assert.Equal(t, "alice", got.User)
}

func TestMapPaths(t *testing.T) {
	tests := []struct {
		name, path string
		status     int
		script     adapters.Script
	}{
		{"script", "/a.php", 200, adapters.Script{Name: "/a.php", Filename: "/srv/www/a.php", Root: "/srv/www"}},
		{"folder", "/d/", 200, adapters.Script{Name: "/d/index.php", Filename: "/srv/www/d/index.php", Root: "/srv/www"}},
		{"path info", "/a.php/b.php", 200,
			adapters.Script{Name: "/a.php", PathInfo: "/b.php", Filename: "/srv/www/a.php", Root: "/srv/www"}},
		{"sibling folder", "/../www-secret/a.php", 403, adapters.Script{}},
		{"parent", "/../a.php", 403, adapters.Script{}},
		{"parent at the end", "/a/..", 403, adapters.Script{}},
		{"dots", "/..a.php", 200, adapters.Script{Name: "/..a.php", Filename: "/srv/www/..a.php", Root: "/srv/www"}},
		{"another extension", "/a.php.jpg", 404, adapters.Script{}},
		{"longer extension", "/a.phpfoo", 404, adapters.Script{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, vars, err := mapped(t, upstream.NewPHPFS("/srv/www"), newRequest("GET", tt.path))
			if tt.status != 200 {
				assert.Equal(t, tt.status, adapters.StatusOf(err), "%v", err)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, tt.script, got.Script)
			assert.Equal(t, tt.script.PathInfo != "", has(vars, "PATH_TRANSLATED"))
		})
	}
}

func TestMapEndpoint(t *testing.T) {
	got, vars, err := mapped(t, upstream.NewFileEndpoint("/srv/app.py"), newRequest("GET", "/a/b"))
	require.NoError(t, err)
	assert.Equal(t, adapters.Script{Name: "/app.py", PathInfo: "/a/b", Filename: "/srv/app.py", Root: "/srv"}, got.Script)
	assert.NotContains(t, vars, "CONTENT_LENGTH")
	assert.Equal(t, "http", vars["REQUEST_SCHEME"])
	assert.Nil(t, got.Body)
	assert.Zero(t, got.ContentLength)
}

func TestMapAuthorizer(t *testing.T) {
	req := newRequest("GET", "/a")
	req.Role = adapters.Authorizer
	got, vars, err := mapped(t, upstream.NewAuthPrepare(), req)
	require.NoError(t, err)
	assert.Equal(t, adapters.Authorizer, got.Role)
	for _, name := range []string{"CONTENT_LENGTH", "PATH_INFO", "PATH_TRANSLATED", "SCRIPT_NAME"} {
		assert.NotContains(t, vars, name)
	}
	assert.Equal(t, "GET", vars["REQUEST_METHOD"])
}

func TestMapFilter(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "a.txt"), []byte("file"), 0o600))
	var opened *watchedFile
	files := upstream.NewFilterFS(watchedFS{http.Dir(dir), &opened})
	h := gofast.Map(files, adapters.HandlerFunc(func(_ context.Context, r *adapters.Request) (*adapters.Response, error) {
		data, err := io.ReadAll(r.Data.Body)
		vars := maps.Collect(r.All())
		text := fmt.Sprint(r.Role, r.Data.Length, string(data), err, vars["FCGI_DATA_LENGTH"], r.Data.LastMod.IsZero())
		return adapters.Reply(200, "text/plain", text), nil
	}))
	resp, err := h.Serve(t.Context(), newRequest("GET", "/a.txt"))
	require.NoError(t, err)
	assert.False(t, opened.closed)
	assert.Equal(t, "FILTER 4file<nil>4false", text(t, resp, nil))
	assert.True(t, opened.closed)

	_, err = h.Serve(t.Context(), newRequest("GET", "/none"))
	assert.Equal(t, http.StatusInternalServerError, adapters.StatusOf(err))

	h = gofast.Map(files, adapters.HandlerFunc(func(context.Context, *adapters.Request) (*adapters.Response, error) {
		return nil, adapters.ErrBusy
	}))
	_, err = h.Serve(t.Context(), newRequest("GET", "/a.txt"))
	assert.ErrorIs(t, err, adapters.ErrBusy)
	assert.True(t, opened.closed)
}

// TestMapData has a Filter's data, which gofast does not touch, pass.
func TestMapData(t *testing.T) {
	req := newRequest("GET", "/a")
	req.Role, req.Data = adapters.Filter, &adapters.Data{Body: strings.NewReader("file"), Length: 4}
	got, vars, err := mapped(t, upstream.BasicParamsMap, req)
	require.NoError(t, err)
	assert.Same(t, req.Data, got.Data)
	assert.Equal(t, adapters.Filter, got.Role)
	assert.Equal(t, "4", vars["FCGI_DATA_LENGTH"])
}

type watchedFS struct {
	http.FileSystem
	opened **watchedFile
}

func (fs watchedFS) Open(name string) (http.File, error) {
	f, err := fs.FileSystem.Open(name)
	if err != nil {
		return nil, err
	}
	*fs.opened = &watchedFile{File: f}
	return *fs.opened, nil
}

type watchedFile struct {
	http.File
	closed bool
}

func (f *watchedFile) Close() error {
	f.closed = true
	return f.File.Close()
}

// change is middleware that does one thing.
func change(do func(*upstream.Request)) upstream.Middleware {
	return func(inner upstream.SessionHandler) upstream.SessionHandler {
		return func(c upstream.Client, r *upstream.Request) (*upstream.ResponsePipe, error) {
			do(r)
			return inner(c, r)
		}
	}
}

func TestMapChanges(t *testing.T) {
	tests := []struct {
		name string
		do   func(*upstream.Request)
		look func(*testing.T, *adapters.Request, map[string]string)
	}{
		{"adds and deletes", func(r *upstream.Request) {
			r.Params["NEW"] = "n"
			delete(r.Params, "HTTP_COOKIE")
			delete(r.Params, "REMOTE_USER")
			r.Params["HTTP_PROXY"] = "evil"
		}, func(t *testing.T, _ *adapters.Request, vars map[string]string) {
			assert.Equal(t, "n", vars["NEW"])
			for _, name := range []string{"HTTP_COOKIE", "REMOTE_USER", "HTTP_PROXY"} {
				assert.NotContains(t, vars, name)
			}
		}},
		{"wrong length", func(r *upstream.Request) { r.Params["CONTENT_LENGTH"] = "7" },
			func(t *testing.T, got *adapters.Request, vars map[string]string) {
				assert.EqualValues(t, 4, got.ContentLength)
				assert.Equal(t, "4", vars["CONTENT_LENGTH"])
			}},
		{"another body", func(r *upstream.Request) { r.Stdin = io.NopCloser(strings.NewReader("other")) },
			func(t *testing.T, got *adapters.Request, vars map[string]string) {
				assert.EqualValues(t, -1, got.ContentLength)
				body, _ := io.ReadAll(got.Body)
				assert.Equal(t, "other", string(body))
			}},
		{"no body", func(r *upstream.Request) { r.Stdin = nil },
			func(t *testing.T, got *adapters.Request, vars map[string]string) {
				assert.False(t, got.HasBody())
				assert.NotContains(t, vars, "CONTENT_LENGTH")
			}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			req := withBody(newRequest("POST", "/"), strings.NewReader("body"), 4)
			req.Header, req.User = fields("Cookie: a=1"), "alice"
			got, vars, err := mapped(t, change(tt.do), req)
			require.NoError(t, err)
			tt.look(t, got, vars)
		})
	}
}

func TestMapErrors(t *testing.T) {
	refuse := func(err error) upstream.Middleware {
		return func(upstream.SessionHandler) upstream.SessionHandler {
			return func(upstream.Client, *upstream.Request) (*upstream.ResponsePipe, error) { return nil, err }
		}
	}
	ask := func(upstream.SessionHandler) upstream.SessionHandler { return upstream.BasicSession }
	set := func(name, value string) upstream.Middleware {
		return change(func(r *upstream.Request) { r.Params[name] = value })
	}
	tests := []struct {
		name   string
		mw     upstream.Middleware
		path   string
		status int
		text   string
	}{
		{"unknown", refuse(errors.New("boom")), "/a", 500, "gofast: middleware: boom"},
		{"known", refuse(adapters.ErrForbidden), "/a", 403, "gofast: middleware: forbidden"},
		{"no answer", refuse(nil), "/a", 500, "gofast: middleware passes /a on to nobody"},
		{"asks itself", ask, "/a", 500, "gofast: middleware: gofast: the client of Map answers nothing"},
		{"script elsewhere", change(func(r *upstream.Request) {
			r.Params["DOCUMENT_ROOT"], r.Params["SCRIPT_FILENAME"] = "/srv/www", "/srv/www-secret/a.php"
		}), "/a", 403, `forbidden: SCRIPT_FILENAME "/srv/www-secret/a.php" is outside of "/srv/www"`},
		{"no method", set("REQUEST_METHOD", ""), "/a", 400, "bad request: REQUEST_METHOD \"\""},
		{"line break", set("HTTP_A", "a\nb"), "/a", 400, "bad request: control byte in HTTP_A"},
		{"data without length", change(func(r *upstream.Request) { r.Data = http.NoBody }), "/a", 500,
			"gofast: middleware: FCGI_DATA_LENGTH or FCGI_DATA_LAST_MOD is no number"},
		{"target", upstream.BasicParamsMap, "%", 400, `bad request: URI "%"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, _, err := mapped(t, tt.mw, newRequest("GET", tt.path))
			assert.Equal(t, tt.status, adapters.StatusOf(err))
			assert.EqualError(t, err, tt.text)
		})
	}
	declined := gofast.Map(upstream.BasicParamsMap,
		adapters.HandlerFunc(func(context.Context, *adapters.Request) (*adapters.Response, error) {
			return nil, adapters.ErrDeclined
		}))
	_, err := declined.Serve(t.Context(), newRequest("GET", "/"))
	assert.ErrorIs(t, err, adapters.ErrDeclined)
}
