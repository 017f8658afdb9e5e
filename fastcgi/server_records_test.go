package fastcgi

import (
	"context"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/adapters"
)

const (
	unknownRole = "\x00\x00\x00\x00\x03\x00\x00\x00"
	overloaded  = "\x00\x00\x00\x00\x02\x00\x00\x00"
	cantMpx     = "\x00\x00\x00\x00\x01\x00\x00\x00"
)

func unknownType(t byte) string {
	return rec(tUnknown, 0, string([]byte{t})+"\x00\x00\x00\x00\x00\x00\x00")
}

// What a web server sends and must get for it, byte for byte. The connection serves on, or ends.
func TestServerRecords(t *testing.T) {
	headerLike := strings.Repeat(rec(tBegin, 1, ""), 31)
	pad := strings.Repeat("\xff", 255)
	paddedPost := func(begin, params, paramsEnd, stdin, stdinEnd string) string {
		return padded(tBegin, 1, responderKeep, begin) +
			padded(tParams, 1, postPair+pair("CONTENT_LENGTH", "3"), params) + padded(tParams, 1, "", paramsEnd) +
			padded(tStdin, 1, "abc", stdin) + padded(tStdin, 1, "", stdinEnd)
	}
	abc := ok(1, "abc")
	bad := failed(1, 0, "400 Bad Request")
	emptyStdin := rec(tStdin, 1, "")
	tests := []struct {
		name, send, want string
		end              bool
	}{
		{name: "3.3 padding on BEGIN_REQUEST", send: paddedPost(pad, "", "", "", ""), want: abc},
		{name: "3.3 padding on PARAMS", send: paddedPost("", pad, "", "", ""), want: abc},
		{name: "3.3 padding on the end of PARAMS", send: paddedPost("", "", pad, "", ""), want: abc},
		{name: "3.3 padding on STDIN", send: paddedPost("", "", "", pad, ""), want: abc},
		{name: "3.3 padding on the end of STDIN", send: paddedPost("", "", "", "", pad), want: abc},
		{name: "3.3 padding of 1 byte", send: paddedPost("1", "1", "1", "1", "1"), want: abc},
		{name: "3.3 padding that looks like records",
			send: paddedPost(headerLike, headerLike, headerLike, headerLike, headerLike), want: abc},
		{name: "3.3 padding on ABORT_REQUEST", want: rec(tEnd, 1, completed),
			send: rec(tBegin, 1, responderKeep) + padded(tAbort, 1, "", pad)},
		{name: "3.3 padding on GET_VALUES", want: rec(tValues, 0, pair("FCGI_MPXS_CONNS", "1")),
			send: padded(tGetValues, 0, pair("FCGI_MPXS_CONNS", ""), pad)},
		{name: "3.3 padding on an unknown type", send: padded(77, 0, "", pad), want: unknownType(77)},
		{name: "3.3 reserved bytes", want: ok(1, ""),
			send: "\x01\x01\x00\x01\x00\x08\x00\xff\x00\x01\x01\xff\xff\xff\xff\xff" +
				"\x01\x04\x00\x01\x00\x13\x00\xff" + getPair + "\x01\x04\x00\x01\x00\x00\x00\xff\x01\x05\x00\x01\x00\x00\x00\xff"},
		{name: "3.3 request id in byte order", send: get(0x0102, responderKeep), want: ok(0x0102, "")},
		{name: "3.3 largest request id", send: get(65535, responderKeep), want: ok(65535, "")},
		{name: "3.3 inactive id: PARAMS and STDIN", want: ok(1, ""),
			send: rec(tParams, 5, "x") + rec(tStdin, 5, "x") + rec(tStdin, 5, "") + get(1, responderKeep)},
		{name: "3.3 inactive id: ABORT", send: rec(tAbort, 5, "") + get(1, responderKeep), want: ok(1, "")},
		{name: "3.3 inactive id between PARAMS", want: ok(1, "[X=1]"),
			send: rec(tBegin, 1, responderKeep) + rec(tParams, 1, getPair[:9]) + rec(tParams, 9, "evil") +
				rec(tParams, 1, getPair[9:]+pair("X", "1")) + rec(tParams, 1, "") + emptyStdin},
		{name: "3.3 inactive id between STDIN", want: abc,
			send: post(1, "3") + rec(tStdin, 1, "a") + rec(tStdin, 9, "evil") + rec(tStdin, 1, "bc") + emptyStdin},
		{name: "3.3 BEGIN_REQUEST with id 0", want: unknownType(tBegin) + unknownType(tParams) + unknownType(tStdin),
			send: rec(tBegin, 0, responderKeep) + rec(tParams, 0, "") + rec(tStdin, 0, "")},
		{name: "3.3 version 0", send: "\x00" + rec(tBegin, 1, responderKeep)[1:], end: true},
		{name: "3.3 version 2", send: "\x02" + rec(tBegin, 1, responderKeep)[1:], end: true},
		{name: "3.3 version 255 in the middle", end: true,
			send: rec(tBegin, 1, responderKeep) + "\xff" + rec(tParams, 1, getPair)[1:]},
		{name: "3.3 unknown application type", want: ok(1, ""),
			send: rec(tBegin, 1, responderKeep) + padded(99, 1, "content", pad) + rec(tParams, 1, getPair) +
				rec(tParams, 1, "") + emptyStdin},
		{name: "3.3 wrong direction", want: ok(1, ""),
			send: rec(tBegin, 1, responderKeep) + rec(tStdout, 1, "out") + rec(tStderr, 1, "err") + rec(tEnd, 1, completed) +
				rec(tParams, 1, getPair) + rec(tParams, 1, "") + emptyStdin},
		{name: "3.3 HTTP", send: "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", end: true},
		{name: "3.3 TLS", send: "\x16\x03\x01\x00\xf8\x01\x00\x00\xf4\x03\x03", end: true},
		{name: "3.3 many empty records of an inactive id", send: strings.Repeat(emptyStdin, 100_000) + get(1, responderKeep),
			want: ok(1, "")},

		{name: "4.1 MAX_CONNS", send: rec(tGetValues, 0, pair("FCGI_MAX_CONNS", "")),
			want: rec(tValues, 0, pair("FCGI_MAX_CONNS", "1000"))},
		{name: "4.1 MAX_REQS", send: rec(tGetValues, 0, pair("FCGI_MAX_REQS", "")),
			want: rec(tValues, 0, pair("FCGI_MAX_REQS", "100000"))},
		{name: "4.1 all, in another order, one twice, unknown ones, with values",
			send: rec(tGetValues, 0, pair("FCGI_MPXS_CONNS", "9")+pair("NO_SUCH", "")+pair("FCGI_MAX_REQS", "")+
				pair("FCGI_MPXS_CONNS", "")+pair("", "")+pair("fcgi_max_conns", "")+pair("FCGI_MAX_CONNS", "")),
			want: rec(tValues, 0, pair("FCGI_MPXS_CONNS", "1")+pair("FCGI_MAX_REQS", "100000")+pair("FCGI_MAX_CONNS", "1000"))},
		{name: "4.1 only unknown names", send: rec(tGetValues, 0, pair("NO_SUCH", "")), want: rec(tValues, 0, "")},
		{name: "4.1 nothing asked", send: rec(tGetValues, 0, ""), want: rec(tValues, 0, "")},
		{name: "4.1 truncated pair", send: rec(tGetValues, 0, pair("FCGI_MAX_CONNS", "")+"\x0f\x00FCGI_MPXS"),
			want: rec(tValues, 0, pair("FCGI_MAX_CONNS", "1000"))},
		{name: "4.1 65 KB of names", want: rec(tValues, 0, pair("FCGI_MAX_CONNS", "1000")),
			send: rec(tGetValues, 0, strings.Repeat(pair("FCGI_MAX_CONNS", ""), 65535/16))},
		{name: "4.1 a hundred times", send: strings.Repeat(rec(tGetValues, 0, pair("FCGI_MAX_CONNS", "")), 100),
			want: strings.Repeat(rec(tValues, 0, pair("FCGI_MAX_CONNS", "1000")), 100)},
		{name: "4.1 during PARAMS and STDIN",
			send: rec(tBegin, 1, responderKeep) + rec(tParams, 1, postPair) + rec(tGetValues, 0, "") +
				rec(tParams, 1, pair("CONTENT_LENGTH", "3")) + rec(tParams, 1, "") + rec(tStdin, 1, "a") +
				rec(tGetValues, 0, pair("FCGI_MPXS_CONNS", "")) + rec(tStdin, 1, "bc") + emptyStdin,
			want: rec(tValues, 0, "") + rec(tValues, 0, pair("FCGI_MPXS_CONNS", "1")) + abc},
		{name: "4.1 with a request id", want: ok(1, ""),
			send: rec(tGetValues, 1, pair("FCGI_MAX_CONNS", "")) + get(1, responderKeep)},
		{name: "4.2 type 0", send: rec(0, 0, ""), want: unknownType(0)},
		{name: "4.2 type 12", send: rec(12, 0, ""), want: unknownType(12)},
		{name: "4.2 type 200", send: rec(200, 0, ""), want: unknownType(200)},
		{name: "4.2 type 255, 65 KB", send: padded(255, 0, strings.Repeat("x", 65535), pad), want: unknownType(255)},
		{name: "4.2 answers are not answered", want: ok(1, ""),
			send: rec(tValues, 0, pair("FCGI_MAX_CONNS", "1")) + unknownType(3) + get(1, responderKeep)},
		{name: "4.2 during a request", want: unknownType(77) + ok(1, ""),
			send: rec(tBegin, 1, responderKeep) + rec(tParams, 1, getPair) + rec(77, 0, "x") + rec(tParams, 1, "") + emptyStdin},

		{name: "5.1 not kept", send: get(1, responderOnce), want: ok(1, ""), end: true},
		{name: "5.1 other flags", send: get(1, "\x00\x01\xfe\x00\x00\x00\x00\x00"), want: ok(1, ""), end: true},
		{name: "5.1 all flags", send: get(1, "\x00\x01\xff\x00\x00\x00\x00\x00"), want: ok(1, "")},
		{name: "5.1 short body", send: rec(tBegin, 1, "\x00\x01"), end: true},
		{name: "5.1 empty body", send: rec(tBegin, 1, ""), end: true},
		{name: "5.1 long body", send: get(1, responderKeep+"\x00\x02\x00\x00\x00\x00\x00\x00"), want: ok(1, "")},
		{name: "5.1 active id", send: rec(tBegin, 1, responderKeep) + rec(tBegin, 1, responderKeep), end: true},
		{name: "5.1 role 99", send: get(1, "\x00\x63\x01\x00\x00\x00\x00\x00"), want: rec(tEnd, 1, unknownRole)},
		{name: "5.1 role 0", send: get(1, "\x00\x00\x01\x00\x00\x00\x00\x00"), want: rec(tEnd, 1, unknownRole)},
		{name: "5.1 role 257", send: get(1, "\x01\x01\x01\x00\x00\x00\x00\x00"), want: rec(tEnd, 1, unknownRole)},
		{name: "5.1 role 99, not kept", end: true,
			send: get(1, "\x00\x63\x00\x00\x00\x00\x00\x00"), want: rec(tEnd, 1, unknownRole)},

		{name: "5.2 no PARAMS", send: rec(tBegin, 1, responderKeep) + rec(tParams, 1, "") + emptyStdin, want: bad},
		{name: "5.2 PARAMS before BEGIN_REQUEST", want: ok(1, ""),
			send: rec(tParams, 1, pair("X", "0")) + get(1, responderKeep)},
		{name: "5.2 PARAMS after their end", want: abc, send: post(1, "3") + rec(tParams, 1, pair("X", "evil")) +
			rec(tParams, 1, "") + rec(tStdin, 1, "abc") + emptyStdin},
		{name: "5.2 STDIN before the end of PARAMS", want: bad, send: rec(tBegin, 1, responderKeep) +
			rec(tParams, 1, postPair) + rec(tStdin, 1, "abc") + rec(tParams, 1, "") + emptyStdin},
		{name: "5.2 HTTP_PROXY", want: ok(1, "[X=1]"),
			send: get(1, responderKeep, pair("HTTP_PROXY", "http://evil"), pair("X", "1"))},

		{name: "5.4 ABORT during PARAMS", want: rec(tEnd, 1, completed),
			send: rec(tBegin, 1, responderKeep) + rec(tParams, 1, getPair) + rec(tAbort, 1, "")},
		{name: "5.4 ABORT with content", want: rec(tEnd, 1, completed),
			send: rec(tBegin, 1, responderKeep) + rec(tAbort, 1, strings.Repeat("x", 100))},
		{name: "5.4 ABORT, then the same id", want: rec(tEnd, 1, completed) + ok(1, ""),
			send: rec(tBegin, 1, responderKeep) + rec(tParams, 1, getPair) + rec(tAbort, 1, "") + get(1, responderKeep)},
		{name: "5.4 ABORT, not kept", want: rec(tEnd, 1, completed), end: true,
			send: rec(tBegin, 1, responderOnce) + rec(tAbort, 1, "")},

		{name: "6.2 STDIN without an end", send: post(1, "3") + rec(tStdin, 1, "abc"), want: abc},
		{name: "6.2 CONTENT_LENGTH 0", send: post(1, "0") + emptyStdin, want: ok(1, "")},
		{name: "6.2 CONTENT_LENGTH 0, no STDIN", send: post(1, "0"), want: ok(1, "")},
		{name: "6.2 more STDIN than CONTENT_LENGTH", send: post(1, "3") + rec(tStdin, 1, "abcdefgh") + emptyStdin, want: abc},
		{name: "6.2 more STDIN in a further record", want: abc,
			send: post(1, "3") + rec(tStdin, 1, "abc") + rec(tStdin, 1, "defgh") + emptyStdin},
		{name: "6.2 less STDIN than CONTENT_LENGTH", send: post(1, "10") + rec(tStdin, 1, "abc") + emptyStdin,
			want: ok(1, "abc(unexpected EOF)")},
		{name: "6.2 no CONTENT_LENGTH", send: post(1, "") + rec(tStdin, 1, "abc") + emptyStdin, want: abc},
		{name: "6.2 no CONTENT_LENGTH, no STDIN", send: post(1, "") + emptyStdin, want: ok(1, "")},
		{name: "6.2 CONTENT_LENGTH abc", send: post(1, "abc") + emptyStdin, want: bad},
		{name: "6.2 CONTENT_LENGTH -1", send: post(1, "-1") + emptyStdin, want: bad},
		{name: "6.2 CONTENT_LENGTH 2^64", send: post(1, "99999999999999999999") + emptyStdin, want: bad},
		{name: "6.2 CONTENT_LENGTH with a space", send: post(1, " 3") + rec(tStdin, 1, "abc") + emptyStdin, want: bad},
		{name: "6.2 DATA to a Responder", send: post(1, "3") + rec(tData, 1, "evil") + rec(tData, 1, "") +
			rec(tStdin, 1, "abc") + emptyStdin, want: abc},
		{name: "6.2 STDIN records of one byte", want: ok(1, strings.Repeat("abcde", 2000)),
			send: post(1, "10000") + strings.Repeat(rec(tStdin, 1, "a")+rec(tStdin, 1, "b")+rec(tStdin, 1, "c")+
				rec(tStdin, 1, "d")+rec(tStdin, 1, "e"), 2000) + emptyStdin},
	}
	ts := serveTest(t, "unix", &Server{Handler: testApp})
	for _, tt := range tests {
		for _, way := range []string{"at once", "by the byte"} {
			if way == "by the byte" && len(tt.send) > 10_000 {
				continue
			}
			t.Run(tt.name+", "+way, func(t *testing.T) {
				w := ts.dial()
				w.t = t
				sent := make(chan bool)
				go func() {
					defer close(sent)
					step := len(tt.send)
					if way == "by the byte" {
						step = 1
					}
					for i := 0; i < len(tt.send); i += step {
						io.WriteString(w, tt.send[i:i+step])
					}
				}()
				if tt.end {
					w.expectEnd(tt.want)
					return
				}
				w.expect(tt.want)
				<-sent
				w.expectOpen()
			})
		}
	}
}

// A request that does not come to its end reaches no handler and leaves nothing behind.
func TestServerPrefixes(t *testing.T) {
	complete := len(post(1, "3"))
	whole := post(1, "3") + rec(tStdin, 1, "abc") + rec(tStdin, 1, "")
	served := make(chan string, len(whole))
	ts := serveTest(t, "unix", &Server{Handler: adapters.HandlerFunc(
		func(_ context.Context, req *adapters.Request) (*adapters.Response, error) {
			body, err := io.ReadAll(req.Body)
			served <- fmt.Sprint(string(body), err)
			return adapters.Reply(200, "text/plain", ""), nil
		})})
	for n := range len(whole) {
		w := ts.dial()
		w.send(whole[:n])
		require.NoError(t, w.Close())
		if n < complete {
			continue
		}
		select {
		case got := <-served:
			if n < len(whole)-8 {
				assert.Contains(t, got, adapters.ErrAborted.Error(), "prefix of %d bytes", n)
			}
		case <-time.After(testTimeout):
			t.Fatalf("prefix of %d bytes: no request", n)
		}
	}
	eventually(t, func() bool {
		ts.mu.Lock()
		defer ts.mu.Unlock()
		return len(ts.conns) == 0
	})
	assert.Empty(t, served)
}
