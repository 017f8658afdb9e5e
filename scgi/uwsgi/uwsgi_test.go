package uwsgi_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/internal/leak"
	"github.com/gangway-go/gangway/scgi/uwsgi"
)

func TestMain(m *testing.M) { leak.Main(m) }

// A request by hand.
const (
	block = "\x0e\x00REQUEST_METHOD\x04\x00POST" + "\x0e\x00CONTENT_LENGTH\x01\x003" + "\x0c\x00QUERY_STRING\x00\x00"
	// 22 + 19 + 16 bytes are 0x39.
	packet = "\x00\x39\x00\x00" + block
)

func TestRequest(t *testing.T) {
	b := []byte("before")
	for _, pair := range [][2]string{{"REQUEST_METHOD", "POST"}, {"CONTENT_LENGTH", "3"}, {"QUERY_STRING", ""}} {
		b = uwsgi.AppendPair(b, pair[0], pair[1])
	}
	b, err := uwsgi.Enclose(b, len("before"), uwsgi.Modifier, 0)
	require.NoError(t, err)
	require.Equal(t, "before"+packet, string(b))
}

func TestEnclose(t *testing.T) {
	tests := []struct {
		name                 string
		size                 int
		modifier1, modifier2 uint8
		header               string
		err                  error
	}{
		{name: "empty", header: "\x00\x00\x00\x00"},
		{name: "modifiers", modifier1: 5, modifier2: 255, header: "\x05\x00\x00\xff"},
		{name: "little endian", size: 0x0102, header: "\x00\x02\x01\x00"},
		{name: "largest", size: 65535, modifier1: 30, header: "\x1e\xff\xff\x00"},
		{name: "too large", size: 65536, err: uwsgi.ErrTooLong},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			content := strings.Repeat("x", tt.size)
			b, err := uwsgi.Enclose([]byte(content), 0, tt.modifier1, tt.modifier2)
			require.ErrorIs(t, err, tt.err)
			assert.True(t, tt.header+content == string(b))
		})
	}
}

func TestParsePacket(t *testing.T) {
	tests := []struct {
		name, in, block, rest string
		header                uwsgi.Header
	}{
		{name: "request and body", in: packet + "abc", block: block, rest: "abc", header: uwsgi.Header{DataSize: 57}},
		{name: "ping", in: "\x64\x00\x00\x00", header: uwsgi.Header{Modifier1: 100}},
		{
			name: "the two sizes of a number", in: "\x05\x01\x00\x02x\x06\x00\x01", block: "x", rest: "\x06\x00\x01",
			header: uwsgi.Header{Modifier1: 5, DataSize: 1, Modifier2: 2},
		},
		{
			name: "largest", in: "\x00\xff\xff\x00" + strings.Repeat("a", 65535) + "b",
			block: strings.Repeat("a", 65535), rest: "b", header: uwsgi.Header{DataSize: 65535},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h, block, rest, err := uwsgi.ParsePacket([]byte(tt.in))
			require.NoError(t, err)
			assert.Equal(t, tt.header, h)
			assert.Equal(t, tt.block, string(block))
			assert.Equal(t, tt.rest, string(rest))
		})
	}
	// An HTTP response is a packet, as the specification says: its "TT" is a datasize, its "P" modifier2.
	h, err := uwsgi.ParseHeader([]byte("HTTP/1.1 200 OK\r\n"))
	require.NoError(t, err)
	assert.Equal(t, uwsgi.Header{Modifier1: 72, DataSize: 'T' | 'T'<<8, Modifier2: 'P'}, h)
}

func TestPacketPrefixes(t *testing.T) {
	for i := range len(packet) {
		h, block, rest, err := uwsgi.ParsePacket([]byte(packet[:i]))
		assert.ErrorIs(t, err, uwsgi.ErrShort, "%q", packet[:i])
		assert.Zero(t, h)
		assert.Nil(t, block)
		assert.Nil(t, rest)
		_, err = uwsgi.ParseHeader([]byte(packet[:i]))
		assert.Equal(t, i < uwsgi.HeaderLen, err == uwsgi.ErrShort, "%q", packet[:i])
	}
}

func TestParsePair(t *testing.T) {
	tests := []struct{ name, in, pairName, value, rest string }{
		{name: "pair", in: "\x01\x00A\x02\x00bc\x01", pairName: "A", value: "bc", rest: "\x01"},
		{name: "empty value", in: "\x01\x00A\x00\x00", pairName: "A"},
		{name: "empty name", in: "\x00\x00\x01\x00b", value: "b"},
		{name: "nothing in it", in: "\x00\x00\x00\x00"},
		{name: "all bytes", in: "\x03\x00\x00=\xff\x02\x00\n\x00", pairName: "\x00=\xff", value: "\n\x00"},
		{
			name: "little endian", in: "\x00\x01" + strings.Repeat("N", 256) + "\xff\xff" + strings.Repeat("v", 65535),
			pairName: strings.Repeat("N", 256), value: strings.Repeat("v", 65535),
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			name, value, rest, err := uwsgi.ParsePair([]byte(tt.in))
			require.NoError(t, err)
			assert.True(t, tt.pairName == string(name) && tt.value == string(value))
			assert.Equal(t, tt.rest, string(rest))
			assert.True(t, bytes.HasPrefix([]byte(tt.in), uwsgi.AppendPair(nil, tt.pairName, tt.value)))
		})
	}
}

func TestPairPrefixes(t *testing.T) {
	const pair = "\x04\x00NAME\x05\x00value"
	for i := range len(pair) {
		name, value, rest, err := uwsgi.ParsePair([]byte(pair[:i]))
		assert.ErrorIs(t, err, uwsgi.ErrShort, "%q", pair[:i])
		assert.Nil(t, name)
		assert.Nil(t, value)
		assert.Nil(t, rest)
	}
}

func TestAppendPairTooLong(t *testing.T) {
	long := strings.Repeat("x", 65536)
	assert.PanicsWithValue(t, "uwsgi: name or value of 65536 bytes", func() { uwsgi.AppendPair(nil, long, "") })
	assert.PanicsWithValue(t, "uwsgi: name or value of 65536 bytes", func() { uwsgi.AppendPair(nil, "N", long) })
}

// FuzzParsePacket reads a packet and its pairs and writes them again: each byte must be where it was.
func FuzzParsePacket(f *testing.F) {
	for _, s := range []string{
		packet + "abc", "", "\x00\x02\x00\x00\x01\x00", "\x64\x00\x00\x01", "\x00\x04\x00\x00\x00\x00\x00\x00",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		h, block, rest, err := uwsgi.ParsePacket(b)
		if err != nil {
			require.Equal(t, uwsgi.ErrShort, err)
			require.True(t, len(b) < 4 || len(b)-4 < int(b[1])+int(b[2])*256, "rejected %q", b)
			return
		}
		var again []byte
		for unread := block; ; {
			name, value, after, err := uwsgi.ParsePair(unread)
			if err != nil {
				require.Equal(t, uwsgi.ErrShort, err)
				again = append(again, unread...)
				break
			}
			again, unread = uwsgi.AppendPair(again, string(name), string(value)), after
		}
		again, err = uwsgi.Enclose(again, 0, h.Modifier1, h.Modifier2)
		require.NoError(t, err)
		require.True(t, bytes.Equal(b, append(again, rest...)))
	})
}
