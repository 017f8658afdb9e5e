package open_test

import (
	"context"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/adapters/adaptertest"
)

// randomValue returns bytes of all kinds but the control bytes; high ones need not be UTF-8.
func randomValue(rnd *rand.Rand) string {
	b := make([]byte, 1+rnd.IntN(40))
	for i := range b {
		if b[i] = byte('!' + rnd.IntN(256-'!')); b[i] == 0x7f {
			b[i] = 0xfe
		}
	}
	return string(b)
}

// randomVariables returns every variable, with values that agree with nothing but their syntax.
func randomVariables(rnd *rand.Rand) map[string]string {
	vars := map[string]string{}
	for _, name := range adaptertest.Variables {
		vars[name] = randomValue(rnd)
	}
	maps.Copy(vars, map[string]string{
		"REQUEST_METHOD": "POST", "CONTENT_LENGTH": "5", "PATH_INFO": vars["PATH_INFO"] + "/vars", "FCGI_ROLE": "RESPONDER",
		"HTTPS": "on", "REQUEST_SCHEME": "http", "QUERY_STRING": "rewritten=" + vars["QUERY_STRING"],
		"HTTP_COOKIE": strings.Repeat("c", 70_000), "SSL_CLIENT_CERT": "-----BEGIN\n\tlines\n-----END\n",
		"REMOTE_USER": "caf\xe9 \xff\xfe",
	})
	vars["QUERY_STRING"] = strings.NewReplacer("%", "p", ";", "s").Replace(vars["QUERY_STRING"]) // App parses it
	return vars
}

// mustExist are the variables that a gateway adds if they are missing, and what follows from others.
var mustExist = []string{"GATEWAY_INTERFACE", "SERVER_SOFTWARE", "PATH", "SCGI"}

// answerVariables asks for the variables that the application sees.
func answerVariables(t *testing.T, h adapters.Handler, req *adapters.Request) map[string]string {
	t.Helper()
	resp, err := h.Serve(context.Background(), req)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Equal(t, 200, resp.Status, string(body))
	out := map[string]string{}
	for line := range strings.Lines(string(body)) {
		name, quoted, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		value, err := strconv.Unquote(quoted)
		require.NoError(t, err, line)
		assert.NotContains(t, out, name, "twice")
		out[name] = value
	}
	return out
}

// No variable is lost, changed or made up between any two of the protocols that carry variables.
func TestVariables(t *testing.T) {
	for _, front := range frontends {
		for _, back := range backends {
			if front.protocol == "cgi" && (back.protocol == "cgi" || back.protocol == "egi") {
				continue
			}
			carries := func(string) bool { return true }
			if strings.HasPrefix(front.protocol, "h") || back.protocol == "http" {
				carries = httpCarries
			}
			t.Run(fmt.Sprintf("%s to %s", front.name, back.name), func(t *testing.T) {
				h, address := back.open(t)
				way := front.open(t, h, address)
				rnd := rand.New(rand.NewPCG(7, 7))
				for range 5 {
					compareVariables(t, way, randomVariables(rnd), carries)
				}
			})
		}
	}
}

// httpCarries reports whether HTTP has a place for a variable, and no rule of its own for it.
func httpCarries(name string) bool {
	switch name {
	case "REQUEST_METHOD", "CONTENT_LENGTH", "CONTENT_TYPE":
		return true
	case "HTTP_", "HTTP_lower", "HTTP_CONTENT_TYPE", "HTTP_CONTENT_LENGTH", "HTTP_CONNECTION", "HTTP_X_FORWARDED_FOR",
		"HTTP_HOST":
		return false
	}
	return strings.HasPrefix(name, "HTTP_")
}

func compareVariables(t *testing.T, way adapters.Handler, in map[string]string, carries func(string) bool) {
	t.Helper()
	if carries("REMOTE_USER") {
		in["REQUEST_URI"] = "/" + in["REQUEST_URI"]
	} else {
		in["REQUEST_URI"], in["HTTP_HOST"] = "/x/vars?"+strings.Repeat("q", 100), "example.org"
		in["QUERY_STRING"], in["PATH_INFO"], in["SCRIPT_NAME"] = strings.Repeat("q", 100), "/x/vars", ""
		in["HTTP_COOKIE"] = in["HTTP_COOKIE"][:20_000] // the limit of an HTTP listener is 64 KiB
	}
	req, err := adapters.ParseVars(maps.All(in))
	require.NoError(t, err)
	req.Body = strings.NewReader("hello")
	out := answerVariables(t, way, req)
	for name, value := range in {
		if carries(name) {
			assert.Equal(t, value, out[name], name)
		}
	}
	for name := range out {
		if _, ok := in[name]; !ok && carries("REMOTE_USER") {
			assert.Contains(t, mustExist, name)
		}
	}
}
