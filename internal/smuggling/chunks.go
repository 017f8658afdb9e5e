package smuggling

import (
	"slices"
	"strings"
)

// size returns a message with this line before a chunk of three bytes.
func size(line string) string { return chunked(line + "\r\nabc\r\n" + zero) }

// chunks are messages whose chunked body is none.
var chunks = slices.Concat(
	// White space around a size changes nothing.
	class("chunk size that is none, 7.1", 400,
		never(size("x"), size(""), size("0x3"), size("+3"), size("-3"), size("3g"), size("3.0"), size("3_0")),
		may(abc, size(" 3"), size("3 "), size("\t3"))),
	// Somebody may have numbers that large, and wait.
	class("chunk size too large, 7.1", 400,
		open(chunked("FFFFFFFFFFFFFFFFF\r\nabc"), size("10000000000000003"),
			chunked("fffffffffffffffffffffffffffffffe\r\nabc"), chunked("8000000000000000\r\nabc"))),
	// Only lines of the header and of trailers may end with LF alone (2.2): others find the end of this line elsewhere.
	class("chunk size line, 7.1", 400,
		never(chunked("3\nabc\r\n"+zero), chunked("3\rabc\r\n"+zero), chunked("3\r\nabc\n0\r\n\r\n")),
		may(abc, size("3\r"), size("3\x00"))),
	class("chunk longer than its size, 7.1", 400,
		never(chunked("3\r\nabcd\r\n"+zero), chunked("3\r\nabc"+zero), chunked("2\r\nabc\r\n"+zero),
			chunked("3\r\nabc\r0\r\n\r\n"))),
	// An extension that is not understood must be ignored. What has no semicolon in front is none, but means nothing
	// else.
	class("chunk extension, 7.1.1", 400,
		may(abc, size("3;"), size("3; "), size("3;a="), size("3;a=\"b"), size("3;a=\"b\x01\""), size("3;a=\"b\\"),
			size("3;a b"), size("3 ;a"), size("3;a=b c"), size("3;=b"), size("3;a\x00"), size("3;a=@"), size("3 a"),
			size("3,a")),
		never(size("3;a\nb"))),
	class("more framing than data, 7.1.1", 400,
		may(abc, size("3;"+strings.Repeat("a", 5000)), size("3;"+long)),
		may("POST / h "+strings.Repeat("a", 40),
			chunked(strings.Repeat("1;"+strings.Repeat("a", 1000)+"\r\na\r\n", 40)+zero))),
	// Trailer fields may be discarded unread.
	class("trailer section, 7.1.2", 400,
		may(empty, chunked("0\r\nX\r\n\r\n"), chunked("0\r\nX : y\r\n\r\n"), chunked("0\r\n X: y\r\n\r\n"),
			chunked("0\r\nX: y\n\r\n"), chunked("0\r\nX: a\x00\r\n\r\n"), chunked("0\r\n\n"),
			chunked("0\r\nX: a\r\n b\r\n\r\n"))),
	class("trailer section too large, 7.1.2", 431,
		may(empty, chunked("0\r\n"+strings.Repeat("X: "+long[:9000]+"\r\n", 8)+"\r\n"),
			chunked("0\r\nX: "+long[:4090]+"\r\n\r\n"))),
)
