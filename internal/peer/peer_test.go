//go:build unix

package peer_test

import (
	"io"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/internal/leak"
	"github.com/gangway-go/gangway/internal/peer"
)

func TestMain(m *testing.M) { leak.Main(m) }

func TestServersAnswer(t *testing.T) {
	for name, address := range map[string]string{
		"nginx":    peer.Nginx(t, "location / { return 200 'nginx\n'; }"),
		"apache":   peer.Apache(t, ""),
		"lighttpd": peer.Lighttpd(t, `index-file.names = ("index.html")`),
	} {
		resp, err := http.Get("http://" + address + "/")
		require.NoError(t, err, name)
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		resp.Body.Close()
		assert.Equal(t, name+"\n", string(body))
	}
	_, socket := peer.PHPFPM(t, "")
	assert.FileExists(t, socket)
}
