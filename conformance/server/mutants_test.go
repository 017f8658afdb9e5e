package server

import (
	"context"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/conformance"
	"github.com/gangway-go/gangway/conformance/faulty"
	"github.com/gangway-go/gangway/internal/peer"
)

// gateway starts a gateway with a fault, or none, and returns it as a target.
func gateway(t *testing.T, scheme, fault string) *Target {
	dir := peer.Dir(t)
	app := scheme + "://" + peer.FreeAddress(t)
	log, err := os.Create(filepath.Join(dir, "error.log"))
	require.NoError(t, err)
	t.Cleanup(func() { log.Close() })
	require.NoError(t, os.WriteFile(filepath.Join(dir, "static.txt"), []byte(StaticText), 0o644))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "a.php"), nil, 0o644))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "img.jpg"), nil, 0o644))
	g := &faulty.Gateway{Fault: fault, App: app, Root: dir, Timeout: time.Second, Log: io.Writer(log)}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	target := New("http://"+ln.Addr().String(), app)
	target.Timeout, target.ErrorLog, target.PID = g.Timeout, log.Name(), os.Getpid()
	require.NoError(t, target.Listen())
	go g.Serve(ln)
	t.Cleanup(func() {
		g.Close()
		target.Close()
	})
	return target
}

// mutantOptions are those of the runs below.
var mutantOptions = conformance.Options{Patience: 300 * time.Millisecond}

func TestClean(t *testing.T) {
	for _, scheme := range []string{"fcgi", "scgi", "uwsgi"} {
		t.Run(scheme, func(t *testing.T) {
			report, err := conformance.Run(context.Background(), gateway(t, scheme, ""), Cases(), mutantOptions)
			require.NoError(t, err)
			for _, r := range report.Results {
				if r.Outcome != conformance.Pass && r.Outcome != conformance.Skip {
					t.Errorf("%s: %s: %s", r.Name, r.Outcome, r.Got)
				}
			}
			t.Log(report.Counts(), report.Target.Facts)
		})
	}
}

func TestSlowest(t *testing.T) {
	report, err := conformance.Run(context.Background(), gateway(t, "fcgi", ""), Cases(), mutantOptions)
	require.NoError(t, err)
	slices.SortFunc(report.Results, func(a, b conformance.Result) int { return int(b.Duration - a.Duration) })
	for _, r := range report.Results[:25] {
		t.Log(r.Name, r.Duration, r.Outcome)
	}
}
