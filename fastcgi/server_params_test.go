package fastcgi

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/adapters"
)

// params is a request with the stream as FCGI_PARAMS, in records of up to n bytes.
func params(id uint16, stream string, n int) string {
	s := rec(tBegin, id, responderKeep)
	for len(stream) > 0 {
		m := min(n, len(stream))
		s += rec(tParams, id, stream[:m])
		stream = stream[m:]
	}
	return s + rec(tParams, id, "") + rec(tStdin, id, "")
}

func TestServerParams(t *testing.T) {
	var binary strings.Builder
	for c := 1; c < 256; c++ {
		binary.WriteByte(byte(c))
	}
	long := func(n int) string { return strings.Repeat("v", n) }
	echo := func(vars ...string) (stream, text string) {
		for i := 0; i < len(vars); i += 2 {
			stream += pair(vars[i], vars[i+1])
			text += "[" + vars[i] + "=" + vars[i+1] + "]"
		}
		return stream, text
	}
	type test struct {
		name, stream, text string
		status             string // instead of 200
	}
	var tests []test
	add := func(name string, vars ...string) {
		stream, text := echo(vars...)
		tests = append(tests, test{name: name, stream: stream, text: text})
	}
	for _, n := range []int{0, 1, 126, 127, 128, 129, 255, 256, 16383, 65535, 70000} {
		add(fmt.Sprintf("value of %d bytes", n), "X", long(n))
	}
	for _, n := range []int{1, 127, 128, 255, 1000} {
		add(fmt.Sprintf("name of %d bytes", n), "X"+long(n-1), "value")
	}
	add("binary value", "X", binary.String())
	add("NUL in the value", "X", "a\x00b")
	add("equals sign in the name", "X=root", "x")
	add("line feed in the name", "X\nXB", "x")
	add("name twice", "X", "first", "X", "last")
	tests = append(tests,
		test{name: "all encodings", text: "[X1=a][X2=b][X3=c][X4=d]",
			stream: "\x02\x01X1a" + "\x02" + longSize(1) + "X2b" + longSize(2) + "\x01X3c" + longSize(2) + longSize(1) + "X4d"},
		test{name: "empty name", stream: pair("", "x") + pair("X", "1"), text: "[X=1]"},
		test{name: "ends within a value", stream: pair("X", "1") + "\x02\x05XYabc", status: "400 Bad Request"},
		test{name: "ends within a name", stream: "\x05\x00XY", status: "400 Bad Request"},
		test{name: "ends within a length", stream: "\x80\x00", status: "400 Bad Request"},
		test{name: "ends before the second length", stream: "\x05", status: "400 Bad Request"},
		test{name: "garbage at the end", stream: pair("X", "1") + "\xff", status: "400 Bad Request"},
		test{name: "largest lengths", stream: "\xff\xff\xff\xff\xff\xff\xff\xff", status: "400 Bad Request"},
		test{name: "sum of lengths overflows", stream: "\xff\xff\xff\xff\x01X", status: "400 Bad Request"},
		test{name: "length beyond the stream", stream: "\x01" + longSize(1<<20) + "X0123456789", status: "400 Bad Request"},
		test{name: "control byte in a header field", stream: pair("HTTP_A", "a\r\nb"), status: "400 Bad Request"},
		test{name: "too many", stream: strings.Repeat(pair("X", long(100)), 11_000),
			status: "431 Request Header Fields Too Large"},
		test{name: "one too long", stream: pair("X", long(1<<20)), status: "431 Request Header Fields Too Large"},
	)
	stream, text := "", ""
	for i := range 2000 {
		s, x := echo(fmt.Sprint("X", i), long(90))
		stream, text = stream+s, text+x
	}
	tests = append(tests, test{name: "200 KB", stream: stream, text: text})

	ts := serveTest(t, "unix", &Server{Handler: testApp})
	for _, tt := range tests {
		for _, n := range []int{65535, 1000, 1} {
			if len(tt.stream)/n > 10_000 {
				continue
			}
			t.Run(fmt.Sprintf("%s/records of %d", tt.name, n), func(t *testing.T) {
				w := ts.dial()
				w.t = t
				go io.WriteString(w, params(1, getPair+tt.stream, n))
				if tt.status != "" {
					w.expect(failed(1, 0, tt.status))
				} else {
					w.expectText(1, okText(tt.text))
				}
				w.expectOpen()
			})
		}
	}
}

