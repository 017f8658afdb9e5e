package static_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/adapters/static"
	"github.com/gangway-go/gangway/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

var changed = time.Date(2024, 2, 29, 12, 0, 0, 0, time.UTC)

const etag = `"17b8539ec7418000-a"` // of 10 bytes changed then

// tree makes a folder with files. A name that ends in a slash makes a folder.
func tree(t testing.TB, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, content := range files {
		path := filepath.Join(root, filepath.FromSlash(name))
		if strings.HasSuffix(name, "/") {
			require.NoError(t, os.MkdirAll(path, 0o755))
			continue
		}
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(content), 0o644))
		require.NoError(t, os.Chtimes(path, changed, changed))
	}
	return root
}

func newRequest(method, uri string, fields ...string) *adapters.Request {
	raw, query, _ := strings.Cut(uri, "?")
	path, err := adapters.CanonicalPath(raw)
	if err != nil {
		path = raw
	}
	req := &adapters.Request{
		Method: method, URI: uri, Query: query, Proto: "HTTP/1.1", Script: adapters.Script{PathInfo: path},
	}
	for i := 0; i < len(fields); i += 2 {
		req.Header.Add(fields[i], fields[i+1])
	}
	return req
}

// ask returns status, header, and body; of an error only the status.
func ask(t *testing.T, h adapters.Handler, req *adapters.Request) (int, adapters.Header, string) {
	t.Helper()
	resp, err := h.Serve(t.Context(), req)
	if err != nil {
		assert.True(t, strings.HasPrefix(err.Error(), "static: "), err)
		return adapters.StatusOf(err), nil, ""
	}
	body, err := io.ReadAll(resp.Body)
	assert.NoError(t, err)
	assert.NoError(t, resp.Body.Close())
	return resp.Status, resp.Header, string(body)
}

func TestPaths(t *testing.T) {
	base := tree(t, map[string]string{
		"secret.txt":                         "secret",
		"root/index.html":                    "<h1>",
		"root/a.txt":                         "text",
		"root/A B ä.txt":                     "umlaut",
		"root/noextension":                   "bytes",
		"root/app.php":                       "<?php",
		"root/b/c/d.css":                     "css",
		"root/b/index.html":                  "b",
		"root/empty/":                        "",
		"root/folderindex/index.html/":       "",
		"root/.htpasswd":                     "dot",
		"root/.git/config":                   "dot",
		"root/b/.hidden/x":                   "dot",
		"root/.well-known/security.txt":      "known",
		"root/.well-known/.hidden":           "dot",
		"root/.well-knownish/x":              "dot",
		"root/phpindex/index.html/keep/":     "",
		"root/hiddenindex/index.html.php":    "<?php",
		"root/" + strings.Repeat("x", 100):   "long",
		"root/b/c/" + strings.Repeat("y", 9): "y",
	})
	h := &static.Files{Root: filepath.Join(base, "root"), Hide: func(name string) bool {
		return strings.HasSuffix(name, ".php")
	}}
	const text, html = "text/plain; charset=utf-8", "text/html; charset=utf-8"
	tests := []struct {
		uri         string
		status      int
		contentType string
		body        string
		location    string
	}{
		{"/", 200, html, "<h1>", ""},
		{"/index.html", 200, html, "<h1>", ""},
		{"/a.txt", 200, text, "text", ""},
		{"/a.txt?q", 200, text, "text", ""},
		{"/A%20B%20%C3%A4.txt", 200, text, "umlaut", ""},
		{"/noextension", 200, "application/octet-stream", "bytes", ""},
		{"/b/c/d.css", 200, "text/css; charset=utf-8", "css", ""},
		{"/b/../a.txt", 200, text, "text", ""},
		{"/b", 301, text, "301 Moved Permanently\n", "/b/"},
		{"/b?x=/", 301, text, "301 Moved Permanently\n", "/b/?x=/"},
		{"//b", 301, text, "301 Moved Permanently\n", "/b/"},
		{"/b/", 200, html, "b", ""},
		{"/b/c/", 403, "", "", ""},
		{"/empty/", 403, "", "", ""},
		{"/folderindex/", 403, "", "", ""},
		{"/missing", 404, "", "", ""},
		{"/missing/", 404, "", "", ""},
		{"/a.txt/", 404, "", "", ""},
		{"/a.txt/x", 404, "", "", ""},
		{"/../secret.txt", 404, "", "", ""},
		{"/%2e%2e/secret.txt", 404, "", "", ""},
		{"/b%2Fc/d.css", 404, "", "", ""},
		{"/b%5Cc/d.css", 404, "", "", ""},
		{`/b\c\d.css`, 404, "", "", ""},
		{"/a.txt%00", 404, "", "", ""},
		{"/.htpasswd", 404, "", "", ""},
		{"/.git/config", 404, "", "", ""},
		{"/b/.hidden/x", 404, "", "", ""},
		{"/.well-known/security.txt", 200, text, "known", ""},
		{"/.well-known/.hidden", 404, "", "", ""},
		{"/.well-known", 301, text, "301 Moved Permanently\n", "/.well-known/"},
		{"/.well-knownish/x", 404, "", "", ""},
		{"/app.php", 404, "", "", ""},
		{"/" + strings.Repeat("x", 300), 404, "", "", ""},
		{"/" + strings.Repeat("x/", 3000), 404, "", "", ""},
	}
	if runtime.GOOS == "linux" { // elsewhere another case may be the same file
		tests = append(tests, tests[0])
		tests[len(tests)-1].uri, tests[len(tests)-1].status = "/A.TXT", 404
		tests[len(tests)-1].contentType, tests[len(tests)-1].body = "", ""
	}
	for _, follow := range []bool{false, true} {
		h.FollowSymlinks = follow
		for _, tt := range tests {
			t.Run(tt.uri[:min(len(tt.uri), 40)], func(t *testing.T) {
				status, header, body := ask(t, h, newRequest("GET", tt.uri))
				assert.Equal(t, tt.status, status)
				assert.Equal(t, tt.contentType, header.Get("Content-Type"))
				assert.Equal(t, tt.body, body)
				assert.Equal(t, tt.location, header.Get("Location"))
			})
		}
	}
}

