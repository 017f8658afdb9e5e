//go:build unix

package faulttest

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/adapters/open"
	"github.com/gangway-go/gangway/internal/peer"
	"github.com/gangway-go/gangway/internal/smuggling"
)

// tableVar is the environment variable that names the file for the table of all servers. Without it only gangway is
// tried.
const tableVar = "GANGWAY_SMUGGLING_TABLE"

// A column of the table is a server before an application. Its version is what the command prints.
type column struct {
	name, to string
	start    func(*testing.T) (site, func() []string)
	version  []string
}

// overFCGI has the scripted application behind start.
func overFCGI(start func(*testing.T, *app) site) func(*testing.T) (site, func() []string) {
	return func(t *testing.T) (site, func() []string) {
		a := startApp(t)
		return start(t, a), a.asked
	}
}

// The columns; all but the first are for the table.
var columns = []column{
	{"gangway", "FastCGI", overFCGI(func(t *testing.T, a *app) site { return fastcgi(t, a) }), nil},
	{"gangway, `--http net`", "FastCGI", overFCGI(func(t *testing.T, a *app) site {
		return gangwayOn(t, open.ListenOptions{NetHTTP: true}, "fcgi+unix://"+a.socket, open.AppOptions{})
	}), nil},
	{"net/http", "a handler", plainHandler, []string{"go", "version"}},
	{"nginx", "FastCGI", overFCGI(nginx), []string{"nginx", "-v"}},
	{"Apache httpd", "mod_proxy_fcgi", overFCGI(func(t *testing.T, a *app) site {
		return tcp(peer.Apache(t, "ProxyPass / unix:"+a.socket+"|fcgi://localhost/"))
	}), []string{"apache2", "-v"}},
	{"lighttpd", "mod_fastcgi", overFCGI(lighttpd), []string{"lighttpd", "-v"}},
	{"Caddy", "FastCGI", overFCGI(caddy), []string{"caddy", "version"}},
	{"HAProxy", "HTTP", func(t *testing.T) (site, func() []string) {
		address, asked := httpOrigin(t)
		return tcp(peer.HAProxyHTTP(t, address, "")), asked
	}, []string{"haproxy", "-v"}},
}

// A tally counts verdicts.
type tally [3]int

func (n tally) String() string {
	text := fmt.Sprintf("%d/%d", n[refused], n[right])
	if n[wrong] > 0 {
		text += fmt.Sprintf("/**%d**", n[wrong])
	}
	return text
}

// tallies tries all forms and counts by class what becomes of them.
func (c column) tallies(t *testing.T, wait time.Duration) map[string]tally {
	s, asked := c.start(t)
	counts := map[string]tally{}
	for _, f := range forms {
		x := s.try(t, f, wait, asked)
		v, why := judge(f, x)
		n := counts[f.Class]
		n[v]++
		counts[f.Class] = n
		if why != "" {
			t.Logf("%s: %s: %s: %+v", c.name, f.Name, why, x)
		}
	}
	return counts
}

var forms = slices.Concat(smuggling.Hostile, smuggling.Legitimate)

// TestSmuggling sends the corpus through gangway to an application, and has the committed table say what was seen.
func TestSmuggling(t *testing.T) {
	counts := []map[string]tally{columns[0].tallies(t, patience)}
	for _, f := range forms {
		assert.Zero(t, counts[0][f.Class][wrong], f.Class)
	}
	if path := os.Getenv(tableVar); path != "" {
		for _, c := range columns[1:] {
			t.Run(c.name, func(t *testing.T) { counts = append(counts, c.tallies(t, 2*moment)) })
		}
		require.Len(t, counts, len(columns))
		require.NoError(t, os.WriteFile(path, []byte(table(t, counts, carrierRows(t))), 0o644))
		return
	}
	committed, err := os.ReadFile("../../docs/smuggling.md")
	require.NoError(t, err)
	for _, row := range append(rows(smuggling.Hostile, counts), rows(smuggling.Legitimate, counts)...) {
		assert.Contains(t, string(committed), row+" |", "make smuggling-table writes it anew")
	}
}

