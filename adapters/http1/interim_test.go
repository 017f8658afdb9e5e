package http1

import (
	"context"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/adapters"
)

// TestInterimToNobody has a client reset the connection: what cannot be sent to it any more is no failure of ours.
func TestInterimToNobody(t *testing.T) {
	for name, send := range map[string]func(*adapters.Request) error{
		"early hints": func(req *adapters.Request) error { return req.Informational(103, nil) },
		"continue": func(req *adapters.Request) error {
			_, err := io.ReadAll(req.Body)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			begun, gone, failed := make(chan bool, 1), make(chan bool), make(chan error, 1)
			_, addr := start(t, func(_ context.Context, req *adapters.Request) (*adapters.Response, error) {
				begun <- true
				<-gone
				var err error
				for err == nil {
					err = send(req)
					time.Sleep(time.Millisecond) // the reset may be on its way
				}
				failed <- err
				return nil, err
			})
			c := dial(t, addr)
			_, err := io.WriteString(c, "POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n")
			require.NoError(t, err)
			<-begun
			require.NoError(t, adapters.ResetConn(c))
			time.Sleep(10 * time.Millisecond)
			close(gone)
			assert.Equal(t, adapters.StatusClientGone, adapters.StatusOf(<-failed))
		})
	}
}
