package open_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/adapters/open"
	"github.com/gangway-go/gangway/cgi"
)

func TestOptionsThatCannotWork(t *testing.T) {
	dir := tree(t)
	const fcgi = "fcgi://127.0.0.1:9"
	for _, tt := range []struct {
		name, app string
		o         open.AppOptions
		want      string
	}{
		{"root of an HTTP app", "http://h:1", open.AppOptions{Root: dir}, "root means nothing to http://h:1"},
		{"script of files", "static:" + dir, open.AppOptions{Script: "x"}, "script means nothing to static:"},
		{"index of program", "cgi:" + dir + "/cgi/run", open.AppOptions{Index: []string{"x"}}, "index means nothing to cgi:"},
		{"root of a folder of programs", "cgi:" + dir + "/", open.AppOptions{Root: dir}, "root means nothing to cgi:"},
		{"ext of egi", "egi:echo", open.AppOptions{Ext: []string{".x"}}, "ext means nothing to egi:echo"},
		{"prefix without slash", fcgi, open.AppOptions{Prefix: "app"}, `prefix "app" does not begin with a slash`},
		{"static alone", fcgi, open.AppOptions{Root: dir, Static: true}, "static goes with script"},
		{"static without root", fcgi, open.AppOptions{Script: "x", Static: true}, "need root"},
		{"fallback without root", fcgi, open.AppOptions{Fallback: "x"}, "need root"},
		{"fallback elsewhere", fcgi, open.AppOptions{Root: dir, Fallback: "/etc/x.php"}, "fallback /etc/x.php does not lie"},
		{"two scripts", fcgi, open.AppOptions{Root: dir, Script: "x", Fallback: "y"}, "exclude each other"},
		{"index without root", fcgi, open.AppOptions{Index: []string{"x"}}, "need root"},
		{"ext without root", fcgi, open.AppOptions{Ext: []string{"x"}}, "need root"},
		{"local root alone", fcgi, open.AppOptions{LocalRoot: dir}, "local-root needs root"},
		{"relative root of the application", fcgi, open.AppOptions{Root: "x", LocalRoot: dir}, "no absolute path"},
		{"root is a file", fcgi, open.AppOptions{Root: dir + "/a.php"}, "is not a folder"},
		{"local root is a file", fcgi, open.AppOptions{Root: "/x", LocalRoot: dir + "/a.php"}, "is not a folder"},
		{"script elsewhere", fcgi, open.AppOptions{Root: dir, Script: "/etc/x.php"}, "does not lie beneath root"},
		{"script beside", fcgi, open.AppOptions{Root: dir, Script: dir + "x/y.php"}, "does not lie beneath root"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := open.Open(tt.app, tt.o)
			assert.ErrorIs(t, err, open.ErrOption)
			assert.ErrorContains(t, err, tt.want)
		})
	}
}

func TestOpenFails(t *testing.T) {
	dir := tree(t)
	for address, want := range map[string]string{
		"static:" + dir + "/no":         dir + "/no does not exist: create it, or correct the address",
		"static:" + dir + "/a.php":      "a.php is not a folder",
		"cgi:" + dir + "/no":            dir + "/no does not exist: create it, or correct the address",
		"cgi:" + dir + "/no/":           "does not exist",
		"cgi:" + dir + "/a.php/":        "a.php is not a folder",
		"cgi:" + dir + "/cgi/plain.txt": "not executable",
		"egi:no":                        `no built-in app is called "no"; there is echo`,
		"cgi:" + os.DevNull:             "is neither a file nor a folder",
		"foo:x":                         `unknown scheme "foo"`,
	} {
		_, err := open.Open(address, open.AppOptions{})
		assert.ErrorContains(t, err, want, address)
		_, _, err = open.Handler(address)
		assert.ErrorContains(t, err, want, address)
	}
}

// A relative root is one of ours, made absolute since the application has another working directory.
func TestRelativeRoot(t *testing.T) {
	t.Chdir(tree(t))
	here, err := filepath.Abs("sub")
	require.NoError(t, err)
	app, err := open.Open("fcgi://127.0.0.1:9", open.AppOptions{Root: "sub"})
	require.NoError(t, err)
	var file string
	app.Map(adapters.HandlerFunc(func(_ context.Context, req *adapters.Request) (*adapters.Response, error) {
		file = req.Script.Filename
		return nil, adapters.ErrAborted
	})).Serve(t.Context(), requestFor(t, "/index.php"))
	assert.Equal(t, here+"/index.php", file)
}

