package server

import (
	"context"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
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
	if scheme == "cgi" {
		setup.App = "cgi:" + dir + "/cgi-bin"
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

// TestConfigure: each server runs with its configuration, and what the suite needs of it is there.
func TestConfigure(t *testing.T) {
	tests := []struct{ server, scheme, has string }{
		{"nginx", "fcgi", "app2 static basic php keepconn ipv6 unix log pid"},
		{"nginx", "scgi", "app2 static basic php"},
		{"nginx", "uwsgi", "app2 static basic php"},
		{"apache", "fcgi", "app2 static basic php keepconn ipv6 log pid h2"},
		{"apache", "scgi", "app2 static basic php"},
		{"apache", "uwsgi", "static basic php"},
		{"apache", "cgi", "app2 static basic cgi nph signals ipv6 log pid h2"},
		{"lighttpd", "fcgi", "app2 static basic php unix h2"},
		{"lighttpd", "scgi", "app2 static basic php"},
		{"lighttpd", "uwsgi", "app2 static basic php"},
		{"lighttpd", "cgi", "app2 static basic cgi signals unix h2"},
		{"caddy", "fcgi", "app2 static basic php h2"},
		{"haproxy", "fcgi", "app2 static basic php keepconn unix h2"},
		{"h2o", "fcgi", "static php keepconn unix h2"},
	}
	for _, tt := range tests {
		t.Run(tt.server+"/"+tt.scheme, func(t *testing.T) {
			target := start(t, tt.server, tt.scheme, false)
			cases, err := conformance.Select(Cases(), []string{"cgi/4.1.5/path-info-basic"})
			require.NoError(t, err)
			report, err := conformance.Run(t.Context(), target, cases, conformance.Options{})
			require.NoError(t, err)
			assert.Equal(t, conformance.Pass, report.Results[0].Outcome, report.Results[0].Got)
			for _, need := range strings.Fields(tt.has) {
				assert.True(t, target.has(need), "%s: %v", need, report.Target.Facts)
			}
		})
	}
}

func TestConfigureErrors(t *testing.T) {
	for name, s := range map[string]Setup{
		"no such server": {HTTP: "127.0.0.1:80", App: "fcgi://127.0.0.1:9000"},
		"protocol":       {HTTP: "127.0.0.1:80", App: "scgi://127.0.0.1:9000"},
	} {
		s.Dir = t.TempDir()
		server := map[string]string{"no such server": "thttpd", "protocol": "caddy"}[name]
		_, err := s.Configure(server)
		assert.ErrorIs(t, err, ErrServer)
	}
}
