package report_test

import (
	"bytes"
	"flag"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/conformance"
	"github.com/gangway-go/gangway/conformance/report"
	"github.com/gangway-go/gangway/internal/leak"
	"github.com/gangway-go/gangway/internal/peer"
)

var update = flag.Bool("update", false, "write the files in testdata anew")

func TestMain(m *testing.M) { leak.Main(m) }

var began = time.Date(2026, time.November, 22, 8, 0, 0, 0, time.UTC)

// evil is what a target may say to harm who reads reports.
const evil = "\x1b[2J</script><img src=x onerror=alert(1)>|`#_*\x00\xff\r\nok 9 - forged # TODO\u202e]]>\ufffe"

// sample is a report with each outcome in it.
func sample() *conformance.Report {
	r := &conformance.Report{
		Schema: conformance.SchemaVersion, Suite: "gangway v0.4.0",
		Started: began, Ended: began.Add(34210 * time.Millisecond),
		Target: conformance.Subject{
			Name: "php-fpm", Version: "8.2.36", Role: "app", Protocol: "fastcgi", Address: "fcgi+unix:///run/php.sock",
			Command: "gangway conform app fcgi+unix:///run/php.sock", Config: "[www]\npm = static\n",
			Facts: map[string]string{"keepalive": "yes", "evil": evil},
		},
	}
	add := func(name string, level conformance.Level, o conformance.Outcome, got string, wire ...conformance.Event) {
		r.Results = append(r.Results, conformance.Result{
			Name: name, Source: "FastCGI 1.0 section " + strings.Split(name, "/")[1],
			Quote: "The sentence, with \"quotes\" & more.", Level: level,
			Outcome: o, Sends: "a record.", Expected: "answers it.", Got: got, Runs: 1,
			Duration: 12 * time.Millisecond, Wire: wire,
		})
	}
	add("fcgi/3.3/plain", conformance.Must, conformance.Pass, "")
	add("fcgi/3.3/padding-on-begin-request", conformance.Must, conformance.Fail, "lost the body", wireLog()...)
	add("fcgi/3.3/evil", conformance.Robustness, conformance.Fail, evil,
		conformance.Event{Conn: 1, Kind: conformance.Received, Data: []byte(evil)})
	add("fcgi/4.1/hang", conformance.Must, conformance.Hang, "no answer within 1s")
	add("fcgi/4.1/crash", conformance.Robustness, conformance.Crash, "nobody there")
	add("fcgi/4.1/flaky", conformance.Security, conformance.Flaky, "first fail: x; then pass: ")
	add("fcgi/4.2/warn", conformance.Should, conformance.Warn, "does not")
	add("fcgi/4.2/info", conformance.May, conformance.Info, "does not either")
	add("fcgi/5.1/skip", conformance.Must, conformance.Skip, "the target is no echo application")
	add("fcgi/5.1/dependency", conformance.Must, conformance.DependencyFailed, "fcgi/4.1/hang: HANG")
	add("fcgi/5.1/error", conformance.Must, conformance.SuiteError, "too many open files")
	add("fcgi/6.1/secret", conformance.Security, conformance.Fail, "serves everybody")
	r.Results[0].Info = []string{"beyond CONTENT_LENGTH: 8 bytes"}
	return r
}

func wireLog() []conformance.Event {
	ms := time.Millisecond
	return []conformance.Event{
		{Conn: 1, Kind: conformance.Opened, Data: []byte("unix /run/php.sock")},
		{At: ms, Conn: 1, Kind: conformance.Sent,
			Data: []byte("\x01\x01\x00\x01\x00\x08\x03\x00" + "\x00\x01\x00\x00\x00\x00\x00\x00" + "PAD")},
		{At: 2 * ms, Kind: conformance.Noted, Data: []byte("the padding is 3 bytes")},
		{At: 3 * ms, Conn: 1, Kind: conformance.Received, Data: bytes.Repeat([]byte("0123456789abcdef"), 33), Size: 70000},
		{At: 4 * ms, Conn: 1, Kind: conformance.Received, Data: []byte("more")},
		{At: 5 * ms, Conn: 1, Kind: conformance.Ended},
		{At: 6 * ms, Conn: 1, Kind: conformance.Closed},
	}
}

func write(t *testing.T, format string, r *conformance.Report, terms *report.Terms) string {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, report.Write(&b, format, r, terms))
	return b.String()
}

// terms are such that each ruling occurs.
func terms() *report.Terms {
	baseline := &conformance.Report{Results: []conformance.Result{
		{Name: "fcgi/4.1/crash", Level: conformance.Robustness, Outcome: conformance.Fail},
		{Name: "fcgi/4.2/gone", Level: conformance.Must, Outcome: conformance.Pass},
	}}
	return &report.Terms{Baseline: baseline, Expected: report.Expectations{
		"fcgi/3.3/plain": "bug 1", "fcgi/4.1/hang": "bug 2 # with " + evil,
	}}
}

