package open_test

import (
	"bufio"
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/adapters/open"
)

// A seen is what an application saw of a request, or what was answered without asking it.
type seen struct {
	name, info, file, root, translated string // SCRIPT_NAME, PATH_INFO, SCRIPT_FILENAME, DOCUMENT_ROOT, PATH_TRANSLATED

	answer string // status, and Location or body
}

// A mapped is one case of a mapping: "$" stands for the folder of the test.
type mapped struct {
	name    string
	app     string // address; empty is fcgi://127.0.0.1:9
	options open.AppOptions
	target  string
	want    seen
}

// tree makes a folder with scripts and other files.
func tree(t *testing.T) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	for _, name := range []string{
		"index.php", "a.php", "b.cgi", "style.css", "sub/index.php", "sub/x.html", "none/x.txt", ".env",
		"cgi/run", "cgi/plain.txt", "cgi/deep/run", "cgi/index.cgi", "cgi/index.php", "cgi/.hidden",
	} {
		path := filepath.Join(dir, filepath.FromSlash(name))
		mode := os.FileMode(0o644)
		if strings.Contains(name, "run") || strings.HasSuffix(name, ".cgi") {
			mode = 0o755
		}
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(name), mode))
	}
	return dir
}

// requestFor returns the request for a target as net/http reads it.
func requestFor(t *testing.T, target string) *adapters.Request {
	t.Helper()
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader("GET " + target + " HTTP/1.1\r\nHost: h\r\n\r\n")))
	require.NoError(t, err)
	req, err := adapters.FromHTTP(r)
	require.NoError(t, err)
	return req
}

// run checks that the application sees what it should.
func (m *mapped) run(t *testing.T, dir string) {
	t.Helper()
	in := func(s string) string { return strings.ReplaceAll(s, "$", dir) }
	o := m.options
	o.Root, o.LocalRoot, o.Script, o.Fallback = in(o.Root), in(o.LocalRoot), in(o.Script), in(o.Fallback)
	app := m.app
	if app == "" {
		app = "fcgi://127.0.0.1:9"
	}
	opened, err := open.Open(in(app), o)
	require.NoError(t, err)
	var got seen
	h := opened.Map(adapters.HandlerFunc(func(_ context.Context, req *adapters.Request) (*adapters.Response, error) {
		assert.Equal(t, m.target, req.URI, "REQUEST_URI goes as sent")
		_, query, _ := strings.Cut(m.target, "?")
		assert.Equal(t, query, req.Query, "QUERY_STRING goes as sent")
		got = seenBy(req)
		return nil, adapters.ErrAborted
	}))
	resp, err := h.Serve(t.Context(), requestFor(t, m.target))
	if err == nil {
		defer resp.Body.Close()
		got.answer = strings.TrimSpace(strconv.Itoa(resp.Status) + " " + resp.Header.Get("Location"))
	} else if status := adapters.StatusOf(err); status != adapters.StatusClientGone {
		got.answer = strconv.Itoa(status)
	}
	want := m.want
	want.file, want.root, want.translated = in(want.file), in(want.root), in(want.translated)
	assert.Equal(t, want, got)
}

func seenBy(req *adapters.Request) seen {
	vars := map[string]string{}
	for name, value := range req.All() {
		vars[name] = value
	}
	return seen{
		name: vars["SCRIPT_NAME"], info: vars["PATH_INFO"], file: vars["SCRIPT_FILENAME"], root: vars["DOCUMENT_ROOT"],
		translated: vars["PATH_TRANSLATED"],
	}
}

func runAll(t *testing.T, tests []mapped) {
	dir := tree(t)
	for _, tt := range tests {
		name := tt.name
		if name == "" {
			name = tt.target
		}
		t.Run(name, func(t *testing.T) { tt.run(t, dir) })
	}
}

