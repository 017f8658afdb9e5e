package cgi_test

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/cgi"
)

func TestScriptLimits(t *testing.T) {
	tests := []struct {
		name, script string
		limits       cgi.Limits
		status       int    // of an error
		body         string // of a response
		limit        string // that is named
	}{
		{"none", head + "ulimit -v", cgi.Limits{}, 0, "unlimited\n", ""},
		{"memory", head + "ulimit -v", cgi.Limits{Memory: 256 << 20}, 0, "262144\n", ""},
		{"files", head + "ulimit -n", cgi.Limits{Files: 50}, 0, "50\n", ""},
		{"processor", "while :; do :; done", cgi.Limits{CPU: time.Second}, 502, "", "cgi-cpu"},
		{"file size", "exec head -c 2000 /dev/zero >$0.out", cgi.Limits{FileSize: 1000}, 502, "", "cgi-file-size"},
		{"time", "exec sleep 100", cgi.Limits{Time: 50 * time.Millisecond}, 504, "", "cgi-time"},
		{"time, after the header", head + "exec sleep 100", cgi.Limits{Time: 300 * time.Millisecond}, 504, "", "cgi-time"},
		{"enough time", head + "echo done", cgi.Limits{Time: time.Hour}, 0, "done\n", ""},
		{"output", head + "head -c 1000 /dev/zero", cgi.Limits{Output: 500}, 502, "", "cgi-output"},
		{"output to the byte", head + "echo 123", cgi.Limits{Output: 30}, 0, "123\n", ""},
		{"output, a byte too much", head + "echo 1234", cgi.Limits{Output: 30}, 502, "",
			"cgi-output"},
		{"endless header", "yes X-Y: z", cgi.Limits{Output: 500}, 502, "", "cgi-output"},
		{"no limits", head + "ulimit -n >/dev/null; echo done", cgi.Limits{
			CPU: -1, Memory: -1, FileSize: -1, Files: -1, Processes: -1, Time: -1, Output: -1, Scripts: -1, Queue: -1, Wait: -1,
		}, 0, "done\n", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := sh(t, tt.script)
			s.Limits = tt.limits
			_, body, err := ask(t, s, &adapters.Request{})
			if tt.status == 0 {
				require.NoError(t, err)
				assert.Equal(t, tt.body, body)
				return
			}
			require.Error(t, err)
			assert.Equal(t, tt.status, adapters.StatusOf(err), "%v", err)
			assert.ErrorContains(t, err, "(limit "+tt.limit+")")
		})
	}
}

// held runs a script that ends when the function is called.
func held(t *testing.T, s *cgi.Script) (end func()) {
	resp, err := s.Serve(t.Context(), &adapters.Request{})
	require.NoError(t, err)
	return func() { resp.Body.Close() }
}

func TestScriptQueue(t *testing.T) {
	s := sh(t, head+"exec sleep 1000")
	s.Limits = cgi.Limits{Scripts: 1, Queue: 1, Wait: time.Hour}
	end := held(t, s)
	waits := make(chan error)
	waiting, leave := context.WithCancel(t.Context())
	go func() {
		_, err := s.Serve(waiting, &adapters.Request{})
		waits <- err
	}()
	isWaiting := func() bool { return cgi.Waiting(s) == 1 }
	require.Eventually(t, isWaiting, patience, time.Millisecond)
	_, err := s.Serve(t.Context(), &adapters.Request{})
	assert.ErrorContains(t, err, "1 requests wait already (limit queue)")
	assert.Equal(t, 503, adapters.StatusOf(err))
	leave()
	assert.ErrorIs(t, within(t, waits, "who leaves is no longer in the queue"), context.Canceled)

	go func() {
		resp, err := s.Serve(t.Context(), &adapters.Request{})
		if err == nil {
			resp.Body.Close()
		}
		waits <- err
	}()
	require.Eventually(t, isWaiting, patience, time.Millisecond)
	end()
	assert.NoError(t, within(t, waits, "the next script"))
}

func TestScriptQueueWait(t *testing.T) {
	s := sh(t, head+"exec sleep 1000")
	s.Limits = cgi.Limits{Scripts: 1, Wait: 50 * time.Millisecond}
	defer held(t, s)()
	_, err := s.Serve(t.Context(), &adapters.Request{})
	assert.ErrorContains(t, err, "waited 50ms for another script to end (limit queue-wait)")
	assert.Equal(t, 503, adapters.StatusOf(err))
}

// A script that cannot start leaves its place to the next.
func TestScriptQueueAfterFailure(t *testing.T) {
	s := closing(t, &cgi.Script{Path: write(t, "x.cgi", "#!/no/such/program\n")})
	s.Limits = cgi.Limits{Scripts: 1, Wait: time.Millisecond}
	for range 3 {
		_, err := s.Serve(t.Context(), &adapters.Request{})
		require.ErrorContains(t, err, "#! line")
	}
}

