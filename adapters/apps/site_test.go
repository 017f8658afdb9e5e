package apps_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/adapters/apps"
	"github.com/gangway-go/gangway/internal/peer"
	"github.com/gangway-go/gangway/internal/testlog"
)

func TestDetect(t *testing.T) {
	tests := []struct {
		files string
		want  apps.Kind
	}{
		{"", apps.Static},
		{"index.html", apps.Static},
		{"cgi-bin/x", apps.CGI},
		{"cgi-bin/x index.php", apps.PHP},
		{"a.php b.html", apps.PHP},
		{"public/index.php", apps.PHP},
		{"public/other.php", apps.Static},
		{"sub/a.php", apps.Static},
		{"app.psgi a.php", apps.PSGI},
		{"app.py app.psgi", apps.WSGI},
		{"wsgi.py", apps.WSGI},
		{"sub/wsgi.py", apps.Static},
		{"sub/wsgi.py manage.py", apps.WSGI},
		{"config.ru wsgi.py", apps.Rack},
	}
	for _, tt := range tests {
		t.Run(tt.files, func(t *testing.T) {
			var pairs []string
			for name := range strings.FieldsSeq(tt.files) {
				pairs = append(pairs, name, "")
			}
			dir := filepath.Join(folder(t, pairs...), ".")
			kind, err := apps.Detect(dir)
			require.NoError(t, err)
			assert.Equal(t, tt.want, kind)
		})
	}
	_, err := apps.Detect(t.TempDir() + "/no")
	assert.ErrorIs(t, err, os.ErrNotExist)
}

func TestDetectTakesTheNameLiterally(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a[b]*")
	require.NoError(t, os.Mkdir(dir, 0o755))
	require.NoError(t, os.WriteFile(dir+"/config.ru", nil, 0o644))
	kind, err := apps.Detect(dir)
	require.NoError(t, err)
	assert.Equal(t, apps.Rack, kind)
}

const (
	wsgiHello = `def app(environ, start_response):
    start_response("200 OK", [])
    return [("wsgi %s|%s" % (environ["SCRIPT_NAME"], environ["PATH_INFO"])).encode()]
`
	rackHello = `run lambda { |env| [200, {}, ["rack #{env["SCRIPT_NAME"]}|#{env["PATH_INFO"]}"]] }`
	psgiHello = `sub { [200, [], ["psgi $_[0]{SCRIPT_NAME}|$_[0]{PATH_INFO}"]] }`
	phpHello  = `<?php echo "php $_SERVER[SCRIPT_NAME]|", $_SERVER["PATH_INFO"] ?? "";`
	cgiHello  = "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\ncgi %s|%s' \"$SCRIPT_NAME\" \"$PATH_INFO\"\n"
)

// openSite opens the site in dir for the test.
func openSite(t *testing.T, dir string, o apps.Options) (*apps.Site, *site) {
	t.Helper()
	s, err := apps.Open(t.Context(), "", dir, o)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s.Close(context.Background())) })
	return s, serve(t, s)
}

func TestSite(t *testing.T) {
	for _, program := range []string{"ruby", "python3", "perl", "php-cgi"} {
		peer.Need(t, program)
	}
	dir := folder(t,
		"index.html", "start",
		"docs/a.txt", "text",
		"echo.egi", "",
		"hello.egi", "",
		"none.egi", "",
		"cgi-bin/hello", cgiHello,
		"cgi-bin/data", "not executable",
		"CGI-BIN/data", "as on a file system that does not care about case",
		"RACK/data", "likewise",
		"php/index.php", phpHello,
		"php/style.css", "css",
		"rack/config.ru", rackHello,
		"rack/public/style.css", "public",
		"wsgi/app.py", wsgiHello,
		"psgi/app.psgi", psgiHello,
		"both/config.ru", rackHello, "both/index.php", phpHello,
		"broken/app.py", "import nowhere",
		".hidden/app.py", wsgiHello,
		"public/app.py", wsgiHello,
		"package/wsgi.py", wsgiHello, "package/__init__.py", "",
		"docs/deep/app.py", wsgiHello,
		"with space/app.psgi", psgiHello,
	)
	require.NoError(t, os.Chmod(dir+"/cgi-bin/hello", 0o755))
	log := new(testlog.Buffer)
	o := options(log)
	site, s := openSite(t, dir, o)

	mounts := map[string]string{}
	for _, m := range site.Mounts {
		text := string(m.Kind)
		if m.Err != nil {
			text += ": " + m.Err.Error()
		}
		mounts[m.Prefix] = text
	}
	assert.Equal(t, map[string]string{
		"":            "cgi",
		"/both":       "rack",
		"/broken":     "wsgi: wsgi: app died at start: exit status 1: ModuleNotFoundError: No module named 'nowhere'",
		"/echo.egi":   "egi",
		"/hello.egi":  "egi",
		"/none.egi":   `egi: egi: no built-in app is called "none"; there is echo, hello`,
		"/php":        "php",
		"/psgi":       "psgi",
		"/rack":       "rack",
		"/with space": "psgi",
		"/wsgi":       "wsgi",
	}, mounts)
	assert.Empty(t, site.Mounts[0].Prefix)

	tests := []struct {
		path   string
		status int
		body   string
	}{
		{"/", 200, "start"},
		{"/docs/a.txt", 200, "text"},
		{"/hello.egi", 200, "Hello, world!\n"},
		{"/none.egi", 503, ""},
		{"/cgi-bin/hello/x", 200, "cgi /cgi-bin/hello|/x"},
		{"/cgi-bin/data", 403, ""},
		{"/cgi-bin/", 404, ""},
		{"/CGI-BIN/data", 404, ""},
		{"/php/", 200, "php /php/index.php|"},
		{"/php/index.php/x", 200, "php /php/index.php|/x"},
		{"/php/style.css", 200, "css"},
		{"/rack", 200, "rack /rack|"},
		{"/rack/a/b", 200, "rack /rack|/a/b"},
		{"/rack/style.css", 200, "public"},
		{"/rack/config.ru", 200, "rack /rack|/config.ru"},
		{"/rack/public/style.css", 200, "rack /rack|/public/style.css"},
		{"/RACK/data", 404, ""},
		{"/wsgi/", 200, "wsgi /wsgi|/"},
		{"/psgi/x", 200, "psgi /psgi|/x"},
		{"/with%20space/x", 200, "psgi /with space|/x"},
		{"/both/", 200, "rack /both|/"},
		{"/broken/", 503, ""},
		{"/.hidden/app.py", 404, ""},
		{"/public/app.py", 404, ""},
		{"/package/wsgi.py", 404, ""},
		{"/docs/deep/app.py", 404, ""},
	}
	for _, tt := range tests {
		status, body := s.get(tt.path)
		assert.Equal(t, tt.status, status, tt.path)
		if tt.body != "" {
			assert.Equal(t, tt.body, body, tt.path)
		}
	}
	_, text := s.get("/echo.egi/x")
	assert.Contains(t, text, "SCRIPT_NAME=/echo.egi\n")
	assert.Contains(t, text, "PATH_INFO=/x\n")
}

