package adapters

import (
	"cmp"
	"context"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/gangway-go/gangway/internal/spool"
)

// The defaults of [Bodies].
const (
	DefaultSpoolMemory = 64 << 20
	DefaultSpoolDisk   = 4 << 30
	DefaultBodyRate    = 16 << 10
)

// Bodies keeps slow clients from holding what an application has few of: processes, connections, places in a pool. Wrap
// goes around a backend, or the pool before it; all that one Bodies wraps share its budget. The fields must not be
// changed once it is in use.
//
// A request body that is not there at once is collected, in memory and then in an unlinked file, and the application is
// asked when it is complete. A client that sends the first 64 KiB within 62.5 ms, 1 MiB/s, is fast: its body is passed
// on as it comes. If it then becomes slow for long, slower than Rate by half a minute, the request ends with 408.
// A body of unknown length is always collected, since applications need CONTENT_LENGTH.
//
// A response goes on being read while its client is slow, and what the client does not take goes to memory and then to
// an unlinked file, so that the application can do something else.
//
// When the budget is used up, clients are held up instead: a request body of known length is passed on as it comes, one
// of unknown length waits and, after ten seconds, is refused with 503; a response is read only as fast as its client
// takes it.
type Bodies struct {
	Limit  int64 // spool: bytes of one body that are kept; 0 is DefaultSpoolLimit; 413 for a request body
	Memory int64 // spool-memory: bytes of all bodies in memory; 0 is DefaultSpoolMemory; 503
	Disk   int64 // spool-disk: bytes of all bodies in files; 0 is DefaultSpoolDisk; 503
	// Rate is how many bytes per second a client must send of a body that is passed on as it comes (limit body-rate); 0 is
	// DefaultBodyRate, below 0 none; 408.
	Rate int64

	once   sync.Once
	budget spool.Budget
}

// A BodyMode says what [Bodies] does for an application.
type BodyMode string

// The modes.
const (
	BodyAuto   BodyMode = "auto"   // as the client is fast or slow
	BodyStream BodyMode = "stream" // only those of unknown length: for applications that talk with their clients
	BodySpool  BodyMode = "spool"  // every request body is collected
)

const (
	// aheadSize of a body is what a fast client sends within aheadTime.
	aheadSize = 64 << 10
	aheadTime = time.Second / 16
	// slowTime is how far a body that is passed on may be behind Rate.
	slowTime = 30 * time.Second
	// roomTime is how long a body waits for room in the budget, and roomCheck how often it is looked.
	roomTime  = 10 * time.Second
	roomCheck = 100 * time.Millisecond
)

// Wrap returns the [Middleware] for a mode.
func (b *Bodies) Wrap(mode BodyMode) Middleware {
	b.once.Do(func() {
		b.budget.Memory, b.budget.Disk = cmp.Or(b.Memory, DefaultSpoolMemory), cmp.Or(b.Disk, DefaultSpoolDisk)
	})
	return func(next Handler) Handler {
		return HandlerFunc(func(ctx context.Context, req *Request) (*Response, error) {
			return b.serve(ctx, next, req, mode)
		})
	}
}

// Used returns how many bytes of bodies there are in memory and in files.
func (b *Bodies) Used() (memory, disk int64) { return b.budget.Used() }

func (b *Bodies) limit() int64 { return cmp.Or(b.Limit, DefaultSpoolLimit) }

func (b *Bodies) serve(ctx context.Context, next Handler, req *Request, mode BodyMode) (resp *Response, err error) {
	release := func() {}
	if collects(req, mode) {
		c := newCollection(req, b.limit(), mode == BodySpool)
		c.Budget, c.rate = &b.budget, cmp.Or(b.Rate, DefaultBodyRate)
		if req, release, err = c.collect(ctx, req); err != nil {
			return nil, err
		}
	}
	defer func() {
		if resp == nil { // also after a panic
			release()
		}
	}()
	if resp, err = next.Serve(ctx, req); err != nil {
		return nil, err
	}
	switch {
	case mode == BodyStream, resp.LocalRedirect != "", resp.Status == http.StatusSwitchingProtocols:
		resp.Body = OnClose(resp.Body, release)
	default:
		resp.relay(b, release)
	}
	return resp, nil
}

// collects reports whether something of the body has to be waited for before the application is asked.
func collects(req *Request, mode BodyMode) bool {
	if !req.HasBody() || req.Role == Authorizer {
		return false
	}
	if req.ContentLength < 0 {
		return true
	}
	_, spooled := req.Body.(io.Seeker)
	return mode != BodyStream && !spooled && ReadableAtOnce(req.Body) < req.ContentLength
}
