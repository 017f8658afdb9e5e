package static_test

import (
	"bytes"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/adapters/static"
)

func newServer(t *testing.T, h http.Handler) *httptest.Server {
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

func TestSeveralRanges(t *testing.T) {
	h := static.Dir(tree(t, map[string]string{"x.txt": "0123456789"}))
	resp, err := h.Serve(t.Context(), newRequest("GET", "/x.txt", "Range", "bytes=5-6, 0-1,-1"))
	require.NoError(t, err)
	assert.Equal(t, 206, resp.Status)
	_, params, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	require.NoError(t, err)
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	assert.Equal(t, resp.Header.Get("Content-Length"), strconv.Itoa(len(body)))
	parts := multipart.NewReader(bytes.NewReader(body), params["boundary"])
	for _, want := range []struct{ rng, text string }{
		{"bytes 5-6/10", "56"}, {"bytes 0-1/10", "01"}, {"bytes 9-9/10", "9"},
	} {
		part, err := parts.NextPart()
		require.NoError(t, err)
		text, err := io.ReadAll(part)
		require.NoError(t, err)
		assert.Equal(t, want.text, string(text))
		assert.Equal(t, want.rng, part.Header.Get("Content-Range"))
		assert.Equal(t, "text/plain; charset=utf-8", part.Header.Get("Content-Type"))
	}
	_, err = parts.NextPart()
	assert.Equal(t, io.EOF, err)
	_, err = resp.Body.Read(make([]byte, 1))
	assert.Equal(t, io.EOF, err)
	assert.NoError(t, resp.Body.Close())
}

// TestCloseEarly closes bodies that were not read to their end; the leak check looks for what they leave.
func TestCloseEarly(t *testing.T) {
	h := static.Dir(tree(t, map[string]string{"x": strings.Repeat("0123456789", 1<<16)}))
	for name, rng := range map[string]string{"whole": "", "part": "bytes=1-", "parts": "bytes=0-99999,200000-299999"} {
		for _, reads := range []int64{0, 10, 100} {
			t.Run(name, func(t *testing.T) {
				resp, err := h.Serve(t.Context(), newRequest("GET", "/x", "Range", rng))
				require.NoError(t, err)
				_, err = io.CopyN(io.Discard, resp.Body, reads)
				assert.NoError(t, err)
				assert.NoError(t, resp.Body.Close())
				_, err = resp.Body.Read(make([]byte, 1))
				assert.ErrorIs(t, err, adapters.ErrAborted)
				assert.NoError(t, resp.Body.Close())
			})
		}
	}
}

// from is a writer like that of net/http.
type from struct {
	bytes.Buffer
	file *os.File
}

func (w *from) ReadFrom(r io.Reader) (int64, error) {
	w.file = r.(*io.LimitedReader).R.(*os.File)
	return w.Buffer.ReadFrom(r)
}

// TestSendfile has the writer get what sendfile(2) needs.
func TestSendfile(t *testing.T) {
	content := strings.Repeat("0123456789", 1000)
	h := static.Dir(tree(t, map[string]string{"big": content, "small": "0123456789"}))
	tests := []struct {
		name, path, rng, want string
		sendfile              bool
	}{
		{"whole", "/big", "", content, true},
		{"part", "/big", "bytes=5-5004", content[5:5005], true},
		{"small part", "/big", "bytes=5-9", "56789", false},
		{"small file", "/small", "", "0123456789", false},
		{"one of several", "/big", "bytes=5-5004,99999-", content[5:5005], true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			resp, err := h.Serve(t.Context(), newRequest("GET", tt.path, "Range", tt.rng))
			require.NoError(t, err)
			var w from
			n, err := adapters.Copy(&w, resp.Body)
			require.NoError(t, err)
			assert.EqualValues(t, len(tt.want), n)
			assert.Equal(t, tt.want, w.String())
			assert.Equal(t, tt.sendfile, w.file != nil)
			assert.NoError(t, resp.Body.Close())
		})
	}
}

// TestShrunk truncates a file while it is sent: the response must not look complete.
func TestShrunk(t *testing.T) {
	for name, rng := range map[string]string{"whole": "", "part": "bytes=1-", "parts": "bytes=1-9000,10000-19000"} {
		for _, how := range []string{"Read", "WriteTo", "ReadFrom"} {
			t.Run(name+" "+how, func(t *testing.T) {
				root := tree(t, map[string]string{"x": strings.Repeat("x", 100_000)})
				resp, err := static.Dir(root).Serve(t.Context(), newRequest("GET", "/x", "Range", rng))
				require.NoError(t, err)
				require.NoError(t, os.Truncate(filepath.Join(root, "x"), 5000))
				var w from
				switch how {
				case "Read":
					_, err = io.ReadAll(resp.Body)
				case "WriteTo":
					_, err = adapters.Copy(struct{ io.Writer }{&w}, resp.Body)
				default:
					_, err = adapters.Copy(&w, resp.Body)
				}
				assert.ErrorIs(t, err, adapters.ErrTruncated)
				assert.NoError(t, resp.Body.Close())
			})
		}
	}
}

func BenchmarkServe(b *testing.B) {
	h := static.Dir(tree(b, map[string]string{"dir/x.txt": "0123456789", "x.txt": "0123456789"}))
	for _, path := range []string{"/x.txt", "/dir/x.txt"} {
		for _, follow := range []bool{false, true} {
			b.Run(strings.ReplaceAll(path[1:], "/", "_")+" follow="+strconv.FormatBool(follow), func(b *testing.B) {
				h.FollowSymlinks = follow
				req := newRequest("GET", path)
				b.ReportAllocs()
				for b.Loop() {
					resp, err := h.Serve(b.Context(), req)
					if err != nil {
						b.Fatal(err)
					}
					if _, err := adapters.Copy(io.Discard, resp.Body); err != nil {
						b.Fatal(err)
					}
					resp.Body.Close()
				}
			})
		}
	}
}
