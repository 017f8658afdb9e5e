package server

import (
	"context"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/conformance"
	"github.com/gangway-go/gangway/internal/peer"
)

// start runs a server that nobody here wrote, configured for the suite.
func start(t *testing.T, server, scheme string, closeConns bool) *Target {
	dir := peer.Dir(t)
	setup := Setup{
		Dir: dir, HTTP: peer.FreeAddress(t), App: scheme + "://" + peer.FreeAddress(t), Timeout: 3 * time.Second,
		CloseConns: closeConns,
	}
	c, err := setup.Configure(server)
	require.NoError(t, err)
	target := setup.Target()
	require.NoError(t, target.Listen())
	t.Cleanup(func() { target.Close() })
	target.RestartFunc = func(context.Context) error {
		cmd := exec.Command(peer.Need(t, c.Command[0]), c.Command[1:]...)
		cmd.Env = append(cmd.Environ(), "HOME="+dir, "XDG_CONFIG_HOME="+dir, "XDG_DATA_HOME="+dir)
		target.PID = peer.Start(t, cmd, "tcp", setup.HTTP).Process.Pid
		return nil
	}
	require.NoError(t, target.RestartFunc(t.Context()))
	return target
}

func TestConfigure(t *testing.T) {
	for _, server := range Servers() {
		t.Run(server, func(t *testing.T) {
			report, err := conformance.Run(t.Context(), start(t, server, "fcgi", false), fcgiCases(), conformance.Options{})
			require.NoError(t, err)
			for _, r := range report.Results {
				if r.Outcome != conformance.Pass {
					t.Log(r.Name, r.Level, r.Outcome, r.Got, r.Info)
				}
			}
			t.Log(report.Target.Facts, report.Ended.Sub(report.Started))
		})
	}
}
