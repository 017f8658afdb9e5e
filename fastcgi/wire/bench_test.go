package wire_test

import (
	"testing"

	"github.com/gangway-go/gangway/fastcgi/wire"
)

// The meta-variables of a small GET as nginx sends them.
var usualVars = []struct{ name, value string }{
	{"QUERY_STRING", "a=1"}, {"REQUEST_METHOD", "GET"}, {"CONTENT_TYPE", ""}, {"CONTENT_LENGTH", ""},
	{"SCRIPT_NAME", "/index.php"}, {"REQUEST_URI", "/index.php?a=1"}, {"DOCUMENT_URI", "/index.php"},
	{"DOCUMENT_ROOT", "/var/www/html"}, {"SERVER_PROTOCOL", "HTTP/1.1"}, {"REQUEST_SCHEME", "http"},
	{"GATEWAY_INTERFACE", "CGI/1.1"}, {"SERVER_SOFTWARE", "gangway"}, {"REMOTE_ADDR", "192.0.2.17"},
	{"REMOTE_PORT", "51234"}, {"SERVER_ADDR", "192.0.2.1"}, {"SERVER_PORT", "80"}, {"SERVER_NAME", "www.example.org"},
	{"SCRIPT_FILENAME", "/var/www/html/index.php"}, {"HTTP_HOST", "www.example.org"},
	{"HTTP_USER_AGENT", "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"},
	{"HTTP_ACCEPT", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"},
	{"HTTP_ACCEPT_LANGUAGE", "en-US,en;q=0.5"}, {"HTTP_ACCEPT_ENCODING", "gzip, deflate"},
	{"HTTP_CONNECTION", "keep-alive"},
}

func appendUsual(dst []byte) []byte {
	p := wire.BeginParams(wire.BeginRequest{Role: wire.RoleResponder, Flags: wire.FlagKeepConn}.Append(dst, 1), 1)
	for _, v := range usualVars {
		p.Add(v.name, v.value)
	}
	return wire.AppendEnd(p.End(), wire.TypeStdin, 1)
}

// A whole request: FCGI_BEGIN_REQUEST, FCGI_PARAMS and an empty FCGI_STDIN.
func BenchmarkAppendRequest(b *testing.B) {
	b.ReportAllocs()
	buf := appendUsual(nil)
	b.SetBytes(int64(len(buf)))
	for b.Loop() {
		buf = appendUsual(buf[:0])
	}
}

func BenchmarkParseRequest(b *testing.B) {
	b.ReportAllocs()
	data := appendUsual(nil)
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		for rest := data; len(rest) > 0; {
			h, content, next, err := wire.ParseRecord(rest)
			if err != nil {
				b.Fatal(err)
			}
			for h.Type == wire.TypeParams && len(content) > 0 {
				if _, _, content, err = wire.ParsePair(content); err != nil {
					b.Fatal(err)
				}
			}
			rest = next
		}
	}
}

func BenchmarkAppendStream(b *testing.B) {
	b.ReportAllocs()
	content := make([]byte, 1<<20)
	buf := wire.AppendStream(nil, wire.TypeStdout, 1, content)
	b.SetBytes(int64(len(content)))
	for b.Loop() {
		buf = wire.AppendStream(buf[:0], wire.TypeStdout, 1, content)
	}
}
