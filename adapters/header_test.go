package adapters_test

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	. "github.com/gangway-go/gangway/adapters"
)

func TestReadHeader(t *testing.T) {
	for _, tt := range []struct {
		name, in string
		status   int
		local    string
		header   Header
	}{
		{"document", "Content-Type: text/html\n\n", 200, "", Header{{"Content-Type", "text/html"}}},
		{"crlf", "Status: 404 Not Found\r\nX-Odd_Name:  a b \t\r\n\r\n", 404, "", Header{{"X-Odd_Name", "a b"}}},
		{"mixed line ends", "A: 1\r\nB: 2\n\r\n", 200, "", Header{{"A", "1"}, {"B", "2"}}},
		{"status only", "status:204\n\n", 204, "", Header{}},
		{"repeated fields stay", "Set-Cookie: a\nSet-Cookie: b\n\n", 200, "",
			Header{{"Set-Cookie", "a"}, {"Set-Cookie", "b"}}},
		{"empty value", "X:\n\n", 200, "", Header{{"X", ""}}},
		{"bytes above ASCII", "X: \xff\xfe\n\n", 200, "", Header{{"X", "\xff\xfe"}}},
		{"client redirect", "Location: http://a/b\n\n", 302, "", Header{{"Location", "http://a/b"}}},
		{"redirect with status", "Status: 303\nLocation: /x\n\n", 303, "", Header{{"Location", "/x"}}},
		{"local redirect", "Location: /x?y\n\n", 302, "/x?y", Header{{"Location", "/x?y"}}},
		{"local redirect with type", "Content-type: text/html\nLocation: /x\n\n", 302, "/x",
			Header{{"Content-type", "text/html"}, {"Location", "/x"}}},
		{"path that sets a cookie is for the client", "Set-Cookie: a\nLocation: /x\n\n", 302, "",
			Header{{"Set-Cookie", "a"}, {"Location", "/x"}}},
		{"path with a body is for the client", "Content-Length: 4\nLocation: /x\n\n", 302, "",
			Header{{"Content-Length", "4"}, {"Location", "/x"}}},
		{"another host", "Location: //x/y\n\n", 302, "", Header{{"Location", "//x/y"}}},
		{"non-parsed header", "HTTP/1.1 201 Created\r\nA: 1\r\n\r\n", 201, "", Header{{"A", "1"}}},
		{"non-parsed header without reason", "HTTP/1.0 500\n\n", 500, "", Header{}},
		{"last type counts", "Content-Type: a/b\nA: 1\nContent-type: c/d\n\n", 200, "",
			Header{{"A", "1"}, {"Content-type", "c/d"}}},
		{"last location counts", "Location: /x\nLocation: http://a/b\n\n", 302, "", Header{{"Location", "http://a/b"}}},
		{"same length twice", "Content-Length: 5\nContent-Length: 5\n\n", 200, "", Header{{"Content-Length", "5"}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			readers := map[string]io.Reader{
				"whole":    strings.NewReader(tt.in + "body\n\n"),
				"one byte": iotest.OneByteReader(strings.NewReader(tt.in + "body\n\n")),
				"halves":   iotest.HalfReader(strings.NewReader(tt.in + "body\n\n")),
			}
			for name, r := range readers {
				br := bufio.NewReaderSize(r, 16)
				resp, err := new(HeaderReader).ReadHeader(br)
				require.NoError(t, err, name)
				assert.Equal(t, tt.status, resp.Status, name)
				assert.Equal(t, tt.local, resp.LocalRedirect, name)
				assert.Equal(t, tt.header, resp.Header, name)
				rest, err := io.ReadAll(br)
				assert.NoError(t, err)
				assert.Equal(t, "body\n\n", string(rest), name)
			}
			for i := range tt.in {
				_, err := new(HeaderReader).ReadHeader(bufio.NewReader(strings.NewReader(tt.in[:i])))
				want := ErrTruncated
				if i == 0 {
					want = ErrUnreachable
				}
				assert.ErrorIs(t, err, want, "prefix of %d bytes", i)
			}
		})
	}
}

func TestReadHeaderRefuses(t *testing.T) {
	for name, in := range map[string]string{
		"empty block":           "\n",
		"no colon":              "hello\n\n",
		"space before colon":    "A : 1\n\n",
		"folded line":           "A: 1\n b\n\n",
		"empty name":            ": 1\n\n",
		"NUL":                   "A: a\x00b\n\n",
		"bare CR":               "A: a\rb\n\n",
		"two CRs":               "A: a\r\r\n\n",
		"status too short":      "Status: 42\n\n",
		"status word":           "Status: OK\n\n",
		"status 099":            "Status: 099 x\n\n",
		"status 600":            "Status: 600\n\n",
		"status empty":          "Status:\n\n",
		"two statuses":          "Status: 200\nStatus: 404\n\n",
		"status line late":      "A: 1\nHTTP/1.1 200 OK\n\n",
		"length word":           "Content-Length: x\n\n",
		"length sign":           "Content-Length: +5\n\n",
		"two lengths":           "Content-Length: 5\nContent-Length: 6\n\n",
		"length list":           "Content-Length: 5, 5\n\n",
		"body without a header": "<html>\n\n",
		"larger than the limit": "A: " + strings.Repeat("x", DefaultHeaderLimit) + "\n\n",
		"endless line":          strings.Repeat("x", DefaultHeaderLimit+1),
		"endless 1xx":           strings.Repeat("Status: 103\n\n", DefaultHeaderLimit/13+1),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := new(HeaderReader).ReadHeader(bufio.NewReader(strings.NewReader(in)))
			assert.ErrorIs(t, err, ErrBadResponse)
			assert.Equal(t, 502, StatusOf(err))
		})
	}
}

