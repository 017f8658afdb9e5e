package cli

import (
	"fmt"
	"math"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/adapters/apps"
	"github.com/gangway-go/gangway/adapters/open"
	"github.com/gangway-go/gangway/cgi"
)

func TestLimits(t *testing.T) {
	const none = math.MaxInt64
	app := open.AppOptions{
		Timeout: -1, HeaderLimit: 64 << 10, SpoolLimit: 1 << 30, ConnectTimeout: 5 * time.Second, Queue: 100,
		QueueWait: 30 * time.Second, BootTimeout: time.Minute, StderrLines: 1000,
		CGI: cgi.Limits{Scripts: 100, Queue: 100, Wait: 30 * time.Second},
	}
	listener := open.ListenLimits{
		HeaderTimeout: 30 * time.Second, IdleTimeout: 2 * time.Minute, BodyTimeout: time.Minute, WriteTimeout: time.Minute,
		MaxHeader: 72 << 10, MaxVariables: 1 << 20, MaxStderr: 1 << 20,
	}
	for _, tt := range []struct {
		name     string
		settings string
		change   func(*open.AppOptions, *open.ListenLimits)
	}{
		{"defaults", "", func(*open.AppOptions, *open.ListenLimits) {}},
		{"of applications", "response-header=1m spool=2g connect-timeout=1s queue=7 queue-wait=2s boot-timeout=3s stderr-lines=4",
			func(o *open.AppOptions, _ *open.ListenLimits) {
				o.HeaderLimit, o.SpoolLimit, o.ConnectTimeout, o.Queue = 1<<20, 2<<30, time.Second, 7
				o.QueueWait, o.BootTimeout, o.StderrLines = 2*time.Second, 3*time.Second, 4
				o.CGI.Queue, o.CGI.Wait = 7, 2*time.Second
			}},
		{"of CGI programs", "cgi-scripts=1 cgi-time=2s cgi-output=3 cgi-cpu=4s cgi-memory=5 cgi-files=0 cgi-file-size=7 cgi-processes=8",
			func(o *open.AppOptions, _ *open.ListenLimits) {
				o.CGI = cgi.Limits{
					CPU: 4 * time.Second, Memory: 5, FileSize: 7, Files: -1, Processes: 8, Time: 2 * time.Second, Output: 3,
					Scripts: 1, Queue: 100, Wait: 30 * time.Second,
				}
			}},
		{"of listeners", "header-timeout=1s idle-timeout=2s body-timeout=3s write-timeout=4s uri=1k header-bytes=3k " +
			"connections=5 client-connections=6 variables=7 stderr=8",
			func(_ *open.AppOptions, l *open.ListenLimits) {
				*l = open.ListenLimits{
					HeaderTimeout: time.Second, IdleTimeout: 2 * time.Second, BodyTimeout: 3 * time.Second,
					WriteTimeout: 4 * time.Second, MaxHeader: 4 << 10, MaxConns: 5, MaxClientConns: 6, MaxVariables: 7, MaxStderr: 8,
				}
			}},
		{"none", "response-header=0 spool=0 queue-wait=0 uri=0 connections=0 idle-timeout=0 stderr=0",
			func(o *open.AppOptions, l *open.ListenLimits) {
				o.HeaderLimit, o.SpoolLimit, o.QueueWait, o.CGI.Wait = math.MaxInt, none, none, none
				l.MaxHeader, l.MaxConns, l.IdleTimeout, l.MaxStderr = 16<<20, -1, none, none
			}},
		{"huge", "header-bytes=1g", func(_ *open.AppOptions, l *open.ListenLimits) { l.MaxHeader = 16 << 20 }},
		{"largest uri", "uri=9223372036854775807", func(_ *open.AppOptions, l *open.ListenLimits) { l.MaxHeader = 16 << 20 }},
		{"largest header-bytes", "header-bytes=9223372036854775807", func(_ *open.AppOptions, l *open.ListenLimits) {
			l.MaxHeader = 16 << 20
		}},
		{"largest together", "uri=16m header-bytes=1", func(_ *open.AppOptions, l *open.ListenLimits) { l.MaxHeader = 16 << 20 }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l, err := newLimits(strings.Fields(tt.settings))
			require.NoError(t, err)
			wantApp, wantListener := app, listener
			tt.change(&wantApp, &wantListener)
			var got open.AppOptions
			l.apply(&got)
			assert.Equal(t, wantApp, got)
			assert.Equal(t, wantListener, l.listener())
			var site apps.Options
			l.applySite(&site)
			assert.Equal(t, apps.Options{
				Timeout: got.Timeout, HeaderLimit: got.HeaderLimit, SpoolLimit: got.SpoolLimit, ConnectTimeout: got.ConnectTimeout,
				MaxQueue: got.Queue, MaxWait: got.QueueWait, BootTimeout: got.BootTimeout, MaxLines: got.StderrLines,
				CGI: got.CGI,
			}, site)
		})
	}
}

