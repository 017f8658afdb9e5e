//go:build unix

package faulttest

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/adapters/apps"
	"github.com/gangway-go/gangway/adapters/open"
	"github.com/gangway-go/gangway/fastcgi/wire"
	"github.com/gangway-go/gangway/internal/attacks"
	"github.com/gangway-go/gangway/internal/peer"
	scgiwire "github.com/gangway-go/gangway/scgi/wire"
)

// A herald is a web server that tells gangway whatever it is told: over FastCGI on one connection, or over SCGI.
type herald struct {
	scheme, socket string
	conn           net.Conn
}

// tell returns the whole answer.
func (h *herald) tell(t *testing.T, vars []string) string {
	if h.conn == nil || h.scheme == "scgi" {
		conn, err := net.Dial("unix", h.socket)
		require.NoError(t, err)
		h.conn = conn
	}
	h.conn.SetDeadline(time.Now().Add(patience))
	if h.scheme == "scgi" {
		defer h.conn.Close()
		return h.tellSCGI(t, vars)
	}
	request := wire.BeginRequest{Role: wire.RoleResponder, Flags: wire.FlagKeepConn}.Append(nil, 1)
	p := wire.BeginParams(request, 1)
	for pair := range slices.Chunk(vars, 2) {
		p.Add(pair[0], pair[1])
	}
	_, err := h.conn.Write(wire.AppendEnd(p.End(), wire.TypeStdin, 1))
	require.NoError(t, err)
	var answer bytes.Buffer
	for {
		head, content, err := readRecord(h.conn)
		switch {
		case err != nil: // a request that it cannot read
			h.conn.Close()
			h.conn = nil
			return answer.String()
		case head.Type == wire.TypeStdout:
			answer.Write(content)
		case head.Type == wire.TypeEndRequest:
			return answer.String()
		}
	}
}

func (h *herald) tellSCGI(t *testing.T, vars []string) string {
	block := scgiwire.AppendPair(nil, "CONTENT_LENGTH", "0")
	block = scgiwire.AppendPair(block, "SCGI", "1")
	for pair := range slices.Chunk(vars, 2) {
		block = scgiwire.AppendPair(block, pair[0], pair[1])
	}
	_, err := h.conn.Write(scgiwire.Enclose(block, 0))
	require.NoError(t, err)
	answer, err := io.ReadAll(h.conn)
	require.NotErrorIs(t, err, os.ErrDeadlineExceeded) // a reset is an answer
	return string(answer)
}

// A claim is what is told to an application of gangway's that a web server asks.
type claim struct {
	name     string
	language attacks.Language
	address  func(t *testing.T, root string) string // "" is the folder as "serve" has it
	root     bool                                   // --root
	front    string                                 // its front controller
	ways     [2]attacks.Way                         // over FastCGI, and over SCGI
	classes  []attacks.Class
}

// claims: a php-fpm opens what it is told, links and pipes too, and runs no uploads by itself.
var claims = []claim{
	{"CGI", attacks.Shell, func(_ *testing.T, root string) string { return "cgi:" + root + "/" }, false, "",
		[2]attacks.Way{attacks.ByFilename, attacks.ByRoot}, allClasses},
	{"files", attacks.Plain, func(_ *testing.T, root string) string { return "static:" + root }, false, "",
		[2]attacks.Way{attacks.ByRawName, attacks.ByPathInfo}, allClasses},
	{"FastCGI with --root", attacks.PHP, func(t *testing.T, _ string) string {
		_, socket := peer.PHPFPM(t, "request_terminate_timeout = 10s")
		return "fcgi+unix://" + socket
	}, true, "", [2]attacks.Way{attacks.ByName, attacks.ByRawName}, attacks.Classes},
	{"serve", attacks.PHP, nil, false, "/index.php", [2]attacks.Way{attacks.ByName, attacks.ByFilename}, allClasses},
}

// handler opens the application.
func (c claim) handler(t *testing.T, root string) adapters.Handler {
	if c.address == nil {
		folder, err := apps.Open(t.Context(), "", root, apps.Options{})
		require.NoError(t, err)
		t.Cleanup(func() { assert.NoError(t, folder.Close(context.Background())) })
		return adapters.HandlerFunc(func(ctx context.Context, req *adapters.Request) (*adapters.Response, error) {
			divided := *req
			divided.Script = adapters.Script{PathInfo: req.Path()}
			return folder.Serve(ctx, &divided)
		})
	}
	var o open.AppOptions
	if c.root {
		o.Root = root
	}
	app, err := open.Open(c.address(t, root), o)
	require.NoError(t, err)
	require.NoError(t, app.Start(t.Context()))
	t.Cleanup(func() { assert.NoError(t, app.Close(context.Background())) })
	return app.Given()
}

// TestAttacksGiven: web servers that pass on whatever they are sent do not let anybody out of the folder.
func TestAttacksGiven(t *testing.T) {
	for _, c := range claims {
		for i, scheme := range []string{"fcgi", "scgi"} {
			t.Run(c.name+" behind "+scheme, func(t *testing.T) {
				root := buildFort(t, c.language)
				h := &herald{scheme: scheme, socket: listenFor(t, scheme, c.handler(t, root))}
				defer func() { h.conn.Close() }()
				told := attacks.Lies(root)
				if c.root {
					told = slices.DeleteFunc(told, func(a attacks.Told) bool { return a.Class != "lies, SCRIPT_NAME" })
				}
				for _, a := range append(told, c.ways[i].Tell(root, c.classes)...) {
					if scheme == "scgi" && strings.Contains(strings.Join(a.Vars, ""), "\x00") {
						continue // which it cannot say
					}
					answer := h.tell(t, a.Vars)
					assert.Equal(t, attacks.Safe, a.Judge(answer, c.front), "%s: %.300q: %.300q", a.Class, a.Vars, answer)
				}
			})
		}
	}
}

// listenFor answers requests that a web server has divided with h, and returns the path of its socket.
func listenFor(t *testing.T, scheme string, h adapters.Handler) string {
	t.Helper()
	address := scheme + "+unix://" + filepath.Join(peer.Dir(t), "front")
	ln, err := open.Listen(address, h, open.ListenOptions{Log: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	served := make(chan error, 1)
	go func() { served <- ln.Serve() }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		assert.NoError(t, ln.Shutdown(ctx))
		assert.NoError(t, <-served)
	})
	return strings.TrimPrefix(ln.String(), scheme+"+unix://")
}
