//go:build unix

package faulttest

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http/httptrace"
	"net/textproto"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/adapters/middleware"
	"github.com/gangway-go/gangway/adapters/open"
	"github.com/gangway-go/gangway/conformance/faulty"
	gangfcgi "github.com/gangway-go/gangway/fastcgi"
	"github.com/gangway-go/gangway/internal/execfile"
	"github.com/gangway-go/gangway/internal/peer"
)

// faultsAtOnce is how many faults are tried at once, and how many of those that stall, which do nothing but wait.
const faultsAtOnce = 6

// silenceLimit is the limit of faults that are about silence: on a busy machine what is no silence must not take as long.
// The others have enough.
const silenceLimit = 3 * time.Second

// TestFaults has applications fail in all ways of the table behind each frontend, and compares what happens with what is
// written there.
func TestFaults(t *testing.T) {
	parts := readFaults(t)
	looks := map[string]map[string]string{}
	for _, f := range parts[0].faults {
		looks[f.name] = f.cells[0]
	}
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp) // of bodies that are spooled
	seen := map[string]int{}
	var all faultGroup
	for _, f := range parts[1].faults {
		for _, cell := range f.cells {
			for _, app := range strings.Fields(cell["application"]) {
				seen[app+cell["outcome"]]++
				behind := facesFor(seen[app+cell["outcome"]])
				all.try(f.play(app), func() {
					t.Run(f.name+"/"+app, func(t *testing.T) { f.try(t, app, cell, looks, behind) })
				})
			}
		}
	}
	all.Wait()
	left, err := filepath.Glob(tmp + "/gangway*")
	require.NoError(t, err)
	assert.Empty(t, left, "temporary files")
}

// A faultGroup tries several faults at once. The zero value is ready.
type faultGroup struct {
	sync.WaitGroup
	busy, silent chan struct{}
}

// try calls fn as soon as there is room. Those that only wait do not keep others waiting.
func (g *faultGroup) try(play string, fn func()) {
	if g.busy == nil {
		g.busy, g.silent = make(chan struct{}, faultsAtOnce), make(chan struct{}, faultsAtOnce)
	}
	slots := g.busy
	if strings.Contains(play, "stall") {
		slots = g.silent
	}
	g.Go(func() {
		slots <- struct{}{}
		defer func() { <-slots }()
		fn()
	})
}

// facesFor returns the frontends that are to show the nth fault of an application with the same outcome. What a frontend
// makes of an outcome does not depend on the fault behind it, so the first is tried behind all, and each of the others
// behind http1 and one more; for the page all are tried.
func facesFor(n int) []*face {
	var some []*face
	for i := range faces {
		if n == 1 || i == 0 || i == 1+n%(len(faces)-1) || os.Getenv(faultTable) != "" {
			some = append(some, &faces[i])
		}
	}
	return some
}

// try tries the fault of an application behind some frontends at once.
func (f *fault) try(
	t *testing.T, app string, cell map[string]string, looks map[string]map[string]string, behind []*face,
) {
	play, err := faulty.ParsePlay(f.play(app))
	require.NoError(t, err)
	var all sync.WaitGroup
	for _, face := range behind {
		all.Go(func() {
			t.Run(face.name, func(t *testing.T) {
				tr := &faultTrial{face: face, look: looks[face.name], cell: cell}
				require.NotNil(t, tr.look, "the table does not know the frontend")
				tr.run(t, app, play)
			})
		})
	}
	all.Wait()
}

// A faultTrial is one fault of one application behind one frontend.
type faultTrial struct {
	face *face
	look map[string]string // how the frontend shows what happens
	cell map[string]string // what is expected
	log  faultLog
}

// A faultLog drops most of what an application says without end.
type faultLog struct {
	log
	lines atomic.Int64
}

func (l *faultLog) Write(p []byte) (int, error) {
	if !bytes.Contains(p, []byte("msg=\"request failed")) && l.lines.Add(1) > 50 {
		return len(p), nil
	}
	return l.log.Write(p)
}

