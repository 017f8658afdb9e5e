package http1

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"bufio"

	"github.com/gangway-go/gangway/adapters"
)

// TestPatience: a client that takes little at a time, from a buffer of megabytes, is not one that takes nothing.
func TestPatience(t *testing.T) {
	content := bytes.Repeat([]byte("0123456789abcdef"), 6<<20/16)
	path := filepath.Join(t.TempDir(), "f")
	require.NoError(t, os.WriteFile(path, content, 0o600))
	length := adapters.Field{Name: "Content-Length", Value: strconv.Itoa(len(content))}
	for name, body := range map[string]func() (io.ReadCloser, []adapters.Field){
		"in one piece": func() (io.ReadCloser, []adapters.Field) { return io.NopCloser(bytes.NewReader(content)), nil },
		"in pieces": func() (io.ReadCloser, []adapters.Field) {
			return io.NopCloser(struct{ io.Reader }{bytes.NewReader(content)}), []adapters.Field{length}
		},
		"file": func() (io.ReadCloser, []adapters.Field) {
			f, err := os.Open(path)
			require.NoError(t, err)
			return wholeFile{f}, []adapters.Field{length}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log syncBuffer
			_, addr := start(t, func(context.Context, *adapters.Request) (*adapters.Response, error) {
				b, fields := body()
				return text(200, b, fields...), nil
			}, logged(&log), func(s *Server) { s.WriteTimeout = time.Second })
			c := dial(t, addr)
			c.SetReadBuffer(256 << 10)
			io.WriteString(c, "GET / "+last+"\r\n")
			resp, err := http.ReadResponse(bufio.NewReader(slowly{c}), nil)
			require.NoError(t, err)
			got, err := io.ReadAll(resp.Body)
			require.NoError(t, err, log.String())
			assert.True(t, bytes.Equal(content, got), "%d bytes", len(got))
		})
	}
}

// A wholeFile gives itself to a writer that has ReadFrom.
type wholeFile struct{ *os.File }

func (f wholeFile) WriteTo(w io.Writer) (int64, error) { return w.(io.ReaderFrom).ReadFrom(f.File) }

// slowly reads a few pieces, and then pauses for a part of the server's patience.
type slowly struct{ io.Reader }

func (r slowly) Read(p []byte) (int, error) {
	n, err := io.ReadAtLeast(r.Reader, p, 1)
	if n > 1000 {
		time.Sleep(time.Duration(n) * time.Second / (1 << 20))
	}
	return n, err
}
