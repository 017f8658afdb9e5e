package fastcgi_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/adapters"
)

// once returns a script that answers its first request with bytes, whatever comes next with hello.
func once(answer ...string) script {
	return func(p *peer) {
		if _, ok := p.request(); ok {
			p.say(answer...)
			if r, ok := p.request(); ok {
				p.say(response(r.id, hello))
			}
		}
	}
}

// bytewise returns text in records of one byte each, every other padded.
func bytewise(text string) string {
	var b strings.Builder
	for i := range len(text) {
		b.WriteString(padded(tStdout, 1, text[i:i+1], i%2*7))
	}
	return b.String()
}

// Records for request 1.
const done = "\x01\x03\x00\x01\x00\x08\x00\x00" + "\x00\x00\x00\x00\x00\x00\x00\x00"

func stdout(content string) string { return record(tStdout, 1, content) }
func stderr(content string) string { return record(tStderr, 1, content) }

func TestClientResponses(t *testing.T) {
	type want struct {
		status int
		body   string
		stderr string
		app    int
		late   bool // bytes come after the end, so that the connection is not kept
	}
	tests := []struct {
		name   string
		answer string
		want   want
	}{
		{"specification's example 1", "\x01\x06\x00\x01\x00\x28\x00\x00" +
			"Content-type: text/html\r\n\r\n<html>\n<head>" + "\x01\x06\x00\x01\x00\x00\x00\x00" + done,
			want{status: 200, body: "<html>\n<head>"}},
		{"specification's example 3", stdout("Content-type: text/html\r\n\r\n<ht") +
			stderr("config error: missing SI_UID\n") + stdout("ml>\n<head>") + stdout("") + stderr("") + end(1, 938, 0),
			want{status: 200, body: "<html>\n<head>", stderr: "config error: missing SI_UID\n", app: 938}},
		{"no end of STDOUT", stdout(hello) + done, want{status: 200, body: "hello"}},
		{"no body", stdout("Status: 204 No Content\r\n\r\n") + done, want{status: 204}},
		{"padding", padded(tStdout, 1, hello, 255) + padded(tStdout, 1, "", 1) + done,
			want{status: 200, body: "hello"}},
		{"END_REQUEST with padding", stdout(hello) + padded(tEnd, 1, "\x00\x00\x00\x00\x00\x00\x00\x00", 255),
			want{status: 200, body: "hello"}},
		{"reserved bytes set", stdout(hello) + record(tEnd, 1, "\x00\x00\x00\x00\x00\x01\x02\x03"),
			want{status: 200, body: "hello"}},
		{"records of one byte", bytewise("Status: 404 No\nX: y\n\nhello") + done, want{status: 404, body: "hello"}},
		{"stderr first", stderr("oh") + stdout(hello) + done, want{status: 200, body: "hello", stderr: "oh"}},
		{"stderr within the header", stdout(hello[:9]) + stderr("oh") + stdout(hello[9:]) + done,
			want{status: 200, body: "hello", stderr: "oh"}},
		{"stderr last", stdout(hello) + stderr("a") + stderr("b") + done,
			want{status: 200, body: "hello", stderr: "ab"}},
		{"status line", stdout("HTTP/1.1 418 Teapot\r\n\r\nhello") + done, want{status: 418, body: "hello"}},
		{"negative appStatus", stdout(hello) + end(1, 0xffffffff, 0), want{status: 200, body: "hello", app: -1}},
		{"management records", padded(11, 0, "\x63\x00\x00\x00\x00\x00\x00\x00", 3) + stdout(hello[:7]) +
			record(10, 0, "\x0f\x01FCGI_MPXS_CONNS0") + stdout(hello[7:]) + done, want{status: 200, body: "hello"}},
		{"bytes after the end", stdout(hello) + done + "x", want{status: 200, body: "hello", late: true}},
		{"a record after the end", stdout(hello) + done + stdout("late"), want{status: 200, body: "hello", late: true}},
	}
	for _, tt := range tests {
		for _, split := range []bool{false, true} {
			if split && tt.want.late {
				continue // the late bytes may come when the connection is in use again
			}
			t.Run(fmt.Sprintf("%s/split=%v", tt.name, split), func(t *testing.T) {
				answer := once(tt.answer)
				if split {
					answer = byBytes(tt.answer)
				}
				c, a := listen(t, answer)
				c.KeepConn = time.Minute
				var diag bytes.Buffer
				req := get()
				req.Stderr = &diag
				resp, body, err := do(c, req)
				require.NoError(t, err)
				_, _, err = do(c, get())
				assert.NoError(t, err)
				late := a.connections() > 1
				assert.Equal(t, tt.want, want{resp.Status, body, diag.String(), resp.AppStatus(), late})
			})
		}
	}
}