func (tr *faultTrial) run(t *testing.T, app string, play faulty.Play) {
	s := startSuspect(t, app, play)
	logger := slog.New(slog.NewTextHandler(&tr.log, nil))
	h := s.handler
	if h == nil {
		opened, err := open.Open(s.address, open.AppOptions{Log: logger, Timeout: patience})
		require.NoError(t, err)
		defer func() {
			assert.NoError(t, opened.Close(context.Background()))
			s.deserted(t)
		}()
		if c, ok := opened.Backend.(*gangfcgi.Client); ok {
			c.KeepConn = patience // else the connection may be too old when it is to be used again
		}
		h = opened.Handler()
		if tr.face.given() {
			h = opened.Given()
		}
	}
	d := &adapters.Dispatcher{Routes: []adapters.Route{{To: h}}}
	if tr.face.given() {
		d.MaxRedirects = -1
	}
	h = s.limited(middleware.Recover(logger)(d), slices.ContainsFunc(play, isSilent))
	v := tr.face.open(t, h, logger)
	tr.judge(t, v.ask(t, "fault"))
	_, conn := s.actor.Asked()
	s.behave(t)
	canary := v.ask(t, "canary-"+app)
	assert.Equal(t, sight{status: 200, body: "canary-" + app}, sight{status: canary.status, body: canary.body, end: canary.end},
		"the next request")
	if kept := tr.cell["connection"]; kept != "–" {
		_, now := s.actor.Asked()
		assert.Equal(t, kept == "kept", now == conn, "the connection is %s", kept)
	}
}

// isSilent reports whether somebody waits for a peer that does this.
func isSilent(s faulty.Step) bool {
	return s.Verb == "stall" || s.Verb == "deaf" || s.Verb == "err" && s.Count == 0
}

// judge compares what the client sees and what is logged.
func (tr *faultTrial) judge(t *testing.T, s sight) {
	var want []string
	for outcome := range strings.SplitSeq(tr.cell["outcome"], " or ") {
		want = append(want, tr.expected(outcome)...)
	}
	assert.Contains(t, want, s.render(want))
	if _, id, told := strings.Cut(s.body, "error id "); told {
		_, kind, _ := strings.Cut(s.header.Get("Proxy-Status"), "; error=")
		kind, _, _ = strings.Cut(kind, ";")
		assert.Contains(t, strings.Split(tr.cell["error"], " or "), kind)
		assert.Contains(t, tr.log.String(), strings.TrimSpace(id), "the error id")
	}
	tr.awaitLog(t, s.stderr)
}

// awaitLog waits until the log says what the table says.
func (tr *faultTrial) awaitLog(t *testing.T, stderr string) {
	for end := time.Now().Add(patience / 4); !tr.logged(stderr); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			assert.Failf(t, "not in the log", "%s\n%.2000s", tr.cell["log"], tr.log.String())
			return
		}
	}
}

// logged reports whether the log says what the table says, or that of the web server that got more of it.
func (tr *faultTrial) logged(stderr string) bool {
	all := tr.log.String() + stderr
	for text := range strings.SplitSeq(tr.cell["log"], " or ") {
		if text == "–" && !strings.Contains(all, "level=WARN") && !strings.Contains(all, "level=ERROR") ||
			text != "–" && strings.Contains(all, text) {
			return true
		}
	}
	return false
}

// expected returns how the frontend shows an outcome.
func (tr *faultTrial) expected(outcome string) (want []string) {
	if status, early, _ := strings.Cut(outcome, ", cut early"); status != outcome {
		for how := range strings.SplitSeq(tr.look["cut early"], " or ") {
			switch _, err := strconv.Atoi(how); {
			case err == nil:
			case early == "":
				how = status + ", " + how
			default:
				how = status + ", " + tr.look["cut"+early]
			}
			want = append(want, how)
		}
		return want
	}
	if tr.look["interim"] != "passed" {
		for strings.HasPrefix(outcome, "1") {
			_, outcome, _ = strings.Cut(outcome, " ")
		}
	}
	status, cut, _ := strings.Cut(outcome, ", ")
	switch cut {
	case "cut":
		outcome = status + ", " + tr.look["cut"]
	case "cut of length":
		outcome = status + ", " + tr.look["cut of length"]
	}
	return []string{outcome}
}

