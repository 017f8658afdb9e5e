package adapters

import (
	"context"
	"time"
)

// idleEnd is longer than what is sent needs to arrive, and short for who waits for the end.
const idleEnd = 500 * time.Millisecond

// IdleEnd returns how long a frontend that shuts down until ctx is done keeps idle connections open: a request may be
// on its way on them, which its client could not send again if nobody said that it was not served. It is half a second,
// or half of the time that ctx has if that is less.
func IdleEnd(ctx context.Context) time.Duration {
	if deadline, ok := ctx.Deadline(); ok {
		return min(idleEnd, time.Until(deadline)/2)
	}
	return idleEnd
}
