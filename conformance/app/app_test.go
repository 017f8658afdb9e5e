package app_test

import (
	"context"
	"maps"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/conformance"
	"github.com/gangway-go/gangway/conformance/app"
	"github.com/gangway-go/gangway/conformance/faulty"
	"github.com/gangway-go/gangway/internal/leak"
)

func TestMain(m *testing.M) {
	faulty.Main()
	leak.Main(m)
}

// peer is an application of package faulty in this process.
type peer interface {
	Serve(net.Listener) error
	Close()
}

// peers are the applications by the scheme of their URLs.
var peers = map[string]func(fault string) peer{
	"fcgi":  func(fault string) peer { return &faulty.FCGIApp{Fault: fault} },
	"scgi":  func(fault string) peer { return &faulty.SCGIApp{Fault: fault} },
	"uwsgi": func(fault string) peer { return &faulty.UWSGIApp{Fault: fault} },
}

// How long peers may take. Here much runs side by side, with little patience to save time; what does not come out as
// wanted is run again, alone, with the patience that counts.
const (
	hasty   = 300 * time.Millisecond
	usual   = time.Second
	patient = 3 * time.Second
)

// How often a case is tried: one that a right peer does not pass, and one that lets a mutant pass, since a fault that is
// a race may not show each time.
const passTries, killTries = 3, 5

// listen starts a peer in this process and returns its URL.
func listen(t *testing.T, network, scheme, fault string) string {
	address, prefix := "127.0.0.1:0", "://"
	if network == "unix" {
		address, prefix = filepath.Join(t.TempDir(), "socket"), "+unix://"
	}
	ln, err := net.Listen(network, address)
	require.NoError(t, err)
	p := peers[scheme](fault)
	served := make(chan error, 1)
	go func() { served <- p.Serve(ln) }()
	t.Cleanup(func() {
		p.Close()
		<-served
	})
	return scheme + prefix + ln.Addr().String()
}

// command is the URL of a peer that is a program: this one.
func command(t *testing.T, scheme, fault string) string {
	if runtime.GOOS == "windows" {
		t.Skip("no program can be given a listening socket")
	}
	program, err := os.Executable()
	require.NoError(t, err)
	const atOnce = "+exec:GORACE=atexit_sleep_ms=0 " // else each end takes a second
	return scheme + atOnce + faulty.MainEnv + "=" + fault + " exec '" + program + "'"
}

// run runs cases against the peer at url.
func run(t *testing.T, url string, cases []conformance.Case, patience time.Duration) *conformance.Report {
	target := app.New(url)
	require.NoError(t, target.Err())
	defer target.Close()
	options := conformance.Options{Patience: patience, Limit: 30 * time.Second, AllWire: true}
	report, err := conformance.Run(context.Background(), target, cases, options)
	require.NoError(t, err)
	return report
}

// once runs a case alone, after a result that was not wanted.
func once(t *testing.T, url string, c conformance.Case, first conformance.Result) conformance.Result {
	t.Logf("once more: %s: %s %s", c.Name, first.Outcome, first.Got)
	c.DependsOn = nil
	return run(t, url, []conformance.Case{c}, patient).Results[0]
}

// TestClean: every case passes with the clean application, over a Unix socket too unless it starts the program itself.
func TestClean(t *testing.T) {
	t.Parallel()
	for scheme := range peers {
		t.Run(scheme, func(t *testing.T) {
			t.Parallel()
			passed := map[string]bool{}
			for _, url := range []string{listen(t, "unix", scheme, scheme+"-app"), command(t, scheme, scheme+"-app")} {
				cases := slices.DeleteFunc(app.New(url).Cases(), func(c conformance.Case) bool {
					return passed[c.Name] && c.Serial
				})
				for i, r := range run(t, url, cases, usual).Results {
					if r.Outcome == conformance.Skip {
						continue
					}
					passed[r.Name] = true
					for try := 1; try < passTries && r.Outcome != conformance.Pass; try++ {
						r = once(t, url, cases[i], r)
					}
					assert.Equal(t, conformance.Pass, r.Outcome, "%s: %s: %s", url, r.Name, r.Got)
				}
			}
			for _, c := range app.New(scheme + "://127.0.0.1:1").Cases() {
				assert.True(t, passed[c.Name], "%s was not run", c.Name)
			}
		})
	}
}