// expectText reads a response in any number of records.
func (w *testWeb) expectText(id uint16, text string) {
	w.t.Helper()
	var got strings.Builder
	for {
		kind, content := w.next(id)
		if kind == tEnd {
			require.Equal(w.t, completed, content)
			break
		}
		require.EqualValues(w.t, tStdout, kind)
		got.WriteString(content)
	}
	w.compare(text, got.String(), nil)
}

// next reads a record.
func (w *testWeb) next(id uint16) (kind byte, content string) {
	w.t.Helper()
	w.SetReadDeadline(time.Now().Add(testTimeout))
	header := make([]byte, 8)
	_, err := io.ReadFull(w, header)
	require.NoError(w.t, err)
	require.Equal(w.t, []byte{1, header[1], byte(id >> 8), byte(id), header[4], header[5], 0, 0}, header)
	b := make([]byte, int(header[4])<<8|int(header[5]))
	_, err = io.ReadFull(w, b)
	require.NoError(w.t, err)
	return header[1], string(b)
}

// Nothing of a request that is refused is kept, and nothing of one that came before it.
func TestServerParamsApart(t *testing.T) {
	w := serveTest(t, "unix", &Server{Handler: testApp, MaxParams: 100}).dial()
	w.send(params(1, getPair+pair("XSECRET", strings.Repeat("s", 70)), 200))
	w.expect(ok(1, "[XSECRET="+strings.Repeat("s", 70)+"]"))
	w.send(params(1, getPair, 200))
	w.expect(ok(1, ""))
	w.send(params(1, getPair+pair("X", strings.Repeat("x", 80)), 100))
	w.expect(failed(1, 0, "431 Request Header Fields Too Large"))
	w.send(rec(tBegin, 1, responderKeep), rec(tParams, 1, strings.Repeat("x", 101)), rec(tGetValues, 0, ""))
	w.expect(rec(tValues, 0, "")) // no output before the end of FCGI_PARAMS
	w.send(rec(tParams, 1, ""))
	w.expect(failed(1, 0, "431 Request Header Fields Too Large"))
	w.send(rec(tBegin, 1, responderKeep), rec(tBegin, 2, responderKeep))
	w.send(rec(tParams, 2, getPair[:4]), rec(tParams, 1, getPair[:9]),
		rec(tParams, 2, getPair[4:]+pair("X", "2")), rec(tParams, 1, getPair[9:]+pair("X", "1")), rec(tParams, 1, ""))
	w.send(rec(tStdin, 1, ""))
	w.expect(ok(1, "[X=1]"))
	w.send(rec(tParams, 2, ""), rec(tStdin, 2, ""))
	w.expect(ok(2, "[X=2]"))
}

// Every variable reaches the handler, in the place that the contract gives it.
func TestServerRequest(t *testing.T) {
	var got *adapters.Request
	ts := serveTest(t, "tcp", &Server{Handler: adapters.HandlerFunc(
		func(_ context.Context, req *adapters.Request) (*adapters.Response, error) {
			got = req
			return adapters.Reply(200, "text/plain", ""), nil
		})})
	w := ts.dial()
	w.send(get(1, responderKeep, pair("QUERY_STRING", "a=b"), pair("REQUEST_URI", "/p?a=b"), pair("SCRIPT_NAME", "/p"),
		pair("HTTP_HOST", "h"), pair("HTTP_X_Y", "z"), pair("CONTENT_LENGTH", ""), pair("OTHER", "o")))
	w.expect(ok(1, ""))
	assert.Equal(t, []string{"GET", "a=b", "/p?a=b", "/p", "h"},
		[]string{got.Method, got.Query, got.URI, got.Script.Name, got.Host})
	assert.Equal(t, adapters.Header{{Name: "X-Y", Value: "z"}}, got.Header)
	assert.Equal(t, []adapters.Var{{Name: "OTHER", Value: "o"}}, got.Vars)
	assert.Equal(t, adapters.Responder, got.Role)
	assert.Nil(t, got.Body)
	assert.Nil(t, got.Informational)
	assert.Zero(t, got.ContentLength)
	assert.NotNil(t, got.Stderr)

	w.send(rec(tBegin, 1, responderKeep), rec(tParams, 1, getPair)+rec(tParams, 1, "")) // the end of FCGI_STDIN is late
	w.expect(ok(1, ""))
	assert.EqualValues(t, -1, got.ContentLength)
	assert.NotNil(t, got.Body)
}

