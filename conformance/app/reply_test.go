package app

import (
	"os"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestParseReply(t *testing.T) {
	tests := []struct{ name, response, fault, body string }{
		{"LF", "Content-Type: a/b\n\nbody", "", "body"},
		{"CRLF", "Content-Type: a/b\r\n\r\nbody", "", "body"},
		{"HTTP", "HTTP/1.1 404 Not Found\r\nContent-Type: a/b\r\n\r\nbody", "", "body"},
		{"no body", "Status: 204 No Content\n\n", "", ""},
		{"empty", "", "an empty response", ""},
		{"no end", "Content-Type: a/b\n", "a response whose header does not end", ""},
		{"no header", "\nbody", "a response without a header", ""},
		{"no field", "body\n\n", "a response with a header line that is no field", ""},
		{"space before colon", "Content-Type : a/b\n\n", "a response with a header line that is no field", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, fault := parseReply([]byte(tt.response))
			assert.Equal(t, tt.fault, fault)
			assert.Equal(t, tt.body, string(r.body))
		})
	}
	r, _ := parseReply([]byte("Status: 302 Found\nLocation: /x\n\n"))
	assert.Equal(t, 302, r.status)
	assert.Equal(t, "/x", r.field("location"))
}

func TestProcess(t *testing.T) {
	assert.False(t, canMeasure(0))
	assert.Zero(t, memory(0)+int64(descriptors(0))+ticks(0), "nobody is not everybody")
	if runtime.GOOS == "linux" {
		assert.True(t, canMeasure(os.Getpid()))
		assert.Greater(t, memory(os.Getpid()), int64(1<<20))
		assert.Greater(t, descriptors(os.Getpid()), 3)
	}
}

func TestPad(t *testing.T) {
	records := []byte("\x01\x05\x00\x01\x00\x03\x00\x00abc\x01\x05\x00\x01\x00\x00\x00\x00")
	all, one := string(pad(records, 2, '!')), string(pad(records, 1, '!', 1))
	assert.Equal(t, "\x01\x05\x00\x01\x00\x03\x02\x00abc!!\x01\x05\x00\x01\x00\x00\x02\x00!!", all)
	assert.Equal(t, "\x01\x05\x00\x01\x00\x03\x00\x00abc\x01\x05\x00\x01\x00\x00\x01\x00!", one)
}

func FuzzParseReply(f *testing.F) {
	f.Add([]byte("Content-Type: a/b\r\n\r\nbody"))
	f.Add([]byte("HTTP/1.1 200 OK\nA:\n\n"))
	f.Fuzz(func(t *testing.T, response []byte) {
		r, fault := parseReply(response)
		if fault == "" && (len(r.fields) == 0 || len(r.body) >= len(response)) {
			t.Fatalf("%q is no response with %d fields and %q", response, len(r.fields), r.body)
		}
	})
}
