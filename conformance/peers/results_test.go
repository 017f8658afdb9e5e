//go:build unix

package main

import (
	"bufio"
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/conformance"
	"github.com/gangway-go/gangway/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

func sample(name string) *conformance.Report {
	return &conformance.Report{
		Schema: conformance.SchemaVersion,
		Target: conformance.Subject{Name: name, Version: "1.0", Role: "app", Protocol: "scgi", Command: "make it"},
		Results: []conformance.Result{
			{
				Name: "scgi/3/a", Level: conformance.Must, Outcome: conformance.Pass,
				Wire: []conformance.Event{{Kind: conformance.Sent}},
			},
			{Name: "scgi/3/b", Level: conformance.Must, Outcome: conformance.Hang, Sends: "a|b", Got: strings.Repeat("x", 200)},
			{Name: "scgi/3/c", Level: conformance.Security, Outcome: conformance.Fail, Got: "hole"},
			{Name: "scgi/3/d", Level: conformance.Security, Outcome: conformance.Pass},
			{Name: "scgi/3/e", Level: conformance.Should, Outcome: conformance.Warn},
			{Name: "scgi/3/f", Level: conformance.Must, Outcome: conformance.Skip},
			{Name: "scgi/3/g", Level: conformance.Must, Outcome: conformance.SuiteError},
		},
	}
}

func TestResults(t *testing.T) {
	for _, tt := range []struct {
		name, row string
		named     bool
	}{
		{"libfcgi", "| [libfcgi](#a-scgi)<br>1.0 | scgi | 1 failed | 1/1 | 0/0 | 0/1 | 0/0 | 0001-01-01 |", false},
		{
			"gangway (frontend)",
			"| [gangway (frontend)](#a-scgi)<br>1.0 | scgi | 1/1 | 1/1 | 0/0 | 0/1 | 0/0 | 0001-01-01 |", true,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var b bytes.Buffer
			w := bufio.NewWriter(&b)
			writeResults(w, []string{"a-scgi"}, []*conformance.Report{shorten(sample(tt.name))})
			require.NoError(t, w.Flush())
			assert.Contains(t, b.String(), tt.row)
			assert.Contains(t, b.String(), "- `scgi/3/b` a\\|b: "+strings.Repeat("x", 160)+"… (HANG)\n")
			assert.Equal(t, tt.named, strings.Contains(b.String(), "scgi/3/c"), "security")
			assert.NotContains(t, b.String(), "scgi/3/g")
			assert.NotContains(t, b.String(), "Web servers")
		})
	}
}

func TestShorten(t *testing.T) {
	long := bytes.Repeat([]byte("x"), 700)
	var events []conformance.Event
	for range 50 {
		events = append(events, conformance.Event{At: time.Nanosecond, Kind: conformance.Sent, Data: long})
	}
	r := sample("nginx")
	r.Results[1].Wire = events
	r = shorten(r)
	assert.Nil(t, r.Results[0].Wire)
	wire := r.Results[1].Wire
	require.Len(t, wire, wireEvents+1)
	assert.Equal(t, conformance.Event{Kind: conformance.Sent, Data: long}, wire[0])
	assert.Equal(t, conformance.Event{Kind: conformance.Sent, Data: long[:wireBytes-len(long)], Size: len(long)}, wire[1])
	assert.Empty(t, wire[2].Data)
	assert.Equal(t, conformance.Noted, wire[wireEvents].Kind)
	for _, result := range r.Results {
		assert.NotEqual(t, conformance.Security, result.Level)
	}
}

func TestPublish(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, save(filepath.Join(dir, "reports", "uwsgi-scgi.json"), shorten(sample("uWSGI"))))
	require.NoError(t, publishAll(dir))
	for _, file := range []string{"RESULTS.md", "reports/index.html"} {
		text, err := os.ReadFile(filepath.Join(dir, file))
		require.NoError(t, err)
		assert.Contains(t, string(text), "uWSGI", file)
		assert.NotContains(t, string(text), "scgi/3/c", file)
	}
}

// TestStage has a program die and come back.
func TestStage(t *testing.T) {
	s, err := newStage()
	require.NoError(t, err)
	t.Cleanup(s.clear)
	target, err := s.perform(peer{start: func(s *stage) conformance.Target {
		s.tool("", "no-such-program")
		return nil
	}})
	assert.Nil(t, target)
	assert.ErrorContains(t, err, "no-such-program")
	server := s.write("server", "import socket, sys\ns = socket.socket(socket.AF_UNIX)\ns.bind(sys.argv[1])\ns.listen()\n"+
		"while s.accept()[0].recv(1) != b'x': pass\n", 0o644)
	socket := s.path("socket")
	p := s.start("unix", socket, nil, "python3", "-c",
		"import os, sys\nif os.path.exists(sys.argv[1]): os.remove(sys.argv[1])\nexec(open('"+server+"').read())", socket)
	first := p.pid()
	p.cmd.Process.Kill()
	again := func() bool { pid := p.pid(); return pid != 0 && pid != first }
	assert.Eventually(t, again, 20*time.Second, 50*time.Millisecond)
	require.NoError(t, p.restart(t.Context()))
	assert.NotEqual(t, first, p.pid())
}

func TestNames(t *testing.T) {
	seen := map[string]bool{}
	for _, p := range peers() {
		assert.False(t, seen[p.name], p.name)
		seen[p.name] = true
	}
	for _, name := range mortal {
		assert.True(t, seen[name], name)
	}
}