// byBytes is once with pauses after some bytes.
func byBytes(answer string) script {
	return func(p *peer) {
		if _, ok := p.request(); !ok {
			return
		}
		for rest := answer; rest != ""; {
			n := min(1+rand.IntN(40), len(rest))
			p.say(rest[:n])
			rest = rest[n:]
			time.Sleep(time.Millisecond)
		}
		if r, ok := p.request(); ok {
			p.say(response(r.id, hello))
		}
	}
}

// TestClientBadResponses: none of these is a response, or the end of one, and none leaves a connection for others.
func TestClientBadResponses(t *testing.T) {
	const (
		unreachable = "application not reachable"
		truncated   = "response cut short by the application"
		bad         = "bad response from the application"
		busy        = "application busy"
	)
	sentinels := map[string]error{
		unreachable: adapters.ErrUnreachable, truncated: adapters.ErrTruncated, bad: adapters.ErrBadResponse,
		busy: adapters.ErrBusy,
	}
	sized := "Content-Length: 5\r\n" + hello
	tests := []struct {
		name   string
		answer string
		body   string // what is read before the error; then the header was good
		err    string
	}{
		{"nothing", "", "", unreachable},
		{"stderr only", stderr("PHP Fatal error"), "", unreachable},
		{"end within the header", stdout(hello[:9]), "", truncated},
		{"end within a record header", stdout(hello) + "\x01\x03", "hello", truncated},
		{"end within a record", stdout(hello)[:30], "", truncated},
		{"no END_REQUEST", stdout(hello), "hello", truncated},
		{"end of STDOUT but no END_REQUEST", stdout(hello) + stdout(""), "hello", truncated},
		{"all of Content-Length but no END_REQUEST", stdout(sized), "hello", truncated},
		{"END_REQUEST alone", done, "", bad},
		{"END_REQUEST after stderr", stderr("oh") + done, "", bad},
		{"END_REQUEST within the header", stdout(hello[:9]) + done, "", bad},
		{"END_REQUEST of 7 bytes", stdout(hello) + record(tEnd, 1, "\x00\x00\x00\x00\x00\x00\x00"), "hello", bad},
		{"version 0", "\x00" + stdout(hello)[1:], "", bad},
		{"version 2", stdout(hello) + "\x02" + done[1:], "hello", bad},
		{"HTTP", "HTTP/1.1 200 OK\r\n\r\nhello", "", bad},
		{"another request's STDOUT", record(tStdout, 2, hello) + end(2, 0, 0), "", bad},
		{"another request's STDOUT in the body", stdout(hello) + record(tStdout, 2, "secret") + done, "hello", bad},
		{"STDOUT after its end", stdout(hello) + record(tStdout, 1, "") + stdout("late") + done, "hello", bad},
		{"another request's STDERR", record(tStderr, 7, "secret") + stdout(hello) + done, "", bad},
		{"another request's END_REQUEST", stdout(hello) + end(0x0101, 0, 0), "hello", bad},
		{"STDOUT for request 0", record(tStdout, 0, hello) + done, "", bad},
		{"unknown type", stdout(hello) + record(99, 1, "?") + done, "hello", bad},
		{"a web server's type", record(tStdin, 1, hello) + done, "", bad},
		{"GET_VALUES_RESULT for the request", record(10, 1, "") + stdout(hello) + done, "", bad},
		{"malformed header", stdout("no colon\r\n\r\nhello") + done, "", bad},
		{"Status 099", stdout("Status: 099 x\r\n\r\nhello") + done, "", bad},
		{"NUL in a header value", stdout("X: a\x00b\r\n\r\nhello") + done, "", bad},
		{"101", stdout("Status: 101\r\nUpgrade: websocket\r\n\r\n") + done, "", bad},
		{"header of 65 KB", response(1, "X: "+strings.Repeat("x", 65<<10)+"\r\n\r\nhello"), "", bad},
		{"FCGI_CANT_MPX_CONN", end(1, 0, 1), "", bad},
		{"FCGI_OVERLOADED", end(1, 0, 2), "", busy},
		{"FCGI_UNKNOWN_ROLE", end(1, 0, 3), "", bad},
		{"unknown protocolStatus", end(1, 0, 4), "", bad},
		{"FCGI_OVERLOADED after a body", stdout(hello) + end(1, 0, 2), "hello", busy},
	}
	// The faults that are not in the records but in what they carry: they leave a sound connection.
	sound := []string{
		"END_REQUEST alone", "END_REQUEST after stderr", "END_REQUEST within the header", "malformed header",
		"Status 099", "NUL in a header value", "101", "header of 65 KB",
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, a := listen(t, func(p *peer) {
				p.request()
				p.say(tt.answer)
			})
			req := post(nil, 0) // which is not repeated
			resp, err := c.Serve(t.Context(), req)
			if tt.body != "" {
				require.NoError(t, err)
				var b []byte
				b, err = io.ReadAll(resp.Body)
				assert.Equal(t, tt.body, string(b))
				_, again := resp.Body.Read(make([]byte, 1))
				assert.Equal(t, err, again, "the error stays")
				assert.NoError(t, resp.Body.Close())
			} else {
				require.Error(t, err)
				assert.Nil(t, resp)
			}
			require.ErrorIs(t, err, sentinels[tt.err])
			assert.False(t, errors.Is(err, io.EOF))
			status := 502
			if tt.err == busy {
				status = 503
			}
			assert.Equal(t, status, adapters.StatusOf(err))
			assert.Equal(t, tt.err == busy, adapters.RetryAfter(err) > 0)
			var e *adapters.Error
			require.ErrorAs(t, err, &e)
			assert.Equal(t, "fastcgi: ", e.Op[:9])
			if name, _, _ := strings.Cut(tt.name, " "); strings.HasPrefix(name, "FCGI_") {
				assert.ErrorContains(t, e.Err, name)
			}
			if !slices.Contains(sound, tt.name) {
				do(c, req)
				assert.Equal(t, 2, a.connections(), "the connection is not used again")
			}
		})
	}
}

