//go:build unix

package realtest

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/internal/peer"
)

// Applications of well-known frameworks answer through gangway serve.
func TestFrameworks(t *testing.T) {
	tests := []struct{ name, program string }{
		{"sinatra", "ruby"},
		{"rails", "ruby"},
		{"flask", "python3"},
		{"django", "python3"},
		{"dancer2", "perl"},
		{"mojolicious", "perl"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			peer.Need(t, tt.program)
			dir := filepath.Join(peer.Dir(t), tt.name)
			require.NoError(t, os.CopyFS(dir, os.DirFS("../../adapters/apps/testdata/frameworks/"+tt.name)))
			require.NoError(t, os.Mkdir(dir+"/public", 0o755))
			require.NoError(t, os.WriteFile(dir+"/public/style.css", []byte("p {}\n"), 0o644))
			a := &framework{newBrowser(t, start(t, 1, "serve", dir, "--listen", "http://127.0.0.1:0").addresses[0])}
			assert.Equal(t, "Hello Jim", a.get("/hello/Jim"))
			a.form()
			a.upload()
			a.stream(dir + "/go")
			resp, text := a.send("GET", "/style.css", "", nil)
			assert.Equal(t, "p {}\n", text)
			assert.Contains(t, resp.Header.Get("Content-Type"), "text/css")
			resp, _ = a.send("GET", "/nowhere", "", nil)
			assert.Equal(t, http.StatusNotFound, resp.StatusCode)
		})
	}
}

// A framework is an application in adapters/apps/testdata/frameworks.
type framework struct {
	*browser
}

func (a *framework) form() {
	a.t.Helper()
	body := bytes.NewBufferString(url.Values{"name": {"J&m=1"}}.Encode())
	resp, text := a.send("POST", "/form", "application/x-www-form-urlencoded", body)
	require.Contains(a.t, []int{http.StatusFound, http.StatusSeeOther}, resp.StatusCode, text)
	location, err := resp.Location()
	require.NoError(a.t, err)
	assert.Equal(a.t, a.base, location.Scheme+"://"+location.Host)
	assert.Contains(a.t, []string{"Hello J&m=1", "Hello J&amp;m=1"}, a.get(location.RequestURI()))
}

func (a *framework) upload() {
	a.t.Helper()
	content := bytes.Repeat([]byte("\r\n--x\x00\xff"), 1<<17)
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	part, err := form.CreateFormFile("file", "a b.bin")
	require.NoError(a.t, err)
	part.Write(content)
	require.NoError(a.t, form.Close())
	want := fmt.Sprintf("a b.bin %d %x", len(content), sha256.Sum256(content))
	_, text := a.send("POST", "/upload", form.FormDataContentType(), bytes.NewReader(body.Bytes()))
	assert.Equal(a.t, want, text)
	chunked := struct{ io.Reader }{&body} // of unknown length
	_, text = a.send("POST", "/upload", form.FormDataContentType(), chunked)
	assert.Equal(a.t, want, text)
}

// stream reads a response whose second line is written when the first one has come.
func (a *framework) stream(seen string) {
	a.t.Helper()
	resp, err := a.Get(a.base + "/stream")
	require.NoError(a.t, err)
	defer resp.Body.Close()
	lines := bufio.NewReader(resp.Body)
	first, err := lines.ReadString('\n')
	require.NoError(a.t, err)
	assert.Equal(a.t, "one\n", first)
	require.NoError(a.t, os.WriteFile(seen, nil, 0o644))
	rest, err := io.ReadAll(lines)
	require.NoError(a.t, err)
	assert.Equal(a.t, "two\n", string(rest))
}
