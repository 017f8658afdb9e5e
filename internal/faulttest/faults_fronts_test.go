//go:build unix

package faulttest

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/adapters/open"
	"github.com/gangway-go/gangway/cgi"
	"github.com/gangway-go/gangway/fastcgi/wire"
	"github.com/gangway-go/gangway/internal/peer"
	scgiwire "github.com/gangway-go/gangway/scgi/wire"
)

// A sight is what a client sees of a response.
type sight struct {
	interim []int
	status  int
	header  http.Header
	body    string
	stderr  string // what a web server gets to log
	end     string // how it breaks off; "" if it does not
}

// A face is a frontend with the client that looks at it.
type face struct {
	name    string
	listen  string // address without a path; "" is a CGI program
	options open.ListenOptions
	see     func(t *testing.T, network, address, query string) sight
}

// given reports whether its client is a web server, which has divided the path.
func (f *face) given() bool { return !strings.HasPrefix(f.listen, "http") }

var faces = []face{
	{name: "http1", listen: "http://127.0.0.1:0", see: seeHTTP("1.1")},
	{name: "http1, HTTP/1.0", listen: "http://127.0.0.1:0", see: seeHTTP("1.0")},
	{name: "net/http", listen: "http://127.0.0.1:0", options: open.ListenOptions{NetHTTP: true}, see: seeHTTP("1.1")},
	{name: "net/http, HTTP/1.0", listen: "http://127.0.0.1:0", options: open.ListenOptions{NetHTTP: true},
		see: seeHTTP("1.0")},
	{name: "HTTP/2", listen: "http://127.0.0.1:0", see: seeHTTP2},
	{name: "fcgi", listen: "fcgi://127.0.0.1:0", see: seeFCGI},
	{name: "fcgi+unix", listen: "fcgi+unix://", see: seeFCGI},
	{name: "scgi", listen: "scgi://127.0.0.1:0", see: seeSCGI},
	{name: "scgi+unix", listen: "scgi+unix://", see: seeSCGI},
	{name: "cgi"},
}

// telling tells everybody what failed.
var telling = &adapters.Reporter{Name: "gangway", Trusted: func(adapters.Endpoint) bool { return true }}

// A view is a frontend in front of a handler.
type view struct {
	*face
	h                adapters.Handler
	log              *slog.Logger
	network, address string
}

// open has the frontend serve h until the test ends.
func (f *face) open(t *testing.T, h adapters.Handler, log *slog.Logger) *view {
	t.Helper()
	v := &view{face: f, h: h, log: log, network: "tcp"}
	if f.listen == "" {
		return v
	}
	address := f.listen
	if strings.HasSuffix(address, "unix://") {
		v.network = "unix"
		address += filepath.Join(peer.Dir(t), "front")
	}
	o := f.options
	o.Log, o.Reporter = log, telling
	ln, err := open.Listen(address, h, o)
	require.NoError(t, err)
	served := make(chan error, 1)
	go func() { served <- ln.Serve() }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		assert.NoError(t, ln.Shutdown(ctx))
		assert.NoError(t, <-served)
	})
	_, v.address, _ = strings.Cut(ln.String(), "://")
	return v
}

// ask asks for the query and looks at the answer.
func (v *view) ask(t *testing.T, query string) sight {
	if v.listen != "" {
		return v.see(t, v.network, v.address, query)
	}
	var out bytes.Buffer
	var stderr faultLog
	i := &cgi.Invocation{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &stderr, Log: v.log, Reporter: telling}
	for _, pair := range gatewayVars(query) {
		i.Env = append(i.Env, pair[0]+"="+pair[1])
	}
	err := i.Serve(t.Context(), v.h)
	s := parseCGI(out.String())
	if s.stderr = stderr.String(); s.end == "" && err != nil {
		s.end = "exit 1"
	}
	return s
}

// seeHTTP returns a client of HTTP/1.
func seeHTTP(version string) func(*testing.T, string, string, string) sight {
	return func(t *testing.T, network, address, query string) (s sight) {
		conn, raw, err := converse(network, address,
			fmt.Sprintf("GET /?%s HTTP/%s\r\nHost: localhost\r\nConnection: close\r\n\r\n", query, version))
		if conn == nil {
			return sight{end: err.Error()}
		}
		s = parseHTTP(raw)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			s.end = "hangs"
		case errors.Is(err, syscall.ECONNRESET) && s.end != "fewer bytes":
			s.end = "reset"
		}
		return s
	}
}

