package gofast_test

import (
	"io"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/internal/testlog"
)

// FuzzAnswer has an application send anything: the Engine makes the same of it as fastcgi.Client.
func FuzzAnswer(f *testing.F) {
	for _, seed := range []string{
		"",
		answer(hello),
		answer("Status: 103\r\n\r\n" + hello),
		answer("Location: /x\r\n\r\n"),
		rec(tStderr, 1, "e") + rec(tValues, 0, "v") + answer(hello),
		rec(tStdout, 1, hello) + answer("more"),
		rec(tStdout, 1, hello),
		rec(tStdout, 1, hello)[:20],
		rec(tStdout, 2, hello) + rec(tEnd, 1, completed),
		rec(tStdin, 1, "s"),
		rec(tEnd, 1, completed),
		rec(tStdout, 1, hello) + rec(tEnd, 1, completed+"x"),
		rec(tEnd, 1, "\x00\x00\x00\x07\x02\x00\x00\x00"),
		"\x01\x06\x00\x01\x00\x05\x03\x00hello\x00\x00\x00",
		"\x02\x06\x00\x01\x00\x00\x00\x00",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, answer string) {
		engine, client := says(answer).engine(), says(answer).client()
		defer client.Close()
		assert.Equal(t, made(t, client), made(t, engine))
	})
}

type result struct {
	status    int
	header    adapters.Header
	redirect  string
	body      string
	failure   int
	appStatus int
	stderr    string
}

func made(t *testing.T, h adapters.Handler) (r result) {
	req := newRequest("POST", "/")
	var stderr testlog.Buffer
	req.Stderr = &stderr
	resp, err := h.Serve(t.Context(), req)
	if err != nil {
		r.failure = adapters.StatusOf(err)
		return r
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		r.failure = adapters.StatusOf(err) // of the header too, if gofast waits for the rest of its record
		return r
	}
	return result{resp.Status, resp.Header, resp.LocalRedirect, string(body), 0, resp.AppStatus(), stderr.String()}
}