// TestClientPrefixes: a response that is cut anywhere is an error.
func TestClientPrefixes(t *testing.T) {
	whole := stdout("X: y\n\nhel") + padded(tStderr, 1, "oh", 3) + stdout("lo") + stdout("") + end(1, 0, 0)
	for n := range len(whole) {
		c, _ := listen(t, func(p *peer) {
			p.request()
			p.say(whole[:n])
		})
		_, body, err := do(c, post(nil, 0))
		require.Error(t, err, "%d bytes", n)
		assert.Equal(t, 502, adapters.StatusOf(err))
		assert.True(t, strings.HasPrefix("hello", body))
	}
	c, _ := listen(t, func(p *peer) {
		p.request()
		p.say(whole)
	})
	wantHello(t, c, get())
}

func TestClientInformational(t *testing.T) {
	text := "Status: 103 Early Hints\r\nLink: </a>\r\n\r\n" + "Status: 102\r\n\r\n" + hello
	for _, answer := range []string{response(1, text), bytewise(text) + end(1, 0, 0)} {
		c, _ := listen(t, once(answer))
		req := get()
		var got []string
		req.Informational = func(status int, h adapters.Header) error {
			got = append(got, fmt.Sprint(status, h.Get("Link")))
			return nil
		}
		wantHello(t, c, req)
		assert.Equal(t, []string{"103</a>", "102"}, got)
	}
	c, _ := listen(t, once(response(1, text)))
	gone := errors.New("client gone")
	req := get()
	req.Informational = func(int, adapters.Header) error { return gone }
	_, _, err := do(c, req)
	assert.ErrorIs(t, err, gone)
}

func TestClientHeaderLimit(t *testing.T) {
	c, _ := listen(t, answering("X: "+strings.Repeat("x", 100)+"\r\n\r\nhello"))
	c.HeaderLimit = 107
	wantHello(t, c, get())
	c.HeaderLimit = 106
	_, _, err := do(c, get())
	assert.ErrorIs(t, err, adapters.ErrBadResponse)
	assert.ErrorContains(t, err, "106 bytes")
}

func TestClientUnchunksBody(t *testing.T) {
	c, a := listen(t, answering("Transfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n"))
	wantHello(t, c, get())
	wantHello(t, c, get())
	assert.Equal(t, 1, a.connections())
}