func TestHeader(t *testing.T) {
	root := tree(t, map[string]string{"x.txt": "0123456789"})
	for _, method := range []string{"GET", "HEAD"} {
		status, header, body := ask(t, static.Dir(root), newRequest(method, "/x.txt"))
		assert.Equal(t, 200, status)
		assert.Equal(t, adapters.Header{
			{Name: "Accept-Ranges", Value: "bytes"},
			{Name: "Content-Length", Value: "10"},
			{Name: "Content-Type", Value: "text/plain; charset=utf-8"},
			{Name: "Etag", Value: etag},
			{Name: "Last-Modified", Value: "Thu, 29 Feb 2024 12:00:00 GMT"},
		}, header)
		assert.Equal(t, map[string]string{"GET": "0123456789", "HEAD": ""}[method], body)
	}
}

func TestMethods(t *testing.T) {
	h := static.Dir(tree(t, map[string]string{"x.txt": "text", "d/": ""}))
	tests := []struct {
		method, path string
		status       int
	}{
		{"POST", "/x.txt", 405},
		{"PUT", "/x.txt", 405},
		{"DELETE", "/d", 405},
		{"OPTIONS", "/x.txt", 405},
		{"get", "/x.txt", 405},
		{"POST", "/missing", 404},
		{"PUT", "/d/new.txt", 404},
	}
	for _, tt := range tests {
		t.Run(tt.method+" "+tt.path, func(t *testing.T) {
			status, header, _ := ask(t, h, newRequest(tt.method, tt.path))
			assert.Equal(t, tt.status, status)
			if status == 405 {
				assert.Equal(t, "GET, HEAD", header.Get("Allow"))
			}
		})
	}
}

// What a resolver finds beneath a prefix that was taken off is sent, however it was taken off.
func TestMountedBesideScripts(t *testing.T) {
	root := tree(t, map[string]string{"css/x.css": "style", "a.php": ""})
	beside := &adapters.ScriptResolver{Root: root, Files: static.Dir(root)}
	for name, h := range map[string]http.Handler{
		"StripPrefix": http.StripPrefix("/m", adapters.HTTP(beside)),
		"Mount":       adapters.HTTP(adapters.Mount("/m", beside)),
	} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", "/m/css/x.css", nil))
		assert.Equal(t, 200, w.Code, name)
		assert.Equal(t, "style", w.Body.String(), name)
		w = httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", "/m/css", nil))
		assert.Equal(t, "/m/css/", w.Header().Get("Location"), name)
	}
}

func TestMounted(t *testing.T) {
	h := adapters.Mount("/files/", static.Dir(tree(t, map[string]string{"x.txt": "text", "index.html": "html"})))
	tests := []struct {
		path     string
		status   int
		location string
	}{
		{"/files/x.txt", 200, ""},
		{"/files/", 200, ""},
		{"/files", 301, "/files/"},
	}
	for _, tt := range tests {
		t.Run(tt.path, func(t *testing.T) {
			status, header, _ := ask(t, h, newRequest("GET", tt.path))
			assert.Equal(t, tt.status, status)
			assert.Equal(t, tt.location, header.Get("Location"))
		})
	}
}

