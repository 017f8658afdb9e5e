//go:build unix

package gofast_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	upstream "github.com/yookoala/gofast"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/fastcgi"
	"github.com/gangway-go/gangway/fastcgi/gofast"
)

const script = `<?php
header('X-Long: ' . str_repeat('x', 3000));
header('Set-Cookie: a=1');
header('Set-Cookie: b=2', false);
http_response_code(201);
error_log('a diagnostic');
echo implode(' ', [$_SERVER['REQUEST_METHOD'], $_SERVER['SCRIPT_NAME'], $_SERVER['PATH_INFO'], $_GET['q'],
	implode(',', $_COOKIE), strlen(file_get_contents('php://input')), isset($_SERVER['HTTP_PROXY']) ? 'proxy' : 'none']);
`

// TestPHP asks a php-fpm of its own, in the three ways of this package.
func TestPHP(t *testing.T) {
	root := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(root, "a.php"), []byte(script), 0o644))
	socket := startPHP(t)
	engine := &gofast.Engine{Network: "unix", Address: socket}
	client := &fastcgi.Client{Network: "unix", Address: socket}
	t.Cleanup(func() { assert.NoError(t, client.Close()) })
	connect, stop := gofast.ConnFactory(client)
	t.Cleanup(func() { assert.NoError(t, stop()) })
	ways := []struct {
		name string
		h    adapters.Handler
	}{
		{"engine", engine},
		{"conns", &gofast.Engine{Network: "pipe", Address: "conns",
			Dial: func(context.Context, string, string) (net.Conn, error) { return connect() }}},
		{"mapped client", client},
	}
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			h := gofast.Map(upstream.NewPHPFS(root), way.h)
			req := withBody(newRequest("POST", "/a.php/info"), strings.NewReader(strings.Repeat("b", 100_000)), -1)
			req.URI, req.Query = "/a.php/info?q=query", "q=query"
			req.Header = fields("Cookie: c=3", "Cookie: d=4", "Proxy: evil", "Content-Type: text/plain")
			var stderr buffer
			req.Stderr = &stderr
			resp, err := h.Serve(t.Context(), req)
			assert.Equal(t, "POST /a.php /info query 3,4 100000 none", text(t, resp, err))
			assert.Equal(t, 201, resp.Status)
			assert.Contains(t, stderr.String(), "a diagnostic")
			assert.Len(t, resp.Header.Get("X-Long"), 3000)
			assert.Equal(t, []string{"a=1", "b=2"}, resp.Header.Values("Set-Cookie"))
		})
	}
}

// startPHP starts a php-fpm until the end of the test, and returns its socket.
func startPHP(t *testing.T) string {
	program := ""
	for _, pattern := range []string{"/usr/sbin/php-fpm*", "/usr/local/sbin/php-fpm*", "/opt/*/sbin/php-fpm"} {
		if found, _ := filepath.Glob(pattern); len(found) > 0 {
			program = found[0]
		}
	}
	if program == "" {
		if os.Getenv("CI") == "true" {
			t.Fatal("php-fpm is not installed")
		}
		t.Skip("php-fpm is not installed")
	}
	dir := t.TempDir()
	conf, socket := filepath.Join(dir, "fpm.conf"), filepath.Join(dir, "s")
	require.NoError(t, os.WriteFile(conf, fmt.Appendf(nil, "[global]\nerror_log = %[1]s/log\ndaemonize = no\n"+
		"[www]\nuser = %[2]d\ngroup = %[3]d\nlisten = %[1]s/s\npm = static\npm.max_children = 4\n",
		dir, os.Getuid(), os.Getgid()), 0o600))
	cmd := exec.Command(program, "-F", "-R", "-n", "-y", conf)
	var output buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		assert.NoError(t, cmd.Wait(), output.String())
	})
	require.Eventually(t, func() bool {
		c, err := net.Dial("unix", socket)
		if err == nil {
			c.Close()
		}
		return err == nil
	}, 30*time.Second, 10*time.Millisecond, "php-fpm: %s", &output)
	return socket
}