// pipe serves a connection in this process.
func pipe(t *testing.T, s *Server) *testWeb {
	if s.Log == nil {
		s.Log = slog.New(slog.DiscardHandler)
	}
	server, web := net.Pipe()
	s.once.Do(s.init)
	require.True(t, s.acquire())
	s.start(server)
	return &testWeb{Conn: web, t: t}
}

func TestServerParamsTimeout(t *testing.T) {
	tests := []struct {
		name   string
		send   []string
		closed bool
	}{
		{name: "idle"},
		{name: "idle after a request", send: []string{get(1, responderKeep)}},
		{name: "a part of a header", send: []string{rec(tBegin, 1, responderKeep)[:4]}, closed: true},
		{name: "a part of BEGIN_REQUEST", send: []string{rec(tBegin, 1, responderKeep)[:12]}, closed: true},
		{name: "no PARAMS", send: []string{rec(tBegin, 1, responderKeep)}, closed: true},
		{name: "no end of PARAMS", send: []string{rec(tBegin, 1, responderKeep), rec(tParams, 1, getPair)}, closed: true},
		{name: "PARAMS of a second request", closed: true,
			send: []string{get(1, responderKeep), rec(tBegin, 2, responderKeep)}},
		{name: "a part of GET_VALUES", send: []string{rec(tGetValues, 0, "12345678")[:12]}, closed: true},
		{name: "no STDIN", send: []string{post(1, "10")}},
		{name: "a part of STDIN", send: []string{post(1, "10"), rec(tStdin, 1, "12345")[:10]}},
		{name: "a part of the header of STDIN", send: []string{post(1, "10"), rec(tStdin, 1, "12345")[:4]}, closed: true},
		{name: "aborted", send: []string{rec(tBegin, 1, responderKeep), rec(tAbort, 1, "")}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &Server{Handler: testApp, ParamsTimeout: time.Minute}
				w := pipe(t, s)
				closed := make(chan bool)
				go func() {
					io.Copy(io.Discard, w)
					close(closed)
				}()
				for _, part := range tt.send {
					w.send(part)
				}
				time.Sleep(time.Minute - time.Millisecond)
				select {
				case <-closed:
					t.Error("closed too early")
				default:
				}
				time.Sleep(time.Hour)
				synctest.Wait()
				select {
				case <-closed:
					assert.True(t, tt.closed, "was closed")
				default:
					assert.False(t, tt.closed, "was not closed")
				}
				w.Close()
				require.NoError(t, s.Shutdown(context.Background()))
			})
		})
	}
}

// The time of one record is not counted to the next.
func TestServerParamsTimeoutAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &Server{Handler: testApp, ParamsTimeout: time.Minute}
		w := pipe(t, s)
		for range 5 {
			request := get(1, responderKeep)
			w.send(request[:4])
			time.Sleep(50 * time.Second)
			w.send(request[4:20])
			time.Sleep(50 * time.Second)
			w.send(request[20:])
			w.SetReadDeadline(time.Time{})
			got := make([]byte, len(ok(1, "")))
			_, err := io.ReadFull(w, got)
			require.NoError(t, err)
			time.Sleep(50 * time.Second)
		}
		w.Close()
		require.NoError(t, s.Shutdown(context.Background()))
	})
}

// One byte each second does not help.
func TestServerSlowParams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &Server{Handler: testApp, ParamsTimeout: time.Minute}
		w := pipe(t, s)
		began := time.Now()
		w.send(rec(tBegin, 1, responderKeep))
		for {
			if _, err := io.WriteString(w, rec(tParams, 1, "x")); err != nil {
				break
			}
			time.Sleep(time.Second)
		}
		assert.WithinRange(t, time.Now(), began.Add(time.Minute), began.Add(time.Minute+2*time.Second))
		require.NoError(t, s.Shutdown(context.Background()))
	})
}
