package open_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/adapters/middleware"
	"github.com/gangway-go/gangway/adapters/open"
	"github.com/gangway-go/gangway/egi"
	fcgiwire "github.com/gangway-go/gangway/fastcgi/wire"
	"github.com/gangway-go/gangway/internal/execfile"
	"github.com/gangway-go/gangway/internal/peer"
	scgiwire "github.com/gangway-go/gangway/scgi/wire"
)

// attempts are what an application that repeats what a client has said may put into its header: the client wants to say
// a field of its own, Injected, or to end the header. LF stands for what only an application in this process can do:
// to others it ends a line, as they mean it.
func attempts() (all []adapters.Field) {
	for _, evil := range []string{"\rInjected: 1", "\r\rInjected: 1", "\x00Injected: 1", "\x00\rInjected: 1", "\x0bInjected: 1", "\x7fa",
		"\nInjected: 1", "\r\nInjected: 1", "\r\n\r\nInjected: 1", "\n\nInjected: 1"} {
		for _, name := range []string{"X-A", "Location", "Set-Cookie", "Content-Type", "Variable-A", "Status", "Content-Length"} {
			value := "a" + evil
			if name == "Status" {
				value = "200 OK" + evil
			} else if name == "Content-Length" {
				value = "4" + evil
			}
			all = append(all, adapters.Field{Name: name, Value: value})
		}
		all = append(all, adapters.Field{Name: "X-A" + evil, Value: "a"}, adapters.Field{Name: evil + ": a\r\nX-A", Value: "a"})
	}
	return append(all, adapters.Field{Name: "X-A: a\n Injected", Value: "folded"}, adapters.Field{Name: " Injected", Value: "a"},
		adapters.Field{Name: "X A", Value: "a"}, adapters.Field{Name: "", Value: "a"}, adapters.Field{Name: "X-\xff", Value: "a"})
}

func inProcessOnly(f adapters.Field) bool { return strings.Contains(f.Name+f.Value, "\n") }

// current is the field that an application is to write.
type current struct {
	f atomic.Pointer[adapters.Field]
}

func (c *current) get() adapters.Field  { return *c.f.Load() }
func (c *current) set(f adapters.Field) { c.f.Store(&f) }

// A repeater is an application that writes one field of its header as it is told.
type repeater struct {
	name string
	open func(t *testing.T, f *current) string // address
}

var repeaters = []repeater{
	{"fcgi", func(t *testing.T, f *current) string {
		return "fcgi+unix://" + raw(t, func() string {
			b := fcgiwire.AppendStream(nil, fcgiwire.TypeStdout, 1, []byte(cgiAnswer(f.get())))
			b = fcgiwire.AppendEnd(b, fcgiwire.TypeStdout, 1)
			return string(fcgiwire.EndRequest{}.Append(b, 1))
		})
	}},
	{"scgi", func(t *testing.T, f *current) string {
		return "scgi+unix://" + raw(t, func() string { return cgiAnswer(f.get()) })
	}},
	{"http", func(t *testing.T, c *current) string {
		return "http+unix://" + raw(t, func() string {
			f := c.get()
			status, f := "200 OK", c.get()
			text := f.Name + ": " + f.Value + "\r\n"
			if f.Name == "Status" {
				status, text = f.Value, ""
			}
			return "HTTP/1.1 " + status + "\r\nConnection: close\r\n" + text + "\r\nbody"
		})
	}},
	{"cgi", func(t *testing.T, _ *current) string {
		dir := peer.Dir(t)
		file := filepath.Join(dir, "app")
		require.NoError(t, execfile.WriteFile(file, []byte("#!/bin/sh\ncat "+dir+"/answer\n"), 0o755))
		answers[file] = filepath.Join(dir, "answer")
		return "cgi:" + file
	}},
}

// answers are the files that CGI programs print.
var answers = map[string]string{}

func cgiAnswer(f adapters.Field) string {
	text := "Content-Type: text/plain\r\n"
	if f.Name == "Content-Type" {
		text = ""
	}
	return text + f.Name + ": " + f.Value + "\r\n\r\nbody"
}

// raw answers each connection, of which it takes what comes first, and returns its socket.
func raw(t *testing.T, answer func() string) string {
	t.Helper()
	socket := filepath.Join(peer.Dir(t), "app")
	ln, err := net.Listen("unix", socket)
	require.NoError(t, err)
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			conn.Read(make([]byte, 64<<10))
			io.WriteString(conn, answer())
			conn.Close()
		}
	}()
	return socket
}

// asker asks a frontend of one protocol and returns the bytes that come back, those of the protocol around the header
// removed.
var askers = []struct {
	name, address string
	net           bool
	ask           func(network, address string) (string, error)
}{
	{"http1", "http://127.0.0.1:0", false, askRawHTTP},
	{"net", "http://127.0.0.1:0", true, askRawHTTP},
	{"scgi", "scgi://127.0.0.1:0", false, func(network, address string) (string, error) {
		var b []byte
		for _, v := range [][2]string{{"CONTENT_LENGTH", "0"}, {"SCGI", "1"}, {"REQUEST_METHOD", "GET"}, {"REQUEST_URI", "/"}} {
			b = scgiwire.AppendPair(b, v[0], v[1])
		}
		return exchange(network, address, string(scgiwire.Enclose(b, 0)))
	}},
}

