package http1

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/internal/smuggling"
)

// FuzzAgainstNetHTTP sends the same bytes to this server and to net/http's. What this one reads, that one reads too,
// and takes it for the same; this one may stop earlier, for it is the stricter one. RATIONALE.md says where the two
// differ.
func FuzzAgainstNetHTTP(f *testing.F) {
	for _, form := range slices.Concat(smuggling.Hostile, smuggling.Legitimate) {
		f.Add([]byte(form.Sent + smuggling.Canary))
	}
	f.Fuzz(func(t *testing.T, sent []byte) {
		ours, usual := read(sent)
		theirs := readByNetHTTP(usual)
		for i, request := range ours {
			switch {
			case i < len(theirs) && theirs[i] == request:
			case i < len(theirs):
				t.Errorf("read as\n%q, net/http:\n%q", request, theirs[i])
			default:
				t.Errorf("read\n%q, which net/http refuses", request)
			}
		}
	})
}

// read returns the requests of which this server gets all, each as text. The bytes it returns lack the empty lines
// before request lines, which this server skips (RFC 9112 2.2) and net/http does not.
func read(sent []byte) (list []string, usual []byte) {
	s := &Server{Log: slog.New(slog.DiscardHandler)}
	s.Handler = adapters.HandlerFunc(func(_ context.Context, req *adapters.Request) (*adapters.Response, error) {
		var body []byte
		if req.Body != nil {
			var err error
			if body, err = io.ReadAll(req.Body); err != nil {
				return nil, err
			}
		}
		var trailer adapters.Header
		if req.Trailer != nil {
			trailer = req.Trailer()
		}
		list = append(list, describe(req, body, trailer))
		return adapters.Reply(200, "text/plain", "x"), nil
	})
	s.begunForTest()
	m := bytes.NewReader(sent)
	c := newConn(s, &memoryConn{Reader: m})
	taken := func() int { return len(sent) - m.Len() - (c.w - c.r) }
	for {
		before := taken()
		text, err := c.readHead()
		if err != nil {
			return list, append(usual, sent[before:]...)
		}
		usual = append(usual, text...)
		before = taken()
		keep := c.exchange(text)
		usual = append(usual, sent[before:taken()]...)
		if !keep {
			return list, append(usual, sent[taken():]...)
		}
	}
}

// readByNetHTTP does the same with net/http.
func readByNetHTTP(sent []byte) (list []string) {
	closed := make(chan struct{})
	s := &http.Server{ErrorLog: log.New(io.Discard, "", 0), MaxHeaderBytes: 1 << 20, DisableGeneralOptionsHandler: true}
	s.Handler = http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		req, err := adapters.FromHTTP(r)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		req.URI = smuggling.OriginForm(r.RequestURI) // FromHTTP escapes what url.URL does in an absolute one
		list = append(list, describe(req, body, adapters.HeaderFrom(r.Trailer)))
	})
	s.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateClosed {
			close(closed)
		}
	}
	ln := &oneConn{conn: &memoryConn{Reader: bytes.NewReader(sent)}, closed: closed}
	s.Serve(ln)
	<-closed
	return list
}

// oneConn is a listener with one connection.
type oneConn struct {
	conn   net.Conn
	closed chan struct{}
}

func (l *oneConn) Accept() (net.Conn, error) {
	if c := l.conn; c != nil {
		l.conn = nil
		return c, nil
	}
	<-l.closed
	return nil, net.ErrClosed
}

func (l *oneConn) Close() error   { return nil }
func (l *oneConn) Addr() net.Addr { return &net.TCPAddr{} }

// describe says what a request is, in a form that does not depend on who read it. The path of "http://host" is "/" (RFC
// 9112 3.2.1), and of a trailer section only what may stand there counts (RFC 9110 6.5.1): net/http leaves both to its
// user.
func describe(req *adapters.Request, body []byte, trailer adapters.Header) string {
	if req.URI != "*" && req.Script.PathInfo == "" {
		req.Script.PathInfo = "/"
	}
	trailer = slices.DeleteFunc(trailer, func(f adapters.Field) bool { return !adapters.TrailerAllowed(f.Name) })
	return fmt.Sprintf("%s %s %s %s %q %s %q trailer %s", req.Method, req.URI, req.Path(), req.Host, req.Query, fields(req.Header), body, fields(trailer))
}

// fields returns a header with canonical names, in order.
func fields(h adapters.Header) string {
	var lines []string
	for _, f := range h {
		lines = append(lines, fmt.Sprintf("%s: %q", http.CanonicalHeaderKey(f.Name), f.Value))
	}
	slices.Sort(lines)
	return strings.Join(lines, ", ")
}
