package middleware

import (
	"context"
	"maps"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/adapters"
)

// post is a request with all that an Authorizer must not get.
func post() *adapters.Request {
	req := get("/app/x?y=z", "Content-Type", "text/plain", "Variable-REMOTE_USER", "eve", "Remote-User", "eve")
	req.Method = "POST"
	req.Body, req.ContentLength = strings.NewReader("body"), 4
	req.Script = adapters.Script{Name: "/app", PathInfo: "/x", Filename: "/srv/app.php", Root: "/srv"}
	req.Vars = []adapters.Var{{Name: "CONTENT_LENGTH", Value: "4"}, {Name: "PATH_TRANSLATED", Value: "/srv/x"},
		{Name: "PATH_INFO", Value: "/x"}, {Name: "SCRIPT_NAME", Value: "/app"}, {Name: "KEPT", Value: "1"}}
	req.Trace = new(adapters.Trace)
	req.Informational = func(int, adapters.Header) error { return nil }
	return req
}

// What the Authorizer gets, FastCGI 1.0 section 6.3.
func TestAuthorizerRequest(t *testing.T) {
	authorizer, a := &app{}, &app{}
	req := post()
	_, _, err := serve(t, adapters.Chain(a, Authorize(authorizer)), req)
	require.NoError(t, err)

	got := authorizer.last(t)
	assert.Equal(t, adapters.Authorizer, got.Role)
	assert.Nil(t, got.Body)
	assert.Nil(t, got.Informational)
	assert.Nil(t, got.Trace, "the log is about the application")
	vars := maps.Collect(got.All())
	for _, name := range []string{"CONTENT_LENGTH", "PATH_INFO", "PATH_TRANSLATED", "SCRIPT_NAME"} {
		assert.NotContains(t, vars, name)
	}
	for name, want := range map[string]string{
		"REQUEST_METHOD": "POST", "REQUEST_URI": "/app/x?y=z", "QUERY_STRING": "y=z", "CONTENT_TYPE": "text/plain",
		"SCRIPT_FILENAME": "/srv/app.php", "DOCUMENT_ROOT": "/srv", "REMOTE_ADDR": "192.0.2.7", "KEPT": "1",
	} {
		assert.Equal(t, want, vars[name], name)
	}
	vars = maps.Collect(a.last(t).All())
	assert.Equal(t, "4", vars["CONTENT_LENGTH"])
	assert.Equal(t, adapters.Responder, a.last(t).Role)
	assert.Same(t, req.Body, a.last(t).Body)
}

func TestAuthorized(t *testing.T) {
	tests := []struct {
		name       string
		fields     []string
		want       map[string]string
		user, auth string
	}{
		{"nothing", nil, map[string]string{"KEPT": "1"}, "front", "Front"},
		{"the specification's example", []string{"Variable-AUTH_METHOD", "database lookup"},
			map[string]string{"AUTH_METHOD": "database lookup", "KEPT": "1"}, "front", "Front"},
		{"case of names", []string{"variable-Auth_method", "x", "Variable-Remote_user", "bob"},
			map[string]string{"AUTH_METHOD": "x", "REMOTE_USER": "bob"}, "bob", "Front"},
		{"user", []string{"Variable-REMOTE_USER", "bob", "Variable-AUTH_TYPE", "Token"},
			map[string]string{"REMOTE_USER": "bob", "AUTH_TYPE": "Token"}, "bob", "Token"},
		{"wins", []string{"Variable-KEPT", "2", "Variable-QUERY_STRING", "q"},
			map[string]string{"KEPT": "2", "QUERY_STRING": "q"}, "front", "Front"},
		{"empty removes", []string{"Variable-KEPT", "", "Variable-REMOTE_USER", ""},
			map[string]string{"KEPT": "", "REMOTE_USER": ""}, "", "Front"},
		{"no name", []string{"Variable-", "x", "Variable", "y", "VariableX", "z"}, map[string]string{"": ""},
			"front", "Front"},
		{"other fields", []string{"Set-Cookie", "x", "REMOTE_USER", "eve"}, map[string]string{"SET_COOKIE": ""},
			"front", "Front"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := &app{}
			authorizer := &app{resp: answers(200, "dropped", tt.fields...)}
			req := post()
			req.User, req.AuthType = "front", "Front"
			resp, body, err := serve(t, adapters.Chain(a, Authorize(authorizer)), req)
			require.NoError(t, err)
			assert.Equal(t, 200, resp.Status)
			assert.Equal(t, "hello", body)
			assert.False(t, resp.Header.Has("Set-Cookie"))
			got := a.last(t)
			assert.Equal(t, req.Header, got.Header, "variables are no fields")
			assert.Equal(t, tt.user, got.User)
			assert.Equal(t, tt.auth, got.AuthType)
			vars := maps.Collect(got.All())
			for name, want := range tt.want {
				assert.Equal(t, want, vars[name], name)
			}
			if tt.user == "bob" {
				assert.Equal(t, "bob", req.Trace.User())
			}
		})
	}
}

