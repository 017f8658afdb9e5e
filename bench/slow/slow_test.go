//go:build linux

package slow

import (
	"bytes"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// patience is for what should take a moment.
const patience = 20 * time.Second

// An application that serves one request at a time answers others while it has slow clients.
func TestOthersAreAnswered(t *testing.T) {
	apps := startApps(t)
	for _, http1 := range []string{"own", "net"} {
		g := startGangway(t, append(apps, "--http", http1, "--limit", "cgi-scripts=1")...)
		for _, path := range []string{"/fcgi", "/scgi", "/cgi"} {
			t.Run(http1+path, func(t *testing.T) {
				clients := startClients(t, g.address, path, 2, 2)
				defer clients.end()
				require.Eventually(t, func() bool { return clients.begun.Load() > 2*readPart }, patience, 10*time.Millisecond)
				client := &http.Client{Transport: &http.Transport{}, Timeout: patience}
				defer client.CloseIdleConnections()
				for range 3 {
					require.NoError(t, hello(client, "http://"+g.address+path))
				}
				_, disk := g.usage()
				assert.Positive(t, disk, "the responses go through files")
			})
		}
		assert.Eventually(t, func() bool {
			_, disk := g.usage()
			return disk == 0
		}, patience, 10*time.Millisecond, "files stay when the clients have gone")
	}
}

// To an application that talks with its clients slow ones have their request at once, and hold it.
func TestStream(t *testing.T) {
	g := startGangway(t, append(startApps(t), "--body", "/fcgi=stream")...)
	clients := startClients(t, g.address, "/fcgi", 0, 1)
	defer clients.end()
	require.Eventually(t, func() bool { return clients.begun.Load() > 0 }, patience, 10*time.Millisecond)
	client := &http.Client{Transport: &http.Transport{}, Timeout: time.Second}
	defer client.CloseIdleConnections()
	assert.Error(t, hello(client, "http://"+g.address+"/fcgi"))
}

// When the budget is used up the application waits for its client, which gets everything.
func TestBudget(t *testing.T) {
	for _, http1 := range []string{"own", "net"} {
		limits := []string{"--http", http1, "--limit", "spool-disk=100k", "--limit", "spool-memory=1"}
		g := startGangway(t, append(startApps(t), limits...)...)
		client := &http.Client{Transport: &http.Transport{}}
		for _, target := range []string{"/fcgi/big", "/fcgi/big?length"} {
			resp := openBig(t, g.address, target)
			time.Sleep(300 * time.Millisecond)
			_, disk := g.usage()
			assert.LessOrEqual(t, disk, int64(100<<10))
			client.Timeout = 500 * time.Millisecond
			assert.Error(t, hello(client, "http://"+g.address+"/fcgi"), "the application is held")
			got, err := io.ReadAll(resp.Body)
			require.NoError(t, err)
			assert.True(t, bytes.Equal(big, got))
			client.Timeout = patience
			assert.NoError(t, hello(client, "http://"+g.address+"/fcgi"))
		}
		client.CloseIdleConnections()
	}
}

// What was kept for a slow client is what the application has sent.
func TestContent(t *testing.T) {
	for _, http1 := range []string{"own", "net"} {
		g := startGangway(t, append(startApps(t), "--http", http1)...)
		for _, target := range []string{"/fcgi/big", "/fcgi/big?length", "/scgi/big", "/scgi/big?length"} {
			resp := openBig(t, g.address, target)
			time.Sleep(100 * time.Millisecond)
			got, err := io.ReadAll(resp.Body)
			require.NoError(t, err)
			assert.True(t, bytes.Equal(big, got), http1+target)
		}
	}
}
