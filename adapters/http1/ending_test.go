package http1

import (
	"bytes"
	"io"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/adapters"
)

// bodyOf returns the body of a request of which the client has sent all that is here.
func bodyOf(t *testing.T, header, sent string) *body {
	t.Helper()
	c := newConn(&Server{Log: slog.New(slog.DiscardHandler)}, &memoryConn{Reader: bytes.NewReader([]byte(sent))})
	x := &exchange{c: c}
	require.NoError(t, x.start("POST / HTTP/1.1\r\nHost: h\r\n"+header+"\r\n"))
	return &x.body
}

// A body may be shut while the Read that finds its end is returning. The next request begins there nevertheless.
func TestShutWithinTheLastRead(t *testing.T) {
	const next = "GET /next HTTP/1.1\r\nHost: h\r\n\r\n"
	for _, tt := range []struct {
		name, header, sent string
	}{
		{"length", "Content-Length: 3\r\n", "abc"},
		{"chunked", "Transfer-Encoding: chunked\r\n", "3\r\nabc\r\n0\r\n\r\n"},
		{"chunked, trailer", "Transfer-Encoding: chunked\r\n", "0\r\nA: b\r\n\r\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := bodyOf(t, tt.header, tt.sent+next)
			var err error
			for err == nil { // as Read does, but what it found is not noted any more
				_, err = b.next(make([]byte, 10))
			}
			require.Equal(t, io.EOF, err)
			b.shut()
			assert.True(t, b.drain())
			text, err := b.c.readHead()
			require.NoError(t, err)
			assert.Equal(t, next, text)
		})
	}
}

// A Read that comes when the response has begun gets nothing, and does not let the client's body be waited for: the
// client has an answer and may go on with its next request instead.
func TestReadBehindTheResponse(t *testing.T) {
	b := bodyOf(t, "Expect: 100-continue\r\nContent-Length: 3\r\n", "")
	require.True(t, b.outlasts())
	b.x.w.begun = true
	_, err := b.Read(make([]byte, 1))
	require.ErrorIs(t, err, adapters.ErrAborted)
	assert.True(t, b.outlasts())
}
