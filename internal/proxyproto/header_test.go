package proxyproto

import (
	"bytes"
	"errors"
	"io"
	"net/netip"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

const (
	signature = "\x0d\x0a\x0d\x0a\x00\x0d\x0a\x51\x55\x49\x54\x0a" // section 2.2
	six       = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"
	ones      = "\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01"
	twos      = "\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02"
)

// good are headers, the first ones the specification's own examples, and what they say: source and destination.
var good = []struct{ name, wire, source, dest string }{
	{"TCP4, longest", "PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n",
		"255.255.255.255:65535", "255.255.255.255:65535"},
	{"TCP6, longest", "PROXY TCP6 " + six + " " + six + " 65535 65535\r\n", "[" + six + "]:65535", "[" + six + "]:65535"},
	{"UNKNOWN, shortest", "PROXY UNKNOWN\r\n", "", ""},
	{"UNKNOWN, longest", "PROXY UNKNOWN " + six + " " + six + " 65535 65535\r\n", "", ""},
	{"TCP4 of the example", "PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n", "192.168.0.1:56324", "192.168.0.11:443"},
	{"TCP4, shortest", "PROXY TCP4 1.1.1.1 2.2.2.2 0 0\r\n", "1.1.1.1:0", "2.2.2.2:0"},
	{"TCP6", "PROXY TCP6 2001:db8::1 2001:db8::2 1 2\r\n", "[2001:db8::1]:1", "[2001:db8::2]:2"},
	{"TCP6 with IPv4 mapped", "PROXY TCP6 ::ffff:192.0.2.1 ::ffff:192.0.2.2 1 2\r\n", "192.0.2.1:1", "192.0.2.2:2"},
	{"UNKNOWN with anything", "PROXY UNKNOWN \x01 foo\r\n", "", ""},

	{"v2 TCP4", signature + "\x21\x11\x00\x0c" + "\xc0\x00\x02\x01\xc0\x00\x02\x02\x30\x39\x01\xbb",
		"192.0.2.1:12345", "192.0.2.2:443"},
	{"v2 TCP6", signature + "\x21\x21\x00\x24" + ones + twos + "\x30\x39\x01\xbb",
		"[2001:db8::1]:12345", "[2001:db8::2]:443"},
	{"v2 TCP4 with TLVs", signature + "\x21\x11\x00\x17" + "\xc0\x00\x02\x01\xc0\x00\x02\x02\x30\x39\x01\xbb" +
		"\x01\x00\x02h2" + "\x04\x00\x03\x00\x00\x00", "192.0.2.1:12345", "192.0.2.2:443"},
	{"v2 LOCAL", signature + "\x20\x00\x00\x00", "", ""},
	{"v2 LOCAL with addresses", signature + "\x20\x11\x00\x0c" + "\xc0\x00\x02\x01\xc0\x00\x02\x02\x30\x39\x01\xbb", "", ""},
	{"v2 UNSPEC", signature + "\x21\x00\x00\x03\x01\x02\x03", "", ""},
	{"v2 UDP", signature + "\x21\x12\x00\x0c" + "\xc0\x00\x02\x01\xc0\x00\x02\x02\x30\x39\x01\xbb", "", ""},
	{"v2 Unix", signature + "\x21\x31\x00\xd8" + strings.Repeat("/", 216), "", ""},
}

func addrs(h Header) (source, dest string) {
	if !h.Source.IsValid() {
		return "", ""
	}
	return h.Source.String(), h.Dest.String()
}

func TestRead(t *testing.T) {
	const behind = "GET / HTTP/1.1\r\n"
	for _, tt := range good {
		t.Run(tt.name, func(t *testing.T) {
			for how, wrap := range map[string]func(io.Reader) io.Reader{
				"at once":  func(r io.Reader) io.Reader { return r },
				"by bytes": iotest.OneByteReader,
			} {
				r := strings.NewReader(tt.wire + behind)
				h, err := Read(wrap(r))
				require.NoError(t, err, how)
				source, dest := addrs(h)
				assert.Equal(t, tt.source, source, how)
				assert.Equal(t, tt.dest, dest, how)
				rest, _ := io.ReadAll(r)
				assert.Equal(t, behind, string(rest), how)
			}
			for n := range len(tt.wire) {
				_, err := Read(strings.NewReader(tt.wire[:n]))
				assert.Error(t, err, "%d bytes", n)
				assert.NotErrorIs(t, err, ErrHeader, "%d bytes", n)
			}
		})
	}
}

func TestReadRefuses(t *testing.T) {
	for name, wire := range map[string]string{
		"another protocol":     "GET / HTTP/1.1\r\nHost: a\r\n",
		"small letters":        "proxy TCP4 1.1.1.1 2.2.2.2 1 2\r\n",
		"no family":            "PROXY  1.1.1.1 2.2.2.2 1 2\r\n",
		"another family":       "PROXY UDP4 1.1.1.1 2.2.2.2 1 2\r\n",
		"IPv6 as TCP4":         "PROXY TCP4 ::1 ::1 1 2\r\n",
		"IPv4 as TCP6":         "PROXY TCP6 1.1.1.1 2.2.2.2 1 2\r\n",
		"a zone":               "PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n",
		"two blanks":           "PROXY TCP4  1.1.1.1 2.2.2.2 1 2\r\n",
		"a word too many":      "PROXY TCP4 1.1.1.1 2.2.2.2 1 2 3\r\n",
		"a word too few":       "PROXY TCP4 1.1.1.1 2.2.2.2 1\r\n",
		"leading zero in port": "PROXY TCP4 1.1.1.1 2.2.2.2 01 2\r\n",
		"leading zero in addr": "PROXY TCP4 01.1.1.1 2.2.2.2 1 2\r\n",
		"port too large":       "PROXY TCP4 1.1.1.1 2.2.2.2 65536 2\r\n",
		"signed port":          "PROXY TCP4 1.1.1.1 2.2.2.2 +1 2\r\n",
		"no port":              "PROXY TCP4 1.1.1.1 2.2.2.2  2\r\n",
		"LF alone":             "PROXY TCP4 1.1.1.1 2.2.2.2 11 22\nX",
		"CR within":            "PROXY TCP4 1.1.1.1 2.2.2.2 1\r 2\r\n",
		"short line":           "PROXY X\r\nGET / HTTP/1.1\r\n",
		"too long":             "PROXY UNKNOWN " + strings.Repeat("x", 100) + "\r\n",
		"endless":              "PROXY TCP4 " + strings.Repeat("1", 200),
		"v2 of version 1":      signature + "\x11\x11\x00\x00",
		"v2 of version 3":      signature + "\x31\x11\x00\x00",
		"v2 other command":     signature + "\x22\x11\x00\x00",
		"v2 other family":      signature + "\x21\x41\x00\x00",
		"v2 other protocol":    signature + "\x21\x13\x00\x00",
		"v2 short TCP4":        signature + "\x21\x11\x00\x0b" + strings.Repeat("x", 11),
		"v2 short TCP6":        signature + "\x21\x21\x00\x23" + strings.Repeat("x", 35),
		"v2 too long":          signature + "\x21\x11\xff\xff" + strings.Repeat("x", 65535),
		"v2 signature almost":  signature[:11] + "\x0b\x21\x11\x00\x00",
		"TLS":                  "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03aaaa",
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Read(strings.NewReader(wire))
			assert.ErrorIs(t, err, ErrHeader)
		})
	}
}

func FuzzRead(f *testing.F) {
	for _, tt := range good {
		f.Add([]byte(tt.wire))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r := bytes.NewReader(b)
		h, err := Read(r)
		taken := b[:len(b)-r.Len()]
		if err != nil {
			if !errors.Is(err, ErrHeader) && r.Len() > 0 {
				t.Fatalf("%v with %d bytes left", err, r.Len())
			}
			return
		}
		if taken[0] == 'P' && (len(taken) > v1Longest || !bytes.HasSuffix(taken, []byte("\r\n"))) {
			t.Fatalf("%q is a line", taken)
		}
		if h.Source.IsValid() != h.Dest.IsValid() {
			t.Fatalf("%v", h)
		}
		if again, err := Read(bytes.NewReader(taken)); err != nil || again != h {
			t.Fatalf("%v, %v", again, err)
		}
		if taken[0] == 'P' && h.Source.IsValid() {
			if _, err := netip.ParseAddr(strings.Fields(string(taken))[2]); err != nil {
				t.Fatal(err)
			}
		}
	})
}
