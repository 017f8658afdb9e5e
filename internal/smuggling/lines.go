package smuggling

import "slices"

// startLines are messages whose lines, or whose first line, are none.
var startLines = slices.Concat(
	// A single LF may end a line of the header, and whoever reads it so finds Transfer-Encoding.
	class("bare LF, 2.2", 400,
		may(plain, "GET / HTTP/1.1\nHost: h\n\n", "GET / HTTP/1.1\r\nHost: h\n\r\n", "GET / HTTP/1.1\r\nHost: h\r\n\n",
			"GET / HTTP/1.1\nHost: h\r\n\r\n"),
		open(get("X: a\nTransfer-Encoding: chunked\r\n"))),
	// It may be replaced by a space, and be white space between the words of the request line.
	class("bare CR, 2.2", 400,
		may(plain, get("X: a\rY: b\r\n"), get("X: a\r\r\n"), line("GET /\r HTTP/1.1")),
		never("GET / HTTP/1.1\rHost: h\r\n\r\n", get("\rX: a\r\n"), get("X\r: a\r\n"))),
	class("NUL, 5.5", 400,
		may(plain, get("X: a\x00b\r\n"), get("X\x00: a\r\n")),
		never(line("GET /\x00 HTTP/1.1"), line("GET\x00 / HTTP/1.1"))),
	// Words may be found by any white space, also at the ends. Without a version it may be HTTP/0.9.
	class("request line, 3", 400,
		may(plain, line("GET  / HTTP/1.1"), line("GET /  HTTP/1.1"), line("GET / HTTP/1.1 "), line("GET\t/\tHTTP/1.1"),
			line("GET /\tHTTP/1.1")),
		last("GET /  ", line("GET /")),
		never(line("GET"), line("GET / HTTP/1.1 x"), line("GET  HTTP/1.1"), line("GET "))),
	class("method, 3.1", 400,
		may("GE(T / h ", line("GE(T / HTTP/1.1")), may("\"GET\" / h ", line("\"GET\" / HTTP/1.1")),
		may(plain, line(" GET / HTTP/1.1")), may("GET: / h ", line("GET: / HTTP/1.1")),
		may("G\xc9T / h ", line("G\xc9T / HTTP/1.1"))),
	class("version that is none, 2.3", 400,
		may(plain, line("GET / HTTP/1.10"), line("GET / HTTP/1"), line("GET / http/1.1"), line("GET / HTTP/1.x"),
			line("GET / HTTP/01.1"), line("GET / HTTP/1,1")),
		never(line("GET / HTTP /1.1"), line("GET / ICY/1.1"))),
	class("other version, 2.3", 505,
		may(plain, line("GET / HTTP/2.0"), line("GET / HTTP/0.9"), line("GET / HTTP/3.1")),
		last("PRI *  ", "PRI * HTTP/2.0\r\n\r\n")), // RFC 9113 3.4
	// Who reads it has a tunnel behind it.
	class("CONNECT, 9.3.6 of RFC 9110", 501,
		framed(last("CONNECT h:80 h:80 ", "CONNECT h:80 HTTP/1.1\r\nHost: h:80\r\n\r\n"),
			last("CONNECT / h ", line("CONNECT / HTTP/1.1")))),
	class("empty lines before the request line, 2.2", 400,
		may(plain, "\r\n\r\n"+get(""), "\n"+get(""), "\r"+get(""))),
	class("no HTTP", 400,
		never("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "\x00\x00\x00\x00", "{\"a\": 1}\r\n\r\n", "\x80\x2e\x01")),
	class("request line too long, 3", 414,
		may("GET /"+long+" h ", line("GET /"+long+" HTTP/1.1"))),
)

// fieldLines are messages with a line in their header that is no field, or none that a server takes.
var fieldLines = slices.Concat(
	// The fold may be replaced by spaces.
	class("obs-fold, 5.2", 400,
		may(plain, get("X: a\r\n b\r\n"), get("X: a\r\n\tb\r\n"), get("X: a\r\n \r\n")),
		may(empty, post("Transfer-Encoding:\r\n chunked\r\n\r\n"+zero)),
		may(abc, post("Content-Length:\r\n 3\r\n\r\nabc"))),
	// Such lines may be ignored; then two of these have no Host.
	class("fold of nothing, 2.2", 400,
		never("GET / HTTP/1.1\r\n Host: h\r\n\r\n", "GET / HTTP/1.1\r\n\tHost: h\r\n\r\n"),
		may(plain, "GET / HTTP/1.1\r\n \r\nHost: h\r\n\r\n")),
	class("control in a value, 5.5", 400,
		may(plain, get("X: a\x01b\r\n"), get("X: a\x7fb\r\n"), get("X: a\x08b\r\n"), get("X: \x1b[0m\r\n"),
			get("X: a\x0cb\r\n"))),
	// The message should be refused, but its meaning does not depend on the line.
	class("field name, 5.1", 400,
		may(plain, get(": x\r\n"), get("X Y: x\r\n"), get("X(: x\r\n"), get("X\xe9: x\r\n"), get("\"X\": x\r\n"),
			get("X@: x\r\n"), get("{X}: x\r\n"), get("X/: x\r\n"), get("X\x7f: x\r\n"))),
	class("line without a colon, 5", 400,
		may(plain, get("X\r\n"), get("GET / HTTP/1.1\r\n"), get("X y\r\n"))),
	class("no Host, 3.2", 400,
		framed(never("GET / HTTP/1.1\r\n\r\n", "GET http://h/ HTTP/1.1\r\n\r\n",
			"GET / HTTP/1.1\r\nX: Host: h\r\n\r\n"))),
	class("several Hosts, 3.2", 400,
		framed(never(get("Host: h\r\n"), get("Host: other\r\n"), "GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n",
			get("hOST: h\r\n")))),
	// RFC 3986 3.2.2 has escapes in names.
	class("Host with other things, 3.2", 400,
		framed(never(host("a/b"), host("a@b"), host("a b"), host("a?b"), host("a#b"), host("a:b"), host("[::1"),
			host("a\\b"), host("http://a"), host("\xe9"), host("a:80:80"), host("[x]"), host("[]"), host("[1.2.3.4]"),
			host("[fe80::1%eth0]"))),
		either([]string{"GET / %61 ", "GET / a "}, host("%61"))),
	class("Expect, 10.1.1 of RFC 9110", 417,
		may(empty, post("Expect: x\r\nContent-Length: 0\r\n\r\n"),
			post("Expect: 100-continue, x\r\nContent-Length: 0\r\n\r\n"))),
	class("header too large, 5.4 of RFC 9110", 431,
		may(plain, get("X: "+long+"\r\n"), get("X-"+long+": a\r\n")),
		never("GET / HTTP/1.1\r\n"+long+"\r\n\r\n")),
)

// targets are messages whose target is not what it should be.
var targets = slices.Concat(
	class("authority of the target, 3.2.2", 400,
		framed(never(line("GET http:///x HTTP/1.1"), line("GET http://a:x/ HTTP/1.1"), line("GET http:/h/ HTTP/1.1"))),
		may("GET / b ", line("GET http://a@b/ HTTP/1.1")), may(plain, line("GET ftp://h/ HTTP/1.1"))),
	// It should be refused rather than corrected, which may be what somebody waits for.
	class("target that is none, 3.2", 400,
		may("GET x h ", line("GET x HTTP/1.1")), may("GET ?x h ", line("GET ?x HTTP/1.1")),
		may("GET h:80 h ", line("GET h:80 HTTP/1.1")), may("GET * h ", line("GET * HTTP/1.1")),
		may("POST * h ", "POST * HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n"),
		may("GET \\x h ", line("GET \\x HTTP/1.1"))),
	class("fragment, 3.2", 400,
		either([]string{"GET /#x h ", "GET /%23x h "}, line("GET /#x HTTP/1.1"), line("GET http://h/#x HTTP/1.1")),
		may("GET /?a#b h ", line("GET /?a#b HTTP/1.1"))),
	class("control or space in the target, 3.2", 400,
		may("GET /a b h ", line("GET /a b HTTP/1.1")), may("GET /a\tb h ", line("GET /a\tb HTTP/1.1")),
		may("GET /a\x7f h ", line("GET /a\x7f HTTP/1.1")),
		either([]string{"GET /a h ", "GET /a\x0b h "}, line("GET /a\x0b HTTP/1.1"))),
	class("path that cannot be resolved, 2.1 and 6.2.2 of RFC 3986", 400,
		may("GET /%zz h ", line("GET /%zz HTTP/1.1")), may("GET /%2 h ", line("GET /%2 HTTP/1.1")),
		may("GET /%00 h ", line("GET /%00 HTTP/1.1")),
		either([]string{"GET /../x h ", "GET /x h "}, line("GET /../x HTTP/1.1")),
		either([]string{"GET /a/%2e%2e/../x h ", "GET /x h "}, line("GET /a/%2e%2e/../x HTTP/1.1"))),
)
