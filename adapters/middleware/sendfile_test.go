package middleware

import (
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/adapters/static"
)

var _ FileServer = (*static.Files)(nil)

// newTree makes a tree of files whose content is their name, and a link that leads out of it.
func newTree(t *testing.T) string {
	root := t.TempDir()
	for _, name := range []string{"secret.txt", "private/a b.txt", "private/deep/c%20.txt", "private/deep/.d"} {
		path := filepath.Join(root, filepath.FromSlash(name))
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		require.NoError(t, os.WriteFile(path, []byte(name), 0o600))
	}
	require.NoError(t, os.Symlink(filepath.Join(root, "secret.txt"), filepath.Join(root, "private", "link.txt")))
	return filepath.ToSlash(root)
}

func TestSendfile(t *testing.T) {
	root := newTree(t)
	deep := static.Dir(root + "/private/deep")
	s := &Sendfile{
		Paths: []FileRoot{{root + "/private", static.Dir(root + "/private")}, {"/app/deep/", deep}},
		URIs: []FileRoot{
			{"/protected", static.Dir(root + "/private")}, {"/protected/below/", deep}, {"/protected/b", static.Dir("/none")},
		},
	}
	tests := []struct {
		name, field, value string
		status             int
		body               string
	}{
		{"path", "X-Sendfile", root + "/private/a b.txt", 200, "private/a b.txt"},
		{"name of the field", "x-SENDFILE", root + "/private/a b.txt", 200, "private/a b.txt"},
		{"lighttpd", "X-LIGHTTPD-send-file", root + "/private/a b.txt", 200, "private/a b.txt"},
		{"folder as the application sees it", "X-Sendfile", "/app/deep/c%20.txt", 200, "private/deep/c%20.txt"},
		{"dot-file", "X-Sendfile", "/app/deep/.d", 200, "private/deep/.d"},
		{"dot segments within", "X-Sendfile", root + "/private/./deep/../a b.txt", 200, "private/a b.txt"},
		{"out by dots", "X-Sendfile", root + "/private/../secret.txt", 403, ""},
		{"out by a link", "X-Sendfile", root + "/private/link.txt", 404, ""},
		{"elsewhere", "X-Sendfile", "/etc/passwd", 403, ""},
		{"neighbour with the same beginning", "X-Sendfile", root + "/private.txt", 403, ""},
		{"relative", "X-Sendfile", "a b.txt", 403, ""},
		{"the folder", "X-Sendfile", root + "/private", 403, ""},
		{"a folder", "X-Sendfile", root + "/private/deep", 403, ""},
		{"a file and a slash", "X-Sendfile", root + "/private/a b.txt/", 200, "private/a b.txt"},
		{"not there", "X-Sendfile", root + "/private/none", 404, ""},
		{"NUL", "X-Sendfile", root + "/private/a\x00b", 404, ""},
		{"URI where a path belongs", "X-Sendfile", "/protected/a%20b.txt", 403, ""},

		{"URI", "X-Accel-Redirect", "/protected/a%20b.txt", 200, "private/a b.txt"},
		{"URI that is not encoded", "X-Accel-Redirect", "/protected/a b.txt", 200, "private/a b.txt"},
		{"URI with a query", "X-Accel-Redirect", "/protected/a%20b.txt?x=../..", 200, "private/a b.txt"},
		{"longest prefix", "X-Accel-Redirect", "/protected/below/c%2520.txt", 200, "private/deep/c%20.txt"},
		{"out by dots in a URI", "X-Accel-Redirect", "/protected/../secret.txt", 403, ""},
		{"out by encoded dots", "X-Accel-Redirect", "/protected/%2e%2e/secret.txt", 403, ""},
		{"out of the tree", "X-Accel-Redirect", "/../x", 403, ""},
		{"encoded slash", "X-Accel-Redirect", "/protected/deep%2fc", 403, ""},
		{"bad escape", "X-Accel-Redirect", "/protected/%zz", 403, ""},
		{"other URI", "X-Accel-Redirect", "/public/a", 403, ""},
		{"absolute URI", "X-Accel-Redirect", "http://example.org/protected/a%20b.txt", 403, ""},
		{"path where a URI belongs", "X-Accel-Redirect", root + "/private/a b.txt", 403, ""},
		{"missing URI", "X-Accel-Redirect", "/protected/none", 404, ""},

		{"no value", "X-Sendfile", "", 200, "of the app"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			log := captureLog(t)
			body := &testBody{Reader: strings.NewReader("of the app")}
			a := &app{resp: func() *adapters.Response {
				return &adapters.Response{Status: 200, Header: adapters.Header{{Name: tt.field, Value: tt.value}}, Body: body}
			}}
			resp, got, err := serve(t, s.Wrap(a), get("/"))
			assert.Equal(t, 1, body.closed)
			if tt.status != 200 {
				assert.Equal(t, tt.status, adapters.StatusOf(err))
				require.NotErrorIs(t, err, adapters.ErrDeclined)
				assert.Equal(t, 1, strings.Count(log.String(), "file not sent"), log.String())
				assert.Contains(t, log.String(), "request=id-1")
				return
			}
			require.NoError(t, err)
			assert.Equal(t, tt.body, got)
			assert.False(t, resp.Header.Has(tt.field))
			assert.Empty(t, log.String())
		})
	}
}

