//go:build unix

package realtest

import (
	"bytes"
	"errors"
	"html"
	"io/fs"
	"mime/multipart"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/internal/peer"
)

const (
	dokuwikiSource = "/usr/share/dokuwiki"
	dokuwikiConfig = "/etc/dokuwiki"
)

// DokuWiki is installed, logged in to, and takes a page and a picture.
func TestDokuWiki(t *testing.T) {
	peer.Need(t, "php-fpm", "php-fpm8.2", "php-fpm8.4", "php-fpm8.3", "php-fpm8.1")
	if _, err := os.Stat(dokuwikiSource); err != nil {
		peer.Need(t, "dokuwiki")
	}
	tests := map[string]func(t *testing.T, dir string) *gateway{
		"bridge": func(t *testing.T, dir string) *gateway {
			_, socket := peer.PHPFPM(t, "php_admin_value[extension] = xml\nphp_admin_value[extension] = mbstring")
			return start(t, 1, "bridge", "--from", "http://127.0.0.1:0", "--to", "fcgi+unix://"+socket, "--root", dir)
		},
		"serve": func(t *testing.T, dir string) *gateway {
			return start(t, 1, "serve", dir, "--listen", "http://127.0.0.1:0")
		},
	}
	for name, gangway := range tests {
		t.Run(name, func(t *testing.T) {
			dir := copyDokuWiki(t)
			w := &wiki{newBrowser(t, gangway(t, dir).addresses[0])}
			w.install()
			w.logIn()
			w.savePage()
			w.upload()
			w.files(dir)
		})
	}
}

// copyDokuWiki returns a folder with DokuWiki as its authors deliver it: with its settings and its data within.
func copyDokuWiki(t *testing.T) string {
	dir := peer.Dir(t)
	copyTree(t, dokuwikiSource, dir)
	copyTree(t, dokuwikiConfig, dir+"/conf")
	require.NoError(t, os.Remove(dir+"/inc/preload.php")) // leads to Debian's folders
	for _, chosen := range []string{"local.php", "acl.auth.php", "users.auth.php"} {
		require.NoError(t, os.RemoveAll(filepath.Join(dir, "conf", chosen)))
	}
	for name := range strings.FieldsSeq("pages attic media media_attic media_meta meta cache locks index tmp log") {
		require.NoError(t, os.MkdirAll(filepath.Join(dir, "data", name), 0o755))
	}
	protected := "<?php $conf['savedir'] = './data';"
	require.NoError(t, os.WriteFile(dir+"/conf/local.protected.php", []byte(protected), 0o644))
	return dir
}

// copyTree copies what may be read, and what symbolic links lead to.
func copyTree(t *testing.T, from, to string) {
	require.NoError(t, os.MkdirAll(to, 0o755))
	entries, err := os.ReadDir(from)
	if errors.Is(err, fs.ErrPermission) {
		return
	}
	require.NoError(t, err)
	for _, e := range entries {
		source, target := filepath.Join(from, e.Name()), filepath.Join(to, e.Name())
		info, err := os.Stat(source)
		if errors.Is(err, fs.ErrPermission) {
			continue
		}
		require.NoError(t, err)
		if info.IsDir() {
			copyTree(t, source, target)
		} else if content, err := os.ReadFile(source); !errors.Is(err, fs.ErrPermission) {
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(target, content, 0o644))
		}
	}
}

// A wiki is what a browser sees of DokuWiki.
type wiki struct {
	*browser
}

func (w *wiki) post(path string, form url.Values) (*http.Response, string) {
	w.t.Helper()
	return w.send("POST", path, "application/x-www-form-urlencoded", strings.NewReader(form.Encode()))
}

func (w *wiki) install() {
	w.t.Helper()
	assert.Contains(w.t, w.get("/install.php"), `name="d[superuser]"`)
	resp, text := w.post("/install.php", url.Values{
		"submit": {"Save"}, "l": {"en"}, "d[title]": {"Gangway's wiki"}, "d[acl]": {"on"}, "d[superuser]": {"admin"},
		"d[fullname]": {"Ada Min"}, "d[email]": {"a@example.com"},
		"d[password]": {"p&ss=1 ü"}, "d[confirm]": {"p&ss=1 ü"},
		"d[policy]": {"1"}, "d[license]": {"0"},
	})
	require.Equal(w.t, http.StatusOK, resp.StatusCode)
	require.Contains(w.t, text, "The configuration was finished successfully", text)
	assert.Contains(w.t, w.get("/doku.php"), "Gangway's wiki")
}

