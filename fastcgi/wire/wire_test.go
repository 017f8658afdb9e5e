package wire_test

import (
	"bytes"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/fastcgi/wire"
)

func TestNames(t *testing.T) {
	for _, test := range []struct {
		value interface{ String() string }
		want  string
	}{
		{wire.Type(0), "0"},
		{wire.TypeBeginRequest, "FCGI_BEGIN_REQUEST"},
		{wire.TypeUnknownType, "FCGI_UNKNOWN_TYPE"},
		{wire.Type(12), "12"},
		{wire.Type(255), "255"},
		{wire.Role(0), "0"},
		{wire.RoleFilter, "FCGI_FILTER"},
		{wire.Role(65535), "65535"},
		{wire.StatusRequestComplete, "FCGI_REQUEST_COMPLETE"},
		{wire.StatusUnknownRole, "FCGI_UNKNOWN_ROLE"},
		{wire.ProtocolStatus(4), "4"},
	} {
		assert.Equal(t, test.want, test.value.String())
	}
}

// The numbers of section 8, which the vectors name only in part.
func TestConstants(t *testing.T) {
	assert.Equal(t, []wire.Type{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}, []wire.Type{
		wire.TypeBeginRequest, wire.TypeAbortRequest, wire.TypeEndRequest, wire.TypeParams, wire.TypeStdin,
		wire.TypeStdout, wire.TypeStderr, wire.TypeData, wire.TypeGetValues, wire.TypeGetValuesResult,
		wire.TypeUnknownType})
	assert.Equal(t, []wire.Role{1, 2, 3}, []wire.Role{wire.RoleResponder, wire.RoleAuthorizer, wire.RoleFilter})
	assert.Equal(t, []wire.ProtocolStatus{0, 1, 2, 3}, []wire.ProtocolStatus{
		wire.StatusRequestComplete, wire.StatusCantMpxConn, wire.StatusOverloaded, wire.StatusUnknownRole})
	assert.Equal(t, []int{1, 8, 1, 0, 0}, []int{
		wire.Version1, wire.HeaderLen, wire.FlagKeepConn, wire.NullRequestID, wire.ListenSockFileno})
	assert.Equal(t, []string{"FCGI_MAX_CONNS", "FCGI_MAX_REQS", "FCGI_MPXS_CONNS", "FCGI_WEB_SERVER_ADDRS"},
		[]string{wire.MaxConns, wire.MaxReqs, wire.MpxsConns, wire.WebServerAddrs})
}

// Every strict prefix of a header, body or pair is short, and nothing else is.
func TestShort(t *testing.T) {
	pair := wire.AppendPair(nil, strings.Repeat("n", 200), strings.Repeat("v", 300))
	for _, test := range []struct {
		name  string
		data  []byte
		parse func([]byte) error
	}{
		{"header", []byte{1, 5, 0, 1, 0, 9, 9, 0}, func(b []byte) error { _, err := wire.ParseHeader(b); return err }},
		{"BEGIN_REQUEST", []byte{0, 1, 0, 0, 0, 0, 0, 0}, func(b []byte) error {
			_, err := wire.ParseBeginRequest(b)
			return err
		}},
		{"END_REQUEST", make([]byte, 8), func(b []byte) error { _, err := wire.ParseEndRequest(b); return err }},
		{"UNKNOWN_TYPE", make([]byte, 8), func(b []byte) error { _, err := wire.ParseUnknownType(b); return err }},
		{"pair", pair, func(b []byte) error { _, _, _, err := wire.ParsePair(b); return err }},
		{"record", append([]byte{1, 5, 0, 1, 0, 3, 2, 0}, "abc.."...), func(b []byte) error {
			_, _, _, err := wire.ParseRecord(b)
			return err
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			for n := range test.data {
				// A copy without spare capacity: reading on would panic.
				require.ErrorIs(t, test.parse(slices.Clip(slices.Clone(test.data[:n]))), wire.ErrShort, "%d bytes", n)
			}
			require.NoError(t, test.parse(test.data))
			require.NoError(t, test.parse(append(slices.Clone(test.data), "more"...)))
		})
	}
}

// What is parsed cannot be appended to over the bytes that follow it.
func TestSlicesAreClipped(t *testing.T) {
	data := []byte("\x01\x05\x00\x01\x00\x03\x01\x00abc.next")
	_, content, rest, err := wire.ParseRecord(data)
	require.NoError(t, err)
	assert.Equal(t, "abc", string(content))
	_ = append(content, '!')
	assert.Equal(t, "next", string(rest))
	assert.Equal(t, byte('.'), data[11])

	pair := []byte("\x01\x02NVVrest")
	name, value, rest, err := wire.ParsePair(pair)
	require.NoError(t, err)
	_, _ = append(name, '!'), append(value, '!')
	assert.Equal(t, []string{"N", "VV", "rest"}, []string{string(name), string(value), string(rest)})
}

func TestAppendStream(t *testing.T) {
	for _, test := range []struct {
		name string
		size int
		want []int
	}{
		{"empty", 0, nil},
		{"one byte", 1, []int{1}},
		{"a full record", 65535, []int{65535}},
		{"a byte more", 65536, []int{65535, 1}},
		{"two full records", 131070, []int{65535, 65535}},
		{"four records", 200000, []int{65535, 65535, 65535, 3395}},
	} {
		t.Run(test.name, func(t *testing.T) {
			content := bytes.Repeat([]byte("0123456789"), test.size/10+1)[:test.size]
			all := records(wire.AppendStream([]byte{}, wire.TypeStdin, 7, content))
			var joined []byte
			var sizes []int
			for _, r := range all {
				assert.Equal(t, wire.Header{Version: 1, Type: wire.TypeStdin, RequestID: 7,
					ContentLength: uint16(len(r.content))}, r.Header)
				joined = append(joined, r.content...)
				sizes = append(sizes, len(r.content))
			}
			assert.Equal(t, test.want, sizes)
			assert.True(t, bytes.Equal(content, joined))
		})
	}
}

