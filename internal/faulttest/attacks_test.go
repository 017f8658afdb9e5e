//go:build unix

package faulttest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
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
	"github.com/gangway-go/gangway/adapters/apps"
	"github.com/gangway-go/gangway/adapters/open"
	"github.com/gangway-go/gangway/internal/attacks"
	"github.com/gangway-go/gangway/internal/execfile"
	"github.com/gangway-go/gangway/internal/peer"
)

// A fort is a server before the folder of package attacks.
type fort struct {
	name, config string
	language     attacks.Language
	start        func(t *testing.T, root string) site
	front        string                   // its front controller
	serves       func(attacks.Meant) bool // nil is all
	version      []string
}

// guard is the rule of every fort, as a middleware: it sees the path that every other part of gangway sees.
func guard(next adapters.Handler) adapters.Handler {
	return adapters.HandlerFunc(func(ctx context.Context, req *adapters.Request) (*adapters.Response, error) {
		if rest, ok := strings.CutPrefix(req.Path(), attacks.Protected); ok && (rest == "" || rest[0] == '/') {
			return nil, adapters.ErrForbidden
		}
		return next.Serve(ctx, req)
	})
}

// phpFPM starts a php-fpm that runs whatever it is told to: nothing but gangway keeps it from uploads.
func phpFPM(t *testing.T) (address string) {
	_, socket := peer.PHPFPM(t, "security.limit_extensions =\nrequest_terminate_timeout = 10s")
	return "fcgi+unix://" + socket
}

func gangwayPHP(lo open.ListenOptions) func(*testing.T, string) site {
	return func(t *testing.T, root string) site {
		return gangwayOn(t, lo, phpFPM(t), open.AppOptions{Root: root}, guard)
	}
}

// gangwayServe is what "gangway serve DIR" does.
func gangwayServe(t *testing.T, root string) site {
	folder, err := apps.Open(t.Context(), "", root, apps.Options{})
	require.NoError(t, err)
	require.NoError(t, folder.Mounts[0].Err)
	t.Cleanup(func() { assert.NoError(t, folder.Close(context.Background())) })
	instead := func(adapters.Handler) adapters.Handler { return folder }
	return gangwayOn(t, open.ListenOptions{}, "egi:echo", open.AppOptions{}, guard, instead)
}

func isScript(m attacks.Meant) bool { return m.Script != "" && !m.FolderOfScript }

func isFile(m attacks.Meant) bool { return m.Script == "" && !m.FolderOfScript }

// The forts of gangway.
var ownForts = []fort{
	{"gangway", "`bridge --to fcgi+unix:… --root DIR`", attacks.PHP, gangwayPHP(open.ListenOptions{}), "", nil, nil},
	{"gangway, `--http net`", "the same, read by net/http", attacks.PHP, gangwayPHP(open.ListenOptions{NetHTTP: true}),
		"",
		nil, nil},
	{"gangway serve", "`serve DIR`, whose front controller is /index.php", attacks.PHP, gangwayServe, "/index.php", nil, nil},
	{"gangway, CGI", "`bridge --to cgi:DIR/`", attacks.Shell, func(t *testing.T, root string) site {
		return gangway(t, "cgi:"+root+"/", open.AppOptions{}, guard)
	}, "", isScript, nil},
	{"gangway, files", "`bridge --to static:DIR`", attacks.Plain, func(t *testing.T, root string) site {
		return gangway(t, "static:"+root, open.AppOptions{}, guard)
	}, "", isFile, nil},
}

// buildFort makes the folder, also with what is neither file nor folder.
func buildFort(t *testing.T, l attacks.Language) (root string) {
	t.Helper()
	root, err := attacks.Build(peer.Dir(t), l, execfile.WriteFile)
	require.NoError(t, err)
	require.NoError(t, os.Mkdir(root+"/fifodir", 0o755))
	for _, name := range []string{"fifo.php", "fifo.txt", "fifodir/index.php"} {
		require.NoError(t, syscall.Mkfifo(filepath.Join(root, name), 0o666))
	}
	for _, name := range []string{"socket.php", "socket.txt"} {
		ln, err := net.Listen("unix", filepath.Join(root, name))
		require.NoError(t, err)
		t.Cleanup(func() { ln.Close() })
	}
	return root
}

// A spoils counts what attacks have brought, by outcome; the last one is an answer that does not come.
type spoils [5]int

const hangs5 = 4

func (n spoils) String() string {
	text := ""
	for i, sign := range []string{"e", "d", "s", "h"} {
		if n[i+1] > 0 {
			text += fmt.Sprintf("%d%s ", n[i+1], sign)
		}
	}
	if text == "" {
		return "·"
	}
	return "**" + strings.TrimSpace(text) + "**"
}