// Rule (a): fcgi and scgi without root and script.
func TestRuleA(t *testing.T) {
	prefix := open.AppOptions{Prefix: "/app"}
	runAll(t, []mapped{
		{target: "/", want: seen{info: "/"}},
		{target: "/a/b?c=d%20e", want: seen{info: "/a/b"}},
		{target: "/a%20b/%C3%A9", want: seen{info: "/a b/é"}},
		{name: "dot segments", target: "/a/./b/../c//d", want: seen{info: "/a/c/d"}},
		{name: "encoded dot segments", target: "/a/%2e%2e/b", want: seen{info: "/b"}},
		{name: "decoded once", target: "/a%2520b", want: seen{info: "/a%20b"}},
		{name: "encoded separators", target: "/a%2Fb%5Cc", want: seen{info: `/a/b\c`}},
		{name: "scgi", app: "scgi://127.0.0.1:9", target: "/x", want: seen{info: "/x"}},
		{name: "unix", app: "fcgi+unix:///x.sock", target: "/x", want: seen{info: "/x"}},
		{name: "in this process", app: "egi:echo", target: "/x", want: seen{info: "/x"}},
		{name: "beneath the prefix", options: prefix, target: "/app/x", want: seen{name: "/app", info: "/x"}},
		{name: "the prefix itself", options: prefix, target: "/app", want: seen{name: "/app"}},
		{name: "outside of the prefix", options: prefix, target: "/apple", want: seen{answer: "404"}},
		{name: "prefix with a slash", options: open.AppOptions{Prefix: "/app/"}, target: "/app/",
			want: seen{name: "/app", info: "/"}},
	})
}

func TestNULIsABadRequest(t *testing.T) {
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader("GET /a%00b HTTP/1.1\r\nHost: h\r\n\r\n")))
	require.NoError(t, err)
	_, err = adapters.FromHTTP(r)
	assert.Equal(t, http.StatusBadRequest, adapters.StatusOf(err))
}

// Rule (b): root, and the path decides.
func TestRuleB(t *testing.T) {
	root := open.AppOptions{Root: "$"}
	two := open.AppOptions{Root: "/app", LocalRoot: "$"}
	elsewhere := open.AppOptions{Root: "/app", LocalRoot: "$/none/such"}
	mounted := open.AppOptions{Root: "$", Prefix: "/blog"}
	runAll(t, []mapped{
		{options: root, target: "/a.php", want: seen{name: "/a.php", file: "$/a.php", root: "$"}},
		{options: root, target: "/a.php/x/y.php?q",
			want: seen{name: "/a.php", info: "/x/y.php", file: "$/a.php", root: "$", translated: "$/x/y.php"}},
		{options: root, target: "/", want: seen{name: "/index.php", file: "$/index.php", root: "$"}},
		{options: root, target: "/sub/", want: seen{name: "/sub/index.php", file: "$/sub/index.php", root: "$"}},
		{options: root, target: "/sub?q=1", want: seen{answer: "301 /sub/?q=1"}},
		{options: root, target: "/style.css", want: seen{answer: "200"}},
		{options: root, target: "/sub/x.html", want: seen{answer: "200"}},
		{options: root, target: "/.env", want: seen{answer: "404"}},
		{options: root, target: "/nothing", want: seen{answer: "404"}},
		{options: root, target: "/nothing.php", want: seen{answer: "404"}},
		{options: root, target: "/style.css/x.php", want: seen{answer: "404"}},
		{options: root, target: "/none/", want: seen{answer: "403"}},
		{options: root, target: "/sub%2Findex.php", want: seen{answer: "404"}},
		{options: root, target: "/sub%5cindex.php", want: seen{answer: "404"}},
		{name: "another index", options: open.AppOptions{Root: "$", Index: []string{"no.php", "a.php"}}, target: "/",
			want: seen{name: "/a.php", file: "$/a.php", root: "$"}},
		{name: "an index that is no script", options: open.AppOptions{Root: "$/sub", Index: []string{"x.html"}},
			target: "/x.html", want: seen{answer: "200"}},
		{name: "another extension", options: open.AppOptions{Root: "$", Ext: []string{".cgi"}}, target: "/b.cgi/x",
			want: seen{name: "/b.cgi", info: "/x", file: "$/b.cgi", root: "$", translated: "$/x"}},
		{name: "no script any more", options: open.AppOptions{Root: "$", Ext: []string{".cgi"}}, target: "/a.php",
			want: seen{answer: "200"}},
		{name: "two roots", options: two, target: "/a.php/x",
			want: seen{name: "/a.php", info: "/x", file: "/app/a.php", root: "/app", translated: "/app/x"}},
		{name: "two roots, a file", options: two, target: "/style.css", want: seen{answer: "200"}},
		{name: "no local root", options: elsewhere, target: "/x.php/y.php",
			want: seen{name: "/x.php", info: "/y.php", file: "/app/x.php", root: "/app", translated: "/app/y.php"}},
		{name: "no local root, no script", options: elsewhere, target: "/style.css", want: seen{answer: "404"}},
		{name: "mounted", options: mounted, target: "/blog/a.php/x",
			want: seen{name: "/blog/a.php", info: "/x", file: "$/a.php", root: "$", translated: "$/x"}},
		{name: "mounted, a file", options: mounted, target: "/blog/style.css", want: seen{answer: "200"}},
		{name: "mounted, its folder", options: mounted, target: "/blog", want: seen{answer: "301 /blog/"}},
		{name: "not mounted there", options: mounted, target: "/a.php", want: seen{answer: "404"}},
	})
}