func askRawHTTP(network, address string) (string, error) {
	return exchange(network, address, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
}

func exchange(network, address, request string) (string, error) {
	conn, err := net.Dial(network, address)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(30 * time.Second))
	if _, err := io.WriteString(conn, request); err != nil {
		return "", err
	}
	answer, err := io.ReadAll(conn)
	if len(answer) > 0 {
		err = nil // a reset is a way to end a response
	}
	return string(answer), err
}

var injected = regexp.MustCompile(`(?m)^[ \t]*Injected`)

// checkHeader fails if what a client reads has in it what the application's client has put there.
func checkHeader(t *testing.T, f adapters.Field, answer string) {
	t.Helper()
	head, _, whole := strings.Cut(answer, "\r\n\r\n")
	assert.True(t, whole, "%q: %q", f, answer)
	assert.NotRegexp(t, injected, head, "%q", f)
	assert.NotRegexp(t, `[\x00\x0b\x7f]|\r[^\n]|[^\r]\n|\n$`, head, "%q", f)
	for i, line := range strings.Split(head, "\r\n") {
		if name, _, ok := strings.Cut(line, ":"); i > 0 || !strings.HasPrefix(line, "HTTP/") {
			assert.True(t, ok && adapters.ValidName(name), "%q: line %q", f, line)
		}
	}
}

// TestSplitting: whatever an application writes into its header, no client reads another message than a web server
// would have made of the other fields.
func TestSplitting(t *testing.T) {
	var field current
	for _, app := range repeaters {
		t.Run(app.name, func(t *testing.T) {
			address := app.open(t, &field)
			a, err := open.Open(address, open.AppOptions{Log: slog.New(slog.DiscardHandler)})
			require.NoError(t, err)
			defer a.Close(context.Background())
			testSplitting(t, a.Handler(), func(f adapters.Field) bool {
				field.set(f)
				if file := answers[strings.TrimPrefix(address, "cgi:")]; file != "" {
					require.NoError(t, os.WriteFile(file, []byte(cgiAnswer(f)), 0o644))
				}
				return !inProcessOnly(f)
			})
		})
	}
	t.Run("egi", func(t *testing.T) {
		app := egi.HTTP(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			f := field.get()
			w.Header()[f.Name] = []string{f.Value}
			io.WriteString(w, "body")
		}))
		testSplitting(t, app, func(f adapters.Field) bool { field.set(f); return true })
	})
	t.Run("handler", func(t *testing.T) {
		app := adapters.HandlerFunc(func(context.Context, *adapters.Request) (*adapters.Response, error) {
			resp := adapters.Reply(200, "text/plain", "body")
			f := field.get()
			resp.Header.Add(f.Name, f.Value)
			resp.Trailer = func() adapters.Header { return adapters.Header{f} }
			return resp, nil
		})
		testSplitting(t, app, func(f adapters.Field) bool { field.set(f); return true })
	})
}

func testSplitting(t *testing.T, app adapters.Handler, set func(adapters.Field) (possible bool)) {
	for _, asker := range askers {
		t.Run(asker.name, func(t *testing.T) {
			o := open.ListenOptions{NetHTTP: asker.net, Log: slog.New(slog.DiscardHandler)}
			address := listenWith(t, asker.address, app, o)
			for _, f := range attempts() {
				if !set(f) {
					continue
				}
				answer, err := asker.ask("tcp", address[strings.Index(address, "//")+2:])
				require.NoError(t, err, "%q", f)
				checkHeader(t, f, answer)
				if strings.Contains(answer, "Trailer") || strings.Contains(answer, "chunked") {
					_, body, _ := strings.Cut(answer, "\r\n\r\n")
					assert.NotRegexp(t, injected, body, "%q", f)
				}
			}
		})
	}
}

// TestSplittingVariables: no variable of an authorizer has a byte in it that no variable may have.
func TestSplittingVariables(t *testing.T) {
	var field current
	a, err := open.Open(repeaters[0].open(t, &field), open.AppOptions{Log: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	defer a.Close(context.Background())
	var asked bytes.Buffer
	app := middleware.Authorize(a.Handler())(adapters.HandlerFunc(
		func(_ context.Context, req *adapters.Request) (*adapters.Response, error) {
			for name, value := range req.All() {
				fmt.Fprintf(&asked, "%s=%s\n", name, value)
			}
			return adapters.Reply(200, "text/plain", ""), nil
		}))
	for _, f := range attempts() {
		if inProcessOnly(f) || !strings.HasPrefix(f.Name, "Variable-") {
			continue
		}
		field.set(f)
		asked.Reset()
		_, err := app.Serve(t.Context(), &adapters.Request{Method: "GET", Proto: "HTTP/1.1"})
		assert.Equal(t, 502, adapters.StatusOf(err), "%q", f)
		assert.Empty(t, asked.String(), "%q", f)
	}
	field.set(adapters.Field{Name: "Variable-A", Value: "fine"})
	_, err = app.Serve(t.Context(), &adapters.Request{Method: "GET", Proto: "HTTP/1.1"})
	require.NoError(t, err)
	s := bufio.NewScanner(&asked)
	found := false
	for s.Scan() {
		found = found || s.Text() == "A=fine"
	}
	assert.True(t, found)
}
