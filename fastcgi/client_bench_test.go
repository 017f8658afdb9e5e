package fastcgi_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/fastcgi"
	"github.com/gangway-go/gangway/fastcgi/wire"
)

// A nullApp answers each request that comes in one piece with the same bytes, and allocates nothing.
func nullApp(tb testing.TB, answer []byte) *fastcgi.Client {
	ln, err := net.Listen("unix", filepath.Join(tb.TempDir(), "app.sock"))
	require.NoError(tb, err)
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				answer, buf := bytes.Clone(answer), make([]byte, 64<<10)
				for {
					n, err := conn.Read(buf)
					if err != nil {
						return
					}
					for i := 0; i < len(answer); { // the request's id into all records
						h, _ := wire.ParseHeader(answer[i:])
						copy(answer[i+2:i+4], buf[2:4])
						i += wire.HeaderLen + int(h.ContentLength)
					}
					if !bytes.HasSuffix(buf[:n], []byte{0, 0, 0, 0}) {
						continue
					}
					if _, err := conn.Write(answer); err != nil {
						return
					}
				}
			}()
		}
	}()
	c := &fastcgi.Client{Address: ln.Addr().String()}
	tb.Cleanup(func() {
		ln.Close()
		c.Close()
	})
	return c
}

func complete(body []byte, header string) []byte {
	b := wire.AppendStream(nil, wire.TypeStdout, 1, append([]byte(header), body...))
	return wire.EndRequest{}.Append(wire.AppendEnd(b, wire.TypeStdout, 1), 1)
}

func smallGet() *adapters.Request {
	return &adapters.Request{
		Method: "GET", URI: "/index.php?a=1", Proto: "HTTP/1.1", Host: "www.example.org", Query: "a=1", Scheme: "http",
		Header: fields(
			"User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
			"Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
			"Accept-Language", "en-US,en;q=0.5", "Accept-Encoding", "gzip, deflate", "Cookie", "a=1; b=2",
		),
		Script: adapters.Script{Name: "/index.php", Filename: "/var/www/html/index.php", Root: "/var/www/html"},
		Remote: adapters.Endpoint{Addr: "192.0.2.17", Port: "51234"},
		Local:  adapters.Endpoint{Addr: "192.0.2.1", Port: "80", Name: "www.example.org"},
	}
}

func fields(pairs ...string) (h adapters.Header) {
	for pair := range slices.Chunk(pairs, 2) {
		h.Add(pair[0], pair[1])
	}
	return h
}

func discard(tb testing.TB, c *fastcgi.Client, ctx context.Context, req *adapters.Request) int64 {
	resp, err := c.Serve(ctx, req)
	require.NoError(tb, err)
	n, err := resp.Body.(io.WriterTo).WriteTo(io.Discard)
	require.NoError(tb, err)
	require.NoError(tb, resp.Body.Close())
	return n
}

func BenchmarkClient(b *testing.B) {
	const header = "Content-Type: text/plain\r\nContent-Length: 12\r\n\r\n"
	small := complete([]byte("hello world\n"), header)
	b.Run("GET", func(b *testing.B) {
		c, req := nullApp(b, small), smallGet()
		b.ReportAllocs()
		for b.Loop() {
			discard(b, c, context.Background(), req)
		}
	})
	b.Run("GET that can be cancelled", func(b *testing.B) {
		c, req := nullApp(b, small), smallGet()
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		b.ReportAllocs()
		for b.Loop() {
			discard(b, c, ctx, req)
		}
	})
	b.Run("parallel", func(b *testing.B) {
		c := nullApp(b, small)
		b.ReportAllocs()
		b.SetParallelism(16)
		b.RunParallel(func(pb *testing.PB) {
			req := smallGet()
			for pb.Next() {
				discard(b, c, context.Background(), req)
			}
		})
	})
	for _, size := range []int{64 << 10, 1 << 20} {
		b.Run(http.StatusText(200)+" "+byteSize(size), func(b *testing.B) {
			c, req := nullApp(b, complete(make([]byte, size), "Content-Type: text/plain\r\n\r\n")), smallGet()
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				require.Equal(b, int64(size), discard(b, c, context.Background(), req))
			}
		})
	}
}

func byteSize(n int) string {
	if n >= 1<<20 {
		return "1 MB"
	}
	return "64 KB"
}