// TestMutants: no case passes with the mutants that break its requirement, and there is one for each.
func TestMutants(t *testing.T) {
	t.Parallel()
	cases := map[string]conformance.Case{}
	for _, c := range app.Cases() {
		cases[c.Name] = c
	}
	unbroken := maps.Clone(cases)
	queue := make(chan faulty.Fault)
	var workers sync.WaitGroup
	for range 6 { // they wait most of the time, so there may be more than the processors
		workers.Go(func() {
			for fault := range queue {
				t.Run(fault.Name, func(t *testing.T) { kill(t, fault, cases) })
			}
		})
	}
	for _, fault := range faulty.Faults() {
		if _, ok := peers[schemeOf(fault)]; !ok {
			continue
		}
		for _, name := range fault.Breaks {
			assert.Contains(t, cases, name, fault.Name)
			delete(unbroken, name)
		}
		queue <- fault
	}
	close(queue)
	workers.Wait()
	for name := range unbroken {
		assert.Fail(t, "no mutant", name)
	}
}

// schemeOf is the scheme of the peer with the fault, if that is an application.
func schemeOf(fault faulty.Fault) string {
	scheme, _, _ := strings.Cut(fault.Name, "-app/")
	return scheme
}

// kill runs the cases that a fault breaks, in a program of its own if one of them needs that.
func kill(t *testing.T, fault faulty.Fault, cases map[string]conformance.Case) {
	var broken []conformance.Case
	asProgram := fault.Name == "fcgi-app/believes-lengths" // whose memory has to be seen
	for _, name := range fault.Breaks {
		c := cases[name]
		c.DependsOn = nil
		broken = append(broken, c)
		asProgram = asProgram || slices.ContainsFunc(c.Needs, needsProgram)
	}
	mutant := func() string {
		if asProgram {
			return command(t, schemeOf(fault), fault.Name)
		}
		return listen(t, "tcp", schemeOf(fault), fault.Name)
	}
	for i, r := range run(t, mutant(), broken, hasty).Results {
		for try := 1; try < killTries && !failed(r); try++ {
			r = once(t, mutant(), broken[i], r)
		}
		assert.True(t, failed(r), "%s: %s: %s %s", fault.Name, r.Name, r.Outcome, r.Got)
	}
}

func failed(r conformance.Result) bool {
	return r.Outcome != conformance.Pass && r.Outcome != conformance.Skip && r.Outcome != conformance.SuiteError
}

// needsProgram says whether a case with the need is run with a program only.
func needsProgram(need string) bool { return need == "exec" || need == "pid" || need == "restart" }

// TestCases: each case says what it is.
func TestCases(t *testing.T) {
	names := map[string]bool{}
	for _, c := range app.Cases() {
		assert.Regexp(t, `^(fcgi|scgi|uwsgi)/[a-z0-9.]+/[a-z0-9-]+$`, c.Name)
		assert.False(t, names[c.Name], c.Name)
		names[c.Name] = true
		assert.NotEmpty(t, c.Quote, c.Name)
		assert.Contains(t, conformance.Levels, c.Level, c.Name)
		assert.NotNil(t, c.Run, c.Name)
		for _, text := range []string{c.Sends, c.Passes} {
			assert.Regexp(t, `(?s)^[^ ].*[^ .]$`, text, c.Name)
		}
	}
	for _, c := range app.Cases() {
		for _, name := range c.DependsOn {
			assert.Contains(t, names, name, c.Name)
		}
	}
	t.Logf("%d cases, %d if a family counts once", len(names), conformance.Count(app.Cases()))
}

func TestURLs(t *testing.T) {
	for _, url := range []string{"fcgi://127.0.0.1:9000", "scgi://[::1]:1/", "uwsgi://localhost:3031",
		"fcgi+unix:///run/x y", "scgi+unix://x.sock", "uwsgi+exec:program --flag"} {
		assert.NoError(t, app.New(url).Err(), url)
	}
	for _, url := range []string{"", "http://localhost", "fcgi://localhost", "fcgi://:9000", "fcgi:9000", "fcgi+unix:x",
		"fcgi+unix://", "fcgi+exec:", "fcgi+fd:3", "fcgi://localhost:1/path", "fcgi://u@localhost:1", "fcgi://localhost:1?q"} {
		target := app.New(url)
		assert.ErrorIs(t, target.Err(), app.ErrURL, url)
		assert.Empty(t, target.Cases(), url)
		_, err := conformance.Run(context.Background(), target, app.Cases(), conformance.Options{})
		assert.ErrorContains(t, err, app.ErrURL.Error(), url)
		assert.NotErrorIs(t, err, conformance.ErrUnreachable, "it was not even asked: "+url)
	}
}
