// Package allocations counts what a request through the HTTP frontend allocates:
//
//	go test -bench . ./bench/allocations
package allocations_test

import (
	"bytes"
	"context"

	"io"
	"net"
	"net/http"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/egi"
	"github.com/gangway-go/gangway/fastcgi"
	"github.com/gangway-go/gangway/fastcgi/wire"
	"github.com/gangway-go/gangway/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

// request is what a browser would send.
const request = "GET /index.php?a=1 HTTP/1.1\r\nHost: www.example.org\r\n" +
	"User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\n" +
	"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\nAccept-Language: en-US,en;q=0.5\r\n" +
	"Cookie: session=0123456789abcdef0123456789abcdef; theme=dark\r\n\r\n"

const hello = "Hello, world!\n"

func plain(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain")
	io.WriteString(w, hello)
}

// atMost is how many allocations asking a FastCGI application may cost more than an answer of gangway's own.
const atMost = 8

func TestAllocations(t *testing.T) {
	own, _ := egi.Builtin("hello")
	count := func(h adapters.Handler) float64 { return testing.AllocsPerRun(500, connect(t, adapters.HTTP(h))) }
	assert.LessOrEqual(t, count(client(t)), count(own)+atMost)
}

// The difference between two rows is what gangway adds. All of them have net/http's own allocations.
func BenchmarkHTTP(b *testing.B) {
	own, _ := egi.Builtin("hello")
	for _, bench := range []struct {
		name    string
		handler http.Handler
	}{
		{"net/http alone", http.HandlerFunc(plain)},
		{"a reply", adapters.HTTP(adapters.HandlerFunc(reply))},
		{"EGI", adapters.HTTP(own)},
		{"FastCGI", adapters.HTTP(client(b))},
	} {
		b.Run(bench.name, func(b *testing.B) {
			ask := connect(b, bench.handler)
			b.ReportAllocs()
			for b.Loop() {
				ask()
			}
		})
	}
}

// connect serves h and returns a function that asks it once, over the same connection, and allocates nothing.
func connect(tb testing.TB, h http.Handler) func() {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(tb, err)
	server := &http.Server{Handler: h}
	go server.Serve(ln)
	tb.Cleanup(func() { server.Close() })
	conn, err := net.Dial("tcp", ln.Addr().String())
	require.NoError(tb, err)
	tb.Cleanup(func() { conn.Close() })
	head, buf := []byte(request), make([]byte, 4096)
	return func() {
		conn.Write(head)
		for n := 0; !bytes.HasSuffix(buf[:n], []byte(hello)); {
			m, err := conn.Read(buf[n:])
			if err != nil {
				tb.Fatal(err)
			}
			n += m
		}
	}
}

// client returns the Client of an application that answers each request with hello and allocates nothing.
func client(tb testing.TB) *fastcgi.Client {
	ln, err := net.Listen("unix", filepath.Join(tb.TempDir(), "app.sock"))
	require.NoError(tb, err)
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go answer(conn)
		}
	}()
	c := &fastcgi.Client{Address: ln.Addr().String()}
	tb.Cleanup(func() {
		c.Close()
		ln.Close()
	})
	return c
}

// answer takes each read for a whole request.
func answer(conn net.Conn) {
	defer conn.Close()
	buf, records := make([]byte, 64<<10), make([]byte, 0, 1024)
	response := []byte("Content-Type: text/plain\r\n\r\n" + hello)
	for {
		if _, err := conn.Read(buf); err != nil {
			return
		}
		h, _ := wire.ParseHeader(buf)
		b := wire.AppendStream(records, wire.TypeStdout, h.RequestID, response)
		b = wire.EndRequest{}.Append(wire.AppendEnd(b, wire.TypeStdout, h.RequestID), h.RequestID)
		if _, err := conn.Write(b); err != nil {
			return
		}
	}
}

func reply(context.Context, *adapters.Request) (*adapters.Response, error) {
	return adapters.Reply(http.StatusOK, "text/plain", hello), nil
}