func TestScriptCannotBeConfined(t *testing.T) {
	path := write(t, "x.cgi", "#!/bin/sh\n")
	root := os.Getuid() == 0
	tests := []struct {
		name    string
		applies bool
		script  *cgi.Script
		says    string
	}{
		{"user", true, &cgi.Script{User: "no such"}, `there is no user "no such"`},
		{"another user", !root, &cgi.Script{User: "0"}, "only root can run programs as another user"},
		{"owner", !root, &cgi.Script{User: cgi.Owner}, "only root can run scripts as their owner"},
		{"owner root", root, &cgi.Script{User: cgi.Owner}, "it belongs to root"},
		{"profile", true, &cgi.Script{Sandbox: cgi.Sandbox{Profile: "tight"}}, `no profile "tight"`},
		{"of root", root, &cgi.Script{Sandbox: cgi.Sandbox{Profile: cgi.Strict}}, "sandbox: it does not hold root"},
		{"of root by name", root, &cgi.Script{User: "root", Sandbox: cgi.Sandbox{Profile: cgi.Strict}},
			"sandbox: it does not hold root"},
		{"processes of root", root, &cgi.Script{Limits: cgi.Limits{Processes: 9}}, "limit cgi-processes"},
		{"folder", !root, &cgi.Script{Sandbox: cgi.Sandbox{Profile: cgi.Strict, Read: []string{"/no/such"}}}, "/no/such"},
		{"interpreter", true, &cgi.Script{Sandbox: cgi.Sandbox{Profile: cgi.Strict},
			Interpreters: map[string]string{".x": "/no/such"}}, "interpreter"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if !tt.applies {
				t.Skip("another user's matter")
			}
			closing(t, tt.script).Path = path
			err := tt.script.Check()
			assert.ErrorContains(t, err, tt.says)
			_, _, again := ask(t, tt.script, &adapters.Request{})
			assert.ErrorContains(t, again, tt.says)
			assert.Contains(t, []int{403, 500}, adapters.StatusOf(again))
		})
	}
}

// A script that has another user may open its standard files by name again, and its environment does not change.
func TestScriptUser(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can become somebody else")
	}
	s := sh(t, head+"cat /dev/stdin >/dev/stdout; id -u; echo ${HOME-none}")
	readable(t, s)
	s.User = "40123:40123"
	_, body, err := ask(t, s, put(struct{ *strings.Reader }{strings.NewReader("hello\n")}, 6))
	require.NoError(t, err)
	assert.Equal(t, "hello\n40123\nnone\n", body)
}

// readable lets everybody into the folder of s.
func readable(t *testing.T, s *cgi.Script) {
	for dir := filepath.Dir(s.Path); dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		require.NoError(t, os.Chmod(dir, 0o755))
	}
}

// A script that runs as its owner, asked for by a link, runs in its own folder: that of the link may be anybody's.
func TestScriptOwnerFolder(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can become somebody else")
	}
	s := sh(t, head+"pwd; echo $SCRIPT_FILENAME")
	readable(t, s)
	real, err := filepath.EvalSymlinks(s.Path)
	require.NoError(t, err)
	require.NoError(t, os.Chown(real, 40123, 40123))
	link := filepath.Join(t.TempDir(), "link.php")
	require.NoError(t, os.Symlink(s.Path, link))
	s.User, s.Path, s.Interpreters = cgi.Owner, "", map[string]string{".php": "/nowhere"}
	req := &adapters.Request{Script: adapters.Script{Filename: link}}
	_, body, err := ask(t, s, req)
	require.NoError(t, err)
	assert.Equal(t, filepath.Dir(real)+"\n"+real+"\n", body)

	require.NoError(t, os.Lchown(link, 40123, 0))
	_, _, err = ask(t, s, req)
	assert.NoError(t, err, "its owner's link")
	require.NoError(t, os.Lchown(link, 40124, 0))
	_, _, err = ask(t, s, req)
	assert.ErrorContains(t, err, link+" is neither its owner's nor root's")
	assert.Equal(t, 403, adapters.StatusOf(err))
}

// A body that lies in a file of ours can be read by its name, too, by a script that runs as somebody else.
func TestScriptStdinOfAnother(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can become somebody else")
	}
	s := sh(t, head+"cat /dev/stdin; echo overwritten 2>/dev/null >&0 && echo WON")
	readable(t, s)
	s.User = "40123:40123"
	body, err := os.CreateTemp(t.TempDir(), "")
	require.NoError(t, err)
	defer body.Close()
	_, err = body.WriteString("hello")
	require.NoError(t, err)
	_, err = body.Seek(0, io.SeekStart)
	require.NoError(t, err)
	_, got, err := ask(t, s, &adapters.Request{Method: "POST", Body: body, ContentLength: 5})
	require.NoError(t, err)
	assert.Equal(t, "hello", got)
}

// Of all paths php-cgi gets the one that was looked at: it may run what PATH_TRANSLATED says, too.
func TestScriptOwnerPHP(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can become somebody else")
	}
	php := sh(t, head+`echo "$SCRIPT_FILENAME ${PATH_TRANSLATED-none}"`)
	readable(t, php)
	interpreter := filepath.Join(filepath.Dir(php.Path), "php-cgi")
	require.NoError(t, os.Rename(php.Path, interpreter))
	s := sh(t, "")
	readable(t, s)
	script, err := filepath.EvalSymlinks(s.Path)
	require.NoError(t, err)
	require.NoError(t, os.Chown(script, 40123, 40123))
	s.User, s.Interpreters = cgi.Owner, map[string]string{filepath.Ext(script): interpreter}
	_, body, err := ask(t, s, &adapters.Request{
		Script: adapters.Script{Filename: "/elsewhere", Root: "/somebody", PathInfo: "/else.php"},
	})
	require.NoError(t, err)
	assert.Equal(t, script+" none\n", body)
}
