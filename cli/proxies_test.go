package cli

import (
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/internal/peer"
)

// TestBehindProxies: nginx and HAProxy, as docs/headers.md configures them, say who the client is; what a client says
// itself is not believed.
func TestBehindProxies(t *testing.T) {
	page, err := os.ReadFile("../docs/headers.md")
	require.NoError(t, err)
	t.Run("nginx", func(t *testing.T) {
		snippet := regexp.MustCompile("(?s)```nginx\n(.*?)```").FindSubmatch(page)
		require.NotNil(t, snippet)
		socket := peer.Dir(t) + "/gangway.sock"
		gangway(t, 1, nil, "bridge", "--from", "http+unix://"+socket, "--socket-mode", "0666", "--to", "egi:echo",
			"--trust-proxy", "127.0.0.1")
		address := peer.Nginx(t, strings.ReplaceAll(string(snippet[1]), "/run/gangway.sock", socket))
		askFrom(t, "127.0.0.2", "http://"+address, "REMOTE_ADDR=127.0.0.2", "HTTP_X_FORWARDED_FOR=127.0.0.2",
			"REALIP_REMOTE_ADDR=127.0.0.1", "REQUEST_SCHEME=http", "SERVER_PORT="+address[strings.LastIndex(address, ":")+1:])
	})
	for _, version := range []string{"send-proxy", "send-proxy-v2"} {
		t.Run("HAProxy, "+version, func(t *testing.T) {
			require.Contains(t, string(page), "send-proxy-v2")
			for _, address := range gangway(t, 1, nil, "bridge", "--from", "http://127.0.0.1:0", "--to", "egi:echo",
				"--trust-proxy", "127.0.0.1", "--proxy-protocol") {
				front := peer.HAProxyHTTP(t, strings.TrimPrefix(address, "http://")+" "+version, "http-reuse never")
				_, port, err := net.SplitHostPort(front)
				require.NoError(t, err)
				askFrom(t, "127.0.0.2", "http://"+front, "REMOTE_ADDR=127.0.0.2", "SERVER_ADDR=127.0.0.1", "SERVER_PORT="+port,
					"REALIP_REMOTE_ADDR=127.0.0.1")
			}
		})
	}
}

// askFrom asks as a client with an address, which says that it has another one, and looks for lines in the answer.
func askFrom(t *testing.T, local, url string, wants ...string) {
	t.Helper()
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(local)}}
	transport := &http.Transport{DialContext: dialer.DialContext}
	defer transport.CloseIdleConnections()
	req, err := http.NewRequest(http.MethodGet, url+"/x", http.NoBody)
	require.NoError(t, err)
	req.Header.Set("X-Forwarded-For", "6.6.6.6")
	req.Header.Set("X-Forwarded-Proto", "https")
	req.Header.Set("Forwarded", "for=6.6.6.6")
	resp, err := (&http.Client{Transport: transport, Timeout: patience}).Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	for _, want := range wants {
		assert.Contains(t, "\n"+string(body), "\n"+want+"\n")
	}
}