// token returns what a form must send along.
func (w *wiki) token(page string) string {
	w.t.Helper()
	found := regexp.MustCompile(`name="sectok" value="([^"]*)"`).FindStringSubmatch(page)
	require.NotNil(w.t, found, page)
	return found[1]
}

func (w *wiki) logIn() {
	w.t.Helper()
	form := url.Values{"id": {"start"}, "do": {"login"}, "u": {"admin"}, "p": {"wrong"}}
	form.Set("sectok", w.token(w.get("/doku.php?id=start&do=login")))
	_, text := w.post("/doku.php?id=start", form)
	assert.Contains(w.t, text, "username or password was wrong")
	form.Set("p", "p&ss=1 ü")
	w.post("/doku.php?id=start", form)
	assert.Contains(w.t, w.get("/doku.php?id=start"), "Ada Min")
}

func (w *wiki) savePage() {
	w.t.Helper()
	page := w.get("/doku.php?id=a:page&do=edit")
	text := "====== Brücke ======\nOver **the** water & <back>.\n" + strings.Repeat("A line that repeats.\n\n", 5000)
	resp, _ := w.post("/doku.php?id=a:page", url.Values{
		"sectok": {w.token(page)}, "id": {"a:page"}, "rev": {"0"}, "date": {""}, "prefix": {"."}, "suffix": {""},
		"changecheck": {""}, "target": {"section"}, "wikitext": {text}, "summary": {"made"}, "do[save]": {"Save"},
	})
	require.Contains(w.t, []int{http.StatusFound, http.StatusSeeOther}, resp.StatusCode)
	location, err := resp.Location()
	require.NoError(w.t, err)
	shown := w.get(location.RequestURI())
	assert.Contains(w.t, shown, "Over <strong>the</strong> water &amp; &lt;back&gt;.")
	assert.Contains(w.t, shown, "Brücke</h1>")
	assert.Equal(w.t, text, w.get("/doku.php?id=a:page&do=export_raw"))
	assert.Contains(w.t, html.UnescapeString(w.get("/doku.php?id=a:page&do=revisions")), "made")
}

// upload sends a picture and reads it.
func (w *wiki) upload() {
	w.t.Helper()
	picture, err := os.ReadFile(dokuwikiSource + "/lib/tpl/dokuwiki/images/logo.png")
	require.NoError(w.t, err)
	page := w.get("/lib/exe/mediamanager.php?ns=a")
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	fields := map[string]string{"sectok": w.token(page), "ns": "a", "mediaid": "logo.png", "do": "media"}
	for name, value := range fields {
		require.NoError(w.t, form.WriteField(name, value))
	}
	part, err := form.CreateFormFile("upload", "logo.png")
	require.NoError(w.t, err)
	part.Write(picture)
	require.NoError(w.t, form.Close())
	resp, text := w.send("POST", "/lib/exe/mediamanager.php", form.FormDataContentType(), &body)
	require.Equal(w.t, http.StatusOK, resp.StatusCode)
	assert.Contains(w.t, text, "Upload successful")
	resp, text = w.send("GET", "/lib/exe/fetch.php?media=a:logo.png", "", nil)
	assert.Equal(w.t, "image/png", resp.Header.Get("Content-Type"))
	assert.Equal(w.t, picture, []byte(text))
}

// files are asked for past the scripts.
func (w *wiki) files(dir string) {
	w.t.Helper()
	want, err := os.ReadFile(dir + "/lib/tpl/dokuwiki/images/logo.png")
	require.NoError(w.t, err)
	assert.Equal(w.t, want, []byte(w.get("/lib/tpl/dokuwiki/images/logo.png")))
	assert.Contains(w.t, w.get("/lib/exe/css.php?t=dokuwiki"), ".dokuwiki")
	assert.Contains(w.t, w.get("/lib/exe/js.php?t=dokuwiki"), "jQuery")
	resp, _ := w.send("GET", "/lib", "", nil)
	assert.Equal(w.t, http.StatusMovedPermanently, resp.StatusCode)
	resp, _ = w.send("GET", "/.htaccess", "", nil)
	assert.Equal(w.t, http.StatusNotFound, resp.StatusCode)
}
