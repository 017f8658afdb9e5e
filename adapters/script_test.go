package adapters_test

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	. "github.com/gangway-go/gangway/adapters"
)

// scriptTree makes a document root and a folder beside it, and returns the root.
func scriptTree(t *testing.T) string {
	t.Helper()
	base := t.TempDir()
	for name, content := range map[string]string{
		"www/index.php": "", "www/a.php": "", "www/style.css": "", "www/a.php.jpg": "", "www/upper.PHP": "",
		"www/dir/index.php": "", "www/dir/b.php": "", "www/dir/deep/x.txt": "", "www/empty/x.txt": "",
		"www/a.php~": "", "www/a.php.bak.old": "", "www/#a.php#": "", "www/a.php.": "", "www/a.php. ": "", "www/a.phtml": "",
		"www/lib.INC.orig": "", "www/notes.txt~": "", "www/a.php.txt": "", "www/.well-known/x.php": "", "www/a.p\u017fp": "",
		"www/.env": "", "www/.git/config.php": "", "www/html/index.html": "", "www/dir.php/inner.php": "",
		"www-secret/x.php": "",
	} {
		path := filepath.Join(base, filepath.FromSlash(name))
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(content), 0o644))
	}
	root := filepath.Join(base, "www")
	require.NoError(t, os.Symlink("../www-secret", filepath.Join(root, "out")))
	require.NoError(t, os.Symlink("a.php", filepath.Join(root, "in.php")))
	return root
}

func TestScriptResolver(t *testing.T) {
	root := scriptTree(t)
	for _, tt := range []struct{ path, want string }{
		{"/", "script /index.php+"},
		{"/a.php", "script /a.php+"},
		{"/a.php/", "script /a.php+/"},
		{"/a.php/info/b.php", "script /a.php+/info/b.php"},
		{"/in.php", "script /in.php+"},
		{"/dir", "redirect /dir/"},
		{"/dir/", "script /dir/index.php+"},
		{"/dir/b.php/x", "script /dir/b.php+/x"},
		{"/dir.php", "redirect /dir.php/"},
		{"/dir.php/inner.php/y", "script /dir.php/inner.php+/y"},
		{"/style.css", "file"},
		{"/a.php.jpg", "file"},
		{"/dir/deep/x.txt", "file"},
		{"/empty/", "file"}, // the file handler decides
		{"/html/", "file"},
		{"/style.css/x.php", "missing"},
		{"/a.php.jpg/x.php", "missing"},
		{"/upper.PHP", "missing"}, // else its source would be sent
		{"/a.php~", "missing"},
		{"/a.php~/x", "missing"},
		{"/a.php.bak.old", "missing"},
		{"/#a.php#", "missing"},
		{"/a.php.", "missing"},
		{"/a.php. ", "missing"},
		{"/a.phtml", "missing"},
		{"/lib.INC.orig", "missing"},
		{"/notes.txt~", "file"},
		{"/a.php.txt", "file"},
		{"/a.php/.x/../y", "script /a.php+/.x/../y"}, // what follows a script is its own matter
		{"/a.php/a\\b", "script /a.php+/a\\b"},
		{"/.well-known/x.php", "script /.well-known/x.php+"},
		{"/nothing", "missing"},
		{"/nothing.php", "missing"},
		{"/dir/nothing/b.php", "missing"},
		{"/.env", "missing"},
		{"/.git/config.php", "missing"},
		{"/out/x.php", "missing"},
		{"/out", "missing"},
		{"/a\\b", "missing"},
	} {
		r := &ScriptResolver{Root: root, To: says("x"), Files: says("y")}
		target, err := r.Resolve(tt.path)
		got := "script " + target.Script.Name + "+" + target.Script.PathInfo
		switch {
		case err != nil:
			assert.ErrorIs(t, err, ErrNotFound, tt.path)
			got = "missing"
		case target.File:
			got = "file"
		case target.Redirect != "":
			got = "redirect " + target.Redirect
		default:
			assert.Equal(t, root+target.Script.Name, target.Script.Filename)
			assert.Equal(t, root, target.Script.Root)
		}
		assert.Equal(t, tt.want, got, tt.path)
	}
}

func TestFallbackHides(t *testing.T) {
	r := &ScriptResolver{Root: scriptTree(t), Fallback: "index.php", Files: says("f")}
	for _, path := range []string{"/.env", "/.git/none", "/a\\b"} {
		_, err := r.Resolve(path)
		assert.ErrorIs(t, err, ErrNotFound, path)
	}
}