func TestSendfileFields(t *testing.T) {
	root := newTree(t)
	const size = "15" // of private/a b.txt
	s := &Sendfile{URIs: []FileRoot{{"/p", static.Dir(root + "/private")}}}
	tests := []struct {
		name   string
		method string
		asked  []string // fields of the request
		status int      // of the application
		fields []string // of the application
		want   int
		body   string
		has    map[string]string
		lacks  []string
	}{
		{"the application's fields", "GET", nil, 200, []string{
			"Content-Type", "image/x", "Content-Disposition", "attachment", "Set-Cookie", "a", "Set-Cookie", "b",
			"Cache-Control", "private", "Content-Length", "0", "Content-Encoding", "gzip", "ETag", `"app"`,
			"Last-Modified", "yesterday", "Vary", "Cookie",
		}, 200, "private/a b.txt", map[string]string{
			"Content-Type": "image/x", "Content-Disposition": "attachment", "Set-Cookie": "a, b", "Cache-Control": "private",
			"Content-Length": size, "Vary": "Cookie", "Accept-Ranges": "bytes",
		}, []string{"Content-Encoding", "X-Accel-Redirect"}},
		{"type of the file", "GET", nil, 200, nil, 200, "private/a b.txt",
			map[string]string{"Content-Type": "text/plain; charset=utf-8"}, nil},
		{"HEAD", "HEAD", nil, 200, nil, 200, "", map[string]string{"Content-Length": size}, nil},
		{"range", "GET", []string{"Range", "bytes=8-10"}, 200,
			[]string{"Content-Type", "image/x", "Set-Cookie", "a"}, 206, "a b",
			map[string]string{"Content-Range": "bytes 8-10/15", "Content-Type": "image/x", "Set-Cookie": "a"}, nil},
		{"range, which the application looked at too", "GET", []string{"Range", "bytes=8-10"}, 206,
			[]string{"Content-Range", "bytes 0-0/1"}, 206, "a b", map[string]string{"Content-Range": "bytes 8-10/15"}, nil},
		{"range of what only the application knows", "GET", []string{"Range", "bytes=8-10", "If-Range", `"app"`}, 206,
			[]string{"ETag", `"app"`, "Content-Range", "bytes 8-10/15"}, 200, "private/a b.txt",
			map[string]string{"Content-Length": size}, []string{"Content-Range"}},
		{"range beyond the end", "GET", []string{"Range", "bytes=99-"}, 200, []string{"Content-Type", "image/x"}, 416,
			"invalid range: failed to overlap\n", map[string]string{"Content-Range": "bytes */15"}, nil},
		{"not modified", "GET", []string{"If-Modified-Since", "Fri, 01 Jan 2100 00:00:00 GMT"}, 200,
			[]string{"Set-Cookie", "a"}, 304, "", map[string]string{"Set-Cookie": "a"}, []string{"Content-Length"}},
		{"error page", "GET", []string{"Range", "bytes=0-1"}, 404, nil, 404, "private/a b.txt", nil, nil},
		{"POST", "POST", []string{"Range", "bytes=0-1"}, 200, nil, 200, "private/a b.txt", nil, nil},
		{"created", "POST", nil, 201, []string{"Location", "/x"}, 201, "private/a b.txt",
			map[string]string{"Location": "/x"}, nil},
		{"no file to send", "GET", nil, 304, []string{"ETag", `"app"`}, 304, "", map[string]string{"ETag": `"app"`}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			body := ""
			a := &app{resp: answers(tt.status, body, append(tt.fields, "X-Accel-Redirect", "/p/a%20b.txt")...)}
			req := get("/", tt.asked...)
			req.Method = tt.method
			req.Body, req.ContentLength = strings.NewReader("x"), 1
			resp, got, err := serve(t, s.Wrap(a), req)
			require.NoError(t, err)
			assert.Equal(t, tt.want, resp.Status)
			assert.Equal(t, tt.body, got)
			for name, value := range tt.has {
				assert.Equal(t, value, strings.Join(resp.Header.Values(name), ", "), name)
			}
			for _, name := range append(tt.lacks, "X-Accel-Redirect") {
				assert.False(t, resp.Header.Has(name), name)
			}
			if tt.want == 200 {
				assert.NotEqual(t, `"app"`, resp.Header.Get("ETag"))
				assert.Len(t, resp.Header.Values("ETag"), 1)
				assert.NotEqual(t, "yesterday", resp.Header.Get("Last-Modified"))
			}
		})
	}
}

