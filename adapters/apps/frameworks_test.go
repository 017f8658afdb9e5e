package apps_test

import (
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/adapters/apps"
	"github.com/gangway-go/gangway/internal/peer"
	"github.com/gangway-go/gangway/internal/testlog"
)

// Applications of well-known frameworks route, read a form and redirect beneath a prefix, with names in UTF-8.
func TestFrameworks(t *testing.T) {
	// Debian's frameworks are those of Debian's Python.
	python := "/usr/bin/python3"
	if _, err := os.Stat(python); err != nil {
		python = peer.Need(t, "python3")
	}
	tests := []struct{ name, program, file, who string }{
		{"sinatra", "ruby", "config.ru", "Jürgen"},
		{"rails", "ruby", "config.ru", "Jürgen"},
		{"flask", "python3", "app.py", "Jürgen"},
		{"django", "python3", "wsgi.py", "Jürgen"},
		{"dancer2", "perl", "app.psgi", "Jürgen"},
		{"mojolicious", "perl", "app.psgi", "Jim"}, // with a SCRIPT_NAME it decodes UTF-8 wrongly, behind Plack too
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			peer.Need(t, tt.program)
			text, err := os.ReadFile("testdata/frameworks/" + tt.name + "/" + tt.file)
			require.NoError(t, err)
			log := new(testlog.Buffer)
			o := options(log)
			o.Programs = map[apps.Kind]string{apps.WSGI: python}
			app, err := apps.Start(t.Context(), "", folder(t, tt.file, string(text)), o)
			require.NoError(t, err)
			defer app.Close(t.Context())
			s := serve(t, adapters.Mount("/sub", app))
			status, body := s.get("/sub/hello/" + url.PathEscape(tt.who))
			assert.Equal(t, 200, status, log)
			assert.Equal(t, "Hello "+tt.who, body)
			status, _ = s.get("/sub/nowhere")
			assert.Equal(t, 404, status)

			form := url.Values{"name": {tt.who}}.Encode()
			const kind = "application/x-www-form-urlencoded"
			resp, err := s.Client().Post(s.URL+"/sub/form", kind, strings.NewReader(form))
			require.NoError(t, err)
			io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
			assert.Contains(t, []int{http.StatusFound, http.StatusSeeOther}, resp.StatusCode, log)
			location, err := resp.Location()
			require.NoError(t, err, log)
			assert.Equal(t, s.Listener.Addr().String(), location.Host)
			status, body = s.get(location.RequestURI())
			assert.Equal(t, 200, status, location)
			assert.Equal(t, "Hello "+tt.who, body)
		})
	}
}