// TestClientStreams: what came is written and flushed before the application has to say more, and not before.
func TestClientStreams(t *testing.T) {
	more := make(chan struct{})
	c, _ := listen(t, func(p *peer) {
		p.request()
		p.say(stdout("Content-Type: text/event-stream\r\n\r\n"))
		for _, event := range []string{"one", "two"} {
			<-more
			p.say(stdout(event))
		}
		<-more
		p.say(stdout("th"), padded(tStdout, 1, "r", 4), stderr("oh"), stdout("ee"), stdout(""), end(1, 0, 0))
	})
	resp, err := c.Serve(t.Context(), get())
	require.NoError(t, err)
	w := &writer{wrote: make(chan struct{})}
	done := make(chan struct{})
	go func() {
		defer close(done)
		n, err := resp.Body.(io.WriterTo).WriteTo(w)
		assert.NoError(t, err)
		assert.Equal(t, int64(11), n)
	}()
	<-w.wrote // the header goes out
	for range 2 {
		more <- struct{}{}
		<-w.wrote
		<-w.wrote
	}
	more <- struct{}{}
	<-w.wrote
	soon(t, done, "WriteTo")
	assert.Equal(t, []string{"flush", `"one"`, "flush", `"two"`, "flush", `"three"`}, w.calls)
	assert.NoError(t, resp.Body.Close())
}

func TestClientSmallResponseIsOneWrite(t *testing.T) {
	for _, text := range []string{hello, "Content-Length: 5\r\n" + hello} {
		c, _ := listen(t, answering(text))
		resp, err := c.Serve(t.Context(), get())
		require.NoError(t, err)
		w := new(writer)
		_, err = resp.Body.(io.WriterTo).WriteTo(w)
		require.NoError(t, err)
		assert.Equal(t, []string{`"hello"`}, w.calls)
		assert.NoError(t, resp.Body.Close())
	}
}

// TestClientLargeResponses: all bytes arrive in their order, in whatever records, by Read and by WriteTo.
func TestClientLargeResponses(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	body := make([]byte, 3<<20)
	for i := range body {
		body[i] = byte(random.Uint32())
	}
	var small, mixed strings.Builder
	for i, rest := 0, string(body); rest != ""; i++ {
		n := min(1+random.IntN(3000), len(rest))
		small.WriteString(padded(tStdout, 1, rest[:n], random.IntN(2)*8))
		if i%100 == 0 {
			small.WriteString(stderr("oh"))
		}
		rest = rest[n:]
	}
	for rest := string(body); rest != ""; {
		n := min(1+random.IntN(65535), len(rest))
		mixed.WriteString(padded(tStdout, 1, rest[:n], random.IntN(256)))
		rest = rest[n:]
	}
	header, done := stdout("X: y\r\n\r\n"), end(1, 0, 0)
	for name, answer := range map[string]string{
		"small records": header + small.String() + done,
		"mixed records": header + mixed.String() + done,
		"full records":  header + response(1, string(body)),
	} {
		c, a := listen(t, func(p *peer) {
			for range 2 {
				r, ok := p.request()
				if !ok {
					return
				}
				p.say(renumbered(answer, r.id))
			}
		})
		c.KeepConn = time.Minute
		t.Run(name+"/Read", func(t *testing.T) {
			resp, err := c.Serve(t.Context(), get())
			require.NoError(t, err)
			got, err := io.ReadAll(struct{ io.Reader }{resp.Body})
			require.NoError(t, err)
			assert.True(t, bytes.Equal(body, got))
			assert.NoError(t, resp.Body.Close())
		})
		t.Run(name+"/WriteTo", func(t *testing.T) {
			_, got, err := do(c, get())
			require.NoError(t, err)
			assert.True(t, string(body) == got)
			assert.Equal(t, 1, a.connections())
		})
	}
}

// renumbered returns records with another request id.
func renumbered(records string, id int) string {
	b := []byte(records)
	for i := 0; i < len(b); i += 8 + int(b[i+4])<<8 + int(b[i+5]) + int(b[i+6]) {
		b[i+2], b[i+3] = byte(id>>8), byte(id)
	}
	return string(b)
}

func TestClientWriterFails(t *testing.T) {
	c, _ := listen(t, once(response(1, "X: y\r\n\r\n"+strings.Repeat("x", 300000))))
	resp, err := c.Serve(t.Context(), get())
	require.NoError(t, err)
	gone := errors.New("client gone")
	_, err = resp.Body.(io.WriterTo).WriteTo(failingWriter{gone})
	assert.Equal(t, gone, err)
	assert.NoError(t, resp.Body.Close())
}

type failingWriter struct{ err error }

func (w failingWriter) Write([]byte) (int, error) { return 0, w.err }
