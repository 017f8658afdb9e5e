package server

import (
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/conformance"
)

// cgiServer is net/http/cgi's way of executing the programs in dir.
func cgiServer(t *testing.T, dir string) string {
	mux := http.NewServeMux()
	mux.HandleFunc("/cgi-bin/", func(w http.ResponseWriter, r *http.Request) {
		rest := strings.TrimPrefix(r.URL.Path, "/cgi-bin/")
		name, _, _ := strings.Cut(rest, "/")
		if name == "sub" || name == "auth" {
			name += "/probe.cgi"
		}
		(&cgi.Handler{Path: filepath.Join(dir, name), Root: "/cgi-bin/" + name,
			PathLocationHandler: mux}).ServeHTTP(w, r)
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server.URL
}

func TestProbe(t *testing.T) {
	dir := t.TempDir()
	target := New(cgiServer(t, dir), "cgi:"+dir)
	defer target.Close()
	run := func(name string, f func(*T)) conformance.Case {
		return conformance.Case{Name: "cgi/0/" + name, Level: conformance.Must, Run: test(f)}
	}
	cases := []conformance.Case{
		run("environment", func(t *T) {
			x := t.Get("/app/foo%20bar?q", "X-Foo: bar")
			x.Want("HTTP_X_FOO", "bar")
			x.Want("PATH_INFO", "/foo bar")
			x.Want("SCRIPT_NAME", t.At("/app"))
			t.Check(x.Process.Dir == dir, "%s", x.Process.Dir)
			t.Check(len(x.Process.FDs) == 0, "%q", x.Process.FDs)
			t.Check(x.Process.Parent == os.Getpid(), "%d", x.Process.Parent)
		}),
		run("body", func(t *T) {
			body := strings.Repeat("0123456789abcdef", 1<<16)
			x := t.Post("/app", body)
			t.Check(x.Body() == body, "%d bytes", len(x.Body()))
		}),
		run("status", func(t *T) { t.Intact(t.Reply("Status: 404 Nope\n\nbody"), 404, "body") }),
		run("second", func(t *T) {
			t.Do(t.Request("GET", "/app", ""), CGI("Location: "+t.At("/app2/x?y")+"\n\n"), OK)
			t.Check(len(t.Exchanges) == 2, "%d", len(t.Exchanges))
			t.Exchanges[1].Want("QUERY_STRING", "y")
		}),
	}
	report, err := conformance.Run(t.Context(), target, cases, conformance.Options{})
	require.NoError(t, err)
	for _, result := range report.Results {
		assert.Equal(t, conformance.Pass, result.Outcome, "%s: %s", result.Name, result.Got)
	}
	require.NoError(t, target.Close())
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Empty(t, left, "the suite leaves files behind")
}
