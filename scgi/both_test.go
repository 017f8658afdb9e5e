package scgi_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"maps"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/scgi"
	"github.com/gangway-go/gangway/scgi/wire"
)

// both returns a Client of a Server that h answers for.
func both(t testing.TB, network string, h adapters.Handler) *scgi.Client {
	dial := start(t, network, &scgi.Server{Handler: h, Log: quiet})
	return &scgi.Client{Network: network, Dial: func(context.Context, string, string) (net.Conn, error) {
		return dial(), nil
	}}
}

// every is a Request with a value wherever one fits.
func every() *adapters.Request {
	return &adapters.Request{
		Method: "PATCH", URI: "/a%20b/c?d", Proto: "HTTP/2.0", Host: "example.org", Query: "another",
		Scheme: "https", ID: "id-1",
		Header: adapters.Header{
			{Name: "Content-Type", Value: `text/x; a="b;c"`}, {Name: "Cookie", Value: "a=1"}, {Name: "Cookie", Value: "b=2"},
			{Name: "X-Bytes", Value: "\x80\xff \t!"}, {Name: "X-Long", Value: strings.Repeat("long", 70<<8)},
		},
		ContentLength: -1,
		Script:        adapters.Script{Name: "/a b", PathInfo: "/c\xff", Filename: "/srv/a b", Root: "/srv"},
		Remote:        adapters.Endpoint{Addr: "192.0.2.1", Port: "1234", Name: "client.example.org"},
		Local:         adapters.Endpoint{Addr: "192.0.2.2", Port: "443", Name: "example.org"},
		AuthType:      "Basic", User: "jos\xc3\xa9",
		Vars: []adapters.Var{{Name: "REDIRECT_STATUS", Value: "200"}, {Name: "odd name=", Value: "\x01\n=\xfe"}},
	}
}

// The application sees every variable as it was sent.
func TestVariables(t *testing.T) {
	for _, network := range networks {
		t.Run(network, func(t *testing.T) {
			seen := make(chan map[string]string, 1)
			c := both(t, network, handler(func(_ context.Context, req *adapters.Request) (*adapters.Response, error) {
				seen <- maps.Collect(req.All())
				return &adapters.Response{Status: 204, Body: adapters.NoBody}, nil
			}))
			req := every()
			resp, _, err := ask(t, c, req)
			require.NoError(t, err)
			assert.Equal(t, 204, resp.Status)
			assert.Equal(t, maps.Collect(req.All()), <-seen)
		})
	}
}

// Bodies of many sizes come back byte for byte, of known and unknown length.
func TestBodies(t *testing.T) {
	reverse := handler(func(_ context.Context, req *adapters.Request) (*adapters.Response, error) {
		if req.Body == nil {
			return adapters.Reply(200, "a/b", ""), nil
		}
		r, w := io.Pipe()
		go func() {
			_, err := adapters.Copy(w, req.Body)
			w.CloseWithError(err)
		}()
		return &adapters.Response{Status: 200, Body: r}, nil
	})
	for _, network := range networks {
		c := both(t, network, reverse)
		for _, size := range []int{0, 1, 100, 15_000, 16_384, 65_536, 10 << 20} {
			body := slices.Repeat([]byte("0123456789abcde\x00"), size/16+1)[:size]
			for name, req := range map[string]*adapters.Request{
				"in memory": {Method: "PUT", Body: bytes.NewReader(body), ContentLength: int64(size)},
				"streamed":  {Method: "PUT", Body: struct{ io.Reader }{bytes.NewReader(body)}, ContentLength: int64(size)},
				"unknown":   {Method: "PUT", Body: struct{ io.Reader }{bytes.NewReader(body)}, ContentLength: -1},
			} {
				t.Run(fmt.Sprintf("%s %d %s", network, size, name), func(t *testing.T) {
					_, got, err := ask(t, c, req)
					require.NoError(t, err)
					assert.Equal(t, sha256.Sum256(body), sha256.Sum256([]byte(got)))
				})
			}
		}
	}
}

// A Server learns that a Client has given up, although it is silent, and over TCP too.
func TestGivenUp(t *testing.T) {
	for _, network := range networks {
		for _, way := range []string{"cancelled", "closed"} {
			t.Run(network+" "+way, func(t *testing.T) {
				began, gone := make(chan struct{}), make(chan error, 1)
				c := both(t, network, handler(func(ctx context.Context, _ *adapters.Request) (*adapters.Response, error) {
					silent := readerFunc(func([]byte) (int, error) {
						close(began)
						<-ctx.Done()
						gone <- context.Cause(ctx)
						return 0, context.Cause(ctx)
					})
					return &adapters.Response{Status: 200, Body: testBody{silent, func() {}}}, nil
				}))
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				resp, err := c.Serve(ctx, &adapters.Request{Method: "GET"})
				require.NoError(t, err)
				within(t, began, "the response begins")
				if way == "cancelled" {
					cancel()
				} else {
					resp.Body.Close()
				}
				assert.ErrorIs(t, within(t, gone, "the request is cancelled"), adapters.ErrAborted)
				resp.Body.Close()
			})
		}
	}
}

// FuzzParseHeader checks that what the server accepts, the client can say again.
func FuzzParseHeader(f *testing.F) {
	add := func(pairs ...string) { f.Add(strings.Join(pairs, "\x00") + "\x00") }
	add("CONTENT_LENGTH", "27", "SCGI", "1", "REQUEST_METHOD", "POST", "REQUEST_URI", "/deepthought")
	add("CONTENT_LENGTH", "0", "REQUEST_METHOD", "GET", "HTTP_X", "1", "HTTP_X", "2", "HTTPS", "on", "HTTP_X_Y", "")
	add("CONTENT_LENGTH", "", "REQUEST_METHOD", "GET")
	add("SCGI", "1", "CONTENT_LENGTH", "0")
	f.Fuzz(func(t *testing.T, block string) {
		req, err := scgi.ParseHeader(block)
		if err != nil {
			require.ErrorIs(t, err, adapters.ErrBadRequest)
			return
		}
		require.GreaterOrEqual(t, req.ContentLength, int64(0))
		require.True(t, strings.HasPrefix(block, "CONTENT_LENGTH\x00"))
		req.Body = strings.NewReader("")
		b, err := scgi.AppendHeader(nil, req)
		require.NoError(t, err)
		content, rest, err := wire.ParseNetstring(b, len(b))
		require.NoError(t, err)
		require.Empty(t, rest)
		again, err := scgi.ParseHeader(string(content))
		require.NoError(t, err)
		again.Body = req.Body
		require.Equal(t, maps.Collect(req.All()), maps.Collect(again.All()))
	})
}
