package middleware

import (
	"maps"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/adapters"
)

func TestBasic(t *testing.T) {
	users := passwordList{"bob": "secret"}
	tests := []struct {
		name   string
		fields []string
		pass   bool
		status int
		want   adapters.Header // what the application gets
	}{
		{"right", []string{"Accept", "*/*", "Authorization", basicField("bob:secret")}, false, 200,
			adapters.Header{{Name: "Accept", Value: "*/*"}}},
		{"passed on", []string{"Authorization", basicField("bob:secret")}, true, 200,
			adapters.Header{{Name: "Authorization", Value: basicField("bob:secret")}}},
		{"wrong password", []string{"Authorization", basicField("bob:Secret")}, false, 401, nil},
		{"wrong user", []string{"Authorization", basicField("eve:secret")}, false, 401, nil},
		{"none", nil, false, 401, nil},
		{"two", []string{"Authorization", basicField("bob:secret"), "Authorization", basicField("eve:x")}, false, 401, nil},
		{"other scheme", []string{"Authorization", "Bearer x"}, false, 401, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := &app{}
			b := &Basic{Realm: `a "b" \c`, Users: users, PassAuthorization: tt.pass}
			req := get("/", tt.fields...)
			req.User, req.AuthType = "front", "Front"
			req.Vars = []adapters.Var{{Name: "REMOTE_USER", Value: "front"}, {Name: "KEPT", Value: "1"}}
			resp, body, err := serve(t, b.Wrap(a), req)
			require.NoError(t, err)
			assert.Equal(t, tt.status, resp.Status)
			if tt.status == 401 {
				assert.Equal(t, `Basic realm="a \"b\" \\c", charset="UTF-8"`, resp.Header.Get("WWW-Authenticate"))
				assert.Equal(t, "401 Unauthorized\n", body)
				assert.Empty(t, a.requests)
				return
			}
			assert.Equal(t, "bob", a.last(t).User)
			assert.Equal(t, "Basic", a.last(t).AuthType)
			assert.Equal(t, tt.want, a.last(t).Header)
			assert.Equal(t, []adapters.Var{{Name: "KEPT", Value: "1"}}, a.last(t).Vars)
			assert.Equal(t, "bob", maps.Collect(a.last(t).All())["REMOTE_USER"])
		})
	}
}

// newWhoami serves who the application thinks the user is; the request body too.
func newWhoami(t *testing.T, mw adapters.Middleware) string {
	whoami := &app{}
	whoami.resp = func() *adapters.Response {
		r := whoami.last(t)
		return adapters.Reply(200, "text/plain", r.AuthType+" "+r.User+" "+r.Header.Get("Authorization"))
	}
	server := httptest.NewServer(adapters.HTTP(adapters.Chain(whoami, mw)))
	t.Cleanup(server.Close)
	return server.URL
}

func TestBasicWithCurl(t *testing.T) {
	file, err := OpenHtpasswd(writeFile(t, "bob:"+bcryptHash+"\nzoë:"+sha1Hash+"\n"))
	require.NoError(t, err)
	url := newWhoami(t, (&Basic{Realm: "private", Users: file}).Wrap)
	curl := func(args ...string) string {
		return strings.TrimSpace(command(t, "", "curl", append([]string{"-sS", "-w", " %{http_code}"}, args...)...))
	}
	assert.Equal(t, "Basic bob  200", curl("--basic", "-u", "bob:secret", url))
	assert.Equal(t, "Basic bob  200", curl("--anyauth", "-u", "bob:secret", url), "chosen by the challenge")
	assert.Equal(t, "Basic zoë  200", curl("-u", "zoë:secret", url))
	assert.Equal(t, "401 Unauthorized\n 401", curl("-u", "bob:wrong", url))
	assert.Equal(t, "401 Unauthorized\n 401", curl(url))
}
