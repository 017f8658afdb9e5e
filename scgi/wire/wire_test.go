package wire_test

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/internal/leak"
	"github.com/gangway-go/gangway/scgi/wire"
)

func TestMain(m *testing.M) { leak.Main(m) }

// The request of SCGI section 5.
const (
	specBlock = "CONTENT_LENGTH\x0027\x00SCGI\x001\x00REQUEST_METHOD\x00POST\x00REQUEST_URI\x00/deepthought\x00"
	specBody  = "What is the answer to life?"
)

func TestSpecExample(t *testing.T) {
	b := []byte("before")
	for _, pair := range [][2]string{
		{"CONTENT_LENGTH", "27"}, {"SCGI", "1"}, {"REQUEST_METHOD", "POST"}, {"REQUEST_URI", "/deepthought"},
	} {
		b = wire.AppendPair(b, pair[0], pair[1])
	}
	b = wire.Enclose(b, len("before"))
	require.Equal(t, "before70:"+specBlock+",", string(b))
}

func TestEnclose(t *testing.T) {
	assert.Equal(t, "0:,", string(wire.Enclose(nil, 0)))
	assert.Equal(t, "12:hello world!,", string(wire.Enclose([]byte("hello world!"), 0))) // Section 4.
}

func TestParseNetstring(t *testing.T) {
	const limit = 1000
	tests := []struct {
		name, in, content, rest string
		err                     error
	}{
		{name: "section 4", in: "12:hello world!,", content: "hello world!"},
		{name: "section 5", in: "70:" + specBlock + "," + specBody, content: specBlock, rest: specBody},
		{name: "empty", in: "0:,", rest: ""},
		{name: "empty and more", in: "0:,1:a,", rest: "1:a,"},
		{name: "holds its own marks", in: "3:,:,,x", content: ",:,", rest: "x"},
		{name: "longest", in: "1000:" + strings.Repeat("a", limit) + ",", content: strings.Repeat("a", limit)},
		{name: "too long", in: "1001:", err: wire.ErrTooLong},
		{name: "too long before its colon", in: "10000", err: wire.ErrTooLong},
		{name: "no int holds it", in: "99999999999999999999999:", err: wire.ErrTooLong},
		{name: "flood of digits", in: strings.Repeat("9", 100_000), err: wire.ErrTooLong},
		{name: "leading zero", in: "070:", err: wire.ErrSyntax},
		{name: "two zeros", in: "00:,", err: wire.ErrSyntax},
		{name: "no digit", in: ":,", err: wire.ErrSyntax},
		{name: "negative", in: "-5:", err: wire.ErrSyntax},
		{name: "plus", in: "+5:hello,", err: wire.ErrSyntax},
		{name: "space before", in: " 5:hello,", err: wire.ErrSyntax},
		{name: "space after", in: "5 :hello,", err: wire.ErrSyntax},
		{name: "hexadecimal", in: "a:helloworld,", err: wire.ErrSyntax},
		{name: "HTTP", in: "GET / HTTP/1.1\r\n", err: wire.ErrSyntax},
		{name: "TLS", in: "\x16\x03\x01", err: wire.ErrSyntax},
		{name: "FastCGI", in: "\x01\x01\x00\x01", err: wire.ErrSyntax},
		{name: "semicolon for comma", in: "5:hello;", err: wire.ErrSyntax},
		{name: "length too small", in: "4:hello,", err: wire.ErrSyntax},
		{name: "length too large", in: "6:hello,", err: wire.ErrShort},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			content, rest, err := wire.ParseNetstring([]byte(tt.in), limit)
			require.ErrorIs(t, err, tt.err)
			assert.Equal(t, tt.content, string(content))
			assert.Equal(t, tt.rest, string(rest))
		})
	}
}

func TestParseNetstringPrefixes(t *testing.T) {
	whole := "70:" + specBlock + ","
	for i := range len(whole) {
		_, _, err := wire.ParseNetstring([]byte(whole[:i]), 1000)
		assert.ErrorIs(t, err, wire.ErrShort, "%q", whole[:i])
	}
}

func TestParsePair(t *testing.T) {
	tests := []struct {
		name, in   string
		n, v, rest string
		malformed  bool
	}{
		{name: "pair", in: "A\x00b\x00C\x00d\x00", n: "A", v: "b", rest: "C\x00d\x00"},
		{name: "empty value", in: "A\x00\x00", n: "A"},
		{name: "all other bytes", in: "\x01=\xff\x00\xfe\n,:\x00", n: "\x01=\xff", v: "\xfe\n,:"},
		{name: "nothing", in: "", malformed: true},
		{name: "empty name", in: "\x00b\x00", malformed: true},
		{name: "no NUL", in: "A", malformed: true},
		{name: "no value", in: "A\x00", malformed: true},
		{name: "no last NUL", in: "A\x00b", malformed: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n, v, rest, err := wire.ParsePair(tt.in)
			assert.Equal(t, tt.malformed, err == wire.ErrSyntax)
			assert.Equal(t, []string{tt.n, tt.v, tt.rest}, []string{n, v, rest})
		})
	}
}

// FuzzParseNetstring compares the parser with a second, slow one.
func FuzzParseNetstring(f *testing.F) {
	for _, s := range []string{
		"0:,", "12:hello world!,", "70:" + specBlock + "," + specBody, "01:a,", "99999:", "3:ab", "1:a;",
	} {
		f.Add([]byte(s), 100)
	}
	f.Fuzz(func(t *testing.T, b []byte, limit int) {
		content, rest, err := wire.ParseNetstring(b, limit)
		if err != nil {
			require.Nil(t, content)
			require.Nil(t, rest)
			// A rejected netstring stays rejected, an incomplete one can be completed.
			_, _, again := wire.ParseNetstring(append(bytes.Clone(b), '1', ':', 'a', ','), limit)
			if err != wire.ErrShort {
				require.Equal(t, err, again)
			}
			return
		}
		require.LessOrEqual(t, len(content), limit)
		size, tail, found := strings.Cut(string(b), ":")
		require.True(t, found)
		n, err := strconv.Atoi(size)
		require.NoError(t, err)
		require.Equal(t, fmt.Sprint(n), size)
		require.Equal(t, tail[:n], string(content))
		require.Equal(t, tail[n:], ","+string(rest))
		require.Equal(t, string(b), string(wire.Enclose(bytes.Clone(content), 0))+string(rest))
	})
}

// FuzzParsePair reads all pairs of a block and writes them again.
func FuzzParsePair(f *testing.F) {
	for _, s := range []string{specBlock, "", "A\x00b", "\x00\x00", "A\x00\x00B\x00c\x00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, block string) {
		var again []byte
		for rest := block; rest != ""; {
			name, value, after, err := wire.ParsePair(rest)
			if err != nil {
				require.True(t, rest[0] == 0 || strings.Count(rest, "\x00") < 2, "rejected %q", rest)
				return
			}
			again = wire.AppendPair(again, name, value)
			rest = after
		}
		require.Equal(t, block, string(again))
	})
}
