package egi_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/egi"
)

func TestFunc(t *testing.T) {
	tests := []struct {
		name   string
		fn     egi.Func
		status int
		body   string
		err    error
	}{
		{"text", func(w http.ResponseWriter, r *egi.Request) error {
			_, err := fmt.Fprint(w, r.Var("REQUEST_METHOD"), r.Var("QUERY_STRING"), r.Var("NO_SUCH"), r.URI)
			return err
		}, 200, "GETq=1/x?q=1", nil},
		{"error", func(w http.ResponseWriter, _ *egi.Request) error {
			fmt.Fprint(w, "lost")
			return adapters.ErrForbidden
		}, 403, "", adapters.ErrForbidden},
		{"declined", func(http.ResponseWriter, *egi.Request) error { return adapters.ErrDeclined }, 404, "",
			adapters.ErrDeclined},
		{"late error", func(w http.ResponseWriter, _ *egi.Request) error {
			fmt.Fprint(w, "half")
			w.(http.Flusher).Flush()
			return adapters.ErrForbidden
		}, 200, "half", adapters.ErrTruncated},
		{"panic", func(http.ResponseWriter, *egi.Request) error { panic(1) }, 500, "", errAny},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			resp, body, err := ask(t, tt.fn, newRequest("GET", "/x?q=1"))
			if resp != nil {
				assert.Equal(t, tt.status, resp.Status)
			} else {
				assert.Equal(t, tt.status, adapters.StatusOf(err))
			}
			assert.Equal(t, tt.body, body)
			if tt.err == errAny {
				assert.Error(t, err)
				return
			}
			assert.ErrorIs(t, err, tt.err)
		})
	}
}

var errAny = errors.New("any error")

func TestFuncContext(t *testing.T) {
	got := make(chan error, 1)
	resp, err := egi.Func(func(w http.ResponseWriter, r *egi.Request) error {
		w.(http.Flusher).Flush()
		got <- cause(r.Context())
		return nil
	}).Serve(t.Context(), newRequest("GET", "/"))
	require.NoError(t, err)
	resp.Body.Close()
	assert.ErrorIs(t, <-got, adapters.ErrAborted)
}

func TestForm(t *testing.T) {
	const form = "application/x-www-form-urlencoded"
	long := "a=" + strings.Repeat("x", egi.FormLimit-2)
	tests := []struct {
		name, contentType string
		body              io.Reader
		form              string
		left              int
		err               error
	}{
		{"none", "", nil, "map[]", 0, nil},
		{"form", form, strings.NewReader("a=1&a=2&b=%26+x"), "map[a:[1 2] b:[& x]]", 0, nil},
		{"parameter", "Application/X-WWW-Form-Urlencoded ;charset=utf-8", strings.NewReader("a=1"), "map[a:[1]]", 0, nil},
		{"other type", "text/plain", strings.NewReader("a=1"), "map[]", 3, nil},
		{"bad", form, strings.NewReader("a=%zz"), "map[]", 0, adapters.ErrBadRequest},
		{"broken off", form, io.MultiReader(strings.NewReader("a=1"), failing{}), "map[]", 0, adapters.ErrAborted},
		{"as long as may be", form, strings.NewReader(long), "", 0, nil},
		{"too long", form, strings.NewReader(long + "y"), "map[]", 0, adapters.ErrTooLarge},
		{"much too long", form, strings.NewReader(long + "y&b=2"), "map[]", 0, adapters.ErrTooLarge},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			req := newRequest("POST", "/?q=1")
			req.Body, req.ContentLength = tt.body, -1
			if tt.contentType != "" {
				req.Header = fields("Content-Type", tt.contentType)
			}
			_, _, err := ask(t, egi.Func(func(_ http.ResponseWriter, r *egi.Request) error {
				_, err := r.Form()
				values, again := r.Form()
				assert.Equal(t, err, again)
				if tt.form != "" {
					assert.Equal(t, tt.form, fmt.Sprint(values))
				}
				if tt.left > 0 {
					rest, _ := io.ReadAll(r.Body)
					assert.Len(t, rest, tt.left)
				}
				return err
			}), req)
			assert.ErrorIs(t, err, tt.err)
		})
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, adapters.ErrAborted }

// TestVariables has an application see exactly what a CGI program would.
func TestVariables(t *testing.T) {
	req := newRequest("POST", "/app/x?q=1")
	req.Script = adapters.Script{Name: "/app", PathInfo: "/x", Filename: "/srv/app", Root: "/srv"}
	req.Header = fields("X-A", "1", "X-A", "2", "Content-Type", "text/plain")
	req.AuthType, req.User, req.ContentLength = "Basic", "joe", 5
	req.Body = strings.NewReader("hello")
	req.Vars = []adapters.Var{{Name: "SSL_CLIENT_S_DN", Value: "CN=joe"}}
	want := map[string]string{}
	for name, value := range req.All() {
		want[name] = value
	}
	got := map[string]string{}
	_, _, err := ask(t, egi.Func(func(_ http.ResponseWriter, r *egi.Request) error {
		for name, value := range r.All() {
			got[name] = value
			assert.Equal(t, value, r.Var(name))
		}
		return nil
	}), req)
	require.NoError(t, err)
	assert.Equal(t, want, got)
	assert.Equal(t, "joe", got["REMOTE_USER"])

	_, _, err = ask(t, egi.HTTP(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		clear(got)
		for name, value := range adapters.RequestOf(r.Context()).All() {
			got[name] = value
		}
	})), req)
	require.NoError(t, err)
	assert.Equal(t, want, got)
}

