package wire_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/fastcgi/wire"
)

// naive reads as the structures of FastCGI 1.0 sections 3.3 and 3.4 are printed, one byte after the other, in 64-bit
// arithmetic and with copies: a second opinion on what wire reads.
type naive struct {
	data  []byte
	short bool
}

func (n *naive) byte() uint64 {
	if len(n.data) == 0 {
		n.short = true
		return 0
	}
	b := n.data[0]
	n.data = n.data[1:]
	return uint64(b)
}

func (n *naive) bytes(count uint64) []byte {
	if count > uint64(len(n.data)) {
		n.short = true
		return nil
	}
	b := bytes.Clone(n.data[:count])
	n.data = n.data[count:]
	return b
}

func (n *naive) record() (h wire.Header, content []byte) {
	h.Version = uint8(n.byte())
	h.Type = wire.Type(n.byte())
	h.RequestID = uint16(n.byte()<<8 + n.byte())
	h.ContentLength = uint16(n.byte()<<8 + n.byte())
	h.PaddingLength = uint8(n.byte())
	h.Reserved = uint8(n.byte())
	content = n.bytes(uint64(h.ContentLength))
	n.bytes(uint64(h.PaddingLength))
	return h, content
}

func (n *naive) length() uint64 {
	b3 := n.byte()
	if b3>>7 == 0 {
		return b3
	}
	return ((b3 & 0x7f) << 24) + (n.byte() << 16) + (n.byte() << 8) + n.byte()
}

func (n *naive) pair() (name, value []byte) {
	nameLength := n.length()
	valueLength := n.length()
	return n.bytes(nameLength), n.bytes(valueLength)
}

func FuzzParseRecord(f *testing.F) {
	for _, v := range readVectors(f) {
		f.Add(v.data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for rest := data; ; {
			n := naive{data: rest}
			wantHeader, wantContent := n.record()
			h, content, next, err := wire.ParseRecord(rest)
			if n.short {
				require.ErrorIs(t, err, wire.ErrShort)
				return
			}
			require.NoError(t, err)
			require.Equal(t, wantHeader, h)
			require.True(t, bytes.Equal(wantContent, content))
			require.True(t, bytes.Equal(n.data, next))
			require.Equal(t, rest[:wire.HeaderLen], h.Append(nil))
			describeContent(h.Type, content)
			rest = next
		}
	})
}

func FuzzParsePair(f *testing.F) {
	for _, v := range readVectors(f) {
		for _, s := range pairStreams(records(v.data)) {
			f.Add(s.content)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for rest := data; ; {
			n := naive{data: rest}
			wantName, wantValue := n.pair()
			name, value, next, err := wire.ParsePair(rest)
			if n.short {
				require.ErrorIs(t, err, wire.ErrShort)
				return
			}
			again := naive{data: wire.AppendPair(nil, string(name), string(value))}
			againName, againValue := again.pair()
			// Without testify: an input can be tens of thousands of pairs.
			if err != nil || !bytes.Equal(wantName, name) || !bytes.Equal(wantValue, value) ||
				!bytes.Equal(n.data, next) || !bytes.Equal(name, againName) || !bytes.Equal(value, againValue) {
				t.Fatalf("%d bytes before the end: %q = %q, %v; want %q = %q; written again: %q = %q",
					len(rest), name, value, err, wantName, wantValue, againName, againValue)
			}
			rest = next
		}
	})
}

// FuzzParams writes three pairs, the middle one of any size, and has the second opinion read them.
func FuzzParams(f *testing.F) {
	f.Add(uint16(1), "SERVER_PORT", "80", uint32(1))
	f.Add(uint16(1), "", "", uint32(0))
	f.Add(uint16(65535), "N", "v", uint32(65529)) // fits into a record, but not after the first pair
	f.Add(uint16(256), "NAME", "value", uint32(30000))
	f.Fuzz(func(t *testing.T, id uint16, name, value string, times uint32) {
		long := strings.Repeat(value, int(times%(200000/uint32(len(value)+1))))
		pairs := []string{name, value, name, long, value, name}
		n := naive{data: addAll(wire.BeginParams(nil, id), pairs...)}
		var content []byte
		var ends []int
		for {
			h, part := n.record()
			require.False(t, n.short)
			require.Equal(t, wire.Header{Version: 1, Type: 4, RequestID: id, ContentLength: uint16(len(part))}, h)
			if len(part) == 0 {
				break
			}
			content = append(content, part...)
			ends = append(ends, len(content))
		}
		require.Empty(t, n.data, "after the end of the stream")
		checkPairs(t, content, ends, pairs)
	})
}

// checkPairs reads pairs from content, which came in records that ended at ends: only long pairs are divided.
func checkPairs(t *testing.T, content []byte, ends []int, pairs []string) {
	n := naive{data: content}
	for pair := range slices.Chunk(pairs, 2) {
		begin := len(content) - len(n.data)
		name, value := n.pair()
		require.False(t, n.short)
		assert.Equal(t, pair[0], string(name))
		assert.Equal(t, pair[1], string(value))
		end := len(content) - len(n.data)
		if end-begin <= wire.MaxContent {
			divided := slices.ContainsFunc(ends, func(cut int) bool { return begin < cut && cut < end })
			assert.False(t, divided, "pair at %d to %d, records end at %v", begin, end, ends)
		}
	}
	require.Empty(t, n.data)
}
