package peer

import (
	"bytes"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Browse opens url in a browser that nobody sees, and returns the page as its scripts have made it.
func Browse(t testing.TB, url string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), Need(t, "chromium", "chromium-browser", "google-chrome"), "--headless",
		"--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--user-data-dir="+t.TempDir(),
		"--virtual-time-budget=10000", "--dump-dom", url)
	cmd.WaitDelay = 20 * time.Second // it ends before all that it has started
	var diag bytes.Buffer
	cmd.Stderr = &diag
	page, err := cmd.Output()
	require.NoError(t, err, diag.String())
	return string(page)
}
