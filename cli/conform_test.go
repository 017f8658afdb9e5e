package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/fcgi"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/conformance"
	"github.com/gangway-go/gangway/conformance/app"
	"github.com/gangway-go/gangway/conformance/report"
)

// listen returns a listener that the test closes, and its URL.
func listenFCGI(t *testing.T) (net.Listener, string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { ln.Close() })
	return ln, "fcgi://" + ln.Addr().String()
}

// conformApp runs gangway conform app.
func conformApp(args ...string) (code int, out, diag string) {
	var stdout, stderr bytes.Buffer
	cmd := exec.Command("gangway", append([]string{"conform", "app"}, args...)...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		return -1, "", err.Error()
	}
	return cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()
}

func readReportFile(t *testing.T, path string) *conformance.Report {
	t.Helper()
	r, err := readReport(path)
	require.NoError(t, err)
	return r
}

// dying answers 60 requests, enough for the preflight; then nobody listens any more.
func dying(ln net.Listener) http.Handler {
	var requests atomic.Int32
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if requests.Add(1) == 60 {
			ln.Close()
		}
	})
}

// TestConformCrash: a target that dies in the middle gives a whole report, which says of what it died.
func TestConformCrash(t *testing.T) {
	t.Parallel()
	ln, url := listenFCGI(t)
	go fcgi.Serve(ln, dying(ln))
	path := filepath.Join(t.TempDir(), "r.json")
	code, out, _ := conformApp(url, "fcgi/3.3", "--report", "json="+path, "--jobs", "1")
	assert.Equal(t, exitCrashed, code, out)
	assert.Contains(t, out, "The target died and did not come back")
	assert.Contains(t, out, "CRASH fcgi/3.3/")
	r := readReportFile(t, path)
	assert.True(t, r.Gone)
	assert.Equal(t, 1, r.Counts()[conformance.Crash])
	assert.Positive(t, r.Counts()[conformance.Skip])
}

// TestConformRestart: with a command that brings the target back the run goes on.
func TestConformRestart(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "s.sock")
	serve := func(handler func(net.Listener) http.Handler) {
		ln, err := net.Listen("unix", path)
		require.NoError(t, err)
		t.Cleanup(func() { ln.Close() })
		go fcgi.Serve(ln, handler(ln))
	}
	serve(dying)
	asked := filepath.Join(t.TempDir(), "asked")
	done := make(chan struct{})
	go func() { // brings it back when the command has asked for it
		defer close(done)
		for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
			if _, err := os.Stat(asked); err == nil {
				serve(func(net.Listener) http.Handler { return http.NotFoundHandler() })
				return
			}
		}
	}()
	file := filepath.Join(t.TempDir(), "r.json")
	_, out, _ := conformApp("fcgi+unix://"+path, "fcgi/3.3", "--restart", "echo >"+asked+"; sleep 0.2", "--jobs", "1",
		"--report", "json="+file)
	<-done
	r := readReportFile(t, file)
	assert.False(t, r.Gone, out)
	assert.Positive(t, r.Counts()[conformance.Pass])
}

// TestConformInterrupted: the first signal ends the run, and the report has what was run.
func TestConformInterrupted(t *testing.T) {
	t.Parallel()
	ln, url := listenFCGI(t)
	go fcgi.Serve(ln, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(50 * time.Millisecond)
	}))
	path := filepath.Join(t.TempDir(), "r.json")
	lines := filepath.Join(t.TempDir(), "r.jsonl")
	cmd := exec.Command("gangway", "conform", "app", url, "--jobs", "1",
		"--report", "json="+path, "--report", "jsonl="+lines)
	var out, diag bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &diag
	require.NoError(t, cmd.Start())
	require.Eventually(t, func() bool { // until something was run
		text, _ := os.ReadFile(lines)
		return bytes.Contains(text, []byte(`"outcome":"pass"`))
	}, patience, 10*time.Millisecond)
	require.NoError(t, cmd.Process.Signal(os.Interrupt))
	cmd.Wait()
	assert.Equal(t, exitFailure, cmd.ProcessState.ExitCode(), diag.String())
	assert.Regexp(t, `gangway: conform app: interrupted after \d+ of \d+ cases; the reports have`, diag.String())
	r := readReportFile(t, path)
	assert.Positive(t, r.Counts()[conformance.Pass])
	assert.Positive(t, r.Counts()[conformance.Skip])
	assert.Zero(t, r.Counts()[conformance.SuiteError], "what was cut off is no failure")
	assert.Contains(t, r.Target.Facts["interrupted"], "after ")
	assert.Len(t, readReportFile(t, lines).Results, len(r.Results))
}

// TestConformTotal: a run that has no time left is no green one.
func TestConformTotal(t *testing.T) {
	t.Parallel()
	ln, url := listenFCGI(t)
	go fcgi.Serve(ln, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { time.Sleep(50 * time.Millisecond) }))
	code, _, diag := conformApp(url, "--total", "2s", "--jobs", "1")
	assert.Equal(t, exitFailure, code)
	assert.Regexp(t, `interrupted after \d+ of \d+ cases; the reports have`, diag)
}

// TestConformUnreachable: who does not answer is known within 3 s.
func TestConformUnreachable(t *testing.T) {
	t.Parallel()
	ln, url := listenFCGI(t) // accepts, and says nothing
	_ = ln
	start := time.Now()
	code, out, diag := conformApp(url)
	assert.Equal(t, exitUnreachable, code)
	assert.Empty(t, out)
	assert.Contains(t, diag, "the target does not answer")
	assert.Less(t, time.Since(start), 10*time.Second) // 1 s, on a machine that is not busy
}

