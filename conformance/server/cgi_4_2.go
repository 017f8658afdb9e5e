package server

import (
	"bytes"
	"compress/gzip"
	"slices"
	"strconv"
	"strings"

	"github.com/gangway-go/gangway/conformance"
)

const (
	quoteBody   = "The server MUST make at least that many bytes available for the script to read."
	quoteCoding = "As transfer-codings are not supported on the request-body, the server MUST remove any such codings " +
		"from the message-body, and recalculate the CONTENT_LENGTH."
)

// cgi42 are the cases about the message-body; those about its framing on the way to the server are in cgi42Framing.
var cgi42Fixed = []conformance.Case{
	{
		Name: "cgi/4.2/body-chunked-1-byte-chunks", Level: conformance.Must, Quote: quoteCoding,
		Sends:  "a POST request with 10 000 chunks of one byte each",
		Passes: "gives the body of 10 000 bytes, or answers 411",
		Run: test(func(t *T) {
			body := pattern(10000)
			t.Chunks(body, Chunked(body, 1))
		}),
	},
	{
		Name: "cgi/4.2/body-client-disconnect", Level: conformance.Must, Quote: quoteBody,
		Sends:  "10 000 of the 20 000 bytes of a body, and closes the connection",
		Passes: "does not give the application a body that looks whole",
		Run: test(func(t *T) {
			body := pattern(20000)
			t.breakOff(t.Request("POST", "/app/x", body)[:len(t.Request("POST", "/app/x", body))-10000], 20000)
		}),
	},
	{
		Name: "cgi/4.2/body-chunk-truncated", Level: conformance.Security, Spec: "RFC 9112 section 8; RFC 3875",
		Quote: "A message body that uses the chunked transfer coding is incomplete if the zero-sized chunk that terminates " +
			"the encoding has not been received.",
		Sends:  "a chunked body of 20 000 bytes without its last chunk, and closes the connection",
		Passes: "does not give the application a body that looks whole",
		Run: test(func(t *T) {
			coded := strings.TrimSuffix(Chunked(pattern(20000), 5000), "0\r\n\r\n")
			t.breakOff(t.chunkedRequest(coded), -1)
		}),
	},
	{
		Name: "cgi/4.2/content-encoding-untouched", Level: conformance.Must,
		Quote:  "It MAY also remove content-codings from the message-body.",
		Sends:  "a POST request with a body in the coding gzip and Content-Encoding: gzip",
		Passes: "gives the bytes as they are, or decoded and without HTTP_CONTENT_ENCODING; CONTENT_LENGTH is right",
		Run: test(func(t *T) {
			text := strings.Repeat("to be compressed. ", 100)
			var b bytes.Buffer
			w := gzip.NewWriter(&b)
			w.Write([]byte(text))
			w.Close()
			x := t.Post("/app/x", b.String(), "Content-Encoding: gzip")
			if x.Get("HTTP_CONTENT_ENCODING") == "" {
				x.WantBody(text)
				return
			}
			x.Want("HTTP_CONTENT_ENCODING", "gzip")
			x.WantBody(b.String())
		}),
	},
	{
		Name: "cgi/4.2/body-too-large", Level: conformance.Should, Spec: "RFC 3875 section 9.6; RFC 3875",
		Quote: "If the CONTENT_LENGTH of a message-body is larger than resource considerations allow, scripts should " +
			"respond with an error status appropriate for the protocol version; potentially applicable status codes include " +
			"503 … 413",
		Sends:  "Content-Length: 1125899906842624, a pebibyte, and no body yet",
		Passes: "answers 413 and does not hand the request to the application",
		Run: test(func(t *T) {
			x, r := t.Do(t.Request("POST", "/app/x", "", "Content-Length: 1125899906842624"), Early("Status: 200\r\n\r\n"))
			t.Check(x == nil, "the application got the request")
			t.Check(r.Status == 413, "%v", r)
		}),
	},
}

func cgi42() []conformance.Case {
	cases := slices.Clone(cgi42Fixed)
	for _, size := range []struct {
		slug string
		n    int
	}{{"0", 0}, {"1", 1}, {"64k", 65536}, {"10mb", 10 << 20}} {
		cases = append(cases, conformance.Case{
			Name: "cgi/4.2/body-" + size.slug, Level: conformance.Must, Quote: quoteBody, Family: "cgi/4.2/body",
			Sends:  "a POST request with a body of " + strconv.Itoa(size.n) + " bytes",
			Passes: "gives the application just these bytes",
			Run: test(func(t *T) {
				body := pattern(size.n)
				t.Post("/app/x", body).WantBody(body)
			}),
		})
	}
	return cases
}

// pattern is n bytes of text that does not repeat itself soon.
func pattern(n int) string {
	var b strings.Builder
	for i := 0; b.Len() < n; i++ {
		b.WriteString(strconv.Itoa(i) + " ")
	}
	return b.String()[:n]
}

// breakOff sends a part of a request and closes the connection. The application must not get all of the request; its
// body has length bytes, or as many as CONTENT_LENGTH says if length is negative.
func (t *T) breakOff(part Request, length int) {
	c := t.Send(part)
	x := t.Arrival(t.Patience() / 2) // a server may wait for the whole body, and then the application never sees it
	c.Conn.Reset()
	if x == nil {
		x = t.Arrival(t.Patience() / 2)
	}
	if x == nil {
		return
	}
	body, err := x.ReadBody(-1)
	if length < 0 {
		length = len(body)
	}
	if err == errSilent {
		t.Hang("the application waits for the rest of the body after %d bytes", len(body))
	}
	whole := err == nil && (len(body) == length || x.Get("CONTENT_LENGTH") == strconv.Itoa(len(body)))
	t.Check(!whole, "the application got a body of %d bytes that looks whole", len(body))
}
