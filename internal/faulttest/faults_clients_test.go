//go:build unix

package faulttest

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/adapters/middleware"
	"github.com/gangway-go/gangway/adapters/open"
	"github.com/gangway-go/gangway/conformance/faulty"
	"github.com/gangway-go/gangway/egi"
)

// clientLimits are the limits of a listener in front of which clients misbehave. What has no limit here never gets there.
var clientLimits = open.ListenLimits{
	HeaderTimeout: silenceLimit, BodyTimeout: silenceLimit, WriteTimeout: silenceLimit, MaxHeader: 72 << 10,
}

// TestFaultsOfClients has clients fail in all ways of the table, and compares what happens with what is written there. The
// application is an EGI one: what it is told does not depend on its kind.
func TestFaultsOfClients(t *testing.T) {
	var all faultGroup
	for _, f := range readFaults(t)[2].faults {
		for _, cell := range f.cells {
			for _, name := range strings.Fields(cell["frontend"]) {
				all.try(f.play(name), func() {
					t.Run(f.name+"/"+name, func(t *testing.T) {
						tr := &faultTrial{cell: cell}
						tr.misbehave(t, faceCalled(t, name), f.play(name))
					})
				})
			}
		}
	}
	all.Wait()
}

func faceCalled(t *testing.T, name string) *face {
	for i := range faces {
		if faces[i].name == name {
			return &faces[i]
		}
	}
	require.Fail(t, "the table does not know the frontend "+name)
	return nil
}

// play returns the text of the play for an application or frontend.
func (f *fault) play(name string) string {
	if text, ok := f.plays[name]; ok {
		return text
	}
	return f.plays[""]
}

// request is a whole request of the frontend's protocol, or a part of it, in the text of a play.
var requestPart = regexp.MustCompile(`request\[(-?\d*):(-?\d*)\]`)

// withRequests puts the bytes in the place of request[FROM:TO], which may be negative to count from the end.
func withRequests(text, protocol string) string {
	var all []byte
	switch {
	case strings.HasPrefix(protocol, "fcgi"):
		all = fcgiGet("q")
	case strings.HasPrefix(protocol, "scgi"):
		all = scgiGet("q")
	default:
		all = []byte("GET /?q HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
	}
	return requestPart.ReplaceAllStringFunc(text, func(part string) string {
		m := requestPart.FindStringSubmatch(part)
		from, to := 0, len(all)
		for i, at := range []*int{&from, &to} {
			if n, err := strconv.Atoi(m[1+i]); err == nil {
				if *at = n; n < 0 {
					*at += len(all)
				}
			}
		}
		return strconv.Quote(string(all[from:to]))
	})
}

// misbehave plays a client.
func (tr *faultTrial) misbehave(t *testing.T, f *face, text string) {
	play, err := faulty.ParsePlay(withRequests(text, f.listen))
	require.NoError(t, err)
	var app patientApp
	limits := middleware.DefaultLimits()
	limits.BodyTimeout = silenceLimit
	limited := *f
	limited.options.Limits = clientLimits
	logger := slog.New(slog.NewTextHandler(&tr.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	v := limited.open(t, adapters.Chain(egi.Func(app.answer), limits.Wrap), logger)
	conn, err := net.Dial(v.network, v.address)
	require.NoError(t, err)
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	raw, err := perform(conn, play)
	assert.Equal(t, tr.cell["answer"], v.describe(raw, err), "what the client gets: %.300q", raw)
	app.await(t, tr.cell["application"])
	tr.awaitLog(t, "")
}

// perform plays, and reads beside that unless the play begins with deaf.
func perform(conn net.Conn, play faulty.Play) (raw []byte, err error) {
	read := make(chan struct{})
	go func() {
		defer close(read)
		if !play.Deaf() {
			raw, err = io.ReadAll(conn)
		}
	}()
	for _, s := range play {
		if s.Verb == "stall" { // until the other side ends the connection, which who does not read cannot see
			<-read
			if play.Deaf() {
				time.Sleep(2 * silenceLimit)
			}
		} else if (faulty.Play{s}).Act(conn) != nil {
			break
		}
	}
	if play.Deaf() {
		raw, err = io.ReadAll(conn)
	}
	<-read
	return raw, err
}

// describe says what a client gets, in the words of the table.
func (v *view) describe(raw []byte, err error) string {
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return "hangs"
	case len(raw) == 0:
		return "nothing"
	case strings.HasPrefix(v.listen, "fcgi"):
		s := parseFCGI(raw, err)
		return s.render(nil)
	case strings.HasPrefix(v.listen, "scgi"):
		s := parseCGI(string(raw))
		return s.render(nil)
	}
	var all []string
	for r := bufio.NewReader(bytes.NewReader(raw)); ; {
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			return strings.Join(all, ", ")
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		s := sight{status: resp.StatusCode, body: string(body)}
		if s.status >= 400 {
			s.body = ""
		}
		if text := s.render(nil); err == nil {
			all = append(all, text)
		} else {
			all = append(all, fmt.Sprint(s.status)+" cut")
		}
	}
}

// A patientApp is an application that answers with what it got, in the time that it takes.
type patientApp struct {
	asked, answered, aborted atomic.Int64
}

func (a *patientApp) answer(w http.ResponseWriter, r *egi.Request) error {
	a.asked.Add(1)
	err := a.play(w, r)
	if err != nil {
		a.aborted.Add(1)
	} else {
		a.answered.Add(1)
	}
	return err
}

func (a *patientApp) play(w http.ResponseWriter, r *egi.Request) error {
	switch r.Path() {
	case "/silent":
		<-r.Context().Done()
		return r.Context().Err()
	case "/large":
		for range 1000 {
			if _, err := io.WriteString(w, strings.Repeat("x", 100_000)); err != nil {
				return err
			}
		}
		return nil
	}
	var body []byte
	if r.Body != nil {
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			return err
		}
	}
	_, err := io.WriteString(w, r.Query+string(body))
	return err
}

// await waits until the application has seen what the table says.
func (a *patientApp) await(t *testing.T, want string) {
	look := func() string {
		switch asked := a.asked.Load(); {
		case asked == 0:
			return "not asked"
		case a.aborted.Load() > 0:
			return "aborted"
		case a.answered.Load() < asked:
			return "asked"
		default:
			return fmt.Sprintf("answers %d", asked)
		}
	}
	for end := time.Now().Add(patience / 2); look() != want && time.Now().Before(end); time.Sleep(time.Millisecond) {
	}
	assert.Equal(t, want, look(), "the application")
}
