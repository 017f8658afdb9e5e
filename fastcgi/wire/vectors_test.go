package wire_test

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/fastcgi/wire"
)

// A vector file has header lines ("name: value"), an empty line, and bytes in hex; "61*300" is a byte repeated, "#"
// begins a comment. The lines record, pair, short and short pair say, in this order, what the bytes mean; content of
// more than 64 bytes is given by its length. "canonical: no" marks bytes that are valid and that wire does not write.
type vector struct {
	source    string
	canonical bool
	meaning   []string
	data      []byte
}

func readVectors(t testing.TB) map[string]vector {
	files, err := filepath.Glob("testdata/vectors/*.txt")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	vectors := make(map[string]vector)
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		head, body, found := strings.Cut(string(text), "\n\n")
		require.True(t, found, file)
		v := vector{canonical: true, data: readHex(t, body)}
		for line := range strings.Lines(head) {
			line = strings.TrimSuffix(line, "\n")
			switch name, value, _ := strings.Cut(line, ": "); name {
			case "source":
				v.source = value
			case "comment":
			case "canonical":
				v.canonical = value != "no"
			case "record", "pair", "short", "short pair":
				v.meaning = append(v.meaning, line)
			default:
				require.Fail(t, "unknown header line", "%s: %s", file, line)
			}
		}
		require.NotEmpty(t, v.source, file)
		vectors[strings.TrimSuffix(filepath.Base(file), ".txt")] = v
	}
	return vectors
}

func readHex(t testing.TB, text string) (data []byte) {
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		for _, word := range strings.Fields(line) {
			digits, times, repeated := strings.Cut(word, "*")
			b, err := hex.DecodeString(digits)
			require.NoError(t, err)
			n := 1
			if repeated {
				n, err = strconv.Atoi(times)
				require.NoError(t, err)
			}
			data = append(data, bytes.Repeat(b, n)...)
		}
	}
	return data
}

func TestVectors(t *testing.T) {
	for name, v := range readVectors(t) {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, v.meaning, meaning(v.data))
			if v.canonical {
				assert.Equal(t, v.data, rewrite(t, v.data), "written again")
			}
		})
	}
}

// Each strict prefix of a vector means what its whole records mean, and the record that is cut is short.
func TestVectorPrefixes(t *testing.T) {
	for name, v := range readVectors(t) {
		t.Run(name, func(t *testing.T) {
			whole := records(v.data)
			for n := range prefixes(len(v.data)) {
				complete := 0
				for complete < len(whole) && whole[complete].end <= n {
					complete++
				}
				got := records(v.data[:n])
				require.Len(t, got, complete, "%d bytes", n)
				for i := range got {
					require.Equal(t, whole[i], got[i], "%d bytes", n)
				}
			}
		})
	}
}

// prefixes yields the lengths of all strict prefixes; of long messages those of the first and last kilobyte.
func prefixes(size int) func(func(int) bool) {
	return func(yield func(int) bool) {
		for n := range size {
			if (n < 1024 || n > size-1024) && !yield(n) {
				return
			}
		}
	}
}

type record struct {
	wire.Header
	content []byte
	end     int // where the next record begins
}

// records returns the whole records at the beginning of data.
func records(data []byte) (all []record) {
	for rest := data; ; {
		h, content, next, err := wire.ParseRecord(rest)
		if err != nil {
			return all
		}
		rest = next
		all = append(all, record{h, content, len(data) - len(rest)})
	}
}

// remainder returns what follows the last whole record of data.
func remainder(data []byte, all []record) []byte {
	if len(all) == 0 {
		return data
	}
	return data[all[len(all)-1].end:]
}

type stream struct {
	wire.Type
	id      uint16
	content []byte
}

// pairStreams returns the concatenated content of the records that carry pairs.
func pairStreams(all []record) (streams []stream) {
	for _, r := range all {
		switch r.Type {
		case wire.TypeParams, wire.TypeGetValues, wire.TypeGetValuesResult:
		default:
			continue
		}
		i := slices.IndexFunc(streams, func(s stream) bool { return s.Type == r.Type && s.id == r.RequestID })
		if i < 0 {
			i = len(streams)
			streams = append(streams, stream{Type: r.Type, id: r.RequestID})
		}
		streams[i].content = append(streams[i].content, r.content...)
	}
	return streams
}