func TestSetLimit(t *testing.T) {
	tests := []struct {
		name, value, want, err string
	}{
		{"body", "8m", "8m", ""},
		{"body", "8388608", "8m", ""},
		{"body", "8M", "8m", ""},
		{"body", "64k", "64k", ""},
		{"body", "2048g", "2048g", ""},
		{"body", "1000", "1000", ""},
		{"body", "1025k", "1025k", ""},
		{"body", "0m", "0", ""},
		{"body", "9223372036854775807", "9223372036854775807", ""},
		{"requests", "100", "100", ""},
		{"timeout", "30s", "30s", ""},
		{"timeout", "1m30s", "1m30s", ""},
		{"timeout", "120s", "2m", ""},
		{"timeout", "0", "0", ""},
		{"body", "", "", `--limit body=: "" is no size such as 512, 64k or 8m`},
		{"body", "m", "", `"m" is no size`},
		{"body", "-1", "", `"-1" is no size`},
		{"body", "+1", "", `"+1" is no size`},
		{"body", "8mb", "", `"8mb" is no size`},
		{"body", "1.5m", "", `"1.5m" is no size`},
		{"body", "9223372036854775808", "", `is no size`},
		{"body", "8589934592g", "", `is no size`},
		{"body", "30s", "", `"30s" is no size`},
		{"timeout", "30", "", `"30" is no time such as 30s or 2m`},
		{"timeout", "-1s", "", `"-1s" is no time`},
		{"Body", "1", "", `--limit Body=1: there is no such limit. Did you mean body? "gangway help limits" lists all`},
		{"", "1", "", `there is no such limit`},
	}
	for _, tt := range tests {
		t.Run(tt.name+"="+tt.value, func(t *testing.T) {
			l, err := newLimits([]string{tt.name + "=" + tt.value})
			if tt.err != "" {
				require.ErrorContains(t, err, tt.err)
				return
			}
			require.NoError(t, err)
			for _, k := range limitTable {
				if k.name == tt.name {
					assert.Equal(t, tt.want, k.format(l))
				}
			}
		})
	}
}

func FuzzParseSize(f *testing.F) {
	for _, s := range []string{"", "0", "8m", "64K", "1g", "9223372036854775807", "8589934592g", "-1k", "1kk", "1_0"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, err := parseSize(s)
		if err != nil {
			assert.Zero(t, n)
			return
		}
		assert.GreaterOrEqual(t, n, int64(0))
		again, err := parseSize(formatSize(n))
		require.NoError(t, err)
		assert.Equal(t, n, again)
	})
}

// TestLimitTable: what the documentation says can be given, and changes one thing.
func TestLimitTable(t *testing.T) {
	for _, k := range limitTable {
		t.Run(k.name, func(t *testing.T) {
			assert.NotEmpty(t, k.doc)
			assert.NotEmpty(t, k.effect())
			assert.NotEmpty(t, k.fields)
			if k.status != 0 {
				assert.NotEmpty(t, http.StatusText(k.status))
			}
			again := defaultLimits()
			switch value, _, sandboxed := strings.Cut(k.value(), "; in a sandbox "); {
			case sandboxed:
				require.NoError(t, again.set(k.name, value))
			case value != "auto":
				require.NoError(t, again.set(k.name, k.value()))
				assert.Equal(t, defaultLimits(), again, "the default is its own value")
			}
			require.NoError(t, again.set(k.name, "0"))
			if k.value() != "0" {
				assert.NotEqual(t, defaultLimits(), again)
			}
		})
	}
}

