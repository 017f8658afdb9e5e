package adapters_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	. "github.com/gangway-go/gangway/adapters"
)

// A request that ends without a response is not answered with a header that nobody gave: to a client of HTTP/1.0 that
// would be a complete 200.
func TestHTTPNoAnswerToAbortedRequest(t *testing.T) {
	for name, h := range map[string]Handler{
		"upload cut short": HandlerFunc(func(ctx context.Context, req *Request) (*Response, error) {
			if _, err := io.Copy(io.Discard, req.Body); err != nil {
				return nil, &Error{Op: "test", Err: ErrAborted}
			}
			return Reply(200, "text/plain", "whole"), nil
		}),
		"panic": HandlerFunc(func(context.Context, *Request) (*Response, error) { panic(http.ErrAbortHandler) }),
	} {
		for _, proto := range []string{"HTTP/1.0", "HTTP/1.1"} {
			t.Run(name+" "+proto, func(t *testing.T) {
				addr, _ := serveHTTP(t, h)
				c, err := net.Dial("tcp", addr)
				require.NoError(t, err)
				defer c.Close()
				c.SetDeadline(time.Now().Add(10 * time.Second))
				io.WriteString(c, "POST / "+proto+"\r\nHost: a\r\nContent-Length: 10\r\n\r\npart")
				c.(*net.TCPConn).CloseWrite()
				answer, _ := io.ReadAll(c)
				assert.Empty(t, string(answer))
			})
		}
	}
}

// Only a request whose Connection field names Upgrade asks for one, RFC 9110 7.8.
func TestHTTPUpgradeNeedsConnection(t *testing.T) {
	var got []Header
	addr, _ := serveHTTP(t, HandlerFunc(func(_ context.Context, req *Request) (*Response, error) {
		got = append(got, req.Header)
		return Reply(200, "text/plain", ""), nil
	}))
	c, err := net.Dial("tcp", addr)
	require.NoError(t, err)
	defer c.Close()
	br := bufio.NewReader(c)
	for _, fields := range []string{"Upgrade: echo\r\n", "Upgrade: echo\r\nConnection: keep-alive, upgrade\r\n"} {
		io.WriteString(c, "GET / HTTP/1.1\r\nHost: a\r\n"+fields+"\r\n")
		resp, err := http.ReadResponse(br, nil)
		require.NoError(t, err)
		resp.Body.Close()
	}
	require.Len(t, got, 2)
	assert.Empty(t, got[0])
	assert.Equal(t, Header{{"Connection", "Upgrade"}, {"Upgrade", "echo"}}, got[1])
}

// A panicking body panics at its second Read.
type panicking struct{ io.Reader }

func (b *panicking) Read(p []byte) (int, error) {
	if b.Reader == nil {
		panic("odd")
	}
	b.Reader = nil
	return copy(p, "part"), nil
}

func (*panicking) Close() error { return nil }

func TestHTTPPanicInBodyLooksCut(t *testing.T) {
	addr, log := serveHTTP(t, HandlerFunc(func(context.Context, *Request) (*Response, error) {
		return &Response{Status: 200, Body: &panicking{strings.NewReader("")}}, nil
	}))
	_, err := raw(t, addr, "GET / HTTP/1.0\r\n\r\n")
	assert.Error(t, err, "a reset")
	got, err := raw(t, addr, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	require.NoError(t, err)
	assert.NotContains(t, got, "0\r\n\r\n")
	assert.Contains(t, log.String(), "application panics: odd")
}