// Requests share their Vars, spare room and all.
func TestAuthorizedLeavesVars(t *testing.T) {
	req := post()
	req.Vars = append(make([]adapters.Var, 0, 20), req.Vars...)
	authorizer := &app{resp: answers(200, "", "Variable-X", "y")}
	_, _, err := serve(t, adapters.Chain(&app{}, Authorize(authorizer)), req)
	require.NoError(t, err)
	assert.Zero(t, req.Vars[:len(req.Vars)+1][len(req.Vars)])
}

// The fields that a client sends take no variable's place.
func TestAuthorizerCannotBeSpoofed(t *testing.T) {
	whoami := &app{}
	whoami.resp = func() *adapters.Response {
		vars := maps.Collect(whoami.last(t).All())
		return adapters.Reply(200, "text/plain", "user="+vars["REMOTE_USER"]+" level="+vars["LEVEL"])
	}
	authorizer := &app{resp: answers(200, "", "Variable-REMOTE_USER", "bob")}
	server := httptest.NewServer(adapters.HTTP(adapters.Chain(whoami, Authorize(authorizer))))
	defer server.Close()
	out := command(t, "", "curl", "-sS", "-H", "Variable-REMOTE_USER: eve", "-H", "REMOTE_USER: eve",
		"-H", "Remote-User: eve", "-H", "Variable-LEVEL: 9", "-H", "LEVEL: 9", "-H", "Level: 9", server.URL)
	assert.Equal(t, "user=bob level=", out)
}

func TestAuthorizerDenies(t *testing.T) {
	for _, status := range []int{201, 204, 302, 401, 403, 500} {
		a := &app{}
		authorizer := &app{resp: answers(status, "no", "WWW-Authenticate", "Token", "Variable-X", "y")}
		resp, body, err := serve(t, adapters.Chain(a, Authorize(authorizer)), post())
		require.NoError(t, err)
		assert.Equal(t, status, resp.Status)
		assert.Equal(t, "no", body)
		assert.Equal(t, "Token", resp.Header.Get("WWW-Authenticate"))
		assert.Empty(t, a.requests)
	}
}

func TestAuthorizerFails(t *testing.T) {
	cut := func(err error) func() *adapters.Response {
		return func() *adapters.Response {
			return &adapters.Response{Status: 200, Body: &testBody{Reader: strings.NewReader("x"), err: err}}
		}
	}
	busy := &adapters.Error{Op: "x", Err: adapters.ErrBusy, RetryAfter: 3 * time.Second}
	tests := []struct {
		name       string
		authorizer app
		status     int
	}{
		{"unreachable", app{err: adapters.ErrUnreachable}, 502},
		{"time-out", app{err: adapters.ErrTimeout}, 504},
		{"busy", app{err: busy}, 503},
		{"declines, which must not open another route", app{err: adapters.ErrDeclined}, 502},
		{"rewrites", app{err: &adapters.Rewrite{Path: "/public"}}, 500},
		{"not found", app{err: adapters.ErrNotFound}, 502},
		{"too large", app{err: adapters.ErrTooLarge}, 502},
		{"breaks off after 200", app{resp: cut(adapters.ErrTruncated)}, 502},
		{"aborts after 200", app{resp: cut(adapters.ErrAborted)}, 502},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := &app{}
			open := &app{}
			d := &adapters.Dispatcher{Routes: []adapters.Route{
				{Prefix: "/app", To: adapters.Chain(a, Authorize(&tt.authorizer))}, {To: open},
			}}
			_, _, err := serve(t, d, post())
			assert.Equal(t, tt.status, adapters.StatusOf(err))
			require.NotErrorIs(t, err, adapters.ErrDeclined)
			assert.Empty(t, a.requests)
			assert.Empty(t, open.requests)
			assert.Equal(t, adapters.RetryAfter(tt.authorizer.err), adapters.RetryAfter(err))
		})
	}

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := adapters.Chain(&app{}, Authorize(&app{err: ctx.Err()})).Serve(ctx, post())
	assert.Equal(t, adapters.StatusClientGone, adapters.StatusOf(err), "the client is gone")
}

func TestAuthorizerThatTalks(t *testing.T) {
	body := &testBody{Reader: strings.NewReader(strings.Repeat("x", 3*authorizerDrain))}
	authorizer := &app{resp: func() *adapters.Response { return &adapters.Response{Status: 200, Body: body} }}
	_, got, err := serve(t, adapters.Chain(&app{}, Authorize(authorizer)), post())
	require.NoError(t, err)
	assert.Equal(t, "hello", got)
	assert.Equal(t, 1, body.closed)
}
