//go:build unix

package cgi_test

import (
	"io"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/cgi"
)

// A small request to a program that does nothing but answer.
func BenchmarkScript(b *testing.B) {
	path, err := exec.LookPath("echo")
	require.NoError(b, err)
	s := closing(b, &cgi.Script{Path: path, Args: []string{"Content-Type: text/plain\n\nHello world"}})
	b.ReportAllocs()
	for b.Loop() {
		resp, err := s.Serve(b.Context(), &adapters.Request{Method: "GET", URI: "/", Proto: "HTTP/1.1", Stderr: io.Discard})
		require.NoError(b, err)
		_, err = adapters.Copy(io.Discard, resp.Body)
		require.NoError(b, err)
		resp.Body.Close()
	}
}
