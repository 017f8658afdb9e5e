package script

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestParse(t *testing.T) {
	tests := []struct {
		name, in, body string
		nph            bool
		lines          []line
		start          string
		complete       bool
		status         int
	}{
		{name: "nothing", status: 200},
		{
			name: "document", in: "Content-Type: text/plain\n\nbody\n", complete: true, status: 200, body: "body\n",
			lines: []line{{"Content-Type: text/plain", "\n"}},
		},
		{
			name: "status", in: "Status: 404 Not Found\r\nA:b\n\r\n\r\n", complete: true, status: 404, body: "\r\n",
			lines: []line{{"Status: 404 Not Found", "\r\n"}, {"A:b", "\n"}},
		},
		{name: "no reason", in: "status:404\n\n", complete: true, status: 404, lines: []line{{"status:404", "\n"}}},
		{name: "no status", in: "Status: 4041\n\n", complete: true, lines: []line{{"Status: 4041", "\n"}}},
		{name: "redirect", in: "Location: /a\n\n", complete: true, status: 302, lines: []line{{"Location: /a", "\n"}}},
		{name: "no header", in: "\nbody", complete: true, status: 200, body: "body"},
		{name: "no end", in: "A: b\n<html>\nc: d\n", status: 200, lines: []line{{"A: b", "\n"}}},
		{name: "not a line", in: "A: b", status: 200},
		{
			name: "a line that is no field", in: "A: b\nc\n\n", complete: true, status: 200,
			lines: []line{{"A: b", "\n"}, {"c", "\n"}},
		},
		{
			name: "NPH", nph: true, in: "HTTP/1.1 204 No Content\r\nA: b\r\n\r\n", complete: true, status: 204,
			start: "HTTP/1.1 204 No Content\r\n", lines: []line{{"A: b", "\r\n"}},
		},
		{name: "NPH without a status line", nph: true, in: "A: b\r\n\r\n", complete: true, start: "A: b\r\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := parse([]byte(tt.in), tt.nph)
			if len(tt.lines) == 0 {
				assert.Empty(t, r.header)
			} else {
				assert.Equal(t, tt.lines, r.header)
			}
			assert.Equal(t, tt.start, r.start)
			assert.Equal(t, tt.complete, r.complete)
			assert.Equal(t, tt.status, r.status())
			assert.Equal(t, tt.body, string(r.body))
		})
	}
}

// Every strict prefix of a header is incomplete, and none of it is taken for a body.
func TestParsePrefixes(t *testing.T) {
	const header = "Status: 200 OK\r\nContent-Type: text/plain\r\n\r\n"
	for i := range len(header) {
		r := parse([]byte(header[:i]), false)
		assert.False(t, r.complete, "%q", header[:i])
		assert.Empty(t, r.body, "%q", header[:i])
	}
}

func TestLine(t *testing.T) {
	tests := []struct {
		text, name, value string
		field, folded     bool
	}{
		{text: "Content-Type: text/plain ", name: "Content-Type", value: "text/plain", field: true},
		{text: "A:", name: "A", field: true},
		{text: "A:b:c", name: "A", value: "b:c", field: true},
		{text: "A : b", name: "A ", value: "b"},
		{text: ": b", value: "b"},
		{text: "no field", name: "no field"},
		{text: "\tA: b", name: "\tA", value: "b", folded: true},
		{text: "Ä: b", name: "Ä", value: "b"},
	}
	for _, tt := range tests {
		t.Run(tt.text, func(t *testing.T) {
			l := line{text: tt.text}
			assert.Equal(t, tt.name, l.name())
			assert.Equal(t, tt.value, l.value())
			assert.Equal(t, tt.field, l.field())
			assert.Equal(t, tt.folded, l.folded())
		})
	}
}

// FuzzParse takes any output apart and puts it together again.
func FuzzParse(f *testing.F) {
	f.Add([]byte("Content-Type: text/plain\n\nbody"), false)
	f.Add([]byte("HTTP/1.1 200 OK\r\nA: b\r\n\r\nbody"), true)
	f.Add([]byte("a\n: \r\n\n"), false)
	f.Fuzz(func(t *testing.T, stdout []byte, nph bool) {
		r := parse(stdout, nph)
		again := []byte(r.start)
		for _, l := range r.header {
			again = append(append(again, l.text...), l.newline...)
			l.field()
		}
		require.True(t, bytes.HasPrefix(stdout, again))
		require.True(t, bytes.HasSuffix(stdout, r.body))
		if r.complete {
			gap := len(stdout) - len(r.body) - len(again)
			require.True(t, gap == 1 || gap == 2, "an empty line of %d bytes", gap)
		}
		r.status()
	})
}
