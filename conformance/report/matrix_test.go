package report_test

import (
	"bytes"
	"compress/zlib"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/conformance"
	"github.com/gangway-go/gangway/conformance/report"
)

// page is what a matrix has in its data.
type page struct {
	Outcomes []string
	Levels   []string
	PerBlock int
	Peers    []struct {
		ID, Results string
		Withheld    bool
		Subject     conformance.Subject
	}
	Cases []struct {
		Name, Role, Source, Quote string
		Level                     int
	}
	Blocks []string
}

type block struct {
	S []string
	C map[string]struct {
		G, T, N int
		I       []int
		W       [][6]int
	}
}

var dataElement = regexp.MustCompile(`(?s)<script type="application/json" id="data">(.*?)</script>`)

func matrix(t *testing.T, reports ...*conformance.Report) (string, page) {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, report.Matrix(&b, reports))
	found := dataElement.FindSubmatch(b.Bytes())
	require.NotNil(t, found)
	var p page
	require.NoError(t, json.Unmarshal(found[1], &p))
	return b.String(), p
}

func inflate(t *testing.T, text string) block {
	t.Helper()
	data, err := base64.StdEncoding.DecodeString(text)
	require.NoError(t, err)
	z, err := zlib.NewReader(bytes.NewReader(data))
	require.NoError(t, err)
	var b block
	require.NoError(t, json.NewDecoder(z).Decode(&b))
	return b
}

func TestMatrix(t *testing.T) {
	other := report.Withhold(sample())
	other.Results = append(other.Results[:2:2],
		conformance.Result{Name: "scgi/2/x", Level: conformance.Must, Outcome: conformance.Pass},
		conformance.Result{Name: "fcgi/3.3/late", Level: conformance.May, Outcome: conformance.Info})
	html, p := matrix(t, sample(), other)

	require.Len(t, p.Peers, 2)
	assert.Equal(t, "php-fpm-8.2.36-fastcgi", p.Peers[0].ID)
	assert.Equal(t, "php-fpm-8.2.36-fastcgi-2", p.Peers[1].ID)
	assert.Equal(t, "gangway conform app fcgi+unix:///run/php.sock", p.Peers[0].Subject.Command)
	require.Len(t, p.Cases, 14)
	assert.Equal(t, "fcgi/3.3/late", p.Cases[3].Name, "beside the cases of its section")
	assert.Equal(t, "scgi/2/x", p.Cases[13].Name)
	assert.Equal(t, "pff hc~wisdef ", p.Peers[0].Results)
	assert.Equal(t, "pf i  x     xp", p.Peers[1].Results)
	assert.True(t, p.Peers[1].Withheld)

	b := inflate(t, p.Blocks[0])
	cell := b.C["1 0"]
	assert.Equal(t, "lost the body", b.S[cell.G])
	require.Len(t, cell.W, 7)
	assert.Equal(t, "send", b.S[cell.W[1][2]])
	assert.Equal(t, "\x01\x01\x00\x01", b.S[cell.W[1][3]][:4])
	assert.Equal(t, 70000, cell.W[3][4])
	assert.Contains(t, b.C, "0 0", "a pass with something worth knowing")
	assert.Equal(t, cell.W[1][3], b.C["1 1"].W[1][3], "the same bytes are there once")

	assert.Equal(t, 2, strings.Count(html, "</script>"), "nothing in the data ends its element")
	for _, outside := range []string{"http://", "https://", "<img", "<link", "<script src", "@import", "url(", "fetch("} {
		assert.False(t, strings.Contains(html, outside), outside)
	}
}

func TestMatrixOfNone(t *testing.T) {
	_, p := matrix(t)
	assert.Empty(t, p.Peers)
	_, p = matrix(t, &conformance.Report{})
	assert.Equal(t, "", p.Peers[0].Results)
}

// TestMatrixLimit: 20 peers and 600 cases, of which a third does not pass, with logs of 2 KiB each way.
func TestMatrixLimit(t *testing.T) {
	t.Parallel()
	html, p := matrix(t, synthetic(20, 600, 200)...)
	assert.Len(t, p.Peers, 20)
	assert.Len(t, p.Cases, 600)
	assert.LessOrEqual(t, len(html), report.MatrixLimit)
	assert.Greater(t, longest(t, p), 1<<10, "the logs are not much shortened")
	t.Logf("%d bytes", len(html))
	passed := sample()
	passed.Results[0].Wire = wireLog()
	_, one := matrix(t, passed)
	assert.Empty(t, inflate(t, one.Blocks[0]).C["0 0"].W, "no log of what passes")
	if path := os.Getenv("MATRIX_FILE"); path != "" {
		require.NoError(t, os.WriteFile(path, []byte(html), 0o644))
	}
}