func TestReadHeaderInformational(t *testing.T) {
	const in = "Status: 103\nLink: </a>\n\nHTTP/1.1 102 Processing\n\nStatus: 200\nA: 1\n\nbody"
	for _, r := range []io.Reader{strings.NewReader(in), iotest.OneByteReader(strings.NewReader(in))} {
		var got []string
		hr := HeaderReader{Informational: func(status int, h Header) error {
			got = append(got, fmt.Sprint(status, h))
			return nil
		}}
		br := bufio.NewReader(r)
		resp, err := hr.ReadHeader(br)
		require.NoError(t, err)
		assert.Equal(t, []string{"103 [{Link </a>}]", "102 []"}, got)
		assert.Equal(t, Header{{"A", "1"}}, resp.Header)
		rest, _ := io.ReadAll(br)
		assert.Equal(t, "body", string(rest))
	}
	gone := errors.New("gone")
	hr := HeaderReader{Informational: func(int, Header) error { return gone }}
	_, err := hr.ReadHeader(bufio.NewReader(strings.NewReader(in)))
	assert.ErrorIs(t, err, gone)
}

func TestSetBody(t *testing.T) {
	for _, tt := range []struct {
		name, header, in string
		want             string
		err              error
	}{
		{"plain", "Keep-Alive: 5\nConnection: X-Hop\nX-Hop: 1\nA: 1", "body", "body", nil},
		{"chunked", "Transfer-Encoding: chunked\nContent-Length: 99\nA: 1", "4\r\nbody\r\n0\r\n\r\n", "body", nil},
		{"chunked, cut", "Transfer-Encoding: chunked\nA: 1", "4\r\nbody\r\n", "body", ErrTruncated},
		{"chunked, cut in a size", "Transfer-Encoding: chunked\nA: 1", "4", "", ErrTruncated},
		{"chunked, nothing", "Transfer-Encoding: chunked\nA: 1", "", "", ErrTruncated},
		{"chunked with an extension", "Transfer-Encoding: chunked\nA: 1", "4;a=b\r\nbody\r\n0\r\n\r\n", "body", nil},
		{"chunked only in name", "Transfer-Encoding: chunked\nA: 1", "plain body", "plain body", nil},
		{"chunked only in name, no digit", "Transfer-Encoding: chunked\nA: 1", "\r\nx", "\r\nx", nil},
		{"chunked only in name, many digits", "Transfer-Encoding: chunked\nA: 1", "01234567890123456789\r\n",
			"01234567890123456789\r\n", nil},
		{"length and chunked only in name", "Transfer-Encoding: chunked\nContent-Length: 5\nA: 1", "01234", "01234", nil},
		{"other coding", "Transfer-Encoding: gzip\nA: 1", "body", "refused", ErrBadResponse},
	} {
		t.Run(tt.name, func(t *testing.T) {
			br := bufio.NewReader(strings.NewReader(tt.header + "\n\n" + tt.in))
			resp, err := new(HeaderReader).ReadHeader(br)
			require.NoError(t, err)
			err = resp.SetBody(io.NopCloser(br))
			if tt.want == "refused" {
				assert.ErrorIs(t, err, tt.err)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, Header{{"A", "1"}}, resp.Header)
			body, err := io.ReadAll(resp.Body)
			assert.Equal(t, tt.want, string(body))
			assert.ErrorIs(t, err, tt.err)
			assert.Zero(t, br.Buffered(), "the stream is read to its end")
		})
	}
	assert.ErrorIs(t, (&Response{Status: 101}).SetBody(NoBody), ErrBadResponse)
}

func TestSetBodyResetContent(t *testing.T) {
	for _, end := range []error{nil, ErrTruncated} {
		raw := io.MultiReader(strings.NewReader("body"), iotest.ErrReader(cmp.Or(end, io.EOF)))
		resp := &Response{Status: 205, Header: Header{{"Content-Length", "4"}}}
		require.NoError(t, resp.SetBody(io.NopCloser(raw)))
		assert.Equal(t, Header{{"Content-Length", "0"}}, resp.Header)
		body, err := io.ReadAll(resp.Body)
		assert.Empty(t, body)
		assert.Equal(t, end, err)
	}
}