// render returns what is seen in the words of the table. Of a response that breaks off the body says nothing: how much of
// it comes is chance.
func (s sight) render(want []string) string {
	text := strconv.Itoa(s.status)
	switch n := len(s.interim); {
	case n == 1:
		text = fmt.Sprintf("%d %s", s.interim[0], text)
	case n > 1:
		text = fmt.Sprintf("%d… %s", s.interim[0], text)
	}
	switch {
	case s.end != "":
		return text + ", " + s.end
	case slices.Contains(want, text+", looks complete"):
		return text + ", looks complete"
	case s.body == "" || s.status >= 400 && strings.HasPrefix(s.body, strconv.Itoa(s.status)+" "): // the page of an error
		return text
	case len(s.body) > 20:
		return fmt.Sprintf("%s %d bytes", text, len(s.body))
	}
	return text + " " + s.body
}

// withInterim has s note the interim responses.
func withInterim(ctx context.Context, s *sight) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		Got1xxResponse: func(code int, _ textproto.MIMEHeader) error {
			s.interim = append(s.interim, code)
			return nil
		},
	})
}

// A suspect is an application that plays.
type suspect struct {
	actor   *faulty.Actor
	address string           // for open.Open
	handler adapters.Handler // of an EGI program
	dir     string           // of a CGI program
}

// startSuspect starts an application, which ends with the test.
func startSuspect(t *testing.T, app string, play faulty.Play) *suspect {
	t.Helper()
	s := &suspect{actor: &faulty.Actor{Protocol: app, Play: play}}
	switch app {
	case "egi":
		s.handler = playing(s.actor)
	case "cgi":
		text, err := play.Shell()
		require.NoError(t, err)
		s.dir = peer.Dir(t)
		require.NoError(t, execfile.WriteFile(s.dir+"/script", []byte(text), 0o755))
		s.address = "cgi:" + s.dir + "/script"
	default:
		s.serve(t, app)
	}
	return s
}

// limited has limits for what the application does until it behaves.
func (s *suspect) limited(h adapters.Handler, silent bool) adapters.Handler {
	limits := middleware.DefaultLimits()
	free := limits.Wrap(h)
	if silent {
		limits = middleware.DefaultLimits()
		limits.Timeout, limits.ResponseTimeout = silenceLimit, silenceLimit
	}
	limited := limits.Wrap(h)
	return adapters.HandlerFunc(func(ctx context.Context, req *adapters.Request) (*adapters.Response, error) {
		if s.actor.Behaves() {
			return free.Serve(ctx, req)
		}
		return limited.Serve(ctx, req)
	})
}

// serve has the actor listen: over TCP, where a connection can be reset.
func (s *suspect) serve(t *testing.T, protocol string) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	served := make(chan struct{})
	go func() {
		defer close(served)
		s.actor.Serve(ln)
	}()
	t.Cleanup(func() {
		s.actor.Close()
		<-served
	})
	s.address = protocol + "://" + ln.Addr().String()
}

// behave makes it answer with the query from now on.
func (s *suspect) behave(t *testing.T) {
	s.actor.Behave()
	if s.dir != "" {
		require.NoError(t, os.WriteFile(s.dir+"/behave", nil, 0o600))
	}
}

// deserted asserts that nobody keeps a connection to it.
func (s *suspect) deserted(t *testing.T) {
	end := time.Now().Add(patience)
	for s.actor.Open() > 0 && time.Now().Before(end) {
		time.Sleep(time.Millisecond)
	}
	assert.Zero(t, s.actor.Open(), "connections that nobody needs")
}