func TestRule(t *testing.T) {
	dir := tree(t)
	vars := []adapters.Var{{Name: "X", Value: "1"}}
	for _, tt := range []struct {
		name, app string
		o         open.AppOptions
		variable  string
		given     bool
		want      string
	}{
		{"var", "egi:echo", open.AppOptions{Vars: vars}, "X", false, "var"},
		{"a header field", "egi:echo", open.AppOptions{}, "HTTP_HOST", false, "a header field"},
		{"the connection", "egi:echo", open.AppOptions{}, "REMOTE_ADDR", false, "the connection"},
		{"the request", "egi:echo", open.AppOptions{}, "QUERY_STRING", false, "the request"},
		{"a", "scgi://h:1", open.AppOptions{}, "PATH_INFO", false, "the rest of the path"},
		{"a prefix", "scgi://h:1", open.AppOptions{Prefix: "/x"}, "SCRIPT_NAME", false, "prefix"},
		{"b", "fcgi://h:1", open.AppOptions{Root: dir}, "SCRIPT_NAME", false, "the path up to the first file beneath " + dir},
		{"b fallback", "fcgi://h:1", open.AppOptions{Root: dir, Fallback: "a.php"}, "SCRIPT_NAME", false,
			"the path up to the first file beneath " + dir + ", else fallback"},
		{"b root", "fcgi://h:1", open.AppOptions{Root: dir}, "DOCUMENT_ROOT", false, "root"},
		{"c", "fcgi://h:1", open.AppOptions{Root: dir, Script: "a.php"}, "SCRIPT_FILENAME", false, "script"},
		{"c alone", "fcgi://h:1", open.AppOptions{Script: "/a.php"}, "SCRIPT_FILENAME", false, "script"},
		{"d", "cgi:" + dir + "/cgi/run", open.AppOptions{}, "DOCUMENT_ROOT", false, "the folder of the program"},
		{"d root", "cgi:" + dir + "/cgi/run", open.AppOptions{Root: dir}, "DOCUMENT_ROOT", false, "root"},
		{"d folder", "cgi:" + dir + "/cgi/", open.AppOptions{}, "SCRIPT_FILENAME", false, "the folder and SCRIPT_NAME"},
		{"e", "fcgi://h:1", open.AppOptions{}, "SCRIPT_NAME", true, "the web server"},
		{"e other", "fcgi://h:1", open.AppOptions{}, "HTTP_HOST", true, "the web server"},
		{"e prefix", "fcgi://h:1", open.AppOptions{Prefix: "/x"}, "PATH_INFO", true, "the rest of the path"},
		{"e prefix name", "fcgi://h:1", open.AppOptions{Prefix: "/x"}, "SCRIPT_NAME", true, "prefix"},
		{"e root", "fcgi://h:1", open.AppOptions{Root: dir}, "SCRIPT_FILENAME", true,
			"root and the web server's SCRIPT_NAME"},
		{"e root itself", "fcgi://h:1", open.AppOptions{Root: dir}, "DOCUMENT_ROOT", true, "root"},
		{"e translated", "fcgi://h:1", open.AppOptions{Root: dir}, "PATH_TRANSLATED", true, "root and PATH_INFO"},
		{"e script", "fcgi://h:1", open.AppOptions{Script: "/a.php"}, "SCRIPT_FILENAME", true, "script"},
		{"e folder", "cgi:" + dir + "/cgi/", open.AppOptions{}, "SCRIPT_FILENAME", true,
			"the web server, walked back to a file"},
		{"e folder mounted", "cgi:" + dir + "/cgi/", open.AppOptions{Prefix: "/c"}, "DOCUMENT_ROOT", true, "the folder"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			app, err := open.Open(tt.app, tt.o)
			require.NoError(t, err)
			assert.Equal(t, tt.want, app.Rule(tt.variable, tt.given))
		})
	}
}

// A program without an owner runs as we do, whichever owner is meant.
func TestUserOfCommand(t *testing.T) {
	for _, user := range []string{"", cgi.Self, cgi.Owner, cgi.OwnerOrRoot} {
		_, err := open.Open("fcgi+exec:true", open.AppOptions{User: user})
		assert.NoError(t, err, "%q", user)
	}
}
