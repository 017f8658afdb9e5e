package http1

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/gangway-go/gangway/adapters"
)

// setWriteDeadline gives the next write half of the time that the client has; see taking.
func (c *conn) setWriteDeadline() {
	c.untaken = 0
	if d, now := c.s.writeTimeout()/2, time.Now(); c.writeEnd.Sub(now) < d-d/8 {
		c.moveWriteEnd(now.Add(d))
	}
}

func (c *conn) moveWriteEnd(t time.Time) {
	c.writeEnd = t
	c.nc.SetWriteDeadline(t)
}

// taking reports whether the client still takes what is sent, though a write is late that has sent n bytes: with
// megabytes in the system's buffer, minutes may pass until that has room again. Then it gives the next try its time.
func (c *conn) taking(err error, n int64) bool {
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		return false
	}
	before := c.untaken
	c.untaken = c.nc.Unsent() + 1
	if before > 0 && c.untaken >= before && n == 0 {
		return false
	}
	c.moveWriteEnd(time.Now().Add(c.s.writeTimeout() / 2))
	return true
}

// writeFailure returns what err, with which a write failed, means; nil if that is nil.
func (c *conn) writeFailure(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, os.ErrDeadlineExceeded):
		err = fmt.Errorf("%w: the client took nothing of the response for %v", adapters.ErrAborted, c.s.writeTimeout())
		return &adapters.Error{Op: "http1: write", Status: http.StatusRequestTimeout, Limit: "write-timeout", Err: err}
	}
	return fmt.Errorf("%w: %w", adapters.ErrAborted, err)
}

// yieldTime is how long a writer that yields waits for its client.
const yieldTime = 5 * time.Millisecond