func TestAppAtTheRoot(t *testing.T) {
	peer.Need(t, "ruby")
	peer.Need(t, "php-cgi")
	dir := folder(t,
		"config.ru", rackHello,
		"secret.txt", "secret",
		"public/a.txt", "public",
		"public/docs/index.html", "docs",
		"public/empty/a.txt", "",
		"blog/index.php", phpHello,
	)
	_, s := openSite(t, dir, options(new(testlog.Buffer)))
	for path, want := range map[string]string{
		"/":              "rack |/",
		"/secret.txt":    "rack |/secret.txt",
		"/config.ru":     "rack |/config.ru",
		"/a.txt":         "public",
		"/public/a.txt":  "rack |/public/a.txt",
		"/docs/":         "docs",
		"/docs":          "rack |/docs",
		"/empty/":        "rack |/empty/",
		"/a.txt/x":       "rack |/a.txt/x",
		"/blog/":         "php /blog/index.php|",
		"/.hidden":       "rack |/.hidden",
		"/../etc/passwd": "",
	} {
		_, body := s.get(path)
		if want != "" {
			assert.Equal(t, want, body, path)
		}
	}
	resp := s.do("POST", "/a.txt", "x")
	assert.Equal(t, 200, resp.StatusCode, "only GET and HEAD ask for files")
}

// PHP in PHP is one application.
func TestPHPBeneathPHP(t *testing.T) {
	peer.Need(t, "php-cgi")
	dir := folder(t, "index.php", phpHello, "lib/a.php", phpHello, "rack/config.ru", rackHello)
	site, s := openSite(t, dir, options(new(testlog.Buffer)))
	require.Len(t, site.Mounts, 2)
	_, text := s.get("/lib/a.php")
	assert.Equal(t, "php /lib/a.php|", text)
}

func TestOpenFails(t *testing.T) {
	dir := folder(t, "index.html", "")
	for _, tt := range []struct{ name, dir, kind, want string }{
		{"no folder", dir + "/no", "", "stat " + dir + "/no: no such file or directory"},
		{"a file", dir + "/index.html", "", dir + "/index.html is not a folder"},
		{"nothing of the kind", dir, "rack", "rack: " + dir + " has no config.ru"},
		{"no kind", dir, "egi", `unknown kind of application "egi"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := apps.Open(t.Context(), apps.Kind(tt.kind), tt.dir, apps.Options{})
			assert.EqualError(t, err, tt.want)
		})
	}
}

// A broken application comes up when it is mended.
func TestRepair(t *testing.T) {
	peer.Need(t, "perl")
	dir := folder(t, "app.psgi", "die")
	site, s := openSite(t, dir, options(new(testlog.Buffer)))
	require.Error(t, site.Mounts[0].Err)
	resp := s.do("GET", "/", "")
	assert.Equal(t, 503, resp.StatusCode)
	assert.NotEmpty(t, resp.Header.Get("Retry-After"))
	require.NoError(t, os.WriteFile(dir+"/app.psgi", []byte(psgiHello), 0o644))
	require.Eventually(t, func() bool {
		status, _ := s.get("/")
		return status == 200
	}, 20*time.Second, 10*time.Millisecond)
}

func TestDjangoProject(t *testing.T) {
	peer.Need(t, "python3")
	dir := folder(t, "manage.py", "", "project/__init__.py", "", "project/wsgi.py", wsgiHello, "helper/__init__.py", "")
	site, s := openSite(t, dir, options(new(testlog.Buffer)))
	assert.Len(t, site.Mounts, 1)
	_, text := s.get("/project/")
	assert.Equal(t, "wsgi |/project/", text)
}

func TestVirtualEnvironment(t *testing.T) {
	python := peer.Need(t, "python3")
	dir := folder(t, "app.py", `import os
def app(environ, start_response):
    start_response("200 OK", [])
    return [os.environ.get("MARK", "").encode()]
`, ".venv/bin/python3", "#!/bin/sh\nMARK=venv exec "+python+" \"$@\"\n")
	require.NoError(t, os.Chmod(dir+"/.venv/bin/python3", 0o755))
	_, text := startApp(t, "", dir, options(new(testlog.Buffer))).get("/")
	assert.Equal(t, "venv", text)
}
