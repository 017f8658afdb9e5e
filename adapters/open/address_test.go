package open_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/adapters/open"
)

func TestParse(t *testing.T) {
	const listener, app, both = 1, 2, 3
	for _, tt := range []struct {
		in   string
		role int
		want open.Address
	}{
		{"http://127.0.0.1:8080", both, open.Address{Scheme: "http", Network: "tcp", Target: "127.0.0.1:8080"}},
		{"http://example.org", both, open.Address{Scheme: "http", Network: "tcp", Target: "example.org:80"}},
		{"https://example.org/", both, open.Address{Scheme: "https", Network: "tcp", Target: "example.org:443"}},
		{"http://:8080", listener, open.Address{Scheme: "http", Network: "tcp", Target: ":8080"}},
		{"fcgi://:0", listener, open.Address{Scheme: "fcgi", Network: "tcp", Target: ":0"}},
		{"scgi://[::1]:4000", both, open.Address{Scheme: "scgi", Network: "tcp", Target: "[::1]:4000"}},
		{"http://h:1/base/%20x", app, open.Address{Scheme: "http", Network: "tcp", Target: "h:1", Path: "/base/%20x"}},
		{"fcgi+unix:///run/x.sock", both, open.Address{Scheme: "fcgi", Network: "unix", Target: "/run/x.sock"}},
		{"scgi+unix://x%20?y#z", both, open.Address{Scheme: "scgi", Network: "unix", Target: "x%20?y#z"}},
		{"http+unix://x", both, open.Address{Scheme: "http", Network: "unix", Target: "x"}},
		{"fcgi+fd:3", listener, open.Address{Scheme: "fcgi", Network: "fd", Target: "3"}},
		{"scgi+fd:0", listener, open.Address{Scheme: "scgi", Network: "fd", Target: "0"}},
		{"http+fd:web", listener, open.Address{Scheme: "http", Network: "fd", Target: "web"}},
		{"https+fd:my-site.socket", listener, open.Address{Scheme: "https", Network: "fd", Target: "my-site.socket"}},
		{"cgi:", listener, open.Address{Scheme: "cgi"}},
		{"cgi:a b%20", app, open.Address{Scheme: "cgi", Target: "a b%20"}},
		{"cgi:/dir/", app, open.Address{Scheme: "cgi", Target: "/dir/"}},
		{"static:.", app, open.Address{Scheme: "static", Target: "."}},
		{"egi:echo", app, open.Address{Scheme: "egi", Target: "echo"}},
		{"fcgi+exec:app --flag 'a b'", app, open.Address{Scheme: "fcgi", Network: "exec", Target: "app --flag 'a b'"}},
		{"scgi+exec:app", app, open.Address{Scheme: "scgi", Network: "exec", Target: "app"}},
		{"fcgi+gofast://h:9", app, open.Address{Scheme: "fcgi", Engine: "gofast", Network: "tcp", Target: "h:9"}},
		{"fcgi+gofast+unix://x", app, open.Address{Scheme: "fcgi", Engine: "gofast", Network: "unix", Target: "x"}},
	} {
		for role, parse := range map[int]func(string) (open.Address, error){
			listener: open.ParseListener, app: open.ParseApp,
		} {
			got, err := parse(tt.in)
			if tt.role&role == 0 {
				assert.ErrorIs(t, err, open.ErrAddress, tt.in)
				continue
			}
			if assert.NoError(t, err, tt.in) {
				assert.Equal(t, tt.want, got, tt.in)
			}
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for in, want := range map[string]string{
		"":                        "no scheme",
		"/run/php.sock":           "no scheme",
		"9000":                    "no scheme",
		"localhost:9000":          "no scheme",
		"127.0.0.1:9000":          "no scheme",
		":9000":                   "no scheme",
		"ftp://h:1":               `unknown scheme "ftp"`,
		"uwsgi://h:1":             `unknown scheme "uwsgi"`,
		"unix:/run/x":             `unknown scheme "unix"`,
		"http+gofast://h:1":       `unknown scheme "http+gofast"`,
		"fcgi+unix:/run/x":        "write fcgi+unix://PATH",
		"fcgi+unix://":            "nothing after the scheme",
		"static:":                 "nothing after the scheme",
		"fcgi://h":                "no port",
		"scgi://[::1]":            "no port",
		"fcgi:h:1":                "no host and port",
		"http://":                 "no host and port",
		"http:///x":               "no host and port",
		"fcgi:9000":               "no host and port",
		"fcgi:///run/x.sock":      "no host and port after fcgi://; a Unix socket is fcgi+unix://PATH",
		"http://::1:8000":         "an IPv6 address stands in brackets, as in http://[::1]:8000",
		"fcgi://h:1/x":            "a path (/x) means nothing here",
		"http://h:99999":          `port "99999" is not between 0 and 65535`,
		"http://h:x":              `no URL: invalid port ":x" after host`,
		"http://u@h:1":            "user, query and fragment mean nothing here",
		"http://h:1?q":            "user, query and fragment mean nothing here",
		"http://h:1#f":            "user, query and fragment mean nothing here",
		"http://h:1/%zz":          "no URL",
		"fcgi+gofast://h":         "no port",
		"fcgi+gofast+fd:0":        `unknown scheme "fcgi+gofast+fd"`,
		"scgi+gofast://h:1":       `unknown scheme "scgi+gofast"`,
		"http+exec:x":             `unknown scheme "http+exec"`,
		"fcgi+unix+gofast://h":    `unknown scheme "fcgi+unix+gofast"`,
		" http://h:1":             "no URL",
		"http://h:1\n":            "no URL",
		"https+unix:///x":         `unknown scheme "https+unix"`,
		"://h:1":                  "no URL",
		"http://[::1":             "no URL",
		"fcgi://127.0.0.1:-1":     "no URL",
		"fcgi://127.0.0.1:":       "no port",
		"HTTP+UNIX://x":           "unknown scheme",
		"fcgi+unix//x":            "no scheme",
		"static//x":               "no scheme",
		"fcgi+exec:":              "nothing after the scheme",
		"scgi+gofast+unix://path": "unknown scheme",
		"scgi://::9":              "an IPv6 address stands in brackets, as in scgi://[::1]:9",
	} {
		_, err := open.ParseApp(in)
		assert.ErrorIs(t, err, open.ErrAddress, in)
		assert.ErrorContains(t, err, want, in)
		_, err = open.ParseListener(in)
		assert.ErrorIs(t, err, open.ErrAddress, in)
	}
	for _, in := range []string{"fcgi+fd:x y", "fcgi+fd:-1", "fcgi+fd:a:b", "http+fd:", "fcgi+fd:"} {
		_, err := open.ParseListener(in)
		assert.ErrorIs(t, err, open.ErrAddress, in)
	}
	_, err := open.ParseApp("http://:80")
	assert.ErrorContains(t, err, "an application needs a host")
}

func TestAddressString(t *testing.T) {
	abs, err := filepath.Abs("x.sock")
	require.NoError(t, err)
	for in, want := range map[string]string{
		"http://h:1/base":          "http://h:1/base",
		"fcgi://[::1]:9":           "fcgi://[::1]:9",
		"fcgi+unix://x.sock":       "fcgi+unix://" + abs,
		"fcgi+gofast://h:9":        "fcgi+gofast://h:9",
		"fcgi+gofast+unix:///x":    "fcgi+gofast+unix:///x",
		"cgi:/x":                   "cgi:/x",
		"egi:echo":                 "egi:echo",
		"scgi+exec:/bin/app -x yz": "scgi+exec:/bin/app -x yz",
	} {
		a, err := open.ParseApp(in)
		require.NoError(t, err)
		assert.Equal(t, want, a.String())
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"http://h:1", "fcgi+unix:///x", "cgi:", "fcgi+fd:3", "http://[::1]:0/%20", "egi:echo"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, parse := range []func(string) (open.Address, error){open.ParseListener, open.ParseApp} {
			a, err := parse(s)
			if err != nil {
				assert.ErrorIs(t, err, open.ErrAddress)
				continue
			}
			again, err := parse(a.String())
			require.NoError(t, err, "%q became %q", s, a)
			assert.Equal(t, a.String(), again.String())
		}
	})
}