// Rule (c): one script for every request.
func TestRuleC(t *testing.T) {
	front := open.AppOptions{Root: "$", Script: "$/index.php"}
	static := open.AppOptions{Root: "$", Script: "$/index.php", Static: true}
	alone := open.AppOptions{Script: "/srv/f.php", Prefix: "/f"}
	index := seen{name: "/index.php", file: "$/index.php", root: "$"}
	runAll(t, []mapped{
		{options: front, target: "/any/thing", want: index},
		{options: front, target: "/", want: index},
		{options: front, target: "/style.css", want: index},
		{options: front, target: "/a.php", want: index},
		{options: front, target: "/x%2Fy", want: index},
		{options: front, target: "/index.php/x",
			want: seen{name: "/index.php", info: "/x", file: "$/index.php", root: "$", translated: "$/x"}},
		{name: "a longer name", options: front, target: "/index.phpx", want: index},
		{name: "relative script", options: open.AppOptions{Root: "$", Script: "index.php"}, target: "/x", want: index},
		{name: "static: a file", options: static, target: "/style.css", want: seen{answer: "200"}},
		{name: "static: a script", options: static, target: "/a.php", want: index},
		{name: "static: a folder", options: static, target: "/none/", want: index},
		{name: "static: no file", options: static, target: "/none/y", want: index},
		{name: "static: a dot-file", options: static, target: "/.env", want: index},
		{name: "static: an encoded slash", options: static, target: "/x%2Fstyle.css", want: index},
		{name: "two roots", options: open.AppOptions{Root: "/app", LocalRoot: "$", Script: "/app/index.php"}, target: "/x",
			want: seen{name: "/index.php", file: "/app/index.php", root: "/app"}},
		{name: "without root", options: open.AppOptions{Script: "/srv/f.php"}, target: "/x/y",
			want: seen{info: "/x/y", file: "/srv/f.php"}},
		{name: "without root, with prefix", options: alone, target: "/f/y",
			want: seen{name: "/f", info: "/y", file: "/srv/f.php"}},
	})
}

// Rule (b) with a script for what is not there.
func TestFallback(t *testing.T) {
	fallback := open.AppOptions{Root: "$", Fallback: "$/index.php"}
	index := seen{name: "/index.php", file: "$/index.php", root: "$"}
	runAll(t, []mapped{
		{options: fallback, target: "/news/7?q", want: index},
		{options: fallback, target: "/", want: index},
		{options: fallback, target: "/a.php", want: seen{name: "/a.php", file: "$/a.php", root: "$"}},
		{options: fallback, target: "/style.css", want: seen{answer: "200"}},
		{options: fallback, target: "/sub", want: seen{answer: "301 /sub/"}},
		{options: fallback, target: "/sub/", want: seen{name: "/sub/index.php", file: "$/sub/index.php", root: "$"}},
		{options: fallback, target: "/none/", want: index},
		{options: fallback, target: "/.env", want: seen{answer: "404"}},
		{options: fallback, target: "/a.php~", want: index},
		{options: fallback, target: "/x%2Fy", want: index},
		{name: "relative, mounted", options: open.AppOptions{Root: "$", Fallback: "index.php", Prefix: "/blog"},
			target: "/blog/news", want: seen{name: "/blog/index.php", file: "$/index.php", root: "$"}},
	})
}