// TestLimitsAreNamed: every limit that a message names is in the table, and every one that is in the table is named by
// the error or the line of the log that it leads to.
func TestLimitsAreNamed(t *testing.T) {
	named := map[string]bool{}
	pattern := regexp.MustCompile(`\(limit ([a-z-]+)\)|Limit: +"([a-z-]+)"|"limit", "([a-z-]+)"|` +
		`(?:tooLarge|busy|refuseFor)\("([a-z-]+)"|s\.left\([^"]*"([a-z-]+)"|^\t\{"([a-z-]+)", http\.Status|return "(cgi-[a-z-]+)"`)
	out, err := exec.Command("go", "list", "-f", "{{.Dir}}", "../adapters/...", "../fastcgi", "../scgi", "../cgi", "../internal/...").Output()
	require.NoError(t, err)
	for _, dir := range strings.Fields(string(out)) {
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		require.NoError(t, err)
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			source, err := os.ReadFile(file)
			require.NoError(t, err)
			for line := range strings.Lines(string(source)) {
				if strings.HasPrefix(line, "func ") {
					continue
				}
				for _, m := range pattern.FindAllStringSubmatch(line, -1) {
					named[strings.Join(m[1:], "")] = true
				}
			}
		}
	}
	for _, k := range limitTable {
		switch k.name {
		case "idle-timeout", "spool-memory", "cgi-scripts": // nobody waits, a file is used, there is a queue
		case "cgi-memory", "cgi-files", "cgi-processes": // the program hears of it
		default:
			assert.True(t, named[k.name], "no message names %s", k.name)
		}
		delete(named, k.name)
	}
	assert.Empty(t, named, "limits that are named and cannot be set")
}

// TestLimitsDocument compares docs/limits.md with the table; with GANGWAY_LIMITS_TABLE=FILE it writes it.
func TestLimitsDocument(t *testing.T) {
	var b strings.Builder
	b.WriteString(limitsIntroduction)
	b.WriteString("| `--limit` | default | bounds | when it is reached | in Go |\n|---|---|---|---|---|\n")
	for _, k := range limitTable {
		value := k.value()
		if value == "auto" {
			value = "¾ of the descriptors that the process may have; FastCGI 1000"
		}
		fields := "`" + strings.ReplaceAll(k.fields, ", ", "`, `") + "`"
		if strings.Contains(fields, " of ") {
			fields = k.fields
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", k.name, value, k.doc, k.effect(), fields)
	}
	if file := os.Getenv("GANGWAY_LIMITS_TABLE"); file != "" {
		require.NoError(t, os.WriteFile(file, []byte(b.String()), 0o644))
		return
	}
	committed, err := os.ReadFile("../docs/limits.md")
	require.NoError(t, err)
	assert.Equal(t, b.String(), string(committed), "make limits-table writes it")
}

const limitsIntroduction = `# Limits

<!-- make limits-table writes this page from the table in cli/limits.go -->

Every limit is set by ` + "`--limit NAME=VALUE`" + ` of ` + "`gangway serve` and `gangway bridge`" + `, which may be
repeated; ` + "`gangway help limits`" + ` prints this table. A size or number is plain or ends in k, m or g (1k is 1024),
a time is written as 300ms, 30s or 2m, and 0 is no limit. A request that reaches a limit gets the status given here, and
the log has a line with the attribute ` + "`limit=NAME`" + `; ` + "`--status`" + ` counts them.

- **Slow requests.** A client has ` + "`header-timeout`" + ` for its header, however it comes, and may pause for
  ` + "`body-timeout`" + ` within its body: an upload may take hours as long as it goes on. Connections that wait for a request
  to come, or to become complete, cost a few KB each; when there are ` + "`connections`" + ` of them, or the system has no
  descriptor left, one of them is closed for each new one. So they cannot lock others out.
- **Long responses.** An application may think for ` + "`timeout`" + ` until its response header comes, which leaves room for
  long polls, and pause for ` + "`response-timeout`" + ` within its response: event streams with a sign of life every few
  minutes last as long as they like. Nothing is silent too long while the client is the one who does not read; for that it
  has ` + "`write-timeout`" + `. Upgraded connections (WebSocket) have no limit of time.
- **Addresses.** A proxy in front makes all its clients one address: so ` + "`client-connections`" + ` is off until it is set.
  127.0.0.1 counts as any other address; clients on Unix sockets have none, and behind a balancer that speaks the PROXY
  protocol it is theirs that counts.
- **TLS, HTTP/2 and ` + "`--http net`" + `.** net/http reads them: a connection that is one too many is closed without a status,
  ` + "`header-timeout`" + ` too has none, and ` + "`write-timeout`" + ` does not exist.
- Times are checked every now and then: the last four may be up to a quarter of the shortest of them late, never early.

`
