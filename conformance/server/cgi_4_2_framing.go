package server

import (
	"slices"

	"github.com/gangway-go/gangway/conformance"
)

const (
	quoteChunk = "A server that reads the chunks of a body otherwise than what is before it takes a part of the body " +
		"for the next request, or the other way round."
	quoteChunkSize = "Recipients MUST anticipate potentially large hexadecimal numerals and prevent parsing errors due " +
		"to integer conversion overflows or precision loss due to integer representation."
	specChunk = "RFC 9112 section 7.1; RFC 3875"
)

// cgi42Framing are the cases about a body that is framed wrongly.
var cgi42FramingFixed = []conformance.Case{
	{
		Name: "cgi/4.2/body-chunk-extensions", Level: conformance.Robustness, Spec: "RFC 9112 section 7.1.1; RFC 3875",
		Quote:  "A recipient MUST ignore unrecognized chunk extensions.",
		Sends:  "a chunked body with the extensions ;a, ;b=c and ;d=\"e;f\"",
		Passes: "gives the body without them, or answers 411",
		Run: test(func(t *T) {
			t.Chunks("abcdef", "1;a\r\na\r\n2;b=c\r\nbc\r\n3;d=\"e;f\"\r\ndef\r\n0;g\r\n\r\n")
		}),
	},
	{
		Name: "cgi/4.2/body-chunked-http10", Level: conformance.Security, Spec: "RFC 9112 section 6.1; RFC 3875",
		Quote: "A server or client that receives an HTTP/1.0 message containing a Transfer-Encoding header field MUST " +
			"treat the message as if the framing is faulty, even if a Content-Length is present, and close the connection " +
			"after processing the message.",
		Sends:  "a request of HTTP/1.0 with a chunked body and Connection: keep-alive, and another request after it",
		Passes: "refuses it, or closes the connection after it without looking at what follows",
		Run: test(func(t *T) {
			first := t.Raw("POST /app/first HTTP/1.0", "Host: "+t.host(), "Connection: keep-alive", "Transfer-Encoding: chunked")
			t.onlyFirst(first + Request(Chunked("abc", 3)))
		}),
	},
	{
		Name: "cgi/4.2/te-obfuscated", Level: conformance.Security, Spec: "RFC 9112 section 6.1; RFC 3875",
		Quote: "A server that receives a request message with a transfer coding it does not understand SHOULD respond with " +
			"501 (Not Implemented).",
		Sends: "Transfer-Encoding: xchunked, \"chunked, identity\", \"\\vchunked\" and two fields, chunked and x, one " +
			"request each",
		Passes: "refuses each",
		Run: test(func(t *T) {
			for _, field := range []string{"Transfer-Encoding: xchunked", "Transfer-Encoding: chunked, identity",
				"Transfer-Encoding: \vchunked", "Transfer-Encoding: chunked\r\nTransfer-Encoding: x"} {
				t.Refused(t.Request("POST", "/app/x", Chunked("abc", 3), field, "Connection: close"))
			}
		}),
	},
}

func cgi42Framing() []conformance.Case {
	cases := slices.Clone(cgi42FramingFixed)
	for _, bad := range []struct{ slug, what, coded, quote string }{
		{"size-overflow", "the chunk size 1FFFFFFFFFFFFFFFF, which is FFFFFFFFFFFFFFFF in 64 bits",
			"1FFFFFFFFFFFFFFFF\r\nabc\r\n0\r\n\r\n", quoteChunkSize},
		{"bare-lf", "a line with a chunk size that ends in LF without CR", "3\nabc\r\n0\r\n\r\n", quoteChunk},
		{"size-invalid", "the chunk size 0x3", "0x3\r\nabc\r\n0\r\n\r\n", quoteChunk},
		{"size-negative", "the chunk size -3", "-3\r\nabc\r\n0\r\n\r\n", quoteChunk},
		{"size-short", "a chunk that is longer than its size", "3\r\nabcd\r\n0\r\n\r\n", quoteChunk},
	} {
		cases = append(cases, conformance.Case{
			Name: "cgi/4.2/body-chunk-" + bad.slug, Level: conformance.Security, Spec: specChunk, Quote: bad.quote,
			Sends: bad.what, Passes: "refuses the request",
			Run: test(func(t *T) { t.Refused(t.chunkedRequest(bad.coded)) }),
		})
	}
	return cases
}

// onlyFirst sends first and right after it another request; the server must see only the first.
func (t *T) onlyFirst(first Request) {
	c := t.Client()
	c.Answer(first+t.Request("GET", "/app/smuggled", ""), OK)
	t.wait(func() bool { return c.over() })
	for {
		x := t.Arrival(t.Patience() / 4)
		if x == nil {
			break
		}
		OK(x)
	}
	t.wantNoSmuggled()
	t.Check(c.over(), "the connection stays open")
}

// over says whether the server has ended the connection.
func (c *Client) over() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ended != nil
}