func TestRegistry(t *testing.T) {
	var reg egi.Registry
	reg.Define("/dir/name.egi", func(w http.ResponseWriter, r *egi.Request) error {
		_, err := fmt.Fprintf(w, "%s %q", r.Var("SCRIPT_NAME"), r.Var("PATH_INFO"))
		return err
	})
	tests := []struct {
		path, body string
		status     int
	}{
		{"/dir/name.egi", `/dir/name.egi ""`, 200},
		{"/dir/name.egi?q", `/dir/name.egi ""`, 200},
		{"/dir/name.egi/more", `EGI Form: "/dir/name.egi/more" is not defined` + "\n", 404},
		{"/dir/NAME.egi", `EGI Form: "/dir/NAME.egi" is not defined` + "\n", 404},
		{"/", `EGI Form: "/" is not defined` + "\n", 404},
	}
	for _, tt := range tests {
		t.Run(tt.path, func(t *testing.T) {
			resp, body, err := ask(t, &reg, newRequest("GET", tt.path))
			require.NoError(t, err)
			assert.Equal(t, tt.status, resp.Status)
			assert.Equal(t, tt.body, body)
		})
	}
	t.Run("mounted", func(t *testing.T) {
		_, body, err := ask(t, adapters.Mount("/dir", &reg), newRequest("GET", "/dir/name.egi"))
		require.NoError(t, err)
		assert.Equal(t, `/dir/name.egi ""`, body)
	})
}

func TestDefine(t *testing.T) {
	var reg egi.Registry
	fn := func(http.ResponseWriter, *egi.Request) error { return nil }
	reg.Define("/a", fn)
	assert.Panics(t, func() { reg.Define("/a", fn) }, "twice")
	assert.Panics(t, func() { reg.Define("a", fn) }, "no slash")
	assert.Panics(t, func() { reg.Define("", fn) }, "empty")
	assert.Panics(t, func() { reg.Define("/b", nil) }, "nil")

	path := fmt.Sprintf("/TestDefine/%d", time.Now().UnixNano()) // -count=2 defines again
	egi.Define(path, fn)
	resp, _, err := ask(t, egi.DefaultRegistry, newRequest("GET", path))
	require.NoError(t, err)
	assert.Equal(t, 200, resp.Status)
}

func TestBuiltins(t *testing.T) {
	assert.Equal(t, []string{"echo", "hello"}, egi.BuiltinNames())
	_, ok := egi.Builtin("nothing")
	assert.False(t, ok)
	hello, ok := egi.Builtin("hello")
	require.True(t, ok)
	resp, body, err := ask(t, hello, newRequest("GET", "/"))
	require.NoError(t, err)
	assert.Equal(t, "Hello, world!\n", body)
	assert.Equal(t, "14", resp.Header.Get("Content-Length"))
}

func TestEcho(t *testing.T) {
	req := newRequest("POST", "/x?q=%2F")
	req.Header = fields("X-Quote", `"q"`, "X-Tab", "a\tb", "X-Umlaut", "ä", "X-Latin", "\xe4")
	req.Body, req.ContentLength = bytes.NewReader([]byte("abc")), 3
	resp, body, err := ask(t, egi.Echo, req)
	require.NoError(t, err)
	assert.Equal(t, "text/plain; charset=utf-8", resp.Header.Get("Content-Type"))
	assert.Equal(t, `CONTENT_LENGTH=3
GATEWAY_INTERFACE=CGI/1.1
HTTP_HOST=example.org
HTTP_X_LATIN="\xe4"
HTTP_X_QUOTE="\"q\""
HTTP_X_TAB="a\tb"
HTTP_X_UMLAUT=ä
PATH_INFO=/x
QUERY_STRING=q=%2F
REMOTE_ADDR=192.0.2.1
REMOTE_PORT=4711
REQUEST_METHOD=POST
REQUEST_SCHEME=http
REQUEST_URI=/x?q=%2F
SCRIPT_NAME=
SERVER_ADDR=192.0.2.2
SERVER_NAME=example.org
SERVER_PORT=80
SERVER_PROTOCOL=HTTP/1.1
SERVER_SOFTWARE=gangway

BODY_LENGTH=3
BODY_SHA256=ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad
`, body)
	req.Body = io.MultiReader(strings.NewReader("a"), failing{})
	_, _, err = ask(t, egi.Echo, req)
	assert.ErrorIs(t, err, adapters.ErrAborted)
}
