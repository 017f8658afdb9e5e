package open_test

import (
	"context"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/adapters/open"
)

// nginxVars are what nginx says of /sub/index.php/x with split_path_info.
var nginxVars = []adapters.Var{
	{Name: "REQUEST_METHOD", Value: "GET"}, {Name: "REQUEST_URI", Value: "/old?q=1"}, {Name: "QUERY_STRING", Value: "new"},
	{Name: "SCRIPT_NAME", Value: "/sub/index.php"}, {Name: "PATH_INFO", Value: "/x"},
	{Name: "SCRIPT_FILENAME", Value: "/srv/sub/index.php"}, {Name: "DOCUMENT_ROOT", Value: "/srv"},
	{Name: "PATH_TRANSLATED", Value: "/elsewhere/x"},
}

// Rule (e): what a web server says passes unchanged, and only options that are set replace it.
func TestRuleE(t *testing.T) {
	unchanged := seen{name: "/sub/index.php", info: "/x", file: "/srv/sub/index.php", root: "/srv",
		translated: "/elsewhere/x"}
	dir := tree(t)
	for _, tt := range []struct {
		name    string
		app     string
		options open.AppOptions
		want    seen
	}{
		{"fcgi", "fcgi://127.0.0.1:9", open.AppOptions{}, unchanged},
		{"scgi", "scgi://127.0.0.1:9", open.AppOptions{}, unchanged},
		{"a program", "cgi:" + dir + "/cgi/run", open.AppOptions{}, unchanged},
		{"in this process", "egi:echo", open.AppOptions{}, unchanged},
		{"prefix", "fcgi://127.0.0.1:9", open.AppOptions{Prefix: "/sub"},
			seen{name: "/sub", info: "/index.php/x", file: "/srv/sub/index.php", root: "/srv", translated: "/elsewhere/x"}},
		{"another prefix", "fcgi://127.0.0.1:9", open.AppOptions{Prefix: "/other"}, seen{answer: "404"}},
		{"root", "fcgi://127.0.0.1:9", open.AppOptions{Root: "/app", LocalRoot: dir},
			seen{name: "/sub/index.php", info: "/x", file: "/app/sub/index.php", root: "/app", translated: "/app/x"}},
		{"root and script", "fcgi://127.0.0.1:9", open.AppOptions{Root: "/app", Script: "/app/f.php"},
			seen{name: "/sub/index.php", info: "/x", file: "/app/f.php", root: "/app", translated: "/app/x"}},
		{"script", "fcgi://127.0.0.1:9", open.AppOptions{Script: "/f.php"},
			seen{name: "/sub/index.php", info: "/x", file: "/f.php", root: "/srv", translated: "/elsewhere/x"}},
		{"files", "static:" + dir, open.AppOptions{},
			seen{info: "/sub/index.php/x", file: "/srv/sub/index.php", root: "/srv", translated: "/elsewhere/x"}},
		{"files with prefix", "static:" + dir, open.AppOptions{Prefix: "/sub"},
			seen{name: "/sub", info: "/index.php/x", file: "/srv/sub/index.php", root: "/srv", translated: "/elsewhere/x"}},
		{"a program with root", "cgi:" + dir + "/cgi/run", open.AppOptions{Root: "/app"},
			seen{name: "/sub/index.php", info: "/x", file: "/srv/sub/index.php", root: "/app", translated: "/app/x"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			assert.Equal(t, tt.want, given(t, tt.app, tt.options, nginxVars))
		})
	}
}

// given returns what the application sees of a request with these variables.
func given(t *testing.T, address string, o open.AppOptions, vars []adapters.Var) seen {
	t.Helper()
	if o.Root != "" && o.LocalRoot == "" {
		o.LocalRoot = t.TempDir()
	}
	if strings.HasPrefix(address, "cgi:") {
		o.LocalRoot = ""
	}
	app, err := open.Open(address, o)
	require.NoError(t, err)
	req, err := adapters.ParseVars(func(yield func(name, value string) bool) {
		for _, v := range vars {
			if !yield(v.Name, v.Value) {
				return
			}
		}
	})
	require.NoError(t, err)
	var got seen
	_, err = app.MapGiven(adapters.HandlerFunc(func(_ context.Context, req *adapters.Request) (*adapters.Response, error) {
		got = seenBy(req)
		return nil, adapters.ErrAborted
	})).Serve(t.Context(), req)
	if status := adapters.StatusOf(err); status != adapters.StatusClientGone {
		got.answer = strconv.Itoa(status)
	}
	return got
}

