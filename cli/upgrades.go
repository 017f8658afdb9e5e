package cli

import (
	"context"
	"net/http"
	"sync"

	"github.com/gangway-go/gangway/adapters"
)

// An upgrades counts the connections that were upgraded to another protocol, which their http.Server forgets.
type upgrades struct {
	mu   sync.Mutex
	n    int
	none chan struct{} // closed when n becomes 0; nil while nobody waits
}

// wrap is the [adapters.Middleware].
func (u *upgrades) wrap(next adapters.Handler) adapters.Handler {
	return adapters.HandlerFunc(func(ctx context.Context, req *adapters.Request) (*adapters.Response, error) {
		resp, err := next.Serve(ctx, req)
		if err == nil && resp.Status == http.StatusSwitchingProtocols {
			u.add(1)
			resp.Body = adapters.OnClose(resp.Body, func() { u.add(-1) })
		}
		return resp, err
	})
}

func (u *upgrades) add(n int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.n += n; u.n == 0 && u.none != nil {
		close(u.none)
		u.none = nil
	}
}

// wait returns when none is left, or with the error of ctx.
func (u *upgrades) wait(ctx context.Context) error {
	u.mu.Lock()
	if u.n == 0 {
		u.mu.Unlock()
		return nil
	}
	if u.none == nil {
		u.none = make(chan struct{})
	}
	none := u.none
	u.mu.Unlock()
	select {
	case <-none:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