func TestSendfileSeveralRanges(t *testing.T) {
	s := &Sendfile{URIs: []FileRoot{{"/p", static.Dir(newTree(t) + "/private")}}}
	a := &app{resp: answers(200, "", "Content-Type", "image/x", "X-Accel-Redirect", "/p/a%20b.txt")}
	resp, body, err := serve(t, s.Wrap(a), get("/", "Range", "bytes=0-1,8-9"))
	require.NoError(t, err)
	assert.Equal(t, 206, resp.Status)
	assert.Regexp(t, "^multipart/byteranges; boundary=", resp.Header.Get("Content-Type"))
	assert.Len(t, resp.Header.Values("Content-Type"), 1)
	assert.Equal(t, 2, strings.Count(body, "Content-Range:"))
}

// An answer is a FileServer's.
type answer func() *adapters.Response

func (a answer) ServeFile(*adapters.Request, string) (*adapters.Response, error) { return a(), nil }

func TestSendfileKeepsBothVary(t *testing.T) {
	s := &Sendfile{URIs: []FileRoot{{"/p", answer(answers(200, "", "Vary", "Accept-Encoding", "X-A", "1", "X-A", "2"))}}}
	resp, _, err := serve(t, s.Wrap(&app{resp: answers(200, "", "X-Accel-Redirect", "/p/x", "Vary", "Cookie")}), get("/"))
	require.NoError(t, err)
	assert.Equal(t, []string{"Cookie", "Accept-Encoding"}, resp.Header.Values("Vary"))
	assert.Equal(t, []string{"1", "2"}, resp.Header.Values("X-A"))
}

func TestSendfileThatIsOff(t *testing.T) {
	files := []FileRoot{{"/p", static.Dir(newTree(t) + "/private")}}
	fields := []string{"X-Sendfile", "/p/x", "X-LIGHTTPD-send-file", "/p/x", "X-Accel-Redirect", "/p/x", "X-Other", "1"}
	tests := []struct {
		name     string
		sendfile Sendfile
		want     []string // fields that pass; nil: an error
	}{
		{"all off", Sendfile{}, []string{"X-Sendfile", "X-LIGHTTPD-send-file", "X-Accel-Redirect", "X-Other"}},
		{"nothing allowed", Sendfile{Paths: []FileRoot{}, URIs: []FileRoot{}}, nil},
		{"paths only", Sendfile{Paths: files}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			captureLog(t)
			resp, body, err := serve(t, tt.sendfile.Wrap(&app{resp: answers(200, "of the app", fields...)}), get("/"))
			if tt.want == nil {
				require.Error(t, err)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, "of the app", body)
			var names []string
			for name := range resp.Header.All() {
				names = append(names, name)
			}
			assert.Equal(t, tt.want, names)
		})
	}
	both := &app{resp: answers(200, "", "X-Sendfile", "/x", "X-Accel-Redirect", "/p/a%20b.txt")}
	resp, _, err := serve(t, (&Sendfile{URIs: files}).Wrap(both), get("/"))
	require.NoError(t, err)
	assert.Equal(t, "/x", resp.Header.Get("X-Sendfile"), "one is off, the other on")
}

// CVE-2025-61780: a Rack application chooses by fields that the client could send.
func TestSendfileRemovesFieldsForRack(t *testing.T) {
	a := &app{}
	req := get("/", "X-Sendfile-Type", "X-Accel-Redirect", "x-accel-mapping", "/=/p/", "Accept", "*/*")
	_, _, err := serve(t, (&Sendfile{}).Wrap(a), req)
	require.NoError(t, err)
	assert.Equal(t, adapters.Header{{Name: "Accept", Value: "*/*"}}, a.last(t).Header)
}

func TestSendfileErrors(t *testing.T) {
	_, _, err := serve(t, (&Sendfile{}).Wrap(&app{err: adapters.ErrDeclined}), get("/"))
	require.Equal(t, adapters.ErrDeclined, err)

	captureLog(t)
	s := &Sendfile{URIs: []FileRoot{{"/p", declining{}}}}
	_, _, err = serve(t, s.Wrap(&app{resp: answers(200, "", "X-Accel-Redirect", "/p/x")}), get("/"))
	require.NotErrorIs(t, err, adapters.ErrDeclined)
	assert.Equal(t, 404, adapters.StatusOf(err))
}

type declining struct{}

func (declining) ServeFile(*adapters.Request, string) (*adapters.Response, error) {
	return nil, adapters.ErrDeclined
}

func TestSendfileOverHTTP(t *testing.T) {
	root := newTree(t)
	s := &Sendfile{URIs: []FileRoot{{"/p", static.Dir(root + "/private")}}}
	a := &app{resp: answers(200, "", "X-Accel-Redirect", "/p/a%20b.txt", "Content-Type", "image/x")}
	server := httptest.NewServer(adapters.HTTP(s.Wrap(a)))
	defer server.Close()
	out := command(t, "", "curl", "-sS", "-D", "-", "-r", "8-10", server.URL)
	assert.Contains(t, out, "206 Partial Content\r\n")
	assert.Contains(t, out, "Content-Type: image/x\r\n")
	assert.True(t, strings.HasSuffix(out, "\r\n\r\na b"), out)
	assert.NotContains(t, out, "X-Accel")
	out = command(t, "", "curl", "-sS", "-I", server.URL)
	assert.Contains(t, out, "Content-Length: 15\r\n")
}