const heading = `# What servers make of requests that can be read in two ways

**make smuggling-table** tries everything again and writes this page; it takes half a minute, and the programs that
scripts/setup installs.

[internal/smuggling](../internal/smuggling) is a corpus of %d requests in %d classes that the parties on the way to an
application may read differently, and of %d odd ones with one meaning. Each was sent to each server over a connection of
its own, with a second request behind it, the canary. What counts is what the application behind the server was asked:

- **refused**: nothing, or only the canary where it is certain where that begins; the client got an error, or the
  connection was closed.
- **read**: as RFC 9110 and RFC 9112 (June 2022) say that it may be read; or, where they only say that it should be
  refused, for the one thing that it can mean. Then the canary, once, or the connection was closed.
- **wrong**: all else. It was read though the texts say that it must be refused, which in most cases is about Host; or
  though it can mean several things, as a chunk's line that ends with LF alone, which RFC 9112 2.2 lets pass in header and
  trailer only; or for something else. Or the canary was swallowed (no answer and no end for three seconds), or read where
  the connection must end; something hidden in the request was read; or framing was passed on that no proxy may send.
  That alone lets nobody attack: another server on the way has to differ.

A cell is refused/read, or refused/read/**wrong**. The numbers behind a class are sections of RFC 9112, if no other text
is named. Of the legitimate requests in the second table it is better to read all, though most of them are rare.

Each server has the plainest configuration for its kind of application; some have settings to be stricter. As in the
conformance results, what is wrong in the programs of others is counted and not written down. Seen on %s:

`

// table writes the page.
func table(t *testing.T, counts []map[string]tally, carried []string) string {
	var b strings.Builder
	classes := rows(smuggling.Hostile, counts[:1])
	today := time.Now().UTC().Format(time.DateOnly)
	fmt.Fprintf(&b, heading, len(smuggling.Hostile), len(classes), len(smuggling.Legitimate), today)
	b.WriteString("| server | version | application |\n| --- | --- | --- |\n")
	head, line := "| class |", "| --- |"
	for _, c := range columns {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", c.name, c.programVersion(t), c.to)
		head, line = head+" "+c.name+" |", line+" ---: |"
	}
	for _, part := range []struct {
		title string
		forms []smuggling.Form
	}{{"Hostile", smuggling.Hostile}, {"Legitimate", smuggling.Legitimate}} {
		fmt.Fprintf(&b, "\n## %s\n\n%s\n%s\n", part.title, head, line)
		for _, row := range append(rows(part.forms, counts), total(part.forms, counts)) {
			b.WriteString(row + " |\n")
		}
	}
	b.WriteString(carriedHeading + strings.Join(carried, " |\n") + " |\n")
	return b.String()
}

const carriedHeading = `
## Behind gangway

The same through each protocol to an application that writes down all that it is sent. Each legitimate message has to reach
it byte by byte, and behind it the canary, once, where the connection goes on (6 end it); of the hostile ones, nothing.

| protocol | application | hostile | legitimate | canaries read | bytes of bodies |
| --- | --- | ---: | ---: | ---: | ---: |
`

// rows returns a row for each class, without its end.
func rows(forms []smuggling.Form, counts []map[string]tally) (list []string) {
	for i, f := range forms {
		if i > 0 && forms[i-1].Class == f.Class {
			continue
		}
		row := "| " + f.Class
		for _, c := range counts {
			row += " | " + c[f.Class].String()
		}
		list = append(list, row)
	}
	return list
}

// total returns the row of sums.
func total(forms []smuggling.Form, counts []map[string]tally) string {
	row := "| **all**"
	for _, c := range counts {
		var sum tally
		for i, f := range forms {
			if i > 0 && forms[i-1].Class == f.Class {
				continue
			}
			for v, n := range c[f.Class] {
				sum[v] += n
			}
		}
		row += " | " + sum.String()
	}
	return row
}

var version = regexp.MustCompile(`\d+\.\d+[0-9.]*`)

// programVersion returns what the program says about itself.
func (c column) programVersion(t *testing.T) string {
	if c.version == nil {
		return "this, by " + runtime.Version()
	}
	out, err := exec.Command(peer.Need(t, c.version[0]), c.version[1:]...).CombinedOutput()
	require.NoError(t, err)
	return version.FindString(string(out))
}