// Rule (d): CGI programs.
func TestRuleD(t *testing.T) {
	runAll(t, []mapped{
		{name: "a program", app: "cgi:$/cgi/run", target: "/x%2Fy?q",
			want: seen{info: "/x/y", file: "$/cgi/run", root: "$/cgi", translated: "$/cgi/x/y"}},
		{name: "a program with prefix", app: "cgi:$/cgi/run", options: open.AppOptions{Prefix: "/p"}, target: "/p/x",
			want: seen{name: "/p", info: "/x", file: "$/cgi/run", root: "$/cgi", translated: "$/cgi/x"}},
		{name: "a program with root", app: "cgi:$/cgi/run", options: open.AppOptions{Root: "$"}, target: "/x",
			want: seen{info: "/x", file: "$/cgi/run", root: "$", translated: "$/x"}},
		{name: "a folder", app: "cgi:$/cgi/", target: "/deep/run/x",
			want: seen{name: "/deep/run", info: "/x", file: "$/cgi/deep/run", root: "$/cgi", translated: "$/cgi/x"}},
		{name: "a folder, no index", app: "cgi:$/cgi/", target: "/", want: seen{answer: "404"}},
		{name: "a folder and index", app: "cgi:$/cgi/", options: open.AppOptions{Index: []string{"index.cgi"}}, target: "/",
			want: seen{name: "/index.cgi", file: "$/cgi/index.cgi", root: "$/cgi"}},
		{name: "a folder, no such program", app: "cgi:$/cgi/", target: "/no", want: seen{answer: "404"}},
		{name: "a folder, dot-file", app: "cgi:$/cgi/", target: "/.hidden", want: seen{answer: "404"}},
		{name: "a folder, encoded separator", app: "cgi:$/cgi/", target: "/deep%2Frun", want: seen{answer: "404"}},
		{name: "a folder, mounted", app: "cgi:$/cgi/", options: open.AppOptions{Prefix: "/cgi-bin"}, target: "/cgi-bin/run/x",
			want: seen{name: "/cgi-bin/run", info: "/x", file: "$/cgi/run", root: "$/cgi", translated: "$/cgi/x"}},
		{name: "a folder with extensions", app: "cgi:$/cgi/", options: open.AppOptions{Ext: []string{".cgi"}},
			target: "/plain.txt", want: seen{answer: "200"}},
	})
}

func TestRuleDNotExecutable(t *testing.T) {
	dir := tree(t)
	app, err := open.Open("cgi:"+dir+"/cgi/", open.AppOptions{})
	require.NoError(t, err)
	_, err = app.Handler().Serve(t.Context(), requestFor(t, "/plain.txt"))
	assert.Equal(t, http.StatusForbidden, adapters.StatusOf(err), "%v", err)

	app, err = open.Open("cgi:"+dir+"/cgi/", open.AppOptions{Run: map[string]string{".txt": "echo"}})
	require.NoError(t, err)
	_, err = app.Handler().Serve(t.Context(), requestFor(t, "/plain.txt"))
	assert.Equal(t, http.StatusBadGateway, adapters.StatusOf(err), "echo is no CGI program, but it was run: %v", err)
}

// Rule (f): HTTP applications get the target unchanged, behind their path.
func TestRuleF(t *testing.T) {
	targets := make(chan string, 1)
	address := listen(t, "http://127.0.0.1:0", adapters.HandlerFunc(
		func(_ context.Context, req *adapters.Request) (*adapters.Response, error) {
			targets <- req.URI
			return adapters.Reply(200, "text/plain", ""), nil
		}))
	for _, tt := range []struct{ name, base, prefix, target, want string }{
		{"as it is", "", "", "//a%2Fb//c?d=%20", "//a%2Fb//c?d=%20"},
		{"dot segments", "", "", "/a/./b/../c%20", "/a/./b/../c%20"},
		{"behind a path", "/base%20x/", "", "/a%2Fb?c", "/base%20x/a%2Fb?c"},
		{"prefix stays", "", "/api", "/api/x", "/api/x"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			app, err := open.Open(address+tt.base, open.AppOptions{Prefix: tt.prefix})
			require.NoError(t, err)
			defer app.Close(t.Context())
			resp, err := app.Handler().Serve(t.Context(), requestFor(t, tt.target))
			require.NoError(t, err)
			require.NoError(t, resp.Body.Close())
			assert.Equal(t, tt.want, <-targets)
		})
	}
}

func TestVarsWin(t *testing.T) {
	dir := tree(t)
	vars := []adapters.Var{{Name: "SCRIPT_NAME", Value: "/x"}, {Name: "PATH_INFO"}, {Name: "NEW", Value: "1"}}
	for _, address := range []string{"fcgi://127.0.0.1:9", "egi:echo", "cgi:" + dir + "/cgi/run", "cgi:" + dir + "/cgi/"} {
		app, err := open.Open(address, open.AppOptions{Vars: vars})
		require.NoError(t, err)
		for _, mapping := range []func(adapters.Handler) adapters.Handler{app.Map, app.MapGiven} {
			got := map[string]string{}
			h := mapping(adapters.HandlerFunc(func(_ context.Context, req *adapters.Request) (*adapters.Response, error) {
				for name, value := range req.All() {
					got[name] = value
				}
				return nil, adapters.ErrAborted
			}))
			req := requestFor(t, "/run/info")
			req.Script.Filename = dir + "/cgi/run"
			h.Serve(t.Context(), req)
			assert.Equal(t, "/x", got["SCRIPT_NAME"], address)
			assert.NotContains(t, got, "PATH_INFO", address)
			assert.Equal(t, "1", got["NEW"], address)
		}
	}
}