// converse sends the request and returns what comes.
func converse(network, address, request string) (net.Conn, []byte, error) {
	conn, err := net.Dial(network, address)
	if err != nil {
		return nil, nil, err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(conn, request); err != nil {
		return conn, nil, err
	}
	raw, err := io.ReadAll(conn)
	return conn, raw, err
}

// parseHTTP parses the responses to a GET, and says how the last one breaks off.
func parseHTTP(raw []byte) (s sight) {
	if len(raw) == 0 {
		return sight{end: "nothing"}
	}
	r := bufio.NewReader(bytes.NewReader(raw))
	for {
		resp, err := http.ReadResponse(r, &http.Request{Method: "GET"})
		if err != nil {
			s.end = fmt.Sprintf("no response: %.40q", raw)
			return s
		}
		if resp.StatusCode < 200 && resp.StatusCode != http.StatusSwitchingProtocols {
			s.interim = append(s.interim, resp.StatusCode)
			continue
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		s.status, s.header, s.body = resp.StatusCode, resp.Header, string(body)
		switch {
		case err == nil:
		case resp.ContentLength >= 0:
			s.end = "fewer bytes"
		default:
			s.end = "no last chunk"
		}
		if rest, _ := io.ReadAll(r); err == nil && len(rest) > 0 {
			s.end = fmt.Sprintf("more behind it: %.40q", rest)
		}
		return s
	}
}

// seeHTTP2 is a client of HTTP/2 with prior knowledge.
func seeHTTP2(t *testing.T, _, address, query string) (s sight) {
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	transport := &http.Transport{Protocols: protocols, DisableCompression: true}
	defer transport.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(withInterim(t.Context(), &s), patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, "GET", "http://"+address+"/?"+query, nil)
	if err != nil {
		return sight{end: err.Error()}
	}
	resp, err := transport.RoundTrip(req)
	if err == nil {
		var body []byte
		body, err = io.ReadAll(resp.Body)
		resp.Body.Close()
		s.status, s.header, s.body = resp.StatusCode, resp.Header, string(body)
	}
	switch {
	case err == nil:
	case strings.Contains(err.Error(), "stream error"):
		s.end = "RST_STREAM"
	default:
		s.end = err.Error()
	}
	return s
}

// gatewayVars are what a web server sends.
func gatewayVars(query string) [][2]string {
	return [][2]string{
		{"CONTENT_LENGTH", "0"}, {"SCGI", "1"}, {"REQUEST_METHOD", "GET"}, {"REQUEST_URI", "/?" + query},
		{"QUERY_STRING", query}, {"PATH_INFO", "/"}, {"SERVER_PROTOCOL", "HTTP/1.1"},
	}
}

func fcgiGet(query string) []byte {
	b := wire.BeginRequest{Role: wire.RoleResponder}.Append(nil, 1)
	var pairs []byte
	for _, v := range gatewayVars(query) {
		pairs = wire.AppendPair(pairs, v[0], v[1])
	}
	b = wire.AppendEnd(wire.AppendRecord(b, wire.TypeParams, 1, pairs), wire.TypeParams, 1)
	return wire.AppendEnd(b, wire.TypeStdin, 1)
}

func scgiGet(query string) []byte {
	var b []byte
	for _, v := range gatewayVars(query) {
		b = scgiwire.AppendPair(b, v[0], v[1])
	}
	return scgiwire.Enclose(b, 0)
}

func seeFCGI(t *testing.T, network, address, query string) sight {
	conn, raw, err := converse(network, address, string(fcgiGet(query)))
	if conn == nil {
		return sight{end: err.Error()}
	}
	return parseFCGI(raw, err)
}

// parseFCGI parses the records of a response; err is how they end.
func parseFCGI(raw []byte, err error) sight {
	var out, stderr []byte
	end := ""
	for r := bytes.NewReader(raw); end == ""; {
		h, content, rerr := readRecord(r)
		switch {
		case rerr == nil && h.Type == wire.TypeStdout && h.Version == wire.Version1:
			out = append(out, content...)
			continue
		case rerr == nil && h.Type == wire.TypeEndRequest && h.Version == wire.Version1:
			s := parseCGI(string(out))
			s.stderr = string(stderr)
			return s
		case rerr == nil && h.Type == wire.TypeStderr:
			stderr = append(stderr, content...)
			continue
		case errors.Is(err, syscall.ECONNRESET):
			end = "reset"
		case errors.Is(err, os.ErrDeadlineExceeded):
			end = "hangs"
		case rerr == nil || len(raw) > 0 && len(raw)-r.Len() > 0 && bytes.HasSuffix(raw, make([]byte, wire.HeaderLen)):
			end = "version 0"
		default:
			end = "closed"
		}
	}
	s := parseCGI(string(out))
	s.end, s.stderr = end, string(stderr)
	return s
}

func seeSCGI(t *testing.T, network, address, query string) sight {
	conn, raw, err := converse(network, address, string(scgiGet(query)))
	if conn == nil {
		return sight{end: err.Error()}
	}
	s := parseCGI(string(raw))
	switch {
	case errors.Is(err, syscall.ECONNRESET):
		s.end = "reset"
	case errors.Is(err, os.ErrDeadlineExceeded):
		s.end = "hangs"
	}
	return s
}

// parseCGI parses a response as in RFC 3875 section 6.
func parseCGI(text string) sight {
	head, body, _ := strings.Cut(text, "\r\n\r\n")
	status, fields, ok := strings.Cut(head+"\r\n", "\r\n")
	status, isStatus := strings.CutPrefix(status, "Status: ")
	if !ok || !isStatus {
		if fields, isStatus = head+"\r\n", strings.HasPrefix(head, "Location: "); !isStatus {
			return sight{end: fmt.Sprintf("no response: %.40q", text)}
		}
		status = "302 Found"
	}
	s := parseHTTP([]byte("HTTP/1.1 " + status + "\r\n" + fields + "Connection: close\r\n\r\n" + body))
	return s
}
