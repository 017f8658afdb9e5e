package server

import (
	"context"
	"crypto/tls"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/conformance"
	"github.com/gangway-go/gangway/conformance/faulty"
	"github.com/gangway-go/gangway/internal/peer"
)

// gateway starts a gateway with a fault, or none, and returns it as a target.
func gateway(t *testing.T, scheme, fault string) *Target {
	setup := Setup{Dir: peer.Dir(t), App: scheme + "://" + peer.FreeAddress(t), Timeout: 6 * time.Second}
	switch fault {
	case "gateway/ignores-disconnect", "gateway/works-for-nobody": // their time limit must not tell the application instead
		setup.Timeout = time.Minute
	}
	if scheme == "cgi" {
		setup.App = "cgi:" + filepath.Join(setup.Dir, "www", "cgi-bin")
	}
	require.NoError(t, setup.files())
	require.NoError(t, os.MkdirAll(filepath.Join(setup.Dir, "www", "cgi-bin"), 0o777))
	log, err := os.Create(filepath.Join(setup.Dir, "error.log"))
	require.NoError(t, err)
	t.Cleanup(func() { log.Close() })
	g := &faulty.Gateway{Fault: fault, App: setup.App, Root: filepath.Join(setup.Dir, "www"),
		Timeout: setup.Timeout, Log: log}
	listeners := listen(t, setup.Dir)
	setup.HTTP, setup.TLS = listeners[0].Addr().String(), listeners[1].Addr().String()
	target := setup.Target()
	target.Socket, target.PID = listeners[2].Addr().String(), os.Getpid()
	err = target.Listen()
	for try := 1; err != nil && try < 5 && scheme != "cgi"; try++ { // somebody else took the port
		target.App = scheme + "://" + peer.FreeAddress(t)
		g.App = target.App
		err = target.Listen()
	}
	require.NoError(t, err)
	for _, ln := range listeners {
		go g.Serve(ln)
	}
	t.Cleanup(func() {
		g.Close()
		target.Close()
	})
	return target
}

// listen listens for HTTP, for TLS, on a Unix socket, and for HTTP at the same port of ::1 if there is that.
func listen(t *testing.T, dir string) []net.Listener {
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	secure, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	certificate, err := tls.LoadX509KeyPair(filepath.Join(dir, "certificate.pem"), filepath.Join(dir, "key.pem"))
	require.NoError(t, err)
	socket, err := net.Listen("unix", filepath.Join(dir, "http.sock"))
	require.NoError(t, err)
	listeners := []net.Listener{plain, tls.NewListener(secure, &tls.Config{
		Certificates: []tls.Certificate{certificate}, NextProtos: []string{"h2", "http/1.1"},
	}), socket}
	_, port, _ := net.SplitHostPort(plain.Addr().String())
	if six, err := net.Listen("tcp", "[::1]:"+port); err == nil {
		listeners = append(listeners, six)
	}
	return listeners
}

// Here much runs side by side, with little patience to save time. What does not come out as wanted is run again with the
// patience that counts.
var (
	hasty   = conformance.Options{Patience: 300 * time.Millisecond, Limit: time.Minute}
	usual   = conformance.Options{Patience: time.Second, Limit: time.Minute}
	patient = conformance.Options{Patience: 3 * time.Second, Limit: time.Minute}
)

// How often a case is tried: one that a right peer does not pass, and one that lets a mutant pass, since a fault that is
// a race may not show each time.
const passTries, killTries = 3, 5

// judge says which cases do not come out as wanted, however often they are tried.
func judge(
	t *testing.T, target func() *Target, cases []conformance.Case, options conformance.Options, tries int,
	wanted func(*conformance.Case, conformance.Result) bool,
) (left []string) {
	for range tries {
		report, err := conformance.Run(context.Background(), target(), cases, options)
		require.NoError(t, err)
		again := []conformance.Case{}
		left = nil
		for i, r := range report.Results {
			if !wanted(&cases[i], r) {
				left = append(left, r.Name+": "+string(r.Outcome)+": "+r.Got)
				again = append(again, cases[i])
				again[len(again)-1].DependsOn = nil
			}
		}
		if cases = again; len(cases) == 0 {
			break
		}
		t.Log("not as wanted: ", left)
		options = patient
	}
	return left
}

func failed(_ *conformance.Case, r conformance.Result) bool {
	return r.Outcome != conformance.SuiteError &&
		(r.Outcome.Bad() || r.Outcome == conformance.Warn || r.Outcome == conformance.Info)
}

// memoryCase looks at the memory of this process, in which nothing else may happen then.
const memoryCase = "fcgi-client/6.2/slow-client-no-memory-blowup"

func TestCleanMemory(t *testing.T) { passAll(t, "fcgi", memoryCase) }

func TestClean(t *testing.T) {
	for _, scheme := range []string{"fcgi", "scgi", "uwsgi", "cgi"} {
		t.Run(scheme, func(t *testing.T) {
			t.Parallel()
			passAll(t, scheme, "!"+memoryCase)
		})
	}
}

// passAll runs the cases that are selected with the right gateway.
func passAll(t *testing.T, scheme, selector string) {
	cases, err := conformance.Select(Cases(), []string{selector})
	require.NoError(t, err)
	target := gateway(t, scheme, "")
	passed := func(c *conformance.Case, r conformance.Result) bool {
		return r.Outcome == conformance.Pass || target.Lacks(c) != "" // as the run has found out
	}
	assert.Empty(t, judge(t, func() *Target { return target }, cases, usual, passTries, passed))
}

// schemeFor is how the application of a mutant is connected for the case.
func schemeFor(c *conformance.Case) string {
	protocol, _, _ := strings.Cut(c.Name, "-client/")
	switch {
	case slices.Contains(c.Needs, "exec"), slices.Contains(c.Needs, "cgi"):
		return "cgi"
	case protocol != c.Name:
		return protocol
	}
	return "fcgi"
}

func gatewayFaults() []faulty.Fault {
	return slices.DeleteFunc(faulty.Faults(), func(fault faulty.Fault) bool {
		return !strings.HasPrefix(fault.Name, "gateway/")
	})
}

// TestMutants: no case passes with a mutant that breaks its requirement.
func TestMutants(t *testing.T) {
	for _, fault := range gatewayFaults() {
		broken := map[string][]conformance.Case{}
		for _, c := range Cases() {
			if slices.Contains(fault.Breaks, c.Name) {
				broken[schemeFor(&c)] = append(broken[schemeFor(&c)], c)
			}
		}
		for scheme, cases := range broken {
			t.Run(fault.Name+"/"+scheme, func(t *testing.T) {
				t.Parallel()
				options := hasty
				if scheme == "cgi" { // to start a program takes time
					options = usual
				}
				mutant := func() *Target { return gateway(t, scheme, fault.Name) }
				assert.Empty(t, judge(t, mutant, cases, options, killTries, failed))
			})
		}
	}
}

// TestEachCaseHasMutant: a case that no mutant fails says nothing.
func TestEachCaseHasMutant(t *testing.T) {
	known := map[string]bool{}
	for _, fault := range faulty.Faults() {
		for _, name := range fault.Breaks {
			known[name] = true
		}
	}
	for _, c := range Cases() {
		assert.True(t, known[c.Name], "%s", c.Name)
	}
}
