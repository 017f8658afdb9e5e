package http1

import (
	"context"
	"io"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/adapters"
)

// TestUnwantedBody has a client never send the rest of a body that the application did not want: that has one second
// and not, for each of its pieces, the minute of a body that somebody reads.
func TestUnwantedBody(t *testing.T) {
	_, addr := start(t, func(context.Context, *adapters.Request) (*adapters.Response, error) {
		return adapters.Reply(200, "text/plain", "unasked"), nil
	})
	c := dial(t, addr)
	_, err := io.WriteString(c, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc")
	require.NoError(t, err)
	b, err := io.ReadAll(c)
	require.NoError(t, err, "the connection stays open")
	assert.Contains(t, string(b), "unasked")
}
