package adapters_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	. "github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/adapters/adaptertest"
)

func collect(t *testing.T, req *Request) map[string]string {
	t.Helper()
	got := map[string]string{}
	for name, value := range req.All() {
		_, twice := got[name]
		assert.False(t, twice, "%s twice", name)
		got[name] = value
	}
	return got
}

func parse(t *testing.T, vars map[string]string) *Request {
	t.Helper()
	req, err := ParseVars(maps.All(vars))
	require.NoError(t, err)
	return req
}

func TestVarsSurviveParsing(t *testing.T) {
	special := map[string][]string{
		"CONTENT_LENGTH": {"0", "17", "9223372036854775807"},
		"HTTPS":          {"on", "1", "off"},
		"REQUEST_SCHEME": {"http", "https"},
		"REQUEST_METHOD": {"GET", "PROPFIND"},
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	value := func() string {
		b := make([]byte, 1+rnd.IntN(20))
		for i := range b {
			b[i] = byte(' ' + rnd.IntN(256-' '))
			if b[i] == 0x7f {
				b[i] = 0xff
			}
		}
		return string(b)
	}
	for round := range 300 {
		in := map[string]string{"REQUEST_METHOD": "GET"}
		for _, name := range append(adaptertest.Variables, "PATH", "LD_LIBRARY_PATH", "FCGI_DATA_LENGTH") {
			switch {
			case rnd.IntN(3) == 0 && name != "REQUEST_METHOD":
			case special[name] != nil:
				in[name] = special[name][rnd.IntN(len(special[name]))]
			default:
				in[name] = value()
			}
		}
		if round == 0 {
			in["HTTP_X_LONG"] = strings.Repeat("x", 70_000)
			in["SSL_CLIENT_CERT"] = "-----BEGIN\nlines\n"
		}
		req := parse(t, in)
		req.Body = strings.NewReader("")
		out := collect(t, req)
		for name, value := range in {
			assert.Equal(t, value, out[name], "%s of %q", name, in)
		}
		added := []string{"GATEWAY_INTERFACE", "SERVER_SOFTWARE", "SERVER_PROTOCOL", "QUERY_STRING", "SCRIPT_NAME",
			"REMOTE_ADDR", "SERVER_PORT", "SERVER_NAME", "REQUEST_URI", "REQUEST_SCHEME", "PATH_INFO"}
		for name := range out {
			if _, ok := in[name]; !ok {
				assert.Contains(t, added, name)
			}
		}
	}
}

func TestParseVarsFields(t *testing.T) {
	req := parse(t, map[string]string{
		"REQUEST_METHOD": "POST", "SCRIPT_NAME": "/a b.php", "PATH_INFO": "/x", "QUERY_STRING": "q=1",
		"DOCUMENT_ROOT": "/srv", "HTTPS": "on", "HTTP_HOST": "example.org", "CONTENT_TYPE": "text/plain",
		"HTTP_PROXY": "http://evil", "HTTP_X_A": "1",
	})
	assert.Equal(t, "/a%20b.php/x?q=1", req.URI)
	assert.Equal(t, "https", req.Scheme)
	assert.Equal(t, int64(-1), req.ContentLength)
	assert.Equal(t, "text/plain", req.Header.Get("content-type"))
	assert.Equal(t, "1", req.Header.Get("X-A"))
	assert.Equal(t, "/a b.php/x", req.Path())
	vars := collect(t, req)
	assert.NotContains(t, vars, "HTTP_PROXY")
	assert.NotContains(t, vars, "PATH_TRANSLATED", "the web server did not send one")
}

func TestParseVarsWithoutScript(t *testing.T) {
	req := parse(t, map[string]string{"REQUEST_METHOD": "GET", "REQUEST_URI": "/a%20b/../c?q"})
	assert.Equal(t, "/c", req.Path())
	req = parse(t, map[string]string{"REQUEST_METHOD": "GET", "REQUEST_URI": "/x", "SCRIPT_NAME": ""})
	assert.Empty(t, req.Path(), "a root that is asked for without a slash")
}

func TestParseVarsRefuses(t *testing.T) {
	for name, vars := range map[string]map[string]string{
		"no method":        {"SCRIPT_NAME": "/"},
		"method":           {"REQUEST_METHOD": "GET / HTTP/1.1\r\nX:"},
		"length sign":      {"REQUEST_METHOD": "GET", "CONTENT_LENGTH": "+1"},
		"length word":      {"REQUEST_METHOD": "GET", "CONTENT_LENGTH": "1 "},
		"length overflow":  {"REQUEST_METHOD": "GET", "CONTENT_LENGTH": "9223372036854775808"},
		"newline in field": {"REQUEST_METHOD": "GET", "HTTP_X": "a\nb"},
		"NUL in host":      {"REQUEST_METHOD": "GET", "HTTP_HOST": "a\x00b"},
		"CR in type":       {"REQUEST_METHOD": "GET", "CONTENT_TYPE": "a\rb"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ParseVars(maps.All(vars))
			assert.ErrorIs(t, err, ErrBadRequest)
		})
	}
}

