package report

import (
	"fmt"
	"strings"

	"github.com/gangway-go/gangway/conformance"
	"github.com/gangway-go/gangway/fastcgi/wire"
)

// recordLimit is how many records of one event are named.
const recordLimit = 8

// A stream is one direction of a connection, as far as it is a sequence of FastCGI records.
type stream struct {
	header  []byte // the bytes of a header that has not come whole
	body    int    // how many bytes of content and padding are still to come
	foreign bool   // something else has come
}

// records names the FastCGI records that each event completes the header of, if there are any.
func records(events []conformance.Event) []string {
	type direction struct {
		conn int
		kind conformance.Kind
	}
	streams := map[direction]*stream{}
	names := make([]string, len(events))
	for i := range events {
		e := &events[i]
		if e.Kind != conformance.Sent && e.Kind != conformance.Received {
			continue
		}
		d := direction{e.Conn, e.Kind}
		if streams[d] == nil {
			streams[d] = &stream{foreign: len(e.Data) == 0 || e.Data[0] != wire.Version1}
		}
		names[i] = strings.Join(streams[d].take(e.Data), " ")
		streams[d].foreign = streams[d].foreign || e.Size > len(e.Data)
	}
	return names
}

// take returns the names of the records whose headers end in data.
func (s *stream) take(data []byte) (names []string) {
	for len(data) > 0 && !s.foreign {
		n := min(s.body, len(data))
		s.body, data = s.body-n, data[n:]
		if len(data) == 0 {
			break
		}
		n = min(8-len(s.header), len(data))
		s.header, data = append(s.header, data[:n]...), data[n:]
		header, err := wire.ParseHeader(s.header)
		if err != nil {
			break // the rest of it has not come
		}
		s.header = nil
		s.body = int(header.ContentLength) + int(header.PaddingLength)
		if s.foreign = header.Version != wire.Version1; s.foreign {
			names = append(names, fmt.Sprintf("(version %d)", header.Version))
			break
		}
		names = append(names, recordName(header))
	}
	if len(names) > recordLimit {
		names = append(names[:recordLimit], fmt.Sprintf("and %d more", len(names)-recordLimit))
	}
	return names
}

func recordName(h wire.Header) string {
	padding := ""
	if h.PaddingLength > 0 {
		padding = fmt.Sprintf("+%d", h.PaddingLength)
	}
	return fmt.Sprintf("%v(id %d, %d%s)", h.Type, h.RequestID, h.ContentLength, padding)
}
