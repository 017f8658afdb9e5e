package apps_test

import (
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/adapters/apps"
	"github.com/gangway-go/gangway/internal/peer"
	"github.com/gangway-go/gangway/internal/testlog"
)

// phpPrograms are the two ways to run PHP.
func phpPrograms(t *testing.T) map[string]string {
	fpm, _ := filepath.Glob("/usr/sbin/php-fpm*")
	if len(fpm) == 0 {
		fpm = []string{peer.Need(t, "php-fpm")}
	}
	return map[string]string{"php-fpm": fpm[0], "php-cgi": peer.Need(t, "php-cgi")}
}

// eachPHP runs a test for the application in dir with each way to run PHP.
func eachPHP(t *testing.T, dir string, test func(t *testing.T, s *site, log *testlog.Buffer)) {
	for name, program := range phpPrograms(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			log := new(testlog.Buffer)
			o := options(log)
			o.Processes, o.Programs = 2, map[apps.Kind]string{apps.PHP: program}
			app, err := apps.Start(t.Context(), "", dir, o)
			require.NoError(t, err)
			t.Cleanup(func() { assert.NoError(t, app.Close(context.Background())) })
			assert.Equal(t, apps.PHP, app.Kind)
			test(t, serve(t, adapters.Mount("/m", app)), log)
		})
	}
}

const showScript = `<?php
header("Content-Type: text/plain");
foreach (["SCRIPT_NAME", "PATH_INFO", "SCRIPT_FILENAME", "DOCUMENT_ROOT", "REQUEST_URI", "QUERY_STRING"] as $n)
    echo $n, "=", $_SERVER[$n] ?? "-", "\n";
echo "APPS_TEST=", getenv("APPS_TEST"), "\n";
echo "BODY=", strlen(file_get_contents("php://input")), "\n";
`

func TestPHP(t *testing.T) {
	dir := folder(t,
		"index.php", showScript,
		"sub/show.php", showScript,
		"sub/index.php", showScript,
		"docs/index.html", "<p>docs",
		"style.css", "css",
		"public/only.css", "public",
		"fatal.php", `<?php error_log("logged"); nowhere();`,
		"secret.inc", "<?php", "old.php~", "<?php", "composer.json", "{}", ".env", "KEY=1", "code.PHP", "<?php",
	)
	tests := []struct {
		path   string
		status int
		body   []string // what is in it
	}{
		{"/m/", 200, []string{"SCRIPT_NAME=/m/index.php\n", "PATH_INFO=-\n", "DOCUMENT_ROOT=" + dir + "\n",
			"SCRIPT_FILENAME=" + dir + "/index.php\n", "REQUEST_URI=/m/\n"}},
		{"/m/sub/show.php/a%20b?c=d", 200, []string{"SCRIPT_NAME=/m/sub/show.php\n", "PATH_INFO=/a b\n", "QUERY_STRING=c=d\n",
			"SCRIPT_FILENAME=" + dir + "/sub/show.php\n"}},
		{"/m/sub", 301, nil},
		{"/m/sub/", 200, []string{"SCRIPT_NAME=/m/sub/index.php\n"}},
		{"/m/docs/", 200, []string{"<p>docs"}},
		{"/m/style.css", 200, []string{"css"}},
		{"/m/only.css", 200, []string{"public"}},
		{"/m/nowhere.php", 200, []string{"SCRIPT_NAME=/m/index.php\n"}},
		{"/m/no/where?x", 200, []string{"SCRIPT_NAME=/m/index.php\n", "REQUEST_URI=/m/no/where?x\n"}},
		{"/m/a%2Fb", 200, []string{"SCRIPT_NAME=/m/index.php\n", "REQUEST_URI=/m/a%2Fb\n"}},
		{"/m/secret.inc", 200, []string{"SCRIPT_NAME=/m/index.php\n"}},
		{"/m/old.php~", 200, []string{"SCRIPT_NAME=/m/index.php\n"}},
		{"/m/composer.json", 404, nil},
		{"/m/.env", 404, nil},
		{"/m/code.PHP", 200, []string{"SCRIPT_NAME=/m/index.php\n"}},
		{"/m/fatal.php", 500, nil},
	}
	eachPHP(t, dir, func(t *testing.T, s *site, log *testlog.Buffer) {
		for _, tt := range tests {
			status, body := s.get(tt.path)
			assert.Equal(t, tt.status, status, tt.path)
			for _, text := range tt.body {
				assert.Contains(t, body, text, tt.path)
			}
			assert.NotContains(t, body, "<?php", tt.path)
		}
		resp := s.do("POST", "/m/", strings.Repeat("x", 3<<20))
		b, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		assert.Contains(t, string(b), "BODY=3145728\n")
		assert.Contains(t, string(b), "APPS_TEST=kept\n")
	})
}