// A web server may say any SCRIPT_NAME. Behind two slashes a client would look for a host.
func TestRedirectStaysOnTheHost(t *testing.T) {
	h := static.Dir(tree(t, map[string]string{"evil.example/dir/x": "", "dir/x": ""}))
	for script, location := range map[adapters.Script]string{
		{Name: "/", PathInfo: "/evil.example/dir"}:   "/.//evil.example/dir/?q",
		{Name: "//evil.example", PathInfo: "/dir"}:   "/.//evil.example/dir/?q",
		{Name: `/\evil.example`, PathInfo: "/dir"}:   "/%5Cevil.example/dir/?q",
		{Name: "/evil.example", PathInfo: "/dir"}:    "/evil.example/dir/?q",
		{Name: "", PathInfo: "/evil.example/dir"}:    "/evil.example/dir/?q",
		{Name: "///evil.example", PathInfo: "/dir"}:  "/.///evil.example/dir/?q",
		{Name: "/.//evil.example", PathInfo: "/dir"}: "/.//evil.example/dir/?q",
	} {
		status, header, _ := ask(t, h, &adapters.Request{Method: "GET", Query: "q", Script: script})
		assert.Equal(t, 301, status)
		assert.Equal(t, location, header.Get("Location"), "%v", script)
	}
}

func TestIndex(t *testing.T) {
	root := tree(t, map[string]string{"a/default.htm": "default", "b/index.html": "index", "c/x": ""})
	h := &static.Files{Root: root, Index: []string{"index.html", "default.htm"}}
	for path, want := range map[string]string{"/a/": "default", "/b/": "index", "/c/": ""} {
		_, _, body := ask(t, h, newRequest("GET", path))
		assert.Equal(t, want, body)
	}
	h.Hide = func(name string) bool { return name == "b/index.html" }
	status, _, _ := ask(t, h, newRequest("GET", "/b/"))
	assert.Equal(t, 403, status)
}

// TestHideFoldsCase has a name in another case not get around Hide where the file system does not care about case.
func TestHideFoldsCase(t *testing.T) {
	h := static.Dir(tree(t, map[string]string{"X.PHP": "<?php"}))
	h.Hide = func(name string) bool { return name == "x.php" }
	status, _, _ := ask(t, h, newRequest("GET", "/X.PHP"))
	assert.Equal(t, 404, status)
}

func TestNoRoot(t *testing.T) {
	h := static.Dir(filepath.Join(t.TempDir(), "missing"))
	status, _, _ := ask(t, h, newRequest("GET", "/x"))
	assert.Equal(t, 500, status, "not the fault of the path")
}

// TestSwitchedRoot changes a link to a release into one to the next release.
func TestSwitchedRoot(t *testing.T) {
	base := tree(t, map[string]string{"1/x": "one", "2/x": "two"})
	current := filepath.Join(base, "current")
	h := static.Dir(current)
	for _, release := range []string{"1", "2"} {
		os.Remove(current)
		if err := os.Symlink(release, current); err != nil && runtime.GOOS == "windows" {
			t.Skip(err)
		}
		_, _, body := ask(t, h, newRequest("GET", "/x"))
		assert.Equal(t, map[string]string{"1": "one", "2": "two"}[release], body)
	}
}

func TestServeFile(t *testing.T) {
	h := static.Dir(tree(t, map[string]string{".private/x.php": "0123456789", "d/index.html": "x"}))
	h.Hide = func(string) bool { return true }
	serve := adapters.HandlerFunc(func(_ context.Context, req *adapters.Request) (*adapters.Response, error) {
		return h.ServeFile(req, strings.TrimPrefix(req.Path(), "/"))
	})
	tests := []struct {
		name, method, path string
		status             int
		body               string
	}{
		{"hidden", "GET", "/.private/x.php", 206, "12"},
		{"another method", "POST", "/.private/x.php", 200, "0123456789"},
		{"folder", "GET", "/d", 403, ""},
		{"missing", "GET", "/x", 404, ""},
		{"no name", "GET", "/", 404, ""},
		{"trailing slash", "GET", "/.private/x.php/", 404, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			status, _, body := ask(t, serve, newRequest(tt.method, tt.path, "Range", "bytes=1-2"))
			assert.Equal(t, tt.status, status)
			assert.Equal(t, tt.body, body)
		})
	}
}

