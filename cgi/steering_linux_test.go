package cgi_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/cgi"
)

// Of a request, nothing that chooses the code of a program reaches one that runs as another user.
func TestScriptSteering(t *testing.T) {
	t.Setenv("PATH", "/ours")
	t.Setenv("LD_PRELOAD", "/ours") // is not passed on anyway
	steering := strings.Fields(`LD_PRELOAD LD_LIBRARY_PATH LD_AUDIT DYLD_INSERT_LIBRARIES GCONV_PATH GETCONF_DIR
		GLIBC_TUNABLES HOSTALIASES LOCALDOMAIN LOCPATH MALLOC_TRACE NIS_PATH NLSPATH RESOLV_HOST_CONF RES_OPTIONS TMPDIR
		TZDIR BASH_ENV BASH_FUNC_ls%% ENV IFS PERL5LIB PERL5OPT PYTHONPATH PYTHONSTARTUP RUBYOPT RUBYLIB NODE_OPTIONS
		JAVA_TOOL_OPTIONS PHPRC OPENSSL_CONF HOME PATH`)
	harmless := strings.Fields(`PATH_INFO QUERY_STRING REQUEST_ID HTTP_LD_PRELOAD HTTPS SSL_PROTOCOL GIT_PROJECT_ROOT
		APP_ENV RAILS_ENV NODE_ENV TZ LANG UNIQUE_ID REDIRECT_STATUS OLD_ ENVIRONMENT ld_preload`)
	req := &adapters.Request{}
	for _, name := range append(steering, harmless...) {
		req.Vars = append(req.Vars, adapters.Var{Name: name, Value: "theirs"})
	}
	for user, another := range map[string]bool{"": false, cgi.Self: false, cgi.Owner: true, cgi.OwnerOrRoot: true} {
		t.Run("user "+user, func(t *testing.T) {
			env, err := cgi.Environ(&cgi.Script{User: user, Env: []string{"LD_AUDIT=configured"}}, req)
			require.NoError(t, err)
			assert.Contains(t, env, "LD_AUDIT=configured")
			for _, name := range steering {
				if name != "LD_AUDIT" {
					assert.Equal(t, !another, slices.Contains(env, name+"=theirs"), name)
				}
			}
			for _, name := range harmless {
				assert.Contains(t, env, name+"=theirs")
			}
			assert.Equal(t, another, slices.Contains(env, "PATH=/ours"))
			assert.NotContains(t, env, "LD_PRELOAD=/ours")
		})
	}
}

// TestScriptSteeredAsUser: root gives a program of another user the configured variables alone, and keeps them itself.
func TestScriptSteeredAsUser(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can become somebody else")
	}
	for user, want := range map[string]string{
		"40123:40123": "none configured", "root": "theirs configured", cgi.Self: "theirs configured",
	} {
		t.Run(user, func(t *testing.T) {
			s := sh(t, head+"echo ${PERL5LIB-none} $PYTHONPATH")
			readable(t, s)
			s.User, s.Env = user, []string{"PYTHONPATH=configured"}
			_, body, err := ask(t, s, &adapters.Request{Vars: []adapters.Var{
				{Name: "PERL5LIB", Value: "theirs"}, {Name: "PYTHONPATH", Value: "theirs"},
			}})
			require.NoError(t, err)
			assert.Equal(t, want+"\n", body)
		})
	}
}
