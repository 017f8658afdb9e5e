package report

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/gangway-go/gangway/conformance"
)

// eventLimit is how many events of a wire log are shown.
const eventLimit = 60

// A shown event is one of a report, with what can be said of its bytes.
type shown struct {
	conformance.Event
	records string // the FastCGI records in it
}

// clip returns the log with at most limit bytes in each direction, and at most eventLimit events.
func clip(events []conformance.Event, limit int) []shown {
	left := map[conformance.Kind]int{conformance.Sent: limit, conformance.Received: limit}
	names := records(events)
	var clipped []shown
	for i, e := range events {
		if i == eventLimit {
			rest := fmt.Appendf(nil, "%d more events", len(events)-i)
			return append(clipped, shown{Event: conformance.Event{At: e.At, Kind: conformance.Noted, Data: rest}})
		}
		if room, limited := left[e.Kind]; limited {
			keep := min(room, len(e.Data))
			left[e.Kind] -= keep
			if keep < len(e.Data) {
				e.Size = max(e.Size, len(e.Data))
			}
			e.Data = e.Data[:keep]
		}
		clipped = append(clipped, shown{e, names[i]})
	}
	return clipped
}

// size is how many bytes there were.
func size(e *shown) int { return max(e.Size, len(e.Data)) }

// Dump writes a wire log as lines, with the first limit bytes of each direction in hexadecimal and as ASCII.
func Dump(w io.Writer, events []conformance.Event, limit int) { dump(w, clip(events, limit), "") }

// dump writes a wire log as lines, with its bytes in hexadecimal and as ASCII.
func dump(w io.Writer, events []shown, indent string) {
	for i := range events {
		e := &events[i]
		at := fmt.Sprintf("%s%9.3f s", indent, e.At.Seconds())
		switch e.Kind {
		case conformance.Noted:
			fmt.Fprintf(w, "%s     note %s\n", at, printable(string(e.Data)))
		case conformance.Sent, conformance.Received:
			fmt.Fprintf(w, "%s  #%d %s %d bytes%s\n", at, e.Conn, e.Kind, size(e), omitted(e))
			if e.records != "" {
				fmt.Fprintf(w, "%s             %s\n", indent, e.records)
			}
			hexLines(w, e.Data, indent+"             ")
		default:
			fmt.Fprintf(w, "%s  #%d %s\n", at, e.Conn, strings.TrimSpace(string(e.Kind)+" "+printable(string(e.Data))))
		}
	}
}

func omitted(e *shown) string {
	switch {
	case len(e.Data) == 0 && size(e) > 0:
		return ", not shown"
	case len(e.Data) < size(e):
		return fmt.Sprintf(", of which the first %d", len(e.Data))
	}
	return ""
}

// hexLines writes 16 bytes in a line; one "*" stands for lines that are like the one before.
func hexLines(w io.Writer, data []byte, indent string) {
	var last []byte
	starred := false
	for at := 0; at < len(data); at += 16 {
		row := data[at:min(at+16, len(data))]
		if bytes.Equal(row, last) {
			if !starred {
				fmt.Fprintf(w, "%s*\n", indent)
			}
			starred = true
			continue
		}
		last, starred = row, false
		ascii := make([]byte, len(row))
		for i, c := range row {
			ascii[i] = '.'
			if c >= ' ' && c < 0x7f {
				ascii[i] = c
			}
		}
		fmt.Fprintf(w, "%s%04x  %-47s  |%s|\n", indent, at, fmt.Sprintf("% x", row), ascii)
	}
}
