package server

import (
	"net"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/conformance"
)

// A request whose token is divided between two records, hand-written after FastCGI 1.0 sections 3.3, 3.4 and 5.1.
const (
	beginRecord  = "\x01\x01\x00\x01\x00\x08\x00\x00" + "\x00\x01\x01\x00\x00\x00\x00\x00"
	paramsRecord = "\x01\x04\x00\x01\x00\x0a\x02\x00" + "\x0e\x05HTTP_X_C" + "PP"
	paramsRest   = "\x01\x04\x00\x01\x00\x0b\x00\x00" + "ONFORMtoken"
	paramsEnd    = "\x01\x04\x00\x01\x00\x00\x00\x00"
	getValues    = "\x01\x09\x00\x00\x00\x11\x01\x00" + "\x0f\x00FCGI_MPXS_CONNS" + "P"
)

func TestSniff(t *testing.T) {
	tests := []struct {
		name    string
		dialect dialect
		raw     string
		text    string
		done    bool
	}{
		{"fastcgi", fastCGI{}, beginRecord + paramsRecord + paramsRest, "\x0e\x05HTTP_X_CONFORMtoken", false},
		{"fastcgi, all", fastCGI{}, beginRecord + paramsRecord + paramsEnd, "\x0e\x05HTTP_X_C", true},
		{"fastcgi, part of a record", fastCGI{}, beginRecord + paramsRecord[:10], "", false},
		{"not fastcgi", fastCGI{}, "GET / HTTP/1.1", "", true},
		{"scgi", simpleCGI{}, "12:hello world!,", "12:hello world!,", true},
		{"scgi, part", simpleCGI{}, "12:hello", "12:hello", false},
		{"not scgi", simpleCGI{}, "GET / HTTP/1.1", "GET / HTTP/1.1", true},
		{"uwsgi", microWSGI{}, "\x00\x05\x00\x00\x01\x00a\x00\x00", "\x00\x05\x00\x00\x01\x00a\x00\x00", true},
		{"uwsgi, part", microWSGI{}, "\x00\x05\x00\x00\x01", "\x00\x05\x00\x00\x01", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			text, done := tt.dialect.sniff([]byte(tt.raw))
			assert.Equal(t, tt.text, string(text))
			assert.Equal(t, tt.done, done)
		})
	}
}

func TestChat(t *testing.T) {
	answer, n := fastCGI{}.chat([]byte(getValues + beginRecord))
	assert.Equal(t, len(getValues), n)
	assert.Equal(t, "\x01\x0a\x00\x00\x00\x12\x00\x00"+"\x0f\x01FCGI_MPXS_CONNS0", string(answer))
	answer, n = fastCGI{}.chat([]byte("\x01\xc8\x00\x00\x00\x00\x00\x00"))
	assert.Equal(t, 8, n)
	assert.Equal(t, "\x01\x0b\x00\x00\x00\x08\x00\x00"+"\xc8\x00\x00\x00\x00\x00\x00\x00", string(answer))
	for i := range getValues {
		_, n = fastCGI{}.chat([]byte(getValues[:i]))
		assert.Zero(t, n)
	}
	_, n = fastCGI{}.chat([]byte(beginRecord))
	assert.Zero(t, n)
}

// A response without end is given up.
func TestEndlessResponse(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer ln.Close()
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				piece := make([]byte, 1<<20)
				for _, err := conn.Write([]byte("HTTP/1.1 200 OK\r\n\r\n")); err == nil; {
					_, err = conn.Write(piece)
				}
			}()
		}
	}()
	target := &Target{URL: "http://" + ln.Addr().String(), App: "fcgi+unix://" + t.TempDir() + "/app.sock"}
	defer target.Close()
	report, err := conformance.Run(t.Context(), target, []conformance.Case{{Name: "cgi/0/endless", Run: test(func(t *T) {
		c := t.Client()
		c.Send(t.Request("GET", "/", ""))
		r := c.Response()
		t.Check(r.End == Endless, "%v", r)
		t.Check(len(r.Body) < 2*maxUnread, "%d bytes", len(r.Body))
	})}}, conformance.Options{Force: true, Limit: time.Minute})
	require.NoError(t, err)
	assert.Equal(t, conformance.Pass, report.Results[0].Outcome, report.Results[0].Got)
}

func FuzzSniff(f *testing.F) {
	f.Add([]byte(beginRecord + paramsRecord + paramsRest + paramsEnd))
	f.Add([]byte("12:hello world!,"))
	f.Fuzz(func(_ *testing.T, raw []byte) {
		for _, d := range []dialect{fastCGI{}, simpleCGI{}, microWSGI{}} {
			d.sniff(raw)
			d.chat(raw)
			d.refuse(raw)
		}
	})
}

// The suite takes the place of a socket that a run before has left, and of nothing else.
func TestListenSocket(t *testing.T) {
	for _, address := range []string{"http://127.0.0.1:0", "fcgi", "fcgi://", "fcgi+unix://", "cgi+unix://x", ""} {
		_, _, err := listenSocket(address)
		assert.ErrorContains(t, err, "no way to be an application", address)
	}
	t.Chdir(t.TempDir()) // a path may be relative, and is short
	require.NoError(t, os.WriteFile("file", []byte("mine"), 0o644))
	_, _, err := listenSocket("fcgi+unix://file")
	assert.ErrorContains(t, err, "file exists and is no socket: remove it, or choose another path")
	content, err := os.ReadFile("file")
	assert.NoError(t, err)
	assert.Equal(t, "mine", string(content))

	d, ln, err := listenSocket("scgi+unix://s")
	require.NoError(t, err)
	assert.Equal(t, simpleCGI{}, d)
	_, _, err = listenSocket("scgi+unix://s")
	assert.ErrorContains(t, err, "another program listens on s: stop it, or choose another path")
	ln.(*net.UnixListener).SetUnlinkOnClose(false)
	require.NoError(t, ln.Close())
	_, ln, err = listenSocket("scgi+unix://s")
	require.NoError(t, err)
	require.NoError(t, ln.Close())
}
