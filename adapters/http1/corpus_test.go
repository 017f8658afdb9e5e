package http1

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/internal/smuggling"
)

// seen is what an application was asked, with the bodies unless it does not read them.
type seen struct {
	unread   bool
	mu       sync.Mutex
	requests []string
}

func (s *seen) Serve(_ context.Context, req *adapters.Request) (*adapters.Response, error) {
	var body []byte
	if req.Body != nil && !s.unread {
		var err error
		if body, err = io.ReadAll(req.Body); err != nil {
			return nil, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = append(s.requests, smuggling.Reading(req.Method, req.URI, req.Host, string(body)))
	return adapters.Reply(200, "text/plain", "x"), nil
}

// send sends the form and a canary behind it to a server of its own. It returns what the application was asked, what
// the client got until the connection ended, and what was logged.
func send(t *testing.T, f smuggling.Form, app *seen) (requests []string, answer, logged string) {
	var log bytes.Buffer
	t.Run(f.Name, func(t *testing.T) {
		_, addr := start(t, app.Serve, func(s *Server) { s.Log = slog.New(slog.NewTextHandler(&log, nil)) })
		c := dial(t, addr)
		io.WriteString(c, f.Sent+smuggling.Canary)
		c.CloseWrite()
		raw, err := io.ReadAll(c)
		require.NoError(t, err)
		answer = string(raw)
	}) // ends when the server has
	return app.requests, answer, log.String()
}

// TestCorpus: hostile forms are refused, each with its status, and what follows is not read; legitimate ones are read,
// and what follows is read whole.
func TestCorpus(t *testing.T) {
	for _, f := range smuggling.Hostile {
		requests, answer, logged := send(t, f, &seen{})
		assert.Empty(t, requests, f.Name)
		assert.Regexp(t, "^HTTP/1.1 "+strconv.Itoa(f.Status)+" ", answer, f.Name)
		assert.Equal(t, 1, strings.Count(answer, "HTTP/1.1 "), f.Name)
		assert.Contains(t, answer, "\r\nConnection: close\r\n", f.Name)
		assert.Contains(t, logged, "status="+strconv.Itoa(f.Status), f.Name)
	}
	for _, f := range smuggling.Legitimate {
		want := []string{f.Read[0]}
		if !f.Last {
			want = append(want, smuggling.CanaryRead)
		}
		requests, answer, _ := send(t, f, &seen{})
		assert.Equal(t, want, requests, f.Name)
		assert.Equal(t, len(want), strings.Count(answer, "HTTP/1.1 200 "), f.Name)
	}
}

// TestCorpusUnread: the same before an application that reads no body. It may be asked before the body shows what it
// is, but then nothing comes after it.
func TestCorpusUnread(t *testing.T) {
	for _, f := range smuggling.Hostile {
		requests, _, _ := send(t, f, &seen{unread: true})
		if len(requests) > 0 {
			assert.Equal(t, []string{"POST / h "}, requests, f.Name)
		}
	}
	for _, f := range smuggling.Legitimate {
		requests, _, _ := send(t, f, &seen{unread: true})
		require.NotEmpty(t, requests, f.Name)
		assert.True(t, strings.HasPrefix(f.Read[0], requests[0]), f.Name)
		if len(requests) > 1 {
			assert.Equal(t, []string{smuggling.CanaryRead}, requests[1:], f.Name)
			assert.False(t, f.Last, f.Name)
		}
	}
}

// TestCorpusInBytes: the same when each byte comes alone.
func TestCorpusInBytes(t *testing.T) {
	read := func(f smuggling.Form) []string {
		return served(iotest.OneByteReader(strings.NewReader(f.Sent + smuggling.Canary)))
	}
	for _, f := range smuggling.Hostile {
		assert.Empty(t, read(f), f.Name)
	}
	for _, f := range smuggling.Legitimate {
		want := []string{f.Read[0], smuggling.CanaryRead}
		if f.Last {
			want = want[:1]
		}
		assert.Equal(t, want, read(f), f.Name)
	}
}

// TestCorpusPrefixes cuts every message short: it must not be taken for a whole one. Of long ones, which are long by
// one byte often, it takes some prefixes.
func TestCorpusPrefixes(t *testing.T) {
	for _, m := range smuggling.Legitimate {
		for n := range len(m.Sent) {
			if n > 300 && n < len(m.Sent)-300 && n%1021 > 0 {
				continue
			}
			for _, got := range served(strings.NewReader(m.Sent[:n])) {
				t.Errorf("%q of %q read as %q", m.Sent[:n], m.Sent, got)
			}
		}
	}
}

// served returns what the server reads from a client that sends this and ends.
func served(sent io.Reader) []string {
	app := &seen{}
	s := &Server{Handler: adapters.HandlerFunc(app.Serve), Log: slog.New(slog.DiscardHandler)}
	s.begunForTest()
	newConn(s, &memoryConn{Reader: sent}).serve()
	return app.requests
}

func (s *Server) begunForTest() { s.conns, s.ended = map[*conn]struct{}{}, make(chan struct{}) }

// A memoryConn is a client that has sent all it wants to send.
type memoryConn struct {
	io.Reader
	mu     sync.Mutex
	answer []byte
}

func (c *memoryConn) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.answer = append(c.answer, b...)
	return len(b), nil
}

func (c *memoryConn) Close() error                     { return nil }
func (c *memoryConn) LocalAddr() net.Addr              { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 80} }
func (c *memoryConn) RemoteAddr() net.Addr             { return c.LocalAddr() }
func (c *memoryConn) SetDeadline(time.Time) error      { return nil }
func (c *memoryConn) SetReadDeadline(time.Time) error  { return nil }
func (c *memoryConn) SetWriteDeadline(time.Time) error { return nil }