func (n spoils) lost() int { return n[1] + n[2] + n[3] + n[4] }

// A visitor sends requests over one connection, as long as that is kept.
type visitor struct {
	t    *testing.T
	site site
	wait time.Duration
	conn net.Conn
	r    *bufio.Reader
}

// A reply is what comes back, with all that came behind it.
type reply struct {
	status         int
	location, body string
	hangs          bool
}

func (v *visitor) close() {
	if v.conn != nil {
		v.conn.Close()
		v.conn = nil
	}
}

// ask sends a request, once more if the server has just closed the connection.
func (v *visitor) ask(request string) reply {
	kept := v.conn != nil
	a, silent := v.try(request)
	if silent && kept {
		a, _ = v.try(request)
	}
	return a
}

func (v *visitor) try(request string) (a reply, silent bool) {
	if v.conn == nil {
		conn, err := net.Dial(v.site.network, v.site.address)
		require.NoError(v.t, err)
		v.conn, v.r = conn, bufio.NewReader(conn)
	}
	v.conn.SetDeadline(time.Now().Add(v.wait))
	io.WriteString(v.conn, request)
	method, _, _ := strings.Cut(request, " ")
	resp, err := http.ReadResponse(v.r, &http.Request{Method: method})
	if err != nil {
		v.close()
		a.hangs = errors.Is(err, os.ErrDeadlineExceeded)
		return a, !a.hangs
	}
	body, err := io.ReadAll(resp.Body)
	a = reply{resp.StatusCode, resp.Header.Get("Location"), string(body), errors.Is(err, os.ErrDeadlineExceeded)}
	if rest, _ := v.r.Peek(v.r.Buffered()); len(rest) > 0 { // of a request that was taken for several
		a.body += string(rest)
	}
	if err != nil || resp.Close || resp.StatusCode >= 400 || v.r.Buffered() > 0 {
		v.close()
	}
	return a, false
}

// A siege is what came of attacking a fort: what is lost by class, and how those who mean well are answered.
type siege struct {
	fort
	lost  map[string]spoils
	meant map[string]tally
}

func (f fort) siege(t *testing.T, wait time.Duration) siege {
	v := &visitor{t: t, site: f.start(t, buildFort(t, f.language)), wait: wait}
	defer v.close()
	lost, meant := map[string]spoils{}, map[string]tally{}
	for _, c := range allClasses {
		n := lost[c.Name]
		for _, a := range c.Attacks {
			got := v.ask(a.Request())
			outcome := int(attacks.Judge(a, got.body, f.front))
			if got.hangs {
				outcome = hangs5
			}
			n[outcome]++
			if outcome != 0 {
				t.Logf("%s: %s: %.200q: %s: %d %.200q", f.name, c.Name, a.Request(), spoilNames[outcome], got.status,
					got.body)
			}
		}
		lost[c.Name] = n
	}
	for _, m := range attacks.Legitimate {
		if f.serves != nil && !f.serves(m) {
			continue
		}
		n, got := meant[m.Class], v.ask(m.Request())
		inFront := f.front != "" && m.Class == "folders" && strings.HasPrefix(got.body, "RAN "+f.front) // as it says
		if inFront || m.Right(got.status, got.location, got.body) {
			n[right]++
		} else {
			n[wrong]++
			t.Logf("%s: %s: %.200q: %d %q %.200q", f.name, m.Class, m.Request(), got.status, got.location, got.body)
		}
		meant[m.Class] = n
	}
	return siege{f, lost, meant}
}

var spoilNames = []string{"safe", "escape", "disclosure", "wrong script", "hangs"}

var allClasses = append(attacks.Classes[:len(attacks.Classes):len(attacks.Classes)], attacks.Left...)

// TestAttacks: nothing is lost, whoever means well gets what was asked for, and the committed table says so.
func TestAttacks(t *testing.T) {
	var all []siege
	path := os.Getenv(attackTableVar)
	for _, f := range ownForts {
		t.Run(f.name, func(t *testing.T) {
			s := f.siege(t, patience)
			for class, n := range s.lost {
				assert.Zero(t, n.lost(), class)
			}
			for class, n := range s.meant {
				assert.Zero(t, n[wrong], class)
			}
			all = append(all, s)
		})
	}
	if path != "" {
		for _, f := range otherForts {
			t.Run(f.name, func(t *testing.T) { all = append(all, f.siege(t, 2*moment)) })
		}
		require.Len(t, all, len(ownForts)+len(otherForts))
		require.NoError(t, os.WriteFile(path, []byte(attackTable(t, all)), 0o644))
		return
	}
	committed, err := os.ReadFile("../../docs/attacks.md")
	require.NoError(t, err)
	for _, row := range attackRows(all) {
		assert.Contains(t, string(committed), row+" |", "make attack-table writes it anew")
	}
}
