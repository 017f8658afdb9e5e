package fastcgi_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
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

// bytewise returns stdout in records of one byte each, every other padded.
func bytewise(stdout string) string {
	var b strings.Builder
	for i := range len(stdout) {
		b.WriteString(padded(tStdout, 1, stdout[i:i+1], i%2*7))
	}
	return b.String()
}

func TestClientResponses(t *testing.T) {
	const done = "\x01\x03\x00\x01\x00\x08\x00\x00" + "\x00\x00\x00\x00\x00\x00\x00\x00"
	tests := []struct {
		name   string
		answer string
		status int
		body   string
		stderr string
		app    int
		kept   bool
	}{
		{name: "specification's example 1", answer: "\x01\x06\x00\x01\x00\x28\x00\x00" + "Content-type: text/html\r\n\r\n<html>\n<head>" +
			"\x01\x06\x00\x01\x00\x00\x00\x00" + done, status: 200, body: "<html>\n<head>", kept: true},
		{name: "specification's example 3", status: 200, body: "<html>\n<head>", stderr: "config error: missing SI_UID\n", app: 938, kept: true,
			answer: record(tStdout, 1, "Content-type: text/html\r\n\r\n<ht") + record(tStderr, 1, "config error: missing SI_UID\n") +
				record(tStdout, 1, "ml>\n<head>") + record(tStdout, 1, "") + record(tStderr, 1, "") + end(1, 938, 0)},
		{name: "no end of STDOUT", answer: record(tStdout, 1, hello) + done, status: 200, body: "hello", kept: true},
		{name: "no body", answer: record(tStdout, 1, "Status: 204 No Content\r\n\r\n") + done, status: 204, kept: true},
		{name: "padding", answer: padded(tStdout, 1, hello, 255) + padded(tStdout, 1, "", 1) + done, status: 200, body: "hello", kept: true},
		{name: "END_REQUEST with padding", status: 200, body: "hello", kept: true,
			answer: record(tStdout, 1, hello) + padded(tEnd, 1, "\x00\x00\x00\x00\x00\x00\x00\x00", 255)},
		{name: "reserved bytes set", status: 200, body: "hello", kept: true,
			answer: record(tStdout, 1, hello) + record(tEnd, 1, "\x00\x00\x00\x00\x00\x01\x02\x03")},
		{name: "records of one byte", answer: bytewise("Status: 404 No\nX: y\n\nhello") + done, status: 404, body: "hello", kept: true},
		{name: "stderr first", answer: record(tStderr, 1, "oh") + record(tStdout, 1, hello) + done, status: 200, body: "hello",
			stderr: "oh", kept: true},
		{name: "stderr within the header", status: 200, body: "hello", stderr: "oh", kept: true,
			answer: record(tStdout, 1, hello[:9]) + record(tStderr, 1, "oh") + record(tStdout, 1, hello[9:]) + done},
		{name: "stderr last", answer: record(tStdout, 1, hello) + record(tStderr, 1, "a") + record(tStderr, 1, "b") + done, status: 200,
			body: "hello", stderr: "ab", kept: true},
		{name: "status line", answer: record(tStdout, 1, "HTTP/1.1 418 Teapot\r\n\r\nhello") + done, status: 418, body: "hello", kept: true},
		{name: "negative appStatus", answer: record(tStdout, 1, hello) + end(1, 0xffffffff, 0), status: 200, body: "hello", app: -1, kept: true},
		{name: "management records", status: 200, body: "hello", kept: true,
			answer: padded(11, 0, "\x63\x00\x00\x00\x00\x00\x00\x00", 3) + record(tStdout, 1, hello[:7]) +
				record(10, 0, "\x0f\x01FCGI_MPXS_CONNS0") + record(tStdout, 1, hello[7:]) + done},
		{name: "bytes after the end", answer: record(tStdout, 1, hello) + done + "x", status: 200, body: "hello"},
		{name: "a record after the end", answer: record(tStdout, 1, hello) + done + record(tStdout, 1, "late"), status: 200, body: "hello"},
	}
	for _, tt := range tests {
		for _, split := range []bool{false, true} {
			if split && !tt.kept {
				continue // the late bytes may come when the connection is in use again
			}
			t.Run(fmt.Sprintf("%s/split=%v", tt.name, split), func(t *testing.T) {
				answer := once(tt.answer)
				if split {
					answer = byBytes(tt.answer)
				}
				c, a := listen(t, answer)
				c.KeepConn = time.Minute
				var stderr bytes.Buffer
				req := get()
				req.Stderr = &stderr
				resp, body, err := do(c, req)
				require.NoError(t, err)
				assert.Equal(t, tt.status, resp.Status)
				assert.Equal(t, tt.body, body)
				assert.Equal(t, tt.stderr, stderr.String())
				assert.Equal(t, tt.app, resp.AppStatus())
				_, _, err = do(c, get())
				assert.NoError(t, err)
				assert.Equal(t, tt.kept, a.connections() == 1)
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
	const done = "\x01\x03\x00\x01\x00\x08\x00\x00" + "\x00\x00\x00\x00\x00\x00\x00\x00"
	sized := "Content-Length: 5\r\n" + hello
	tests := []struct {
		name   string
		answer string
		body   string // what is read before the error; then the header was good
		err    error
		status int
		sound  bool // the records are, only what they carry is not
	}{
		{name: "nothing", err: adapters.ErrUnreachable, status: 502},
		{name: "stderr only", answer: record(tStderr, 1, "PHP Fatal error"), err: adapters.ErrUnreachable, status: 502},
		{name: "end within the header", answer: record(tStdout, 1, hello[:9]), err: adapters.ErrTruncated, status: 502},
		{name: "end within a record header", answer: record(tStdout, 1, hello) + "\x01\x03", body: "hello", err: adapters.ErrTruncated, status: 502},
		{name: "end within a record", answer: record(tStdout, 1, hello)[:30], err: adapters.ErrTruncated, status: 502},
		{name: "no END_REQUEST", answer: record(tStdout, 1, hello), body: "hello", err: adapters.ErrTruncated, status: 502},
		{name: "end of STDOUT but no END_REQUEST", answer: record(tStdout, 1, hello) + record(tStdout, 1, ""), body: "hello", err: adapters.ErrTruncated,
			status: 502},
		{name: "all of Content-Length but no END_REQUEST", answer: record(tStdout, 1, sized), body: "hello", err: adapters.ErrTruncated, status: 502},
		{name: "END_REQUEST alone", sound: true, answer: done, err: adapters.ErrBadResponse, status: 502},
		{name: "END_REQUEST after stderr", sound: true, answer: record(tStderr, 1, "oh") + done, err: adapters.ErrBadResponse, status: 502},
		{name: "END_REQUEST within the header", sound: true, answer: record(tStdout, 1, hello[:9]) + done, err: adapters.ErrBadResponse, status: 502},
		{name: "END_REQUEST of 7 bytes", answer: record(tStdout, 1, hello) + record(tEnd, 1, "\x00\x00\x00\x00\x00\x00\x00"), body: "hello",
			err: adapters.ErrBadResponse, status: 502},
		{name: "version 0", answer: "\x00" + record(tStdout, 1, hello)[1:], err: adapters.ErrBadResponse, status: 502},
		{name: "version 2", answer: record(tStdout, 1, hello) + "\x02" + done[1:], body: "hello", err: adapters.ErrBadResponse, status: 502},
		{name: "HTTP", answer: "HTTP/1.1 200 OK\r\n\r\nhello", err: adapters.ErrBadResponse, status: 502},
		{name: "another request's STDOUT", answer: record(tStdout, 2, hello) + end(2, 0, 0), err: adapters.ErrBadResponse, status: 502},
		{name: "another request's STDOUT in the body", answer: record(tStdout, 1, hello) + record(tStdout, 2, " secret") + done, body: "hello",
			err: adapters.ErrBadResponse, status: 502},
		{name: "another request's STDERR", answer: record(tStderr, 7, "secret") + record(tStdout, 1, hello) + done, err: adapters.ErrBadResponse, status: 502},
		{name: "another request's END_REQUEST", answer: record(tStdout, 1, hello) + end(0x0101, 0, 0), body: "hello", err: adapters.ErrBadResponse,
			status: 502},
		{name: "STDOUT for request 0", answer: record(tStdout, 0, hello) + done, err: adapters.ErrBadResponse, status: 502},
		{name: "unknown type", answer: record(tStdout, 1, hello) + record(99, 1, "?") + done, body: "hello", err: adapters.ErrBadResponse, status: 502},
		{name: "a web server's type", answer: record(tStdin, 1, hello) + done, err: adapters.ErrBadResponse, status: 502},
		{name: "GET_VALUES_RESULT for the request", answer: record(10, 1, "") + record(tStdout, 1, hello) + done, err: adapters.ErrBadResponse, status: 502},
		{name: "malformed header", sound: true, answer: record(tStdout, 1, "no colon\r\n\r\nhello") + done, err: adapters.ErrBadResponse, status: 502},
		{name: "Status 099", sound: true, answer: record(tStdout, 1, "Status: 099 x\r\n\r\nhello") + done, err: adapters.ErrBadResponse, status: 502},
		{name: "NUL in a header value", sound: true, answer: record(tStdout, 1, "X: a\x00b\r\n\r\nhello") + done, err: adapters.ErrBadResponse, status: 502},
		{name: "101", sound: true, answer: record(tStdout, 1, "Status: 101\r\nUpgrade: websocket\r\n\r\n") + done, err: adapters.ErrBadResponse, status: 502},
		{name: "header of 65 KB", sound: true, err: adapters.ErrBadResponse, status: 502,
			answer: response(1, "X: "+strings.Repeat("x", 65<<10)+"\r\n\r\nhello")},
		{name: "FCGI_CANT_MPX_CONN", answer: end(1, 0, 1), err: adapters.ErrBadResponse, status: 502},
		{name: "FCGI_OVERLOADED", answer: end(1, 0, 2), err: adapters.ErrBusy, status: 503},
		{name: "FCGI_UNKNOWN_ROLE", answer: end(1, 0, 3), err: adapters.ErrBadResponse, status: 502},
		{name: "unknown protocolStatus", answer: end(1, 0, 4), err: adapters.ErrBadResponse, status: 502},
		{name: "FCGI_OVERLOADED after a body", answer: record(tStdout, 1, hello) + end(1, 0, 2), body: "hello", err: adapters.ErrBusy, status: 503},
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
			require.ErrorIs(t, err, tt.err)
			assert.False(t, errors.Is(err, io.EOF))
			assert.Equal(t, tt.status, adapters.StatusOf(err))
			assert.Equal(t, tt.err == adapters.ErrBusy, adapters.RetryAfter(err) > 0)
			var e *adapters.Error
			require.ErrorAs(t, err, &e)
			assert.Equal(t, "fastcgi: ", e.Op[:9])
			if !tt.sound {
				do(c, req)
				assert.Equal(t, 2, a.connections(), "the connection is not used again")
			}
		})
	}
}

// TestClientPrefixes: a response that is cut anywhere is an error.
func TestClientPrefixes(t *testing.T) {
	whole := record(tStdout, 1, "X: y\n\nhel") + padded(tStderr, 1, "oh", 3) + record(tStdout, 1, "lo") + record(tStdout, 1, "") + end(1, 0, 0)
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
	stdout := "Status: 103 Early Hints\r\nLink: </a>\r\n\r\n" + "Status: 102\r\n\r\n" + hello
	for _, answer := range []string{response(1, stdout), bytewise(stdout) + end(1, 0, 0)} {
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
	c, _ := listen(t, once(response(1, stdout)))
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
		p.say(record(tStdout, 1, "Content-Type: text/event-stream\r\n\r\n"))
		for _, event := range []string{"one", "two"} {
			<-more
			p.say(record(tStdout, 1, event))
		}
		<-more
		p.say(record(tStdout, 1, "th"), padded(tStdout, 1, "r", 4), record(tStderr, 1, "oh"), record(tStdout, 1, "ee"), record(tStdout, 1, ""),
			end(1, 0, 0))
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
	for _, stdout := range []string{hello, "Content-Length: 5\r\n" + hello} {
		c, _ := listen(t, answering(stdout))
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
			small.WriteString(record(tStderr, 1, "oh"))
		}
		rest = rest[n:]
	}
	for rest := string(body); rest != ""; {
		n := min(1+random.IntN(65535), len(rest))
		mixed.WriteString(padded(tStdout, 1, rest[:n], random.IntN(256)))
		rest = rest[n:]
	}
	header, done := record(tStdout, 1, "X: y\r\n\r\n"), end(1, 0, 0)
	for name, answer := range map[string]string{
		"small records": header + small.String() + done,
		"mixed records": header + mixed.String() + done,
		"full records":  strings.TrimSuffix(header+response(1, string(body)), "") + "",
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
