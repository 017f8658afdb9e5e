package faulttest

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// disconnectTable is the environment variable that names the file for the table. Without it nothing is measured, for
// that takes minutes.
const disconnectTable = "GANGWAY_DISCONNECT_TABLE"

// rounds is how often each scene is measured.
const rounds = 5

// measureDisconnects plays all scenes, one after the other, and writes the file.
func measureDisconnects(t *testing.T, file string) {
	cells := map[string]string{}
	for _, s := range allScenes() {
		t.Run(s.String(), func(t *testing.T) { cells[s.String()] = s.measure(t) })
	}
	text := tableHead
	for _, f := range fronts[:2] {
		var columns []scene
		for i := range backends {
			columns = append(columns, scene{frontend: &f, backend: &backends[i]})
		}
		text += "\n## " + f.title + "\n\n" + f.about + "\n\n" +
			departureRows(cells, columns, func(s scene) string { return s.backend.name })
	}
	var columns []scene
	for i := range fronts[2:] {
		columns = append(columns, scene{frontend: &fronts[2+i], backend: egiBackend()})
	}
	text += "\n## From a web server over FastCGI or SCGI\n\n" + gatewayAbout + "\n\n" +
		departureRows(cells, columns, func(s scene) string { return s.frontend.title })
	text += quoted(leftAbout) + leftTable(t)
	require.NoError(t, os.WriteFile(file, []byte(text), 0o644))
}

func egiBackend() *backend {
	return &backends[slices.IndexFunc(backends, func(b backend) bool { return b.name == "EGI" })]
}

// measure returns the cell: the median in milliseconds, or never.
func (s *scene) measure(t *testing.T) string {
	var all []time.Duration
	for range rounds {
		took, ok := s.run(t, 2*time.Second)
		if !ok {
			assert.True(t, s.untold(), "the application is not told")
			return "never"
		}
		all = append(all, took)
	}
	return fmt.Sprint(median(all))
}

// departureRows has a row for each state and departure, as far as one of the columns knows it.
func departureRows(cells map[string]string, columns []scene, title func(scene) string) string {
	var b strings.Builder
	b.WriteString("| state | leaves by |")
	for _, c := range columns {
		b.WriteString(" " + title(c) + " |")
	}
	b.WriteString("\n|---|---|" + strings.Repeat("--:|", len(columns)) + "\n")
	for i := range states {
		for j := range departures {
			row, any := fmt.Sprintf("| %s | %s |", states[i].name, departures[j].name), false
			for _, c := range columns {
				c.state, c.departure = &states[i], &departures[j]
				cell, ok := cells[c.String()]
				if any = any || ok; !ok {
					cell = "–"
				}
				row += " " + cell + " |"
			}
			if any {
				b.WriteString(row + "\n")
			}
		}
	}
	return b.String()
}

var tableHead = quoted(`# A client leaves: when is its application told?

Milliseconds from the moment in which a client leaves until the application knows, median of 5; *never* is not within
2 s. "make disconnect-table" measures anew and writes this file; "TestDisconnects" in "internal/faulttest" holds all of
it that is not *never*, and that nothing is left: no goroutine, no connection, no process.

The application reads nothing of a body. It is told

- over FastCGI by FCGI_ABORT_REQUEST; one that takes no more bytes from its connection by the end of that;
- over SCGI and HTTP by the end of the connection;
- in the process (EGI) by its context;
- as a CGI script by SIGTERM, together with what it has started; one that ignores that (*deaf*) is killed, together
  with a child that ignores it too, when the grace period is over.

| state | what goes on |
|---|---|
| silent | the application has the request and says nothing |
| next requests sent | the client has sent 500 more requests behind it |
| upload sent | the request has a small body that has arrived |
| upload begun | a small part of a large body has arrived |
| upload stuck | so much of it has arrived that the way to the application is full and more lies unread |
| answer begun | a part of the response has come, and the application falls silent |

A FIN that lies behind bytes for which the receiver has no room does not reach it: nobody can see it. A reset does.
`)

// quoted has quotation marks for backquotes.
func quoted(text string) string { return strings.ReplaceAll(text, "\"", "`") }

const gatewayAbout = `The application is an EGI one: the way to others is the same as above.

To FastCGI a half-close is an abort. A connection whose only request does not read its body stands still for a quarter
of a second before the rest goes into a file: only then comes what lies behind it.

To SCGI a half-close says nothing, because a web server may end its request so. Over TCP, where a FIN looks the same, the
application is told when the response is written.`
