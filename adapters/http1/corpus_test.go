package http1

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/adapters"
)

// A message is a form of request and what it has to be taken for. Behind each goes a canary request on the same connection: a
// form that is refused must hide it, and one that is read must leave it whole.
type message struct {
	class, send string
	want        string // "METHOD URI HOST body" of the request, or the status it is refused with
}

const canary = "GET /canary HTTP/1.1\r\nHost: canary\r\n\r\n"

// post returns a POST with these field lines and what follows them.
func post(rest string) string { return "POST / HTTP/1.1\r\nHost: h\r\n" + rest }

func get(line string) string { return "GET / HTTP/1.1\r\nHost: h\r\n" + line + "\r\n" }

const (
	cl = "Content-Length: 3\r\n"
	te = "Transfer-Encoding: chunked\r\n"
	// zero ends a chunked body that hides a request from those who go by Content-Length, and the other way round.
	zero   = "0\r\n\r\n"
	hidden = "GET /hidden HTTP/1.1\r\nHost: h\r\n\r\n"
)

// hostile are messages that parties on the way may read differently, or that are none. RFC 9112 unless said otherwise.
var hostile = func() (list []message) {
	add := func(class string, status int, sends ...string) {
		for _, s := range sends {
			list = append(list, message{class, s, fmt.Sprint(status)})
		}
	}
	chunks := func(body string) string { return post(te + "\r\n" + body) }
	add("CL beside TE, 6.3", 400, post(cl+te+"\r\n"+zero), post(te+cl+"\r\n"+zero), post("Content-Length: 0\r\n"+te+"\r\n"+zero+hidden),
		post(te+"content-length: 5\r\n\r\n"+zero), post("Content-Length: 3\r\ntransfer-encoding: CHUNKED\r\n\r\n"+zero))
	add("TE in HTTP/1.0, 6.1", 400, "POST / HTTP/1.0\r\n"+te+"\r\n"+zero, "POST / HTTP/1.0\r\nConnection: keep-alive\r\n"+te+"\r\n"+zero)
	add("several TE, 6.1", 501, post(te+te+"\r\n"+zero), post(te+"Transfer-Encoding: identity\r\n\r\n"+zero), post("Transfer-Encoding: identity\r\n"+te+"\r\n"+zero))
	add("unknown TE, 6.1", 501, post("Transfer-Encoding: gzip\r\n\r\n"), post("Transfer-Encoding: identity\r\n\r\n"), post("Transfer-Encoding: xchunked\r\n\r\n"+zero),
		post("Transfer-Encoding: chunked, identity\r\n\r\n"+zero), post("Transfer-Encoding: gzip, chunked\r\n\r\n"+zero), post("Transfer-Encoding: chunked, chunked\r\n\r\n"+zero),
		post("Transfer-Encoding: ,chunked\r\n\r\n"+zero), post("Transfer-Encoding: chunked,\r\n\r\n"+zero), post("Transfer-Encoding: \"chunked\"\r\n\r\n"+zero),
		post("Transfer-Encoding: chunked;q=1\r\n\r\n"+zero), post("Transfer-Encoding: chunke\r\n\r\n"+zero), post("Transfer-Encoding: chunkeD foo\r\n\r\n"+zero))
	add("TE without a value, 6.1", 400, post("Transfer-Encoding: \r\n\r\n"+zero), post("Transfer-Encoding:\r\n"+te+"\r\n"+zero))
	add("control in TE, 5.5", 400, post("Transfer-Encoding: \x0bchunked\r\n\r\n"+zero), post("Transfer-Encoding: chunked\x00\r\n\r\n"+zero), post("Transfer-Encoding: \x0cchunked\r\n\r\n"+zero), post("Transfer-Encoding: chunked\r\r\n\r\n"+zero))
	add("space before the colon, 5.1", 400, post("Transfer-Encoding : chunked\r\n\r\n"+zero), post("Content-Length : 3\r\n\r\nabc"), post("Content-Length\t: 3\r\n\r\nabc"), get("X : y\r\n"), get("X\t: y\r\n"))
	add("several CL, 6.3", 400, post(cl+cl+"\r\nabc"), post(cl+"Content-Length: 4\r\n\r\nabcd"), post("Content-Length: 0\r\n"+cl+"\r\nabc"), post("content-length: 3\r\nCONTENT-LENGTH: 3\r\n\r\nabc"))
	add("list in CL, 6.3", 400, post("Content-Length: 3, 3\r\n\r\nabc"), post("Content-Length: 3,4\r\n\r\nabc"), post("Content-Length: ,3\r\n\r\nabc"), post("Content-Length: 3,\r\n\r\nabc"))
	add("sign in CL, 8.6 of RFC 9110", 400, post("Content-Length: +3\r\n\r\nabc"), post("Content-Length: -3\r\n\r\nabc"), post("Content-Length: -0\r\n\r\n"))
	add("CL that is no number, 8.6 of RFC 9110", 400, post("Content-Length: \r\n\r\n"), post("Content-Length: abc\r\n\r\n"), post("Content-Length: 3a\r\n\r\nabc"), post("Content-Length: 0x3\r\n\r\nabc"),
		post("Content-Length: 3.0\r\n\r\nabc"), post("Content-Length: 1e0\r\n\r\na"), post("Content-Length: 3 3\r\n\r\nabc"), post("Content-Length: 3;a\r\n\r\nabc"), post("Content-Length: \"3\"\r\n\r\nabc"), post("Content-Length: 1_0\r\n\r\nabc"), post("Content-Length: \xef\xbc\x93\r\n\r\nabc"))
	add("CL too large, 8.6 of RFC 9110", 400, post("Content-Length: 9223372036854775808\r\n\r\n"), post("Content-Length: 18446744073709551619\r\n\r\nabc"), post("Content-Length: 99999999999999999999999999999999\r\n\r\n"))
	add("control in CL, 5.5", 400, post("Content-Length: 3\x00\r\n\r\nabc"), post("Content-Length: \x0b3\r\n\r\nabc"), post("Content-Length: 3\r\r\n\r\nabc"))
	add("obs-fold, 5.2", 400, get("X: a\r\n b\r\n"), get("X: a\r\n\tb\r\n"), post("Transfer-Encoding:\r\n chunked\r\n\r\n"+zero), post("Content-Length:\r\n 3\r\n\r\nabc"), get("X: a\r\n \r\n"))
	add("fold of nothing, 5.2", 400, "GET / HTTP/1.1\r\n Host: h\r\n\r\n", "GET / HTTP/1.1\r\n\tHost: h\r\n\r\n", "GET / HTTP/1.1\r\n \r\nHost: h\r\n\r\n")
	add("bare LF, 2.2", 400, "GET / HTTP/1.1\nHost: h\n\n", "GET / HTTP/1.1\r\nHost: h\n\r\n", "GET / HTTP/1.1\r\nHost: h\r\n\n", get("X: a\nTransfer-Encoding: chunked\r\n"), "GET / HTTP/1.1\nHost: h\r\n\r\n")
	add("bare CR, 2.2", 400, get("X: a\rY: b\r\n"), "GET / HTTP/1.1\rHost: h\r\n\r\n", get("X: a\r\r\n"), get("\rX: a\r\n"), "GET /\r HTTP/1.1\r\nHost: h\r\n\r\n", get("X\r: a\r\n"))
	add("NUL, 5.5", 400, get("X: a\x00b\r\n"), get("X\x00: a\r\n"), "GET /\x00 HTTP/1.1\r\nHost: h\r\n\r\n", "GET\x00 / HTTP/1.1\r\nHost: h\r\n\r\n")
	add("control in a value, 5.5", 400, get("X: a\x01b\r\n"), get("X: a\x7fb\r\n"), get("X: a\x08b\r\n"), get("X: \x1b[0m\r\n"), get("X: a\x0cb\r\n"))
	add("field name, 5.1", 400, get(": x\r\n"), get("X Y: x\r\n"), get("X(: x\r\n"), get("X\xe9: x\r\n"), get("\"X\": x\r\n"), get("X@: x\r\n"), get("{X}: x\r\n"), get("X/: x\r\n"), get("X\x7f: x\r\n"))
	add("line without a colon, 5", 400, get("X\r\n"), get("GET / HTTP/1.1\r\n"), get("X y\r\n"))
	add("no Host, 3.2", 400, "GET / HTTP/1.1\r\n\r\n", "GET http://h/ HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\r\nX: Host: h\r\n\r\n")
	add("several Hosts, 3.2", 400, get("Host: h\r\n"), get("Host: other\r\n"), "GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", get("hOST: h\r\n"))
	add("Host with other things, 3.2", 400, "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", "GET / HTTP/1.1\r\nHost: a@b\r\n\r\n", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", "GET / HTTP/1.1\r\nHost: a?b\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a#b\r\n\r\n", "GET / HTTP/1.1\r\nHost: a:b\r\n\r\n", "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\\b\r\n\r\n", "GET / HTTP/1.1\r\nHost: http://a\r\n\r\n", "GET / HTTP/1.1\r\nHost: \xe9\r\n\r\n", "GET / HTTP/1.1\r\nHost: a:80:80\r\n\r\n", "GET / HTTP/1.1\r\nHost: [x]\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: []\r\n\r\n", "GET / HTTP/1.1\r\nHost: [1.2.3.4]\r\n\r\n", "GET / HTTP/1.1\r\nHost: [fe80::1%eth0]\r\n\r\n", "GET / HTTP/1.1\r\nHost: %61\r\n\r\n")
	add("authority of the target, 3.2.2", 400, "GET http:///x HTTP/1.1\r\nHost: h\r\n\r\n", "GET http://a@b/ HTTP/1.1\r\nHost: h\r\n\r\n", "GET http://a:x/ HTTP/1.1\r\nHost: h\r\n\r\n", "GET ftp://h/ HTTP/1.1\r\nHost: h\r\n\r\n", "GET http:/h/ HTTP/1.1\r\nHost: h\r\n\r\n")
	add("target that is none, 3.2", 400, "GET x HTTP/1.1\r\nHost: h\r\n\r\n", "GET ?x HTTP/1.1\r\nHost: h\r\n\r\n", "GET h:80 HTTP/1.1\r\nHost: h\r\n\r\n", "GET * HTTP/1.1\r\nHost: h\r\n\r\n", "POST * HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n", "GET \\x HTTP/1.1\r\nHost: h\r\n\r\n")
	add("fragment, 3.2", 400, "GET /#x HTTP/1.1\r\nHost: h\r\n\r\n", "GET /?a#b HTTP/1.1\r\nHost: h\r\n\r\n", "GET http://h/#x HTTP/1.1\r\nHost: h\r\n\r\n")
	add("control or space in the target, 3.2", 400, "GET /a b HTTP/1.1\r\nHost: h\r\n\r\n", "GET /a\tb HTTP/1.1\r\nHost: h\r\n\r\n", "GET /a\x7f HTTP/1.1\r\nHost: h\r\n\r\n", "GET /a\x0b HTTP/1.1\r\nHost: h\r\n\r\n")
	add("path that cannot be resolved", 400, "GET /%zz HTTP/1.1\r\nHost: h\r\n\r\n", "GET /%2 HTTP/1.1\r\nHost: h\r\n\r\n", "GET /%00 HTTP/1.1\r\nHost: h\r\n\r\n", "GET /../x HTTP/1.1\r\nHost: h\r\n\r\n", "GET /a/%2e%2e/../x HTTP/1.1\r\nHost: h\r\n\r\n")
	add("request line, 3", 400, "GET  / HTTP/1.1\r\nHost: h\r\n\r\n", "GET /  HTTP/1.1\r\nHost: h\r\n\r\n", "GET / HTTP/1.1 \r\nHost: h\r\n\r\n", "GET /\r\nHost: h\r\n\r\n", "GET\r\nHost: h\r\n\r\n", "GET\t/\tHTTP/1.1\r\nHost: h\r\n\r\n", "GET / HTTP/1.1 x\r\nHost: h\r\n\r\n", "GET /\tHTTP/1.1\r\nHost: h\r\n\r\n")
	add("method, 3.1", 400, "GE(T / HTTP/1.1\r\nHost: h\r\n\r\n", "\"GET\" / HTTP/1.1\r\nHost: h\r\n\r\n", " GET / HTTP/1.1\r\nHost: h\r\n\r\n", "GET: / HTTP/1.1\r\nHost: h\r\n\r\n", "G\xc9T / HTTP/1.1\r\nHost: h\r\n\r\n")
	add("version that is none, 2.3", 400, "GET / HTTP/1.10\r\nHost: h\r\n\r\n", "GET / HTTP/1\r\nHost: h\r\n\r\n", "GET / http/1.1\r\nHost: h\r\n\r\n", "GET / HTTP/1.x\r\nHost: h\r\n\r\n", "GET / HTTP/01.1\r\nHost: h\r\n\r\n", "GET / HTTP /1.1\r\nHost: h\r\n\r\n", "GET / HTTP/1,1\r\nHost: h\r\n\r\n", "GET / ICY/1.1\r\nHost: h\r\n\r\n")
	add("other version, 2.3", 505, "GET / HTTP/2.0\r\nHost: h\r\n\r\n", "GET / HTTP/0.9\r\nHost: h\r\n\r\n", "GET / HTTP/3.1\r\nHost: h\r\n\r\n", http2Preface)
	add("CONNECT", 501, "CONNECT h:80 HTTP/1.1\r\nHost: h:80\r\n\r\n", "CONNECT / HTTP/1.1\r\nHost: h\r\n\r\n")
	add("empty lines before the request line, 2.2", 400, "\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n", "\nGET / HTTP/1.1\r\nHost: h\r\n\r\n", "\rGET / HTTP/1.1\r\nHost: h\r\n\r\n")
	add("no HTTP", 400, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "\x00\x00\x00\x00", "{\"a\": 1}\r\n\r\n", "\x80\x2e\x01")
	add("Expect, 10.1.1 of RFC 9110", 417, post("Expect: x\r\nContent-Length: 0\r\n\r\n"), post("Expect: 100-continue, x\r\nContent-Length: 0\r\n\r\n"))
	add("chunk size that is none, 7.1", 400, chunks("x\r\nabc\r\n"+zero), chunks("\r\nabc\r\n"+zero), chunks("0x3\r\nabc\r\n"+zero), chunks("+3\r\nabc\r\n"+zero), chunks("-3\r\nabc\r\n"+zero), chunks(" 3\r\nabc\r\n"+zero), chunks("3 \r\nabc\r\n"+zero), chunks("3g\r\nabc\r\n"+zero), chunks("3.0\r\nabc\r\n"+zero), chunks("3_0\r\nabc\r\n"+zero), chunks("\t3\r\nabc\r\n"+zero))
	add("chunk size too large, 7.1", 400, chunks("FFFFFFFFFFFFFFFFF\r\nabc"), chunks("8000000000000000\r\nabc"), chunks("10000000000000003\r\nabc\r\n"+zero), chunks("fffffffffffffffffffffffffffffffe\r\nabc"))
	add("chunk size line, 7.1", 400, chunks("3\nabc\r\n"+zero), chunks("3\rabc\r\n"+zero), chunks("3\r\r\nabc\r\n"+zero), chunks("3\x00\r\nabc\r\n"+zero), chunks("3\r\nabc\n0\r\n\r\n"))
	add("chunk longer than its size, 7.1", 400, chunks("3\r\nabcd\r\n"+zero), chunks("3\r\nabc"+zero), chunks("2\r\nabc\r\n"+zero), chunks("3\r\nabc\r0\r\n\r\n"))
	add("chunk extension, 7.1.1", 400, chunks("3;\r\nabc\r\n"+zero), chunks("3; \r\nabc\r\n"+zero), chunks("3;a=\r\nabc\r\n"+zero), chunks("3;a=\"b\r\nabc\r\n"+zero), chunks("3;a=\"b\x01\"\r\nabc\r\n"+zero), chunks("3;a b\r\nabc\r\n"+zero), chunks("3 ;a\r\nabc\r\n"+zero),
		chunks("3;a\nb\r\nabc\r\n"+zero), chunks("3 a\r\nabc\r\n"+zero), chunks("3,a\r\nabc\r\n"+zero), chunks("3;a=b c\r\nabc\r\n"+zero), chunks("3;=b\r\nabc\r\n"+zero), chunks("3;a\x00\r\nabc\r\n"+zero))
	add("more framing than data, 7.1.1", 400, chunks("3;"+strings.Repeat("a", 5000)+"\r\nabc\r\n"+zero), chunks(strings.Repeat("1;"+strings.Repeat("a", 1000)+"\r\na\r\n", 40)+zero))
	add("trailer section, 7.1.2", 400, chunks("0\r\nX\r\n\r\n"), chunks("0\r\nX : y\r\n\r\n"), chunks("0\r\n X: y\r\n\r\n"), chunks("0\r\nX: y\n\r\n"), chunks("0\r\nX: a\x00\r\n\r\n"), chunks("0\r\n\n"), chunks("0\r\nX: a\r\n b\r\n\r\n"))
	return list
}()

// legitimate are odd messages with one meaning.
var legitimate = []message{
	{"plain", get(""), "GET / h "},
	{"plain", "DELETE /a HTTP/1.1\r\nHost: h\r\n\r\n", "DELETE /a h "},
	{"plain", "get / HTTP/1.1\r\nHost: h\r\n\r\n", "get / h "},
	{"method", "M-SEARCH / HTTP/1.1\r\nHost: h\r\n\r\n", "M-SEARCH / h "},
	{"method", "!#$%&'*+-.^_`|~9 / HTTP/1.1\r\nHost: h\r\n\r\n", "!#$%&'*+-.^_`|~9 / h "},
	{"minor version", "GET / HTTP/1.2\r\nHost: h\r\n\r\n", "GET / h "},
	{"empty line", "\r\n" + get(""), "GET / h "},
	{"body of GET", "GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc", "GET / h abc"},
	{"CL", post("Content-Length: 3\r\n\r\nabc"), "POST / h abc"},
	{"CL", post("Content-Length:3\r\n\r\nabc"), "POST / h abc"},
	{"CL", post("Content-Length: \t 3 \t\r\n\r\nabc"), "POST / h abc"},
	{"CL", post("Content-Length: 0003\r\n\r\nabc"), "POST / h abc"},
	{"CL", post("content-LENGTH: 3\r\n\r\nabc"), "POST / h abc"},
	{"CL", post("Content-Length: 0\r\n\r\n"), "POST / h "},
	{"CL", post("Content-Length: 5\r\n\r\n\r\nab\n"), "POST / h \r\nab\n"},
	{"no length", post("\r\n"), "POST / h "},
	{"TE", post(te + "\r\n3\r\nabc\r\n" + zero), "POST / h abc"},
	{"TE", post("transfer-encoding:Chunked\r\n\r\n3\r\nabc\r\n" + zero), "POST / h abc"},
	{"TE", post("Transfer-Encoding: \t chunked \t\r\n\r\n3\r\nabc\r\n" + zero), "POST / h abc"},
	{"TE", post(te + "\r\n" + zero), "POST / h "},
	{"TE", post(te + "\r\n00003\r\nabc\r\n000\r\n\r\n"), "POST / h abc"},
	{"TE", post(te + "\r\nA\r\n0123456789\r\na\r\n0123456789\r\n" + zero), "POST / h 01234567890123456789"},
	{"TE", post(te + "\r\n7\r\n\r\n0\r\n\r\n\r\n" + zero), "POST / h \r\n0\r\n\r\n"},
	{"chunk extension", post(te + "\r\n3;a\r\nabc\r\n0;b\r\n\r\n"), "POST / h abc"},
	{"chunk extension", post(te + "\r\n3;a=b;c=\"d e\\\"f\"\r\nabc\r\n" + zero), "POST / h abc"},
	{"chunk extension", post(te + "\r\n3; a = b ;c\r\nabc\r\n" + zero), "POST / h abc"},
	{"chunk extension", post(te + "\r\n3;a=\";\"\r\nabc\r\n" + zero), "POST / h abc"},
	{"trailer", post(te + "\r\n3\r\nabc\r\n0\r\nX: y\r\n\r\n"), "POST / h abc"},
	{"trailer", post(te + "\r\n3\r\nabc\r\n0\r\nContent-Length: 9\r\nTransfer-Encoding: x\r\n\r\n"), "POST / h abc"},
	{"trailer", post(te + "Trailer: X\r\nTE: trailers\r\n\r\n3\r\nabc\r\n0\r\nX:\r\n\r\n"), "POST / h abc"},
	{"value", get("X:\r\n"), "GET / h "},
	{"value", get("X: \r\n"), "GET / h "},
	{"value", get("X: a\tb c\r\n"), "GET / h "},
	{"value", get("X: \xe4\xff\x80\r\n"), "GET / h "},
	{"value", get("X: a: b: c\r\n"), "GET / h "},
	{"value", get("X: Transfer-Encoding: chunked\r\n"), "GET / h "},
	{"name", get("!#$%&'*+-.^_`|~: x\r\n"), "GET / h "},
	{"name", get("Content_Length: 5\r\n"), "GET / h "},
	{"name", get("Content-Length-X: 5\r\n"), "GET / h "},
	{"name", get("X-Transfer-Encoding: chunked\r\n"), "GET / h "},
	{"Host", "GET / HTTP/1.1\r\nHost: h:8080\r\n\r\n", "GET / h:8080 "},
	{"Host", "GET / HTTP/1.1\r\nHost: h:\r\n\r\n", "GET / h: "},
	{"Host", "GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", "GET / [::1]:80 "},
	{"Host", "GET / HTTP/1.1\r\nHost: a_b.c-d\r\n\r\n", "GET / a_b.c-d "},
	{"Host", "GET / HTTP/1.1\r\nHost:\r\n\r\n", "GET /  "},
	{"Host", "GET / HTTP/1.1\r\nhOST: \t h \r\n\r\n", "GET / h "},
	{"absolute form", "GET http://o/x HTTP/1.1\r\nHost: h\r\n\r\n", "GET /x o "},
	{"absolute form", "GET HTTPS://o:1?q HTTP/1.1\r\nHost: h\r\n\r\n", "GET /?q o:1 "},
	{"absolute form", "GET http://[::1]/ HTTP/1.1\r\nHost: h\r\n\r\n", "GET / [::1] "},
	{"asterisk", "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n", "OPTIONS * h "},
	{"target", "GET /?a?b&%zz HTTP/1.1\r\nHost: h\r\n\r\n", "GET /?a?b&%zz h "},
	{"target", "GET //a//b HTTP/1.1\r\nHost: h\r\n\r\n", "GET //a//b h "},
	{"target", "GET /a/../b/./c HTTP/1.1\r\nHost: h\r\n\r\n", "GET /a/../b/./c h "},
	{"target", "GET /\xff%ff HTTP/1.1\r\nHost: h\r\n\r\n", "GET /\xff%ff h "},
	{"target", "GET /http://x HTTP/1.1\r\nHost: h\r\n\r\n", "GET /http://x h "},
	{"target", "GET /\"<>\\^`{|} HTTP/1.1\r\nHost: h\r\n\r\n", "GET /\"<>\\^`{|} h "},
	{"Connection", get("Connection: keep-alive, X\r\nX: 1\r\n"), "GET / h "},
	{"Connection", get("Connection: \r\n"), "GET / h "},
	{"Expect", post("Expect: 100-Continue\r\nContent-Length: 3\r\n\r\nabc"), "POST / h abc"},
	{"Upgrade", get("Connection: Upgrade\r\nUpgrade: websocket\r\n"), "GET / h "},
}

// seen is what an application was asked.
type seen struct {
	mu       sync.Mutex
	requests []string
}

func (s *seen) add(method, uri, host, body string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = append(s.requests, method+" "+uri+" "+host+" "+body)
}

func (s *seen) Serve(_ context.Context, req *adapters.Request) (*adapters.Response, error) {
	var body []byte
	if req.Body != nil {
		var err error
		if body, err = io.ReadAll(req.Body); err != nil {
			return nil, err
		}
	}
	s.add(req.Method, req.URI, req.Host, string(body))
	return adapters.Reply(200, "text/plain", "x"), nil
}

func TestCorpus(t *testing.T) {
	classes := map[string]bool{}
	for _, m := range hostile {
		classes[m.class] = true
	}
	require.GreaterOrEqual(t, len(hostile), 150)
	require.GreaterOrEqual(t, len(classes), 40)
	require.GreaterOrEqual(t, len(legitimate), 50)
	for i, m := range append(hostile[:len(hostile):len(hostile)], legitimate...) {
		t.Run(fmt.Sprintf("%s/%d", m.class, i), func(t *testing.T) {
			app := &seen{}
			_, addr := start(t, app.Serve)
			c := dial(t, addr)
			io.WriteString(c, m.send+canary)
			c.CloseWrite()
			answer, err := io.ReadAll(c)
			require.NoError(t, err)
			app.mu.Lock()
			defer app.mu.Unlock()
			if i < len(hostile) {
				assert.Empty(t, app.requests)
				assert.Equal(t, "HTTP/1.1 "+m.want, string(answer)[:12])
				assert.Equal(t, 1, strings.Count(string(answer), "HTTP/1.1 "))
				return
			}
			assert.Equal(t, []string{m.want, "GET /canary canary "}, app.requests)
		})
	}
}

// TestPrefixes cuts every message short: it must not be taken for a whole one.
func TestPrefixes(t *testing.T) {
	for _, m := range legitimate {
		for n := range len(m.send) {
			for _, got := range served(m.send[:n]) {
				t.Errorf("%q of %q read as %q", m.send[:n], m.send, got)
			}
		}
	}
}

// served returns what the server reads from a client that sends this and ends.
func served(sent string) []string {
	app := &seen{}
	s := &Server{Handler: adapters.HandlerFunc(app.Serve), Log: slog.New(slog.DiscardHandler)}
	s.begunForTest()
	newConn(s, &memoryConn{Reader: strings.NewReader(sent)}).serve()
	return app.requests
}

func (s *Server) begunForTest() { s.conns, s.ended = map[*conn]struct{}{}, make(chan struct{}) }

// A memoryConn is a client that has sent all it wants to send.
type memoryConn struct {
	io.Reader
	mu     sync.Mutex
	answer []byte
}

func (c *memoryConn) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.answer = append(c.answer, b...)
	return len(b), nil
}

func (c *memoryConn) Close() error                     { return nil }
func (c *memoryConn) LocalAddr() net.Addr              { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 80} }
func (c *memoryConn) RemoteAddr() net.Addr             { return c.LocalAddr() }
func (c *memoryConn) SetDeadline(time.Time) error      { return nil }
func (c *memoryConn) SetReadDeadline(time.Time) error  { return nil }
func (c *memoryConn) SetWriteDeadline(time.Time) error { return nil }
