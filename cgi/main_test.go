package cgi_test

import (
	"context"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/cgi"
	"github.com/gangway-go/gangway/internal/execfile"
	"github.com/gangway-go/gangway/internal/leak"
)

func TestMain(m *testing.M) {
	if os.Getenv(asScript) != "" {
		os.Exit(serveAsScript(os.Getenv(asScript)))
	}
	leak.Main(m)
}

// patience is how long a test waits for what must happen at once.
const patience = 20 * time.Second

// write writes an executable file and returns its path.
func write(t testing.TB, name, content string) string {
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, execfile.WriteFile(path, []byte(content), 0o755))
	return path
}

// sh returns a Script that runs a shell script, until the end of the test.
func sh(t testing.TB, body string) *cgi.Script {
	return closing(t, &cgi.Script{Path: write(t, "script.cgi", "#!/bin/sh\n"+body), Log: quiet})
}

func closing(t testing.TB, s *cgi.Script) *cgi.Script {
	t.Cleanup(func() { s.Close() })
	return s
}

var quiet = slog.New(slog.DiscardHandler)

// ask returns the answer of h with its body.
func ask(t testing.TB, h adapters.Handler, req *adapters.Request) (*adapters.Response, string, error) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	resp, err := h.Serve(ctx, req)
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	var body strings.Builder
	_, err = adapters.Copy(&body, resp.Body)
	return resp, body.String(), err
}

func put(body io.Reader, length int) *adapters.Request {
	return &adapters.Request{Method: "PUT", Proto: "HTTP/1.1", Body: body, ContentLength: int64(length)}
}

func within[T any](t testing.TB, c <-chan T, what string) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(patience):
		require.Fail(t, "nothing happens: "+what)
	}
	return v
}