func TestAllFromHTTP(t *testing.T) {
	r := httptest.NewRequest("POST", "http://example.org:81/a%2Fb/c%20d?x=%41", strings.NewReader("body"))
	r.RequestURI = "/a%2Fb/c%20d?x=%41"
	r.Header = http.Header{
		"Content-Type": {"text/plain"}, "Cookie": {"a=1", "b=2"}, "X-Two": {"1", "2"}, "Proxy": {"http://evil"},
		"X_Two": {"spoof"}, "X.two": {"spoof"}, "Connection": {"close, X-Hop"}, "X-Hop": {"1"}, "Te": {"trailers"},
	}
	req, err := FromHTTP(r)
	require.NoError(t, err)
	req.Vars = []Var{{"SERVER_SOFTWARE", "mine"}, {"EXTRA", "1"}, {"EXTRA", "2"}, {"REMOTE_PORT", ""}, {"QUERY_STRING", ""}}
	assert.Equal(t, map[string]string{
		"GATEWAY_INTERFACE": "CGI/1.1", "SERVER_SOFTWARE": "mine", "SERVER_PROTOCOL": "HTTP/1.1", "REQUEST_METHOD": "POST",
		"QUERY_STRING": "", "REQUEST_URI": "/a%2Fb/c%20d?x=%41", "REQUEST_SCHEME": "http", "CONTENT_LENGTH": "4",
		"CONTENT_TYPE": "text/plain", "SCRIPT_NAME": "", "PATH_INFO": "/a/b/c d", "REMOTE_ADDR": "192.0.2.1",
		"SERVER_PORT": "81", "SERVER_NAME": "example.org", "HTTP_HOST": "example.org:81", "HTTP_COOKIE": "a=1; b=2",
		"HTTP_X_TWO": "1, 2", "EXTRA": "2",
	}, collect(t, req))
}

func TestAllWithManyFields(t *testing.T) {
	req := &Request{Method: "GET"}
	for i := range 500 {
		req.Header.Add(fmt.Sprintf("X-%d", i%250), fmt.Sprint(i))
		req.Vars = append(req.Vars, Var{fmt.Sprintf("V%d", i%250), fmt.Sprint(i)})
	}
	req.Vars = append(req.Vars, Var{"HTTP_X_9", "mine"})
	vars := collect(t, req)
	assert.Equal(t, "7, 257", vars["HTTP_X_7"])
	assert.Equal(t, "257", vars["V7"])
	assert.Equal(t, "mine", vars["HTTP_X_9"])
}

func TestAllTLSAndData(t *testing.T) {
	req := &Request{Method: "GET", Scheme: "https", Role: Filter, Data: &Data{Length: 5},
		TLS: &tls.ConnectionState{Version: tls.VersionTLS13, CipherSuite: tls.TLS_AES_128_GCM_SHA256, ServerName: "a.b"}}
	vars := collect(t, req)
	assert.Equal(t, "TLSv1.3", vars["SSL_PROTOCOL"])
	assert.Equal(t, "TLS_AES_128_GCM_SHA256", vars["SSL_CIPHER"])
	assert.Equal(t, "a.b", vars["SSL_TLS_SNI"])
	assert.Equal(t, "on", vars["HTTPS"])
	assert.Equal(t, "5", vars["FCGI_DATA_LENGTH"])
}

func TestAllStopsEarly(t *testing.T) {
	req := &Request{Method: "GET", Header: Header{{"A", "1"}}, Vars: []Var{{"B", "2"}}}
	total := len(slices.Collect(maps.Keys(collect(t, req))))
	for stop := 1; stop < total; stop++ {
		n := 0
		for range req.All() {
			if n++; n == stop {
				break
			}
		}
		assert.Equal(t, stop, n)
	}
}

