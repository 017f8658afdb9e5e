package fastcgi_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/adapters"
)

// TestClientNoticesDeadConnection: a kept connection that the application has closed, or on which it said something
// unasked, is not used: even a request that must not be repeated succeeds.
func TestClientNoticesDeadConnection(t *testing.T) {
	for name, last := range map[string]string{
		"closed": "", "a byte": "x", "a response": response(2, "Status: 200\r\n\r\nfor somebody else"),
	} {
		for _, network := range []string{"unix", "tcp"} {
			t.Run(name+" "+network, func(t *testing.T) {
				address := "127.0.0.1:0"
				if network == "unix" {
					address = filepath.Join(t.TempDir(), "app.sock")
				}
				ln, err := net.Listen(network, address)
				require.NoError(t, err)
				said := make(chan struct{}, 5)
				c, a := listenOn(t, ln, func(p *peer) {
					r, ok := p.request()
					if !ok {
						return
					}
					p.say(response(r.id, hello))
					time.Sleep(20 * time.Millisecond)
					p.say(last)
					if last == "" {
						p.Close()
					}
					said <- struct{}{}
					io.Copy(io.Discard, p)
				})
				c.KeepConn = time.Minute
				for range 2 {
					for _, req := range []*adapters.Request{post(strings.NewReader("x"), 1), get()} {
						wantHello(t, c, req)
						<-said
						time.Sleep(20 * time.Millisecond)
					}
				}
				assert.Equal(t, 4, a.connections())
			})
		}
	}
}

// TestClientRetry: a request is sent again, once, if the application cannot have done anything with it, or if doing it
// twice is no harm.
func TestClientRetry(t *testing.T) {
	file, err := os.CreateTemp(t.TempDir(), "body")
	require.NoError(t, err)
	defer file.Close()
	_, err = file.WriteString("--body")
	require.NoError(t, err)
	_, err = file.Seek(2, io.SeekStart)
	require.NoError(t, err)
	withMethod := func(method string, req *adapters.Request) *adapters.Request {
		req.Method = method
		return req
	}
	stream := func() io.Reader { return io.MultiReader(strings.NewReader("body")) }
	lost := func(p *peer) { p.request() }
	tests := []struct {
		name     string
		first    script
		req      *adapters.Request
		attempts int
		fine     bool
	}{
		{"GET", lost, get(), 2, true},
		{"GET, lost twice", lost, get(), 2, false},
		{"HEAD", lost, withMethod("HEAD", get()), 2, true},
		{"POST", lost, post(nil, 0), 1, false},
		{"PATCH", lost, withMethod("PATCH", get()), 1, false},
		{"PUT of bytes", lost, withMethod("PUT", post(strings.NewReader("body"), 4)), 2, true},
		{"PUT of a file", lost, withMethod("PUT", post(file, 4)), 2, true},
		{"PUT of a stream", lost, withMethod("PUT", post(stream(), 4)), 1, false},
		{"PUT of no known length", lost, withMethod("PUT", post(stream(), -1)), 2, true},
		{"stderr came", func(p *peer) { p.request(); p.say(stderr("oh")) }, get(), 1, false},
		{"1xx came", func(p *peer) { p.request(); p.say(stdout("Status: 103\n\n")) }, get(), 1, false},
		{"half a record header came", func(p *peer) { p.request(); p.say("\x01\x06") }, get(), 1, false},
		{"half a record came", func(p *peer) { p.request(); p.say(stdout(hello)[:8]) }, get(), 1, false},
		{"overloaded", func(p *peer) { p.request(); p.say(end(1, 0, 2)) }, get(), 1, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			second := tt.first
			if tt.fine {
				second = func(p *peer) {
					if r, ok := p.request(); assert.True(t, ok) {
						assert.Equal(t, tt.req.HasBody(), r.stdin == "body")
						p.say(response(r.id, hello))
					}
				}
			}
			c, a := listen(t, tt.first, second)
			tt.req.Trace = new(adapters.Trace)
			_, body, err := do(c, tt.req)
			if tt.fine {
				require.NoError(t, err)
				assert.Equal(t, "hello", body)
			} else {
				assert.Error(t, err)
			}
			assert.Equal(t, tt.attempts, a.connections())
			_, attempts := tt.req.Trace.Backend()
			assert.Equal(t, tt.attempts, attempts)
		})
	}
}

// TestClientRetriesUnwritten: nothing was written, so even a POST is sent again, with all of its body.
func TestClientRetriesUnwritten(t *testing.T) {
	for name, body := range map[string]io.Reader{
		"seekable": strings.NewReader("body"), "there": bytes.NewBufferString("body"),
		"to come": io.MultiReader(strings.NewReader("body")),
	} {
		t.Run(name, func(t *testing.T) {
			c, _ := listen(t, func(p *peer) {
				if r, ok := p.request(); ok { // the first connection is closed
					p.say(response(r.id, "Status: 200\n\n"+r.stdin))
				}
			})
			dials := 0
			c.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
				conn, err := new(net.Dialer).DialContext(ctx, network, address)
				if dials++; dials == 1 {
					return brokenPipe{conn}, err
				}
				return conn, err
			}
			_, got, err := do(c, post(body, 4))
			require.NoError(t, err)
			assert.Equal(t, "body", got)
			assert.Equal(t, 2, dials)
		})
	}
}

type brokenPipe struct{ net.Conn }

func (brokenPipe) Write([]byte) (int, error) { return 0, errors.New("broken pipe") }

// The error of a lost connection says what the system said of it.
func TestClientSaysWhyConnectionBroke(t *testing.T) {
	c, _ := listen(t, func(p *peer) {
		io.ReadFull(p, make([]byte, 1)) // the rest is unread, so that closing is a reset
	})
	_, _, err := do(c, post(strings.NewReader("x"), 1))
	assert.ErrorContains(t, err, "connection reset by peer")
}