func TestStripHopByHop(t *testing.T) {
	h := Header{
		{"Connection", "close, X-Hop, Content-Type, host"}, {"Connection", "Cookie, x-forwarded-for, Content-"},
		{"X-Hop", "1"}, {"TE", "trailers"}, {"Proxy-Authorization", "x"}, {"Keep-Alive", "5"},
		{"Content-Type", "a/b"}, {"Host", "a"}, {"Cookie", "a"}, {"X-Forwarded-For", "a"}, {"X-Forwarded", "a"},
	}
	assert.Equal(t, h[6:], StripHopByHop(h))
	assert.Equal(t, h[6:], StripHopByHop(h[6:]))
}

// A client that nominates many fields must not make each field cost as much.
func TestStripManyNames(t *testing.T) {
	var h Header
	var names strings.Builder
	for i := range 50000 {
		fmt.Fprintf(&names, "a%05d,", i)
		h.Add(fmt.Sprintf("B%05d", i), "")
	}
	h.Add("A00000", "")
	h.Add("Connection", names.String())
	began := time.Now()
	assert.Len(t, StripHopByHop(h), 50000)
	assert.Len(t, h.Without(strings.Split(names.String(), ",")...), 50001)
	assert.Less(t, time.Since(began), 10*time.Second)
}

func TestServerName(t *testing.T) {
	for _, tt := range []struct {
		host  string
		names []string
		want  string
	}{
		{"example.org:8080", nil, "[2001:db8::2]"}, {"", nil, "[2001:db8::2]"}, {"[2001:db8::9]", nil, "[2001:db8::2]"},
		{"a", []string{"b"}, "b"}, {"", []string{"b"}, "b"}, {"a", []string{"::1"}, "[::1]"},
		{"a", []string{"[::1]"}, "[::1]"}, {"c:80", []string{"b", "c", "d"}, "c"}, {"C.", []string{"b", "c"}, "c"},
		{"e", []string{"b", "c", "d"}, "b"}, {"[::1]:80", []string{"b", "::1"}, "[::1]"}, {"b/c", []string{"a", "b/c"}, "a"},
	} {
		r := &Request{Host: tt.host, Local: Endpoint{Addr: "2001:db8::2", Port: "80"}}
		r.NameServer(tt.names)
		assert.Equal(t, tt.want, r.Local.Name, tt)
		assert.Equal(t, "80", r.Local.Port)
	}
}

func TestServerPort(t *testing.T) {
	for _, tt := range []struct{ host, scheme, want string }{
		{"a", "http", "80"}, {"a", "https", "443"}, {"a:81", "http", "81"}, {"", "http", "80"}, {"a:x", "http", "80"},
	} {
		r := &Request{Host: tt.host, Scheme: tt.scheme, Local: Endpoint{Addr: "127.0.0.1"}}
		r.NameServer(nil)
		assert.Equal(t, tt.want, r.Local.Port, tt)
	}
}

func TestAppendHeader(t *testing.T) {
	assert.Equal(t, "Status: 404 Not Found\r\nA: 1\r\nSet-Cookie: a\r\nSet-Cookie: b\r\n\r\n",
		string(AppendHeader(nil, &Response{Status: 404, Header: Header{{"A", "1"}, {"Set-Cookie", "a"},
			{"Set-Cookie", "b"}, {"status", "500"}, {"Split", "a\r\nEvil: 1"}, {"B ad", "1"}}})))
	assert.Equal(t, "Status: 599\r\n\r\n", string(AppendHeader(nil, &Response{Status: 599})))
	assert.Equal(t, "Location: /x\r\n\r\n", string(AppendHeader(nil, &Response{Status: 302, LocalRedirect: "/x"})))
}

func FuzzReadHeader(f *testing.F) {
	f.Add("Status: 103\n\nContent-Type: a\r\n\r\nbody", uint8(3))
	f.Add("HTTP/1.1 200 OK\r\nLocation: /x\r\n\r\n", uint8(1))
	f.Add("A: 1\n\r\n", uint8(5))
	f.Fuzz(func(t *testing.T, in string, step uint8) {
		reader := func() *HeaderReader {
			return &HeaderReader{Limit: 300, Informational: func(status int, _ Header) error {
				if status == 199 {
					return ErrAborted
				}
				return nil
			}}
		}
		n, resp, err := reader().Feed([]byte(in))
		parts, fed := reader(), 0
		for fed < len(in) {
			piece := in[fed:min(len(in), fed+int(step)+1)]
			m, r, e := parts.Feed([]byte(piece))
			fed += m
			if r != nil || e != nil {
				require.Equal(t, resp, r)
				require.Equal(t, err == nil, e == nil)
				if e == nil {
					require.Equal(t, n, fed)
				}
				break
			}
			require.Equal(t, len(piece), m)
		}
		br := bufio.NewReaderSize(iotest.TimeoutReader(strings.NewReader(in)), int(step))
		read, readErr := reader().ReadHeader(br)
		if resp == nil && err == nil {
			require.Equal(t, len(in), fed)
			require.Error(t, readErr)
		} else if !errors.Is(readErr, iotest.ErrTimeout) {
			require.Equal(t, resp, read)
			require.Equal(t, err == nil, readErr == nil)
		}
	})
}