// TestReplay: what comes back now is compared with what came then.
func TestReplay(t *testing.T) {
	ln, url := listenFCGI(t)
	var answer atomic.Value
	answer.Store("then")
	go fcgi.Serve(ln, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Date", "the same twice")
		fmt.Fprint(w, answer.Load())
	}))
	path := filepath.Join(t.TempDir(), "r.json")
	code, out, diag := conformApp(url, "fcgi/3.3/output-aligned-8", "--all-wire", "--format", "json", "--output", path)
	require.Less(t, code, exitUsage, out+diag)

	replayed := func(args ...string) (int, string) {
		var stdout, stderr bytes.Buffer
		args = append([]string{"gangway", "conform", "replay", path, "--case", "fcgi/3.3/output-aligned-8"}, args...)
		return run(args, streams{strings.NewReader(""), &stdout, &stderr}), stdout.String() + stderr.String()
	}
	code, text := replayed()
	assert.Equal(t, 0, code, text)
	assert.Regexp(t, `connection 1: the same \d+ bytes as then`, text)
	answer.Store("an answer that is longer now")
	code, text = replayed("--to", url)
	assert.Equal(t, exitFailure, code, text)
	assert.Regexp(t, `connection 1: \d+ bytes then, \d+ now, the first \d+ the same`, text)
	ln.Close()
	code, text = replayed()
	assert.Equal(t, exitUnreachable, code, text)
	code, text = replayed("--to", "there")
	assert.Equal(t, exitUsage, code, text)
}

// TestReplayOfHang: what nobody answered then is answered now.
func TestReplayOfHang(t *testing.T) {
	_, silent := listenFCGI(t)
	path := filepath.Join(t.TempDir(), "r.json")
	target := app.New(silent)
	cases, err := conformance.Select(app.Cases(), []string{"fcgi/3.3/output-aligned-8"})
	require.NoError(t, err)
	r, err := conformance.Run(t.Context(), target, cases, conformance.Options{Force: true})
	require.NoError(t, err)
	require.NotEqual(t, conformance.Pass, r.Results[0].Outcome)
	f, err := os.Create(path)
	require.NoError(t, err)
	defer f.Close()
	require.NoError(t, json.NewEncoder(f).Encode(r))

	ln, url := listenFCGI(t)
	go fcgi.Serve(ln, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "here I am") }))
	var out, diag bytes.Buffer
	code := run([]string{"gangway", "conform", "replay", path, "--case", "fcgi/3.3/output-aligned-8", "--to", url},
		streams{strings.NewReader(""), &out, &diag})
	assert.Equal(t, exitFailure, code, out.String()+diag.String())
	assert.Regexp(t, `connection 1: 0 bytes then, \d+ now, the first 0 the same`, out.String())
}

// TestConformNames: each case has a name of its own, a section and a sentence, and there are as many as are promised.
func TestConformNames(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range allCases() {
		assert.False(t, seen[c.Name], c.Name)
		seen[c.Name] = true
		assert.Regexp(t, `^[a-z-]+/[^/ ]+/[^ ]+$`, c.Name)
		for what, text := range map[string]string{"quote": c.Quote, "sends": c.Sends, "passes": c.Passes} {
			assert.NotEmpty(t, text, "%s of %s", what, c.Name)
		}
		assert.Contains(t, conformance.Levels, c.Level, c.Name)
		for _, name := range c.DependsOn {
			assert.True(t, seen[name] || hasCase(name), "%s depends on %s, which is none", c.Name, name)
		}
	}
}

func hasCase(name string) bool {
	_, err := conformance.Select(allCases(), []string{name})
	return err == nil
}

// TestCommandLine: what a report says can be pasted into a shell.
func TestCommandLine(t *testing.T) {
	before := os.Args
	defer func() { os.Args = before }()
	os.Args = []string{"/tmp/x", "conform", "app", "fcgi+exec:php-cgi -b", "!fcgi/3.3", "it's", "", "level=MUST"}
	assert.Equal(t, `gangway conform app 'fcgi+exec:php-cgi -b' '!fcgi/3.3' 'it'\''s' '' level=MUST`, commandLine())
}

// TestMatrixOfReports: what conform writes as JSON and as JSON lines is the same to matrix.
func TestMatrixOfReports(t *testing.T) {
	r := &conformance.Report{Schema: 1, Target: conformance.Subject{Name: "one", Role: "app"}}
	r.Results = []conformance.Result{{Name: "fcgi/3.3/x", Level: conformance.Must, Outcome: conformance.Fail}}
	dir := t.TempDir()
	for _, format := range []string{"json", "jsonl"} {
		var b bytes.Buffer
		require.NoError(t, report.Write(&b, format, r, nil))
		require.NoError(t, os.WriteFile(filepath.Join(dir, format), b.Bytes(), 0o644))
	}
	var out bytes.Buffer
	args := []string{"gangway", "conform", "matrix", filepath.Join(dir, "json"), filepath.Join(dir, "jsonl")}
	require.Zero(t, run(args, streams{nil, &out, os.Stderr}))
	_, data, _ := strings.Cut(out.String(), `id="data">`)
	data, _, _ = strings.Cut(data, "</script>")
	var page struct {
		Peers []struct{ ID, Results string }
	}
	require.NoError(t, json.Unmarshal([]byte(data), &page))
	require.Len(t, page.Peers, 2)
	assert.Equal(t, page.Peers[0].Results, page.Peers[1].Results)
}