func TestAppendKeepsWhatIsThere(t *testing.T) {
	dst := []byte("before")
	for _, got := range [][]byte{
		wire.AppendRecord(dst, wire.TypeStdin, 1, []byte("x")),
		wire.AppendStream(dst, wire.TypeStdin, 1, []byte("x")),
		wire.AppendEnd(dst, wire.TypeStdin, 1),
		wire.AppendPair(dst, "n", "v"),
		wire.AppendUnknownType(dst, 99),
		wire.BeginRequest{Role: wire.RoleResponder}.Append(dst, 1),
		wire.EndRequest{}.Append(dst, 1),
		wire.Header{}.Append(dst),
		addAll(wire.BeginParams(dst, 1), "n", "v"),
	} {
		assert.Equal(t, "before", string(got[:6]))
		assert.Greater(t, len(got), 6)
	}
}

func TestAppendRecordTooLong(t *testing.T) {
	assert.Panics(t, func() { wire.AppendRecord(nil, wire.TypeStdin, 1, make([]byte, 65536)) })
}

func TestAppendLength(t *testing.T) {
	n := math.MaxInt32
	assert.Equal(t, []byte{0xff, 0xff, 0xff, 0xff}, wire.AppendLength(nil, n))
	if n++; n > 0 { // an int of 64 bits
		assert.Panics(t, func() { wire.AppendLength(nil, n) })
	}
}

func addAll(p wire.Params, namesAndValues ...string) []byte {
	for pair := range slices.Chunk(namesAndValues, 2) {
		p.Add(pair[0], pair[1])
	}
	return p.End()
}

func TestParams(t *testing.T) {
	long := func(n int) string { return strings.Repeat("v", n) }
	for _, test := range []struct {
		name  string
		pairs []string
		want  []int // content lengths
	}{
		{"none", nil, []int{0}},
		{"one", []string{"A", "b"}, []int{4, 0}},
		{"of nothing", []string{"", ""}, []int{2, 0}},
		{"as long as a record", []string{"A", long(65529)}, []int{65535, 0}},
		{"a byte longer than a record", []string{"A", long(65530)}, []int{65535, 1, 0}},
		{"fills the record", []string{"A", "b", "C", long(65525)}, []int{65535, 0}},
		{"a byte too many moves the pair", []string{"A", "b", "C", long(65526)}, []int{4, 65532, 0}},
		{"empty pair after a full record", []string{"A", long(65529), "", ""}, []int{65535, 2, 0}},
		{"long pair begins a record", []string{"A", "b", "C", long(65536)}, []int{4, 65535, 7, 0}},
		{"pair after the end of a long one", []string{"A", long(65536), "C", "d"}, []int{65535, 11, 0}},
		{"long name", []string{long(131064), "b"}, []int{65535, 65535, 0}},
		{"long name and value", []string{long(70000), long(70000)}, []int{65535, 65535, 8938, 0}},
	} {
		t.Run(test.name, func(t *testing.T) {
			data := addAll(wire.BeginParams(nil, 513), test.pairs...)
			all := records(data)
			require.Empty(t, remainder(data, all))
			var sizes []int
			for _, r := range all {
				assert.Equal(t, wire.Header{Version: 1, Type: wire.TypeParams, RequestID: 513,
					ContentLength: uint16(len(r.content))}, r.Header)
				sizes = append(sizes, len(r.content))
			}
			assert.Equal(t, test.want, sizes)
			assert.Equal(t, test.pairs, readPairs(t, pairStreams(all)[0].content))
		})
	}
}

func readPairs(t *testing.T, b []byte) (namesAndValues []string) {
	for len(b) > 0 {
		name, value, rest, err := wire.ParsePair(b)
		require.NoError(t, err)
		namesAndValues = append(namesAndValues, string(name), string(value))
		b = rest
	}
	return namesAndValues
}

func TestNoAllocations(t *testing.T) {
	buf := make([]byte, 0, 1<<20)
	content := make([]byte, 200000)
	value := string(content)
	pairs := addAll(wire.BeginParams(nil, 1), "SERVER_PORT", "80", "QUERY_STRING", "")
	for name, f := range map[string]func(){
		"AppendStream": func() { _ = wire.AppendEnd(wire.AppendStream(buf, wire.TypeStdin, 1, content), wire.TypeStdin, 1) },
		"bodies": func() {
			b := wire.BeginRequest{Role: wire.RoleResponder}.Append(buf, 1)
			b = wire.EndRequest{AppStatus: 1}.Append(b, 1)
			_ = wire.AppendUnknownType(b, 99)
		},
		"AppendPair": func() { _ = wire.AppendPair(buf, "QUERY_STRING", value) },
		"Params": func() {
			p := wire.BeginParams(buf, 1)
			p.Add("QUERY_STRING", "a=b")
			p.Add("HTTP_COOKIE", value)
			_ = p.End()
		},
		"parse": func() {
			_, content, _, _ := wire.ParseRecord(pairs)
			for len(content) > 0 {
				_, _, content, _ = wire.ParsePair(content)
			}
		},
	} {
		t.Run(name, func(t *testing.T) { assert.Zero(t, testing.AllocsPerRun(10, f)) })
	}
}