func TestGoldens(t *testing.T) {
	for _, format := range report.Formats() {
		t.Run(format, func(t *testing.T) {
			got := write(t, format, sample(), nil)
			if format == "html" {
				return // too much of it is style and script; see TestMatrix
			}
			golden(t, "sample."+format, got)
			switch format {
			case "text", "junit", "tap", "markdown":
				golden(t, "terms."+format, write(t, format, sample(), terms()))
			}
		})
	}
	assert.ErrorIs(t, report.Write(io.Discard, "yaml", sample(), nil), report.ErrFormat)
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(got), 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, string(want), got, "go test -update writes %s anew", path)
}

// TestHarmless: nothing that the target says may act upon a terminal, or forge a line.
func TestHarmless(t *testing.T) {
	for _, format := range []string{"text", "tap", "markdown", "junit"} {
		t.Run(format, func(t *testing.T) {
			got := write(t, format, sample(), terms())
			for _, bytes := range []string{"\x1b", "\x00", "\xff", "\r", "\u202e", "\ufffe", "\nok 9 - forged", "<img"} {
				if format == "text" && bytes == "<img" || format == "tap" && bytes == "<img" {
					continue // is nothing to them
				}
				if format == "markdown" && bytes == "<img" {
					before, _, _ := strings.Cut(got, "```text") // where it is no markup
					got = before
				}
				assert.NotContains(t, got, bytes)
			}
		})
	}
}

// TestJUnit has xmllint check what is written against the schema that Jenkins publishes.
func TestJUnit(t *testing.T) {
	xmllint := peer.Need(t, "xmllint")
	for name, r := range map[string]*conformance.Report{"sample": sample(), "empty": {}} {
		t.Run(name, func(t *testing.T) {
			cmd := exec.Command(xmllint, "--noout", "--schema", "testdata/junit-10.xsd", "-")
			cmd.Stdin = strings.NewReader(write(t, "junit", r, terms()))
			out, err := cmd.CombinedOutput()
			assert.NoError(t, err, "%s", out)
		})
	}
}

// TestTAP has prove read what is written.
func TestTAP(t *testing.T) {
	prove := peer.Need(t, "prove")
	tests := []struct {
		name  string
		terms *report.Terms
		want  []string
	}{
		{"failures", nil, []string{"Tests: 12 Failed: 7", "Failed tests:  2-6, 11-12"}},
		{"known", terms(), []string{"Tests: 12 Failed: 6", "Failed tests:  1-3, 6, 11-12"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "run.tap")
			require.NoError(t, os.WriteFile(file, []byte(write(t, "tap", sample(), tt.terms)), 0o644))
			out, err := exec.Command(prove, "-e", "cat", file).CombinedOutput()
			assert.Error(t, err)
			for _, text := range tt.want {
				assert.Contains(t, string(out), text)
			}
			assert.NotContains(t, string(out), "Parse errors")
		})
	}
	good := sample()
	good.Results = good.Results[:1]
	file := filepath.Join(t.TempDir(), "run.tap")
	require.NoError(t, os.WriteFile(file, []byte(write(t, "tap", good, nil)), 0o644))
	out, err := exec.Command(prove, "-e", "cat", file).CombinedOutput()
	assert.NoError(t, err, "%s", out)
	assert.Contains(t, string(out), "All tests successful")
}

func TestWithhold(t *testing.T) {
	r := sample()
	public := report.Withhold(r)
	assert.Len(t, r.Results, 12, "the report itself stays")
	assert.NotContains(t, r.Target.Facts, "withheld")
	assert.Len(t, public.Results, 10)
	assert.Equal(t, "2 of 2 cases of level security failed", public.Target.Facts["withheld"])
	assert.NotContains(t, write(t, "json", public, nil), "fcgi/6.1/secret")
}

func TestProgress(t *testing.T) {
	var b bytes.Buffer
	p := report.NewProgress(&b, 12, false)
	for _, r := range sample().Results[:3] {
		p.Done(r)
	}
	p.End()
	assert.Equal(t, 2, strings.Count(b.String(), "\n"), "a line for each that does not pass")
	assert.Contains(t, b.String(), "fail fcgi/3.3/padding-on-begin-request: lost the body\n")
	assert.NotContains(t, b.String(), "\r")

	b.Reset()
	p = report.NewProgress(&b, 12, true)
	for _, r := range sample().Results {
		p.Done(r)
	}
	p.End()
	assert.NotContains(t, b.String(), "\n")
	assert.Contains(t, b.String(), "\r\x1b[K3 of 12  1 pass  2 fail  fcgi/3.3/evil")
	assert.True(t, strings.HasSuffix(b.String(), "\r\x1b[K"))
}