// TestMatrixShrinks: logs that cannot be deflated get shorter until the file is small enough.
func TestMatrixShrinks(t *testing.T) {
	report.SetMatrixLimit(t, 200<<10)
	html, p := matrix(t, synthetic(2, 100, 2000)...)
	assert.LessOrEqual(t, len(html), 200<<10)
	assert.Equal(t, 1<<10, longest(t, p))
}

// longest returns how long the longest part of a wire log is.
func longest(t *testing.T, p page) int {
	n := 0
	for _, text := range p.Blocks {
		b := inflate(t, text)
		for _, c := range b.C {
			for _, event := range c.W {
				n = max(n, len([]rune(b.S[event[3]])))
			}
		}
	}
	return n
}

// synthetic makes reports like those of real peers; so many bytes of each of their logs cannot be deflated.
func synthetic(peers, cases, noise int) []*conformance.Report {
	random := rand.New(rand.NewPCG(1, 2))
	var reports []*conformance.Report
	for p := range peers {
		r := &conformance.Report{Schema: 1, Suite: "gangway v0.4.0", Started: began, Ended: began.Add(time.Minute)}
		r.Target = conformance.Subject{
			Name: []string{"php-fpm", "libfcgi", "net/http/fcgi", "FCGI.pm", "uWSGI"}[p%5], Version: fmt.Sprint(1+p/5, ".2"),
			Role: "app", Protocol: "fastcgi", Address: "fcgi://127.0.0.1:9000",
			Command: "gangway conform app fcgi://127.0.0.1:9000",
		}
		for c := range cases {
			r.Results = append(r.Results, syntheticResult(random, c, noise))
		}
		reports = append(reports, r)
	}
	return reports
}

func syntheticResult(random *rand.Rand, c, size int) conformance.Result {
	sections := []string{"2.2", "3.2", "3.3", "3.4", "4.1", "4.2", "5.1", "5.2", "5.4", "5.5", "6.1", "6.2"}
	result := conformance.Result{
		Name: fmt.Sprintf("fcgi/%s/case-about-%s-%d", sections[c*len(sections)/600%len(sections)],
			[]string{"padding", "keepconn-reuse", "empty-record"}[c%3], c),
		Source: "FastCGI 1.0 section 3.3", Level: conformance.Levels[c%5], Outcome: conformance.Pass,
		Quote: fmt.Sprintf("The application responds to requirement %d with what this sentence says, "+
			"which is as long as sentences are.", c),
		Sends:    "a request whose record number " + fmt.Sprint(c) + " is padded with 3 bytes.",
		Expected: "answers with status 200 and the whole body.",
		Duration: time.Millisecond, Runs: 1,
	}
	if random.IntN(3) > 0 {
		return result
	}
	outcomes := []conformance.Outcome{
		conformance.Fail, conformance.Fail, conformance.Hang, conformance.Skip, conformance.Flaky, conformance.Crash,
	}
	result.Outcome = outcomes[random.IntN(len(outcomes))]
	switch result.Level {
	case conformance.Should:
		result.Outcome = conformance.Warn
	case conformance.May:
		result.Outcome = conformance.Info
	}
	noise := make([]byte, size)
	for i := range noise {
		noise[i] = byte(random.Uint32())
	}
	sent := bytes.Repeat(fmt.Appendf(nil, "\x01\x05\x00\x01\x00\x08\x00\x00record %d", c), 100)
	result.Got = fmt.Sprintf("status 200, and a body of %d bytes", random.IntN(9000))
	result.Wire = []conformance.Event{
		{Conn: 1, Kind: conformance.Opened, Data: []byte("unix /run/php.sock")},
		{Conn: 1, Kind: conformance.Sent, Data: sent},
		{Conn: 1, Kind: conformance.Received, Data: append(noise, sent...)}, {Conn: 1, Kind: conformance.Ended},
	}
	return result
}
