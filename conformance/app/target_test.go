package app_test

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/conformance"
	"github.com/gangway-go/gangway/conformance/app"
	"github.com/gangway-go/gangway/conformance/faulty"
)

// oneAtATime accepts no connection before the one before it has been closed.
type oneAtATime struct {
	net.Listener
	free chan struct{}
}

func (l oneAtATime) Accept() (net.Conn, error) {
	<-l.free
	c, err := l.Listener.Accept()
	if err != nil {
		l.free <- struct{}{}
		return nil, err
	}
	return &onlyConn{Conn: c, free: l.free}, nil
}

type onlyConn struct {
	net.Conn
	free chan struct{}
	once sync.Once
}

func (c *onlyConn) Close() error {
	defer c.once.Do(func() { c.free <- struct{}{} })
	return c.Conn.Close()
}

// named returns the case with the name.
func named(t *testing.T, name string) *conformance.Case {
	cases, err := conformance.Select(app.Cases(), []string{name})
	require.NoError(t, err)
	return &cases[0]
}

func TestPreflight(t *testing.T) {
	first := []conformance.Case{*named(t, "fcgi/3.3/request-id-1")}
	t.Run("an application that can do all", func(t *testing.T) {
		target := app.New(listen(t, "tcp", "fcgi", "fcgi-app"))
		report, err := conformance.Run(t.Context(), target, first, conformance.Options{Patience: patient})
		require.NoError(t, err)
		assert.Equal(t, "app", report.Target.Role)
		assert.Equal(t, "fastcgi", report.Target.Protocol)
		assert.Equal(t, map[string]string{"echo application": "true", "connections are kept": "true",
			"connections at once": "16 or more", "plain request": "status 200, text/x-gangway-echo"}, report.Target.Facts)
		assert.Equal(t, 8, target.Jobs())
		assert.Empty(t, target.Lacks(named(t, "fcgi/3.3/padding-1-all")))
		assert.Empty(t, target.Lacks(named(t, "fcgi/3.3/rst-mid-stdin")))
		assert.Equal(t, "the suite did not start the program", target.Lacks(named(t, "fcgi/2.2/listensock-fd0")))
		assert.Equal(t, "the process is not known", target.Lacks(named(t, "fcgi/3.3/inactive-id-content-flood")))
		assert.Equal(t, "the application speaks fastcgi", target.Lacks(named(t, "scgi/2/concurrent")))
	})
	t.Run("one connection at a time, and no echo", func(t *testing.T) {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		free := make(chan struct{}, 2)
		free <- struct{}{}
		peer := &faulty.FCGIApp{}
		served := make(chan error, 1)
		go func() { served <- peer.Serve(oneAtATime{ln, free}) }()
		defer func() {
			peer.Close()
			free <- struct{}{}
			<-served
		}()
		target := app.New("fcgi://" + ln.Addr().String())
		target.Vars = []string{"QUERY_STRING=binary"}
		report, err := conformance.Run(t.Context(), target, first, conformance.Options{Patience: hasty})
		require.NoError(t, err)
		assert.Equal(t, "1", report.Target.Facts["connections at once"])
		assert.Equal(t, "false", report.Target.Facts["echo application"])
		assert.Equal(t, conformance.Pass, report.Results[0].Outcome, report.Results[0].Got)
		assert.Equal(t, 1, target.Jobs())
		assert.Equal(t, "not the echo application", target.Lacks(named(t, "fcgi/3.3/padding-1-all")))
	})
}

// A program that cannot serve is told from one that nobody reaches.
func TestProgramEnds(t *testing.T) {
	target := app.New("fcgi+exec:exit 3")
	defer target.Close()
	_, err := conformance.Run(t.Context(), target, target.Cases(), conformance.Options{Patience: hasty})
	require.ErrorIs(t, err, conformance.ErrUnreachable)
	assert.ErrorContains(t, err, `"exit 3" ended before it answered (exit status 3). Its output is closed`)
}

func TestRestart(t *testing.T) {
	target := app.New("fcgi://127.0.0.1:1")
	assert.ErrorIs(t, target.Restart(t.Context()), errors.ErrUnsupported)
	mark := filepath.Join(t.TempDir(), "mark")
	target.RestartCommand = "echo again > '" + mark + "'"
	require.NoError(t, target.Restart(t.Context()))
	assert.FileExists(t, mark)
	target.RestartCommand = "exit 3"
	assert.Error(t, target.Restart(t.Context()))
}

// TestRevival: a program of the suite's own that a case has killed comes back for the next ones, and its end is that
// case's.
func TestRevival(t *testing.T) {
	target := app.New(command(t, "fcgi", "fcgi-app/ends-on-short-header"))
	defer target.Close()
	cases, err := conformance.Select(target.Cases(), []string{
		"fcgi/3.3/truncated-header-close", "fcgi/3.3/request-id-1", "fcgi/3.3/padding-1-all"})
	require.NoError(t, err)
	report, err := conformance.Run(context.Background(), target, cases, conformance.Options{Patience: hasty, Jobs: 1})
	require.NoError(t, err)
	outcomes := map[string]conformance.Outcome{}
	for _, r := range report.Results {
		outcomes[r.Name] = r.Outcome
	}
	assert.Equal(t, map[string]conformance.Outcome{"fcgi/3.3/truncated-header-close": conformance.Crash,
		"fcgi/3.3/request-id-1": conformance.Pass, "fcgi/3.3/padding-1-all": conformance.Pass}, outcomes)
	assert.False(t, report.Gone)
}
