package apps_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/adapters/apps"
	"github.com/gangway-go/gangway/internal/peer"
	"github.com/gangway-go/gangway/internal/testlog"
)

// A process that goes on with a request whose client has gone gets no other one as long as there are idle processes.
func TestAborted(t *testing.T) {
	peer.Need(t, "python3")
	dir := folder(t, "app.py", `import time, os
def app(environ, start_response):
    if environ["PATH_INFO"] == "/slow":
        time.sleep(20)
    start_response("200 OK", [])
    return [str(os.getpid()).encode()]
`)
	o := options(new(testlog.Buffer))
	o.Processes = 2
	s := startApp(t, apps.WSGI, dir, o)
	ctx, leave := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer leave()
	req, err := http.NewRequestWithContext(ctx, "GET", s.URL+"/slow", nil)
	require.NoError(t, err)
	_, err = s.Client().Do(req)
	require.Error(t, err)
	time.Sleep(100 * time.Millisecond) // until the pool knows
	begun := time.Now()
	for range 3 {
		status, _ := s.get("/")
		assert.Equal(t, 200, status)
	}
	assert.Less(t, time.Since(begun), 15*time.Second)
}
