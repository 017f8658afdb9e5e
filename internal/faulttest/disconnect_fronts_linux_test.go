package faulttest

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/adapters/open"
	"github.com/gangway-go/gangway/fastcgi/wire"
	"github.com/gangway-go/gangway/internal/peer"
	scgiwire "github.com/gangway-go/gangway/scgi/wire"
)

// A front is a frontend together with who talks to it: a browser, or for FastCGI and SCGI a web server.
type front struct {
	name    string
	title   string // for people
	about   string
	listen  string // address without a path
	options open.ListenOptions
	request func(*state) string
	piece   string // more of a body
	spools  bool   // a body that nobody reads
}

var fronts = []front{
	{name: "http1", title: "HTTP/1.1, read by gangway", listen: "http://127.0.0.1:0",
		request: httpRequest, piece: flooding,
		about: `A half-close counts as gone. Clients are watched from 25 to 50 ms after their request's begin on, since
most requests are over by then: here each client leaves as soon as the application has been asked, CGI's 20 ms later.`},
	{name: "net-http", title: "HTTP/1.1, read by net/http (`--http net`, TLS)", listen: "http://127.0.0.1:0",
		options: open.ListenOptions{NetHTTP: true}, request: httpRequest, piece: flooding,
		about: `Net/http reads in the background when it has read the whole body, and stops at the first byte of the next
request. While a backend waits for more of a body it hears of the end; while the body is unread, nobody does.`},
	{name: "fcgi", title: "FastCGI, TCP", listen: "fcgi://127.0.0.1:0", request: fcgiRequest,
		piece: fcgiStdin(flooding), spools: true},
	{name: "fcgi+unix", title: "FastCGI, Unix", listen: "fcgi+unix://", request: fcgiRequest},
	{name: "scgi", title: "SCGI, TCP", listen: "scgi://127.0.0.1:0", request: scgiRequest, piece: flooding},
	{name: "scgi+unix", title: "SCGI, Unix", listen: "scgi+unix://", request: scgiRequest},
}

var flooding = strings.Repeat("x", 8<<10)

func (f *front) http() bool { return strings.HasPrefix(f.listen, "http") }
func (f *front) unix() bool { return strings.HasSuffix(f.listen, "unix://") }

// can reports whether there is such a scene: web servers send one request, resets are TCP's, and to SCGI a half-close
// says nothing.
func (f *front) can(s *scene) bool {
	switch {
	case !f.http() && (s.state.next || s.backend.name != "EGI"):
		return false
	case f.unix() && (s.departure.name == "RST" || s.state.floods):
		return false
	case s.departure.name == "abort":
		return strings.HasPrefix(f.name, "fcgi")
	case s.departure.name == "half-close":
		return !strings.HasPrefix(f.name, "scgi")
	}
	return true
}

// untold reports whether nobody can tell, or nobody does.
//
// Net/http reads in the background when it has read the whole body, and stops at the first byte of the next request. To
// SCGI over TCP a FIN may be a half-close.
func (s *scene) untold() bool {
	switch s.frontend.name {
	case "net-http":
		return s.state.next || s.state.floods || s.state.length > 0 && s.backend.name == "EGI"
	case "scgi":
		return s.departure.name == "FIN"
	}
	return false
}

// connect serves h and returns a connection to it. The function stops serving; served says that h has ended.
func (f *front) connect(t *testing.T, h adapters.Handler) (conn net.Conn, stop func(served bool)) {
	address := f.listen
	if f.unix() {
		address += filepath.Join(peer.Dir(t), "front")
	}
	o := f.options
	o.Log = slog.New(slog.DiscardHandler)
	ln, err := open.Listen(address, h, o)
	require.NoError(t, err)
	ended := make(chan error, 1)
	go func() { ended <- ln.Serve() }()
	network := "tcp"
	if f.unix() {
		network = "unix"
	}
	conn, err = net.Dial(network, strings.SplitN(ln.String(), "://", 2)[1])
	require.NoError(t, err)
	return conn, func(served bool) {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if !served {
			cancel()
		}
		err := ln.Shutdown(ctx)
		assert.True(t, err == nil || !served, "%v", err)
		assert.NoError(t, <-ended)
	}
}

func httpRequest(s *state) string {
	const host = " HTTP/1.1\r\nHost: localhost\r\n"
	text := "GET /" + host + "\r\n"
	if s.length >= 0 {
		text = fmt.Sprintf("POST /%sContent-Length: %d\r\n\r\n%s", host, s.length, s.body)
	}
	if s.next {
		text += strings.Repeat("GET /next"+host+"\r\n", 500) // more than a buffer holds
	}
	return text
}

// vars returns what web servers send.
func (s *state) vars() [][2]string {
	return [][2]string{
		{"CONTENT_LENGTH", strconv.Itoa(max(s.length, 0))}, {"SCGI", "1"}, {"REQUEST_METHOD", "POST"}, {"REQUEST_URI", "/"},
		{"PATH_INFO", "/"}, {"SERVER_PROTOCOL", "HTTP/1.1"},
	}
}

func fcgiRequest(s *state) string {
	b := wire.BeginRequest{Role: wire.RoleResponder}.Append(nil, 1)
	var pairs []byte
	for _, v := range s.vars() {
		pairs = wire.AppendPair(pairs, v[0], v[1])
	}
	b = wire.AppendEnd(wire.AppendRecord(b, wire.TypeParams, 1, pairs), wire.TypeParams, 1)
	b = append(b, fcgiStdin(s.body)...)
	if !s.unended() {
		b = wire.AppendEnd(b, wire.TypeStdin, 1)
	}
	return string(b)
}

func fcgiStdin(body string) string {
	return string(wire.AppendStream(nil, wire.TypeStdin, 1, []byte(body)))
}

func scgiRequest(s *state) string {
	var b []byte
	for _, v := range s.vars() {
		b = scgiwire.AppendPair(b, v[0], v[1])
	}
	return string(scgiwire.Enclose(b, 0)) + s.body
}