// meaning describes data in the lines of a vector file.
func meaning(data []byte) (lines []string) {
	all := records(data)
	for _, r := range all {
		lines = append(lines, "record: "+describe(r))
	}
	if rest := remainder(data, all); len(rest) > 0 {
		lines = append(lines, fmt.Sprintf("short: %d bytes", len(rest)))
	}
	for _, s := range pairStreams(all) {
		for b := s.content; len(b) > 0; {
			name, value, rest, err := wire.ParsePair(b)
			if err != nil {
				lines = append(lines, fmt.Sprintf("short pair: %d %d bytes", s.id, len(b)))
				break
			}
			lines = append(lines, fmt.Sprintf("pair: %d %s = %s", s.id, quote(name), quote(value)))
			b = rest
		}
	}
	return lines
}

func describe(r record) string {
	var s strings.Builder
	if r.Version != wire.Version1 {
		fmt.Fprintf(&s, "version %d ", r.Version)
	}
	fmt.Fprintf(&s, "%v %d %s", r.Type, r.RequestID, describeContent(r.Type, r.content))
	if r.PaddingLength > 0 {
		fmt.Fprintf(&s, " padding %d", r.PaddingLength)
	}
	if r.Reserved > 0 {
		fmt.Fprintf(&s, " reserved %d", r.Reserved)
	}
	return s.String()
}

func describeContent(t wire.Type, content []byte) string {
	var body string
	var err error
	switch t {
	case wire.TypeBeginRequest:
		var r wire.BeginRequest
		r, err = wire.ParseBeginRequest(content)
		body = fmt.Sprintf("{%v, %d}", r.Role, r.Flags)
	case wire.TypeEndRequest:
		var r wire.EndRequest
		r, err = wire.ParseEndRequest(content)
		body = fmt.Sprintf("{%d, %v}", r.AppStatus, r.ProtocolStatus)
	case wire.TypeUnknownType:
		var unknown wire.Type
		unknown, err = wire.ParseUnknownType(content)
		body = fmt.Sprintf("{%v}", unknown)
	default:
		return quote(content)
	}
	if err != nil {
		return "short body " + quote(content)
	}
	return body
}

func quote(b []byte) string {
	if len(b) > 64 {
		return fmt.Sprintf("%d bytes", len(b))
	}
	return strconv.Quote(string(b))
}

// rewrite takes data apart and writes it again, with padding of zeros.
func rewrite(t *testing.T, data []byte) (again []byte) {
	all := records(data)
	params := make(map[uint16][]byte)
	for _, r := range all {
		var one []byte
		if r.PaddingLength > 0 {
			one = append(r.Header.Append(nil), r.content...)
			one = append(one, make([]byte, r.PaddingLength)...)
		} else {
			one = rewriteRecord(r)
		}
		again = append(again, one...)
		if r.Type == wire.TypeParams {
			params[r.RequestID] = append(params[r.RequestID], one...)
		}
	}
	for _, s := range pairStreams(all) {
		if rest := rewritePairs(&s); rest == 0 && s.Type == wire.TypeParams {
			assert.Equal(t, params[s.id], s.content, "Params")
		}
	}
	return append(again, remainder(data, all)...)
}

func rewriteRecord(r record) []byte {
	switch r.Type {
	case wire.TypeBeginRequest:
		if body, err := wire.ParseBeginRequest(r.content); err == nil {
			return body.Append(nil, r.RequestID)
		}
	case wire.TypeEndRequest:
		if body, err := wire.ParseEndRequest(r.content); err == nil {
			return body.Append(nil, r.RequestID)
		}
	case wire.TypeUnknownType:
		if unknown, err := wire.ParseUnknownType(r.content); err == nil {
			return wire.AppendUnknownType(nil, unknown)
		}
	case wire.TypeGetValues, wire.TypeGetValuesResult:
		var content []byte
		for b := r.content; len(b) > 0; {
			name, value, rest, err := wire.ParsePair(b)
			if err != nil {
				break
			}
			content = wire.AppendPair(content, string(name), string(value))
			b = rest
		}
		return wire.AppendRecord(nil, r.Type, r.RequestID, content)
	}
	return wire.AppendRecord(nil, r.Type, r.RequestID, r.content)
}

// rewritePairs replaces s.content by the records that Params writes for its pairs, and returns what is no whole pair.
func rewritePairs(s *stream) (rest int) {
	p := wire.BeginParams(nil, s.id)
	b := s.content
	for len(b) > 0 {
		name, value, next, err := wire.ParsePair(b)
		if err != nil {
			break
		}
		p.Add(string(name), string(value))
		b = next
	}
	s.content = p.End()
	return len(b)
}