func TestScriptResolverNamesTheMissingComponent(t *testing.T) {
	_, err := (&ScriptResolver{Root: scriptTree(t)}).Resolve("/dir/nothing/b.php")
	assert.ErrorContains(t, err, `component "/dir/nothing"`)
}

func TestScriptResolverOptions(t *testing.T) {
	root := scriptTree(t)
	missing := filepath.Join(root, "none")
	for _, tt := range []struct {
		name string
		r    *ScriptResolver
		path string
		want Target
	}{
		{"two roots", &ScriptResolver{Root: "/app", LocalRoot: root}, "/a.php/x",
			Target{Script: Script{"/a.php", "/x", "/app/a.php", "/app"}}},
		{"all files are scripts", &ScriptResolver{Root: root, Ext: []string{"*"}, Index: []string{}}, "/style.css/x",
			Target{Script: Script{"/style.css", "/x", root + "/style.css", root}}},
		{"other index", &ScriptResolver{Root: root, Index: []string{"no", "a.php"}}, "/",
			Target{Script: Script{"/a.php", "", root + "/a.php", root}}},
		{"front controller", &ScriptResolver{Root: root, Script: "index.php"}, "/any/thing",
			Target{Script: Script{"/index.php", "", root + "/index.php", root}}},
		{"front controller named in the path", &ScriptResolver{Root: root, Script: "index.php"}, "/index.php/x",
			Target{Script: Script{"/index.php", "/x", root + "/index.php", root}}},
		{"front controller and a longer name", &ScriptResolver{Root: root, Script: "index.php"}, "/index.phpx",
			Target{Script: Script{"/index.php", "", root + "/index.php", root}}},
		{"front controller takes other scripts", &ScriptResolver{Root: root, Script: "index.php", Files: says("f")},
			"/a.php", Target{Script: Script{"/index.php", "", root + "/index.php", root}}},
		{"files before the front controller", &ScriptResolver{Root: root, Script: "index.php", Files: says("f")},
			"/style.css", Target{File: true}},
		{"fallback: nothing there", &ScriptResolver{Root: root, Fallback: "index.php", Files: says("f")}, "/any/thing",
			Target{Script: Script{"/index.php", "", root + "/index.php", root}}},
		{"fallback: a source", &ScriptResolver{Root: root, Fallback: "/index.php", Files: says("f")}, "/a.php~",
			Target{Script: Script{"/index.php", "", root + "/index.php", root}}},
		{"fallback: a folder without an index", &ScriptResolver{Root: root, Fallback: "index.php", Files: says("f")},
			"/empty/", Target{Script: Script{"/index.php", "", root + "/index.php", root}}},
		{"fallback: a folder with one", &ScriptResolver{Root: root, Fallback: "index.php", Files: says("f")}, "/html/",
			Target{File: true}},
		{"fallback: another script", &ScriptResolver{Root: root, Fallback: "index.php", Files: says("f")}, "/dir/b.php/x",
			Target{Script: Script{"/dir/b.php", "/x", root + "/dir/b.php", root}}},
		{"fallback: a file", &ScriptResolver{Root: root, Fallback: "index.php", Files: says("f")}, "/style.css",
			Target{File: true}},
		{"fallback: a folder", &ScriptResolver{Root: root, Fallback: "index.php", Files: says("f")}, "/dir",
			Target{Redirect: "/dir/"}},
		{"fallback: no local root", &ScriptResolver{Root: "/app", LocalRoot: missing, Fallback: "index.php"}, "/x",
			Target{Script: Script{"/index.php", "", "/app/index.php", "/app"}}},
		{"links that lead out", &ScriptResolver{Root: root, FollowSymlinks: true}, "/out/x.php",
			Target{Script: Script{"/out/x.php", "", root + "/out/x.php", root}}},
		{"no local root: split by extension", &ScriptResolver{Root: "/app", LocalRoot: missing}, "/x.php/y.php",
			Target{Script: Script{"/x.php", "/y.php", "/app/x.php", "/app"}}},
		{"no local root: index", &ScriptResolver{Root: "/app", LocalRoot: missing}, "/x/",
			Target{Script: Script{"/x/index.php", "", "/app/x/index.php", "/app"}}},
		{"no local root: what follows a script", &ScriptResolver{Root: "/app", LocalRoot: missing}, "/x.php/.y",
			Target{Script: Script{"/x.php", "/.y", "/app/x.php", "/app"}}},
		{"no PHP", &ScriptResolver{Root: root, Ext: []string{".cgi"}, Files: says("f")}, "/a.phtml", Target{File: true}},
		{"a letter that folds", &ScriptResolver{Root: root, Ext: []string{".psp"}, Index: []string{}, Script: "f",
			Files: says("f")}, "/a.p\u017fp", Target{Script: Script{"/f", "", root + "/f", root}}},
		{"no local root: front controller", &ScriptResolver{Root: "/app", LocalRoot: missing, Script: "f.php"}, "/x",
			Target{Script: Script{"/f.php", "", "/app/f.php", "/app"}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := tt.r.Resolve(tt.path)
			require.NoError(t, err)
			assert.Equal(t, tt.want, got)
		})
	}
}

