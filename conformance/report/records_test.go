package report

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/conformance"
)

func TestRecords(t *testing.T) {
	begin := "\x01\x01\x00\x01\x00\x08\x02\x00\x00\x01\x00\x00\x00\x00\x00\x00PP"
	tests := []struct {
		name   string
		events []conformance.Event
		want   []string
	}{
		{"two records", sent(begin + "\x01\x04\x00\x01\x00\x00\x00\x00"),
			[]string{"FCGI_BEGIN_REQUEST(id 1, 8+2) FCGI_PARAMS(id 1, 0)"}},
		{"header in pieces", sent("\x01", "\x01\x00\x01\x00\x08\x00", "\x00ABCDEFGH", "\x01\x05\x00\x01\x00\x00\x00\x00"),
			[]string{"", "", "FCGI_BEGIN_REQUEST(id 1, 8)", "FCGI_STDIN(id 1, 0)"}},
		{"content in pieces", sent("\x01\x05\x00\x01\x00\x04\x00\x00ab", "cd\x01\x05\x00\x01\x00\x00\x00\x00"),
			[]string{"FCGI_STDIN(id 1, 4)", "FCGI_STDIN(id 1, 0)"}},
		{"unknown type", sent("\x01\x4d\x00\x00\x00\x00\x00\x00"), []string{"77(id 0, 0)"}},
		{"other version", sent("\x01\x05\x00\x01\x00\x00\x00\x00\x02\x05\x00\x01\x00\x00\x00\x00",
			"\x01\x05\x00\x01\x00\x00\x00\x00"),
			[]string{"FCGI_STDIN(id 1, 0) (version 2)", ""}},
		{"HTTP", sent("GET / HTTP/1.1\r\n"), []string{""}},
		{"SCGI", sent("70:CONTENT_LENGTH"), []string{""}},
		{"nothing", sent(""), []string{""}},
		{"cut", []conformance.Event{{Conn: 1, Kind: conformance.Sent, Data: []byte(begin), Size: 90}, sent(begin)[0]},
			[]string{"FCGI_BEGIN_REQUEST(id 1, 8+2)", ""}},
		{"many", sent(strings.Repeat("\x01\x05\x00\x01\x00\x00\x00\x00", 10)),
			[]string{strings.Repeat("FCGI_STDIN(id 1, 0) ", 8) + "and 2 more"}},
		{"notes", []conformance.Event{{Kind: conformance.Noted, Data: []byte("\x01")}}, []string{""}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { assert.Equal(t, tt.want, records(tt.events)) })
	}

	both := append(sent(begin),
		conformance.Event{Conn: 1, Kind: conformance.Received, Data: []byte("\x01\x03\x00\x01\x00\x08\x00\x00")},
		conformance.Event{Conn: 2, Kind: conformance.Sent, Data: []byte(begin)})
	want := []string{"FCGI_BEGIN_REQUEST(id 1, 8+2)", "FCGI_END_REQUEST(id 1, 8)", "FCGI_BEGIN_REQUEST(id 1, 8+2)"}
	assert.Equal(t, want, records(both), "each direction of each connection by itself")
}

func TestClip(t *testing.T) {
	events := sent(strings.Split(strings.Repeat("0123456789 ", 100), " ")...)
	clipped := clip(events, 25)
	require.Len(t, clipped, eventLimit+1)
	assert.Equal(t, "41 more events", string(clipped[eventLimit].Data))
	assert.Equal(t, "01234", string(clipped[2].Data), "the bytes of all events together")
	assert.Equal(t, 10, clipped[2].Size)
	assert.Empty(t, clipped[3].Data)
	assert.Equal(t, 10, clipped[3].Size)
	assert.Equal(t, "0123456789", string(events[3].Data), "the log itself stays")
}

func sent(texts ...string) (events []conformance.Event) {
	for _, text := range texts {
		events = append(events, conformance.Event{Conn: 1, Kind: conformance.Sent, Data: []byte(text)})
	}
	return events
}
