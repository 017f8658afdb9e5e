package server

import (
	"io"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// parsed is what comes of raw, after which the connection ended with err, or is open.
func parsed(method, raw string, err error) *Response {
	c := &Client{request: Request(method + " / HTTP/1.1\r\n\r\n"), in: []byte(raw), ended: err}
	return c.response(true)
}

func TestResponse(t *testing.T) {
	const (
		head    = "HTTP/1.1 200 OK\r\n"
		chunked = head + "Transfer-Encoding: chunked\r\n\r\n"
		length1 = head + "Content-Length: 1\r\n"
	)
	tests := []struct {
		name, method, raw string
		ended             error
		status            int
		body, framing     string
		end               End
		faults            int
	}{
		{"length", "GET", head + "Content-Length: 3\r\n\r\nabc", nil, 200, "abc", "length", Complete, 0},
		{"more than length", "GET", head + "Content-Length: 3\r\n\r\nabcd", nil, 200, "abc", "length", Complete, 0},
		{"less than length", "GET", head + "Content-Length: 3\r\n\r\nab", io.EOF, 200, "ab", "length", Truncated, 0},
		{"reset", "GET", head + "Content-Length: 3\r\n\r\nab", syscall.ECONNRESET, 200, "ab", "length", Reset, 0},
		{"open", "GET", head + "Content-Length: 3\r\n\r\nab", nil, 200, "ab", "length", Silent, 0},
		{"chunked", "GET", chunked + "3;x=y\r\nabc\r\n0\r\nA: b\r\n\r\n", nil, 200, "abc", "chunked", Complete, 0},
		{"no last chunk", "GET", chunked + "3\r\nabc\r\n", io.EOF, 200, "abc", "chunked", Truncated, 0},
		{"chunk size", "GET", chunked + "x\r\n\r\n", nil, 200, "", "chunked", Complete, 1},
		{"until close", "GET", head + "\r\nabc", io.EOF, 200, "abc", "close", Complete, 0},
		{"until reset", "GET", head + "\r\nabc", syscall.ECONNRESET, 200, "abc", "close", Reset, 0},
		{"HEAD", "HEAD", head + "Content-Length: 3\r\n\r\n", nil, 200, "", "none", Complete, 0},
		{"304", "GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 3\r\n\r\n", nil, 304, "", "none", Complete, 0},
		{"204 with length", "GET", "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", nil, 204, "", "none", Complete, 1},
		{"after 100", "GET", "HTTP/1.1 100 A\r\n\r\n" + length1 + "\r\na", nil, 200, "a", "length", Complete, 0},
		{"two lengths", "GET", length1 + "Content-Length: 2\r\n\r\na", nil, 200, "a", "length", Complete, 1},
		{"length and coding", "GET", length1 + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", nil, 200, "", "chunked", Complete, 1},
		{"bare LF", "GET", "HTTP/1.1 200 OK\nContent-Length: 0\n\n", nil, 200, "", "length", Complete, 3},
		{"bare CR", "GET", head + "A: b\rc\r\nContent-Length: 0\r\n\r\n", nil, 200, "", "length", Complete, 2},
		{"no colon", "GET", head + "A\r\nContent-Length: 0\r\n\r\n", nil, 200, "", "length", Complete, 1},
		{"four digits", "GET", "HTTP/1.1 1000 X\r\nContent-Length: 0\r\n\r\n", nil, 1000, "", "length", Complete, 1},
		{"nothing", "GET", "", io.EOF, 0, "", "", Truncated, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := parsed(tt.method, tt.raw, tt.ended)
			assert.Equal(t, tt.status, r.Status)
			assert.Equal(t, tt.body, string(r.Body))
			assert.Equal(t, tt.framing, r.Framing)
			assert.Equal(t, tt.end, r.End)
			assert.Len(t, r.Faults, tt.faults, "%q", r.Faults)
		})
	}
}

// A response that is cut anywhere is not complete, in however many pieces it comes.
func TestResponsePrefixes(t *testing.T) {
	for _, raw := range []string{
		"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nA: b\r\n\r\n",
	} {
		c := &Client{request: "GET / HTTP/1.1\r\n\r\n"}
		for i := range raw {
			assert.NotEqual(t, Complete, parsed("GET", raw[:i], io.EOF).End, "%q", raw[:i])
			assert.Nil(t, c.response(false), "%q", raw[:i])
			c.in = append(c.in, raw[i])
		}
		r := c.response(false)
		require.NotNil(t, r)
		assert.Equal(t, "abc", string(r.Body))
	}
}

func TestChunked(t *testing.T) {
	assert.Equal(t, "2\r\nab\r\n1\r\nc\r\n0\r\n\r\n", Chunked("abc", 2))
	assert.Equal(t, "0\r\n\r\n", Chunked("", 2))
}

func FuzzResponse(f *testing.F) {
	f.Add("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", 5)
	f.Add("HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n", 1)
	f.Fuzz(func(t *testing.T, raw string, step int) {
		whole := parsed("GET", raw, io.EOF)
		c := &Client{request: "GET / HTTP/1.1\r\n\r\n"}
		var r *Response
		for rest := raw; r == nil && rest != ""; {
			n := min(max(1, step), len(rest))
			c.in, rest = append(c.in, rest[:n]...), rest[n:]
			r = c.response(false)
		}
		if r == nil {
			c.ended = io.EOF
			r = c.response(true)
		}
		assert.Equal(t, whole.Status, r.Status)
		if !strings.Contains(whole.Framing, "close") {
			assert.Equal(t, string(whole.Body), string(r.Body))
		}
	})
}
