// Package allocations counts what a request through the HTTP frontends allocates:
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

	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/adapters/http1"
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

// A server is one of the two that read HTTP.
type server interface {
	Serve(net.Listener) error
	Shutdown(context.Context) error
}

func own(h adapters.Handler) server { return &http1.Server{Handler: h} }

func netHTTP(h adapters.Handler) server { return &http.Server{Handler: adapters.HTTP(h)} }

func BenchmarkHTTP(b *testing.B) {
	program, _ := egi.Builtin("hello")
	answer, app := adapters.HandlerFunc(reply), client(b)
	for _, bench := range []struct {
		name   string
		server server
	}{
		{"net/http alone", &http.Server{Handler: http.HandlerFunc(plain)}},
		{"net/http, a reply", netHTTP(answer)},
		{"net/http, EGI", netHTTP(program)},
		{"net/http, FastCGI", netHTTP(app)},
		{"a reply", own(answer)},
		{"EGI", own(program)},
		{"FastCGI", own(app)},
	} {
		b.Run(bench.name, func(b *testing.B) {
			ask := connect(b, bench.server)
			b.ReportAllocs()
			for b.Loop() {
				ask()
			}
		})
	}
}

// connect starts s and returns a function that asks it once, over the same connection, and allocates nothing.
func connect(tb testing.TB, s server) func() {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(tb, err)
	go s.Serve(ln)
	tb.Cleanup(func() { s.Shutdown(context.Background()) })
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
