package smuggling

import "slices"

// coding returns a POST with this Transfer-Encoding and an empty chunked body.
func coding(value string) string { return post("Transfer-Encoding:" + value + "\r\n\r\n" + zero) }

// length returns a POST with this Content-Length and a body of three bytes.
func length(value string) string { return post("Content-Length:" + value + "\r\n\r\nabc") }

// framing are messages about whose length there can be two opinions.
var framing = slices.Concat(
	// May be processed by Transfer-Encoding alone, but the connection must be closed.
	class("CL beside TE, 6.3", 400,
		last(empty, post(cl+te+"\r\n"+zero), post(te+cl+"\r\n"+zero), post("Content-Length: 0\r\n"+te+"\r\n"+zero+hidden),
			post(te+"content-length: 5\r\n\r\n"+zero), post("Content-Length: 3\r\ntransfer-encoding: CHUNKED\r\n\r\n"+zero))),
	class("TE in HTTP/1.0, 6.1", 400,
		last("POST /  ", "POST / HTTP/1.0\r\n"+te+"\r\n"+zero,
			"POST / HTTP/1.0\r\nConnection: keep-alive\r\n"+te+"\r\n"+zero)),
	// Where chunked comes last it says where the body ends, whatever else there should be an error about. A list may have
	// empty elements (RFC 9110 5.6.1.2).
	class("several TE, 6.1", 501,
		may(empty, post(te+te+"\r\n"+zero), post("Transfer-Encoding: identity\r\n"+te+"\r\n"+zero)),
		never(post(te+"Transfer-Encoding: identity\r\n\r\n"+zero))),
	class("unknown TE, 6.1", 501,
		never(post("Transfer-Encoding: gzip\r\n\r\n"), post("Transfer-Encoding: identity\r\n\r\n"), coding(" xchunked"),
			coding(" chunked, identity"), coding(" \"chunked\""), coding(" chunke"), coding(" chunkeD foo")),
		may(empty, coding(" gzip, chunked"), coding(" chunked, chunked"), coding(" ,chunked"), coding(" chunked,"),
			coding(" chunked;q=1"))),
	class("TE without a value, 6.1", 400,
		never(coding(" ")), may(empty, post("Transfer-Encoding:\r\n"+te+"\r\n"+zero))),
	// NUL and CR may be replaced by a space, which then is outside the value.
	class("control in TE, 5.5", 400,
		never(coding(" \x0bchunked"), coding(" \x0cchunked")), may(empty, coding(" chunked\x00"), coding(" chunked\r"))),
	class("space before the colon, 5.1", 400,
		never(post("Transfer-Encoding : chunked\r\n\r\n"+zero), post("Content-Length : 3\r\n\r\nabc"),
			post("Content-Length\t: 3\r\n\r\nabc"), get("X : y\r\n"), get("X\t: y\r\n"))),
	// The same length twice may count once, also in a list.
	class("several CL, 6.3", 400,
		may(abc, post(cl+cl+"\r\nabc"), post("content-length: 3\r\nCONTENT-LENGTH: 3\r\n\r\nabc")),
		never(post(cl+"Content-Length: 4\r\n\r\nabcd"), post("Content-Length: 0\r\n"+cl+"\r\nabc"))),
	class("list in CL, 6.3", 400,
		may(abc, length(" 3, 3"), length(" ,3"), length(" 3,")), never(length(" 3,4"))),
	class("sign in CL, 8.6 of RFC 9110", 400,
		never(length(" +3"), length(" -3"), post("Content-Length: -0\r\n\r\n"))),
	class("CL that is no number, 8.6 of RFC 9110", 400,
		never(post("Content-Length: \r\n\r\n"), post("Content-Length: abc\r\n\r\n"), length(" 3a"), length(" 0x3"),
			length(" 3.0"), post("Content-Length: 1e0\r\n\r\na"), length(" 3 3"), length(" 3;a"), length(" \"3\""),
			length(" 1_0"), length(" \xef\xbc\x93"))),
	// Somebody may have numbers that large, and wait.
	class("CL too large, 8.6 of RFC 9110", 400,
		open(post("Content-Length: 9223372036854775808\r\n\r\n"), length(" 18446744073709551619"),
			post("Content-Length: 99999999999999999999999999999999\r\n\r\n"))),
	class("control in CL, 5.5", 400,
		may(abc, length(" 3\x00"), length(" 3\r")), never(length(" \x0b3"))),
)
