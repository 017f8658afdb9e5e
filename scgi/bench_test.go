package scgi_test

import (
	"io"
	"net"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/adapters"
)

// A small request from Client to an application that does nothing but answer.
func BenchmarkClient(b *testing.B) {
	buf := make([]byte, 4096)
	c := app(b, "unix", func(conn net.Conn) {
		conn.Read(buf)
		io.WriteString(conn, "Content-Type: text/plain\r\nContent-Length: 12\r\n\r\nHello world\n")
	})
	b.ReportAllocs()
	for b.Loop() {
		resp, err := c.Serve(b.Context(), &adapters.Request{Method: "GET", URI: "/", Proto: "HTTP/1.1"})
		require.NoError(b, err)
		_, err = adapters.Copy(io.Discard, resp.Body)
		require.NoError(b, err)
		resp.Body.Close()
	}
}