func TestScriptResolverHidesWithoutLocalRoot(t *testing.T) {
	r := &ScriptResolver{Root: "/app", LocalRoot: filepath.Join(t.TempDir(), "none"), Log: slog.New(slog.DiscardHandler)}
	for _, path := range []string{"/.git/x.php", "/.x.php", "/.git/", `/a\b.php`, "/x.php~", "/x.PHP"} {
		_, err := r.Resolve(path)
		assert.ErrorIs(t, err, ErrNotFound, path)
	}
}

func TestScriptResolverWarnsOnce(t *testing.T) {
	var log bytes.Buffer
	r := &ScriptResolver{Root: filepath.Join(t.TempDir(), "none"), Log: slog.New(slog.NewTextHandler(&log, nil))}
	for range 2 {
		_, err := r.Resolve("/no-script")
		assert.ErrorIs(t, err, ErrNotFound)
	}
	assert.Equal(t, 1, strings.Count(log.String(), "\n"), log.String())
}

func TestScriptResolverServes(t *testing.T) {
	r := &ScriptResolver{Root: scriptTree(t), To: says("script"), Files: says("files")}
	got, err := ask(t, r, get("", "/a.php/x"))
	require.NoError(t, err)
	assert.Equal(t, "script GET /a.php+/x?", got)
	got, err = ask(t, r, get("", "/style.css"))
	require.NoError(t, err)
	assert.Equal(t, "files GET +/style.css?", got)

	req := get("", "/a.php")
	req.URI = "/x%2F..%2Fa.php"
	_, err = ask(t, r, req)
	assert.ErrorIs(t, err, ErrNotFound)

	front := &ScriptResolver{Root: r.Root, Script: "index.php", To: says("front")}
	got, err = ask(t, front, req)
	require.NoError(t, err, "no tree is walked")
	assert.Equal(t, "front GET /index.php+?", got)
	front.Files = says("files")
	got, err = ask(t, front, req)
	require.NoError(t, err, "no tree is walked")
	assert.Equal(t, "front GET /index.php+?", got)
	got, err = ask(t, front, get("", "/html/"))
	require.NoError(t, err)
	assert.Equal(t, "front GET /index.php+?", got, "a folder is no file")

	req = get("", "/dir")
	req.Query = "a=b"
	resp, err := r.Serve(context.Background(), req)
	require.NoError(t, err)
	assert.Equal(t, 301, resp.Status)
	assert.Equal(t, "/dir/?a=b", resp.Header.Get("Location"))
}

func TestScriptResolverMounted(t *testing.T) {
	r := Mount("/blog", &ScriptResolver{Root: scriptTree(t), To: says("script"), Files: says("files")})
	got, err := ask(t, r, get("", "/blog/a.php/x"))
	require.NoError(t, err)
	assert.Equal(t, "script GET /blog/a.php+/x?", got)
	got, err = ask(t, r, get("", "/blog/style.css"))
	require.NoError(t, err)
	assert.Equal(t, "files GET /blog+/style.css?", got)
	for path, want := range map[string]string{"/blog": "/blog/", "/blog/dir": "/blog/dir/"} {
		resp, err := r.Serve(context.Background(), get("", path))
		require.NoError(t, err)
		assert.Equal(t, want, resp.Header.Get("Location"))
	}
}

func TestScriptResolverRefusesDevices(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no devices in the file system")
	}
	_, err := (&ScriptResolver{Root: "/dev", Ext: []string{"*"}}).Resolve("/null")
	assert.ErrorIs(t, err, ErrNotFound)
}
