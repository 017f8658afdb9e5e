package http1

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/adapters"
)

// bodyOf returns the body of a request of which the client has sent all that is here.
func bodyOf(t *testing.T, header, sent string) *body {
	t.Helper()
	c := newConn(&Server{Log: slog.New(slog.DiscardHandler)}, &memoryConn{Reader: strings.NewReader(sent)})
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

// A request that was read as the server's time was up is not served: nobody would tell its application to end.
func TestRequestAtTheEnd(t *testing.T) {
	s := &Server{Log: slog.New(slog.DiscardHandler)}
	s.Handler = adapters.HandlerFunc(func(ctx context.Context, _ *adapters.Request) (*adapters.Response, error) {
		assert.Error(t, ctx.Err(), "it would run on")
		return nil, adapters.ErrAborted
	})
	s.begunForTest()
	c := newConn(s, &memoryConn{Reader: strings.NewReader("GET / HTTP/1.1\r\nHost: h\r\n\r\n")})
	s.conns[c] = struct{}{}
	text, err := c.readHead()
	require.NoError(t, err)
	assert.True(t, s.cut())
	assert.False(t, c.exchange(text))
}

// The end of the server is the end of an upgraded connection too, though its application takes nothing of what the
// client has sent.
func TestShutdownWithAStuckUpgrade(t *testing.T) {
	app, far := net.Pipe()
	defer far.Close()
	s, addr := start(t, func(context.Context, *adapters.Request) (*adapters.Response, error) {
		return &adapters.Response{Status: http.StatusSwitchingProtocols, Body: app}, nil
	})
	_, err := io.WriteString(dial(t, addr), "GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\nhello")
	require.NoError(t, err)
	await(t, s, map[State]int{StateUpgraded: 1})
	over, cancel := context.WithCancel(t.Context())
	cancel()
	ended := make(chan error, 1)
	go func() { ended <- s.Shutdown(over) }()
	select {
	case err := <-ended:
		assert.ErrorIs(t, err, context.Canceled)
	case <-time.After(20 * time.Second):
		far.Close()
		t.Fatal("it waits for the application")
	}
}

// pieces are what the reads of a connection give, an empty one among them.
type pieces []string

func (p *pieces) Read(b []byte) (int, error) {
	if len(*p) == 0 {
		return 0, io.EOF
	}
	n := copy(b, (*p)[0])
	*p = (*p)[1:]
	return n, nil
}

// A read that gives nothing, and no error, takes nothing of a head away.
func TestEmptyRead(t *testing.T) {
	const head = "GET / HTTP/1.1\r\nHost: h\r\n\r\n"
	for at := range len(head) {
		c := newConn(&Server{}, &memoryConn{Reader: &pieces{head[:at], "", head[at:]}})
		text, err := c.readHead()
		require.NoError(t, err, at)
		assert.Equal(t, head, text)
	}
}
