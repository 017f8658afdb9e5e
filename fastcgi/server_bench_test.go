package fastcgi

import (
	"context"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/adapters"
)

// nginxGet is what nginx's fastcgi_params and a browser make of a small request.
func nginxGet(begin string) string {
	return rec(tBegin, 1, begin) + rec(tParams, 1, pair("QUERY_STRING", "a=b")+pair("REQUEST_METHOD", "GET")+
		pair("CONTENT_TYPE", "")+pair("CONTENT_LENGTH", "")+pair("SCRIPT_NAME", "/index.php")+
		pair("REQUEST_URI", "/index.php?a=b")+pair("DOCUMENT_URI", "/index.php")+
		pair("DOCUMENT_ROOT", "/var/www/html")+pair("SERVER_PROTOCOL", "HTTP/1.1")+
		pair("REQUEST_SCHEME", "http")+pair("GATEWAY_INTERFACE", "CGI/1.1")+pair("SERVER_SOFTWARE", "nginx/1.22.1")+
		pair("REMOTE_ADDR", "127.0.0.1")+pair("REMOTE_PORT", "50000")+pair("SERVER_ADDR", "127.0.0.1")+
		pair("SERVER_PORT", "80")+pair("SERVER_NAME", "localhost")+pair("REDIRECT_STATUS", "200")+
		pair("HTTP_HOST", "localhost")+
		pair("HTTP_USER_AGENT", "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0")+
		pair("HTTP_ACCEPT", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8")+
		pair("HTTP_ACCEPT_LANGUAGE", "en-US,en;q=0.5")+pair("HTTP_ACCEPT_ENCODING", "gzip, deflate, br")+
		pair("HTTP_COOKIE", "session=0123456789abcdef0123456789abcdef")) + rec(tParams, 1, "") + rec(tStdin, 1, "")
}

func BenchmarkServer(b *testing.B) {
	body := strings.Repeat("x", 1<<20)
	upload := post(1, "1048576") + stdin(1, body, 32<<10)
	header := adapters.Header{{Name: "Content-Type", Value: "text/plain"}}
	tests := []struct {
		name, send string
		handler    adapters.HandlerFunc
	}{
		{"GET", nginxGet(responderKeep),
			func(context.Context, *adapters.Request) (*adapters.Response, error) {
				return adapters.Reply(200, "text/plain", "hello"), nil
			}},
		{"GET of 1 MB", nginxGet(responderKeep),
			func(context.Context, *adapters.Request) (*adapters.Response, error) {
				return &adapters.Response{Status: 200, Header: header, Body: plain{strings.NewReader(body)}}, nil
			}},
		{"POST of 1 MB", upload,
			func(_ context.Context, req *adapters.Request) (*adapters.Response, error) {
				_, err := io.Copy(io.Discard, req.Body)
				return adapters.Reply(200, "text/plain", "hello"), err
			}},
		{"GET, new connection", nginxGet(responderOnce),
			func(context.Context, *adapters.Request) (*adapters.Response, error) {
				return adapters.Reply(200, "text/plain", "hello"), nil
			}},
	}
	for _, tt := range tests {
		b.Run(tt.name, func(b *testing.B) {
			ln, err := net.Listen("unix", filepath.Join(b.TempDir(), "socket"))
			require.NoError(b, err)
			s := &Server{Handler: tt.handler, Log: slog.New(slog.DiscardHandler)}
			go s.Serve(ln)
			defer s.Shutdown(context.Background())
			dial := func() net.Conn {
				nc, err := net.Dial("unix", ln.Addr().String())
				require.NoError(b, err)
				return nc
			}
			nc := dial()
			send, answer := []byte(tt.send), make([]byte, answerSize(b, dial(), tt.send))
			b.SetBytes(int64(len(send) + len(answer)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := nc.Write(send); err != nil {
					b.Fatal(err)
				}
				if _, err := io.ReadFull(nc, answer); err != nil {
					b.Fatal(err)
				}
				if strings.Contains(tt.name, "new") {
					nc.Close()
					nc = dial()
				}
			}
			nc.Close()
		})
	}
}

// answerSize returns how long the answer is.
func answerSize(b *testing.B, nc net.Conn, send string) (n int) {
	defer nc.Close()
	go io.WriteString(nc, send)
	header := make([]byte, 8)
	for header[1] != tEnd {
		_, err := io.ReadFull(nc, header)
		require.NoError(b, err)
		m, err := io.CopyN(io.Discard, nc, int64(header[4])<<8|int64(header[5]))
		require.NoError(b, err)
		n += 8 + int(m)
	}
	return n
}
