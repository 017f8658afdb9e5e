package report_test

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/conformance"
	"github.com/gangway-go/gangway/conformance/report"
	"github.com/gangway-go/gangway/internal/peer"
)

// browse opens the file in a browser, and returns the page as its script has made it.
func browse(t *testing.T, file, fragment string) string {
	t.Helper()
	_, page, _ := strings.Cut(peer.Browse(t, "file://"+file+fragment), "<body>")
	page, _, _ = strings.Cut(page, `<script type="application/json"`) // the data is no part of what is seen
	return page
}

var tags = regexp.MustCompile(`<[^>]*>`)

// TestBrowser opens the matrix in a real browser.
func TestBrowser(t *testing.T) {
	t.Parallel()
	other := report.Withhold(sample())
	other.Target.Name, other.Target.Version = "libfcgi", "2.4.2"
	other.Results[1].Outcome = conformance.Pass
	script := sample()
	script.Target.Role = "script"
	script.Results = []conformance.Result{{Name: "script/4.1/x", Level: conformance.Must, Outcome: conformance.Pass}}
	var b bytes.Buffer
	require.NoError(t, report.Matrix(&b, []*conformance.Report{sample(), other, script}))
	file := filepath.Join(t.TempDir(), "matrix.html")
	require.NoError(t, os.WriteFile(file, b.Bytes(), 0o644))

	tests := []struct {
		name, fragment string
		want, no       []string
	}{
		{"matrix", "", []string{
			">12 of 13 cases, peers: 2", `<b>libfcgi</b>`, `<td class="f">F</td><td class="p">✓</td>`, `<td class="x">×</td>`,
			`class="l1 out" data-case="12"`, `>7<span class="bar"`, `<aside id="panel" hidden=""`,
		}, nil},
		{"role", "#?role=script", []string{">1 of 13 cases, peers: 1"}, nil},
		{"all roles", "#?role=", []string{">13 of 13 cases, peers: 3"}, nil},
		{"text", "#?text=padding", []string{">1 of 13 cases"}, nil},
		{"level", "#?level=SHOULD,MAY", []string{">2 of 13 cases"}, nil},
		{"outcome", "#?outcome=HANG,CRASH", []string{">2 of 13 cases"}, nil},
		{"differ", "#?differ=1", []string{">1 of 13 cases"}, nil},
		{"cell", "#php-fpm-8.2.36-fastcgi/fcgi/3.3/padding-on-begin-request", []string{
			"The suite sends a record.", "The target answers it.", "lost the body", "took12 ms",
			"#1 open unix /run/php.sock", "#1 suite sends 19 bytes", "FCGI_BEGIN_REQUEST(id 1, 8+3)",
			"0010  50 41 44", "target sends 70000 bytes, of which the first 528", "#1 eof",
			"The sentence, with \"quotes\" &amp; more.", "FastCGI 1.0 section 3.3", "✓ libfcgi 2.4.2",
		}, []string{`<aside id="panel" hidden=""`}},
		{"peer", "#php-fpm-8.2.36-fastcgi", []string{
			"gangway conform app fcgi+unix:///run/php.sock", "pm = static", "2026-11-22", "took34.2 s", "keepaliveyes",
		}, nil},
		{"withheld", "#libfcgi-2.4.2-fastcgi", []string{"withheld", "2 of 2 cases of level security failed"}, nil},
		{"what a target says is no markup", "#php-fpm-8.2.36-fastcgi/fcgi/3.3/evil", []string{
			"onerror=alert(1)&gt;", "[2J&lt;/script&gt;",
		}, []string{"<img"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			page := browse(t, file, tt.fragment)
			seen := tags.ReplaceAllString(page, "")
			for _, text := range tt.want {
				assert.True(t, strings.Contains(page, text) || strings.Contains(seen, text), "%q is not there", text)
			}
			for _, text := range tt.no {
				assert.False(t, strings.Contains(page, text), "%q is there", text)
			}
			if t.Failed() {
				t.Log(seen)
			}
		})
	}
}
