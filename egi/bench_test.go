package egi_test

import (
	"io"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/egi"
)

// sink counts and does not copy.
type sink struct{ n int64 }

func (s *sink) Write(p []byte) (int, error) {
	s.n += int64(len(p))
	return len(p), nil
}

func BenchmarkServe(b *testing.B) {
	text := make([]byte, 1024)
	app := func(pieces, size int) http.HandlerFunc {
		piece := make([]byte, size)
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain")
			for range pieces {
				w.Write(piece)
			}
		}
	}
	benchmarks := []struct {
		name string
		app  adapters.Handler
		size int64
	}{
		{"Func 1x1K", egi.Func(func(w http.ResponseWriter, _ *egi.Request) error {
			w.Header().Set("Content-Type", "text/plain")
			_, err := w.Write(text)
			return err
		}), 1 << 10},
		{"HTTP 1x1K", egi.HTTP(app(1, 1<<10)), 1 << 10},
		{"HTTP 4x4K", egi.HTTP(app(4, 4<<10)), 16 << 10},
		{"HTTP 64x16K", egi.HTTP(app(64, 16<<10)), 1 << 20},
		{"HTTP 1024x1K", egi.HTTP(app(1024, 1<<10)), 1 << 20},
		{"HTTP 1x1M", egi.HTTP(app(1, 1<<20)), 1 << 20},
	}
	for _, bb := range benchmarks {
		b.Run(bb.name, func(b *testing.B) {
			req := newRequest("GET", "/x")
			req.Header = fields("Accept", "*/*", "Accept-Encoding", "gzip", "Accept-Language", "en", "User-Agent", "curl",
				"Cookie", "a=b", "Referer", "http://example.org/", "Cache-Control", "no-cache", "X-Request-Id", "1")
			b.ReportAllocs()
			b.SetBytes(bb.size)
			for b.Loop() {
				resp, err := bb.app.Serve(b.Context(), req)
				if err != nil {
					b.Fatal(err)
				}
				var s sink
				if _, err = adapters.Copy(&s, resp.Body); err != nil || s.n != bb.size {
					b.Fatal(err, s.n)
				}
				resp.Body.Close()
			}
		})
	}
}

// BenchmarkDirect is what HTTP costs without EGI: the handler alone, called with a writer that drops everything.
func BenchmarkDirect(b *testing.B) {
	text := make([]byte, 1024)
	r, err := newRequest("GET", "/x").HTTP(b.Context())
	require.NoError(b, err)
	b.ReportAllocs()
	for b.Loop() {
		w := &dropping{header: make(http.Header)}
		http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain")
			w.Write(text)
		}).ServeHTTP(w, r)
	}
}

type dropping struct {
	io.Writer
	header http.Header
}

func (d *dropping) Header() http.Header         { return d.header }
func (d *dropping) WriteHeader(int)             {}
func (d *dropping) Write(p []byte) (int, error) { return len(p), nil }