func TestConditions(t *testing.T) {
	h := static.Dir(tree(t, map[string]string{"x.txt": "0123456789", "empty": ""}))
	const before, after = "Wed, 28 Feb 2024 12:00:00 GMT", "Fri, 01 Mar 2024 12:00:00 GMT"
	tests := []struct {
		name   string
		fields []string
		status int
		body   string
		rng    string
	}{
		{"match", []string{"If-None-Match", etag}, 304, "", ""},
		{"one of several", []string{"If-None-Match", `"a", ` + etag}, 304, "", ""},
		{"one of several fields", []string{"If-None-Match", `"a"`, "If-None-Match", etag}, 304, "", ""},
		{"weak", []string{"If-None-Match", "W/" + etag}, 304, "", ""},
		{"any", []string{"If-None-Match", "*"}, 304, "", ""},
		{"none", []string{"If-None-Match", `"a"`}, 200, "0123456789", ""},
		{"not modified", []string{"If-Modified-Since", after}, 304, "", ""},
		{"modified", []string{"If-Modified-Since", before}, 200, "0123456789", ""},
		{"ETag before date", []string{"If-Modified-Since", after, "If-None-Match", `"a"`}, 200, "0123456789", ""},
		{"If-Match", []string{"If-Match", etag}, 200, "0123456789", ""},
		{"If-Match fails", []string{"If-Match", `"a"`}, 412, "", ""},
		{"If-Unmodified-Since", []string{"If-Unmodified-Since", before}, 412, "", ""},
		{"first bytes", []string{"Range", "bytes=0-3"}, 206, "0123", "bytes 0-3/10"},
		{"to the end", []string{"Range", "bytes=7-"}, 206, "789", "bytes 7-9/10"},
		{"last bytes", []string{"Range", "bytes=-2"}, 206, "89", "bytes 8-9/10"},
		{"beyond", []string{"Range", "bytes=8-99"}, 206, "89", "bytes 8-9/10"},
		{"one satisfiable", []string{"Range", "bytes=99-,4-4"}, 206, "4", "bytes 4-4/10"},
		{"outside", []string{"Range", "bytes=10-"}, 416, "invalid range: failed to overlap\n", "bytes */10"},
		{"several outside", []string{"Range", "bytes=10-,12-"}, 416, "invalid range: failed to overlap\n", "bytes */10"},
		{"bad", []string{"Range", "bytes=x"}, 416, "invalid range\n", ""},
		{"too many", []string{"Range", "bytes=0-,0-"}, 200, "0123456789", ""},
		{"If-Range", []string{"Range", "bytes=0-0", "If-Range", etag}, 206, "0", "bytes 0-0/10"},
		{"If-Range changed", []string{"Range", "bytes=0-0", "If-Range", `"a"`}, 200, "0123456789", ""},
		{"several and a match", []string{"Range", "bytes=0-0,2-2", "If-None-Match", etag}, 304, "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, method := range []string{"GET", "HEAD"} {
				status, header, body := ask(t, h, newRequest(method, "/x.txt", tt.fields...))
				assert.Equal(t, tt.status, status)
				assert.Equal(t, tt.rng, header.Get("Content-Range"))
				if status != 304 && status != 412 && status != 416 {
					assert.Equal(t, []string{"bytes"}, header.Values("Accept-Ranges"))
				}
				if method == "GET" || status == 416 {
					assert.Equal(t, tt.body, body)
				} else {
					assert.Empty(t, body)
				}
			}
		})
	}
	t.Run("empty file", func(t *testing.T) {
		status, header, _ := ask(t, h, newRequest("GET", "/empty", "Range", "bytes=0-"))
		assert.Equal(t, 200, status)
		assert.Equal(t, "0", header.Get("Content-Length"))
	})
}

// TestFrontend asks through net/http: the ranges of one response are read by a client that is not ours.
func TestFrontend(t *testing.T) {
	h := static.Dir(tree(t, map[string]string{"x.txt": "0123456789", "big": strings.Repeat("0123456789", 1<<20)}))
	assert.HTTPBodyContains(t, adapters.HTTP(h).ServeHTTP, "GET", "/x.txt", nil, "0123456789")
	assert.HTTPStatusCode(t, adapters.HTTP(h).ServeHTTP, "GET", "/missing", nil, http.StatusNotFound)
	server := newServer(t, adapters.HTTP(h))
	for _, path := range []string{"/x.txt", "/big"} {
		resp, err := server.Client().Get(server.URL + path)
		require.NoError(t, err)
		body, err := io.ReadAll(resp.Body)
		assert.NoError(t, err)
		assert.NoError(t, resp.Body.Close())
		assert.EqualValues(t, resp.ContentLength, len(body))
		assert.Equal(t, "0123456789", string(body[len(body)-10:]))
	}
}