// Rule (e) for a folder of programs: fcgiwrap's way.
func TestRuleEFolder(t *testing.T) {
	dir := tree(t)
	require.NoError(t, os.Symlink(dir+"/b.cgi", dir+"/cgi/out"))
	require.NoError(t, os.Symlink("run", dir+"/cgi/in"))
	for _, tt := range []struct {
		name, folder     string
		file, root, path string // SCRIPT_FILENAME, DOCUMENT_ROOT, SCRIPT_NAME
		info             string // PATH_INFO
		want             seen
	}{
		{"named", "$/cgi/", "$/cgi/run", "/srv", "/any", "/i",
			seen{name: "/any", info: "/i", file: "$/cgi/run", root: "/srv", translated: "/srv/i"}},
		{"by root and name", "$/cgi/", "", "$", "/cgi/run", "", seen{name: "/cgi/run", file: "$/cgi/run", root: "$"}},
		{"walked back", "$/cgi/", "", "$", "/cgi/run/x/y", "",
			seen{name: "/cgi/run", info: "/x/y", file: "$/cgi/run", root: "$", translated: "$/x/y"}},
		{"walked back, PATH_INFO known", "$/cgi/", "$/cgi/run/x", "$", "/n/x", "/p",
			seen{name: "/n/x", info: "/p", file: "$/cgi/run", root: "$", translated: "$/p"}},
		{"a link inside", "$/cgi/", "$/cgi/in", "", "/in", "", seen{name: "/in", file: "$/cgi/in"}},
		{"a link outside", "$/cgi/", "$/cgi/out", "", "/out", "", seen{answer: "403"}},
		{"outside", "$/cgi/", "$/b.cgi", "", "/b.cgi", "", seen{answer: "403"}},
		{"climbing", "$/cgi/", "$/cgi/../b.cgi", "", "/b.cgi", "", seen{answer: "403"}},
		{"a folder of a like name", "$/sub/", "$/sub-other/x", "", "/x", "", seen{answer: "404"}},
		{"nothing there", "$/cgi/", "$/cgi/no", "", "/no", "", seen{answer: "404"}},
		{"a folder", "$/cgi/", "$/cgi/deep", "", "/deep", "", seen{answer: "404"}},
		{"Apache's", "$/cgi/", "proxy:fcgi://localhost:80$/cgi/run", "", "/run", "", seen{name: "/run", file: "$/cgi/run"}},
		{"relative", "$/cgi/", "cgi/run", "", "/run", "", seen{answer: "403"}},
		{"empty", "$/cgi/", "", "", "", "", seen{answer: "403"}},
		{"everything", "/", "$/b.cgi", "", "/b.cgi", "", seen{name: "/b.cgi", file: "$/b.cgi"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in := func(s string) string { return strings.ReplaceAll(s, "$", dir) }
			got := given(t, "cgi:"+in(tt.folder), open.AppOptions{}, []adapters.Var{
				{Name: "REQUEST_METHOD", Value: "GET"}, {Name: "SCRIPT_FILENAME", Value: in(tt.file)},
				{Name: "DOCUMENT_ROOT", Value: in(tt.root)}, {Name: "SCRIPT_NAME", Value: tt.path},
				{Name: "PATH_INFO", Value: tt.info},
				{Name: "PATH_TRANSLATED", Value: translated(in(tt.root), tt.info)},
			})
			want := tt.want
			want.file, want.root, want.translated = in(want.file), in(want.root), in(want.translated)
			assert.Equal(t, want, got)
		})
	}
}

func translated(root, info string) string {
	if root == "" || info == "" {
		return ""
	}
	return root + info
}

// A name of any length is looked for no longer than one that could exist.
func TestGivenLongScript(t *testing.T) {
	app, err := open.Open("cgi:"+t.TempDir()+"/", open.AppOptions{})
	require.NoError(t, err)
	defer app.Close(t.Context())
	for name, file := range map[string]string{
		"folders that are not there": strings.Repeat("/a", 1<<19), "folders that are there": strings.Repeat("/.", 1<<19),
	} {
		t.Run(name, func(t *testing.T) {
			done := make(chan error, 1)
			go func() {
				_, err := app.Given().Serve(t.Context(), &adapters.Request{Script: adapters.Script{Filename: file}})
				done <- err
			}()
			select {
			case err := <-done:
				assert.ErrorIs(t, err, adapters.ErrNotFound)
			case <-time.After(30 * time.Second): // minutes if each part were looked at
				require.Fail(t, "it still looks for the script")
			}
		})
	}
}
