//go:build unix

package gofast_test

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	upstream "github.com/yookoala/gofast"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/fastcgi"
	"github.com/gangway-go/gangway/fastcgi/gofast"
	"github.com/gangway-go/gangway/internal/peer"
	"github.com/gangway-go/gangway/internal/testlog"
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
	root := peer.Dir(t)
	require.NoError(t, os.WriteFile(filepath.Join(root, "a.php"), []byte(script), 0o644))
	_, socket := peer.PHPFPM(t, "")
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
			var stderr testlog.Buffer
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