// Without an index.php nobody is asked for what is not there.
func TestPHPScripts(t *testing.T) {
	dir := folder(t, "page.php", showScript, "secret.inc", "<?php", "old.php~", "<?php", ".env", "KEY=1", "code.PHP", "<?php")
	eachPHP(t, dir, func(t *testing.T, s *site, log *testlog.Buffer) {
		for path, want := range map[string]int{
			"/m/page.php": 200, "/m/nowhere.php": 404, "/m/nowhere": 404, "/m/a%2Fb": 404, "/m/secret.inc": 404,
			"/m/old.php~": 404, "/m/.env": 404, "/m/code.PHP": 404,
		} {
			status, _ := s.get(path)
			assert.Equal(t, want, status, path)
		}
	})
}

func TestPHPStream(t *testing.T) {
	dir := folder(t, "slow.php",
		`<?php ob_end_flush(); echo "one"; flush();
while (!file_exists($_SERVER["QUERY_STRING"])) { clearstatcache(); usleep(1000); }
echo "two";`)
	eachPHP(t, dir, func(t *testing.T, s *site, log *testlog.Buffer) {
		file := filepath.Join(t.TempDir(), "go")
		resp := s.do("GET", "/m/slow.php?"+file, "")
		buf := make([]byte, 3)
		_, err := io.ReadFull(resp.Body, buf)
		require.NoError(t, err)
		assert.Equal(t, "one", string(buf))
		require.NoError(t, os.WriteFile(file, nil, 0o600))
		rest, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		assert.Equal(t, "two", string(rest))
	})
}

// Two processes serve two requests at once; a killed one is replaced.
func TestPHPProcesses(t *testing.T) {
	dir := folder(t, "pid.php", `<?php usleep(50000); echo getmypid();`)
	eachPHP(t, dir, func(t *testing.T, s *site, log *testlog.Buffer) {
		var mu sync.Mutex
		pids := map[string]int{}
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				status, pid := s.get("/m/pid.php")
				mu.Lock()
				defer mu.Unlock()
				assert.Equal(t, 200, status)
				pids[pid]++
			})
		}
		wg.Wait()
		assert.Len(t, pids, 2)
		for pid := range pids {
			require.NoError(t, exec.Command("kill", "-KILL", pid).Run())
		}
		require.Eventually(t, func() bool {
			status, pid := s.get("/m/pid.php")
			return status == 200 && pids[pid] == 0
		}, 20*time.Second, time.Millisecond)
	})
}

func TestPHPFrontController(t *testing.T) {
	dir := folder(t, "public/index.php", showScript, "public/app.js", "js", "config.php", "<?php echo 'config';")
	eachPHP(t, dir, func(t *testing.T, s *site, log *testlog.Buffer) {
		for path, want := range map[string]string{
			"/m/":                "REQUEST_URI=/m/\n",
			"/m/posts/1?x=y":     "REQUEST_URI=/m/posts/1?x=y\n",
			"/m/config.php":      "SCRIPT_FILENAME=" + dir + "/public/index.php\n",
			"/m/index.php/posts": "PATH_INFO=/posts\n",
			"/m/app.js":          "js",
		} {
			status, body := s.get(path)
			assert.Equal(t, 200, status, path)
			assert.Contains(t, body, want, path)
		}
	})
}

func TestPHPMaxRequests(t *testing.T) {
	for name, program := range phpPrograms(t) {
		t.Run(name, func(t *testing.T) {
			o := options(new(testlog.Buffer))
			o.Processes, o.MaxRequests, o.Programs = 1, 3, map[apps.Kind]string{apps.PHP: program}
			s := startApp(t, "", folder(t, "pid.php", `<?php echo getmypid();`), o)
			pids := map[string]bool{}
			require.Eventually(t, func() bool {
				status, pid := s.get("/pid.php")
				require.Equal(t, 200, status)
				pids[pid] = true
				return len(pids) > 2
			}, 20*time.Second, time.Millisecond)
		})
	}
}

func TestFindPHP(t *testing.T) {
	dir := folder(t, "index.php", "")
	bin := folder(t, "php-fpm7.4", "", "php-fpm8.10", "", "php-fpm8.2", "", "php-fpm-config", "", "php-fpmx", "",
		"php-cgi8.10", "")
	t.Setenv("PATH", bin)
	allow := func(name string) { require.NoError(t, os.Chmod(filepath.Join(bin, name), 0o755)) }
	start := func(programs map[apps.Kind]string) string {
		_, err := apps.Start(t.Context(), "", dir, apps.Options{Programs: programs, Log: options(new(testlog.Buffer)).Log})
		require.Error(t, err)
		return err.Error()
	}
	assert.Equal(t, "php: "+bin+"/none not found", start(map[apps.Kind]string{apps.PHP: bin + "/none"}))
	if found, _ := filepath.Glob("/usr/*sbin/php-fpm*"); len(found) == 0 {
		assert.Equal(t, "php: neither php-fpm nor php-cgi found: apt install php-fpm", start(nil))
	}
	for _, name := range []string{"php-fpm7.4", "php-fpm8.10", "php-fpm8.2", "php-fpm-config", "php-fpmx"} {
		allow(name)
	}
	assert.Contains(t, start(nil), bin+"/php-fpm8.10: exec format error")
}
