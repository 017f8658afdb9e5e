package gofast_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/fastcgi"
	"github.com/gangway-go/gangway/fastcgi/gofast"
	"github.com/gangway-go/gangway/fastcgi/wire"
)

// The bytes of applications are written here by hand, apart from package wire.
const (
	tBegin, tAbort, tEnd, tParams, tStdin, tStdout, tStderr, tData, tValues = 1, 2, 3, 4, 5, 6, 7, 8, 10

	completed = "\x00\x00\x00\x00\x00\x00\x00\x00"
	hello     = "Content-Type: text/plain\r\n\r\nhello"
)

func rec(kind byte, id uint16, content string) string {
	return string([]byte{1, kind, byte(id >> 8), byte(id), byte(len(content) >> 8), byte(len(content)), 0, 0}) + content
}

// answer is all of a response.
func answer(text string) string {
	return rec(tStdout, 1, text) + rec(tStdout, 1, "") + rec(tEnd, 1, completed)
}

// A received is what an application got of a request.
type received struct {
	role, flags byte
	params      map[string]string
	stdin, data string
	ended       bool // both streams
	aborted     bool
}

// receive reads a request up to its end, or that of the connection.
func receive(c net.Conn) (got received) {
	r := bufio.NewReader(c)
	var params []byte
	for {
		head := make([]byte, wire.HeaderLen)
		if _, err := io.ReadFull(r, head); err != nil {
			return got
		}
		h, _ := wire.ParseHeader(head)
		content := make([]byte, int(h.ContentLength)+int(h.PaddingLength))
		if _, err := io.ReadFull(r, content); err != nil {
			return got
		}
		content = content[:h.ContentLength]
		switch {
		case h.Type == tBegin:
			got.role, got.flags = content[1], content[2]
		case h.Type == tAbort:
			got.aborted = true
			return got
		case h.Type == tParams && h.ContentLength > 0:
			params = append(params, content...)
		case h.Type == tParams:
			got.params = pairs(params)
		case h.Type == tStdin && h.ContentLength > 0:
			got.stdin += string(content)
		case h.Type == tData && h.ContentLength > 0:
			got.data += string(content)
		case h.Type == tData, got.role != 3:
			got.ended = true
			return got
		}
	}
}

func pairs(b []byte) map[string]string {
	m := map[string]string{}
	for len(b) > 0 {
		name, value, rest, err := wire.ParsePair(b)
		if err != nil {
			return nil
		}
		m[string(name)] = string(value)
		b = rest
	}
	return m
}

// An app serves one connection, which is closed when it returns.
type app func(c net.Conn)

// says is an application that reads the request and answers with these bytes.
func says(text string) app {
	return func(c net.Conn) {
		receive(c)
		io.WriteString(c, text)
	}
}

// dial connects with the application in memory.
func (a app) dial() (net.Conn, error) {
	near, far := net.Pipe()
	go func() {
		defer far.Close()
		a(far)
	}()
	return near, nil
}

func (a app) engine() *gofast.Engine {
	return &gofast.Engine{Network: "pipe", Address: "app", Dial: func(context.Context, string, string) (net.Conn, error) {
		return a.dial()
	}}
}

func (a app) client() *fastcgi.Client {
	return &fastcgi.Client{Network: "pipe", Address: "app", Dial: func(context.Context, string, string) (net.Conn, error) {
		return a.dial()
	}}
}

// serve has a fastcgi.Server on a network answer by h, and returns the Engine for it.
func serve(t *testing.T, network string, h adapters.Handler) *gofast.Engine {
	address := "127.0.0.1:0"
	if network == "unix" {
		address = t.TempDir() + "/app.sock"
	}
	ln, err := net.Listen(network, address)
	require.NoError(t, err)
	srv := &fastcgi.Server{Handler: h}
	done := make(chan error)
	go func() { done <- srv.Serve(ln) }()
	t.Cleanup(func() {
		require.NoError(t, srv.Close())
		require.ErrorIs(t, <-done, http.ErrServerClosed)
	})
	return &gofast.Engine{Network: network, Address: ln.Addr().String()}
}

func newRequest(method, path string) *adapters.Request {
	return &adapters.Request{
		Method: method, URI: path, Proto: "HTTP/1.1", Host: "www.example.org", Scheme: "http",
		Script: adapters.Script{PathInfo: path}, Remote: adapters.Endpoint{Addr: "192.0.2.7", Port: "5000"},
		Local: adapters.Endpoint{Addr: "192.0.2.1", Port: "80", Name: "www.example.org"},
	}
}

func withBody(req *adapters.Request, body io.Reader, length int64) *adapters.Request {
	req.Method, req.Body, req.ContentLength = "POST", body, length
	return req
}

func fields(lines ...string) (h adapters.Header) {
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ": ")
		h.Add(name, value)
	}
	return h
}

// text reads all of a response and closes it.
func text(t *testing.T, resp *adapters.Response, err error) string {
	require.NoError(t, err)
	var b strings.Builder
	_, err = adapters.Copy(&b, resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	return b.String()
}

// ask returns all that h answers.
func ask(t *testing.T, h adapters.Handler, req *adapters.Request) string {
	resp, err := h.Serve(t.Context(), req)
	return text(t, resp, err)
}