func TestFromHTTPStripPrefix(t *testing.T) {
	var got Script
	h := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		req, err := FromHTTP(r)
		require.NoError(t, err)
		got = req.Script
	})
	for target, want := range map[string]Script{
		"/app/x%20y?q": {Name: "/app", PathInfo: "/x y"},
		"/app/":        {Name: "/app", PathInfo: "/"},
		"/app/app":     {Name: "/app", PathInfo: "/app"},
		"/app/app/?q":  {Name: "/app", PathInfo: "/app/"},
		"/app?q":       {Name: "/app"},
	} {
		for _, prefix := range []string{"/app", "/app/"} {
			if strings.HasPrefix(target, prefix) {
				r := httptest.NewRequest("GET", target, nil)
				http.StripPrefix(prefix, h).ServeHTTP(httptest.NewRecorder(), r)
				assert.Equal(t, want, got, "%s without %s", target, prefix)
			}
		}
	}
}

// A loop over All allocates neither for itself nor for the variables around it.
func TestAllAllocatesNothing(t *testing.T) {
	r := httptest.NewRequest("GET", "/index.php?a=1", nil)
	r.Header = http.Header{"Accept": {"*/*"}, "User-Agent": {"x"}, "Cookie": {"a=1"}}
	req, err := FromHTTP(r)
	require.NoError(t, err)
	var total int
	allocations := testing.AllocsPerRun(100, func() {
		size := 0
		for name, value := range req.All() {
			size += len(name) + len(value)
		}
		total = size
	})
	assert.Zero(t, allocations)
	assert.Positive(t, total)
}

func BenchmarkAll(b *testing.B) {
	r := httptest.NewRequest("GET", "/index.php?a=1", nil)
	r.Header = http.Header{"Accept": {"*/*"}, "User-Agent": {"x"}, "Cookie": {"a=1"}, "X-Custom-Thing": {"1"}}
	req, _ := FromHTTP(r)
	b.ReportAllocs()
	for b.Loop() {
		for name, value := range req.All() {
			if name == value {
				io.WriteString(io.Discard, name)
			}
		}
	}
}

func BenchmarkParseVars(b *testing.B) {
	r := httptest.NewRequest("GET", "/index.php?a=1", nil)
	r.Header = http.Header{"Accept": {"*/*"}, "User-Agent": {"x"}, "Cookie": {"a=1"}, "Referer": {"/"}, "Dnt": {"1"}}
	req, _ := FromHTTP(r)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseVars(req.All()); err != nil {
			b.Fatal(err)
		}
	}
}

func FuzzParseVars(f *testing.F) {
	f.Add("HTTP_X_A", "1", "REQUEST_URI", "/x?y")
	f.Add("HTTPS", "on", "CONTENT_LENGTH", "12")
	f.Add("PATH_TRANSLATED", "/a", "PATH_INFO", "/b")
	f.Fuzz(func(t *testing.T, n1, v1, n2, v2 string) {
		in := map[string]string{"REQUEST_METHOD": "GET", n1: v1, n2: v2}
		req, err := ParseVars(maps.All(in))
		if err != nil {
			assert.ErrorIs(t, err, ErrBadRequest)
			return
		}
		if req.ContentLength >= 0 {
			req.Body = strings.NewReader("")
			delete(in, "CONTENT_LENGTH") // leading zeroes
		}
		out := collect(t, req)
		for name, value := range in {
			if value != "" && name != "HTTP_PROXY" && name != "REQUEST_METHOD" {
				assert.Equal(t, value, out[name], name)
			}
		}
	})
}

func TestEmptyValues(t *testing.T) {
	req := &Request{
		Method: "GET", URI: "/", Scheme: "https", Header: Header{{Name: "X-Empty"}, {Name: "X-Gone", Value: "x"}},
		Vars: []Var{{Name: "OWN"}, {Name: "HTTPS"}, {Name: "HTTP_X_GONE"}, {Name: "SCRIPT_NAME"}, {Name: "REMOTE_PORT"}},
	}
	got := maps.Collect(req.All())
	for _, name := range []string{"OWN", "HTTP_X_EMPTY", "SCRIPT_NAME"} {
		value, there := got[name]
		assert.True(t, there && value == "", name)
	}
	for _, name := range []string{"HTTPS", "HTTP_X_GONE", "REMOTE_PORT"} {
		assert.NotContains(t, got, name)
	}
	assert.Equal(t, "HTTP/1.0", got["SERVER_PROTOCOL"], "it has to exist")
	back, err := ParseVars(maps.All(got))
	require.NoError(t, err)
	assert.Equal(t, got, maps.Collect(back.All()))
}

func TestDataWithoutTime(t *testing.T) {
	got := maps.Collect((&Request{Method: "GET", Role: Filter, Data: &Data{Length: 3}}).All())
	assert.Equal(t, "0", got["FCGI_DATA_LAST_MOD"])
}
