// Package pool runs the processes of an application and shares the requests out among them.
//
// The words are Passenger's: a [Group] holds the processes of one app; a [Spawner] starts a [Process]; a session is one
// request that a process serves, until Response.Body is closed. Begin with Group and [Command]:
//
//	g := &pool.Group{Name: "shop", Processes: 4, Spawner: &pool.Command{
//		Cmd:     func(socket string) (*exec.Cmd, error) { return exec.Command("shop", "--socket", socket), nil },
//		Backend: func(socket string) adapters.Handler { return &scgi.Client{Network: "unix", Address: socket} },
//	}}
//	err := g.Start(ctx)
//
// A request goes to the process with the fewest sessions. If all are busy it waits, first come, first served, in a
// queue of limited length. A process that dies is replaced, at once or, if it keeps dying, after a growing delay.
package pool

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/gangway-go/gangway/adapters"
)

// A Group is the processes of one app and an [adapters.Handler] in front of them. Set the fields, call Start once, and
// do not change them from then on. It is safe for concurrent use. Close ends it.
type Group struct {
	// Name names the app in logs and errors.
	Name string
	// Spawner starts the processes.
	Spawner Spawner
	// Processes is how many there are; 0 means 1. While one is replaced there is one more.
	Processes int
	// Concurrency is how many requests a process serves at once; 0 means 1, for a serial app.
	Concurrency int
	// MaxRequests is after how many requests a process is replaced; 0 means never. It serves until its replacement is
	// ready, and is stopped when its last session ends.
	MaxRequests int
	// MaxQueue (queue) is how many requests may wait for a process; 0 means DefaultQueue, a negative number none. One more
	// is ErrBusy.
	MaxQueue int
	// MaxWait (queue-wait) is how long a request may wait for a process; 0 means DefaultWait. Then it is ErrBusy.
	MaxWait time.Duration
	// Log takes what happens to the processes; nil is slog.Default.
	Log *slog.Logger

	mu       sync.Mutex
	members  []*member
	waiters  []*waiter // in order of arrival
	open     int       // sessions
	failures int       // in a row
	retryAt  time.Time // no process is started before
	broken   error     // why the last start failed; nil after a success
	closed   bool

	log     *slog.Logger
	first   chan struct{}   // closed when the first process is ready or has failed
	change  chan struct{}   // wakes the supervisor; holds one
	idle    chan struct{}   // closed when the Group is closed and no session is open
	serving context.Context // over when Close begins
	end     context.CancelFunc
	patient context.Context // over when the patience with what still runs is
	kill    context.CancelFunc
	running sync.WaitGroup // the supervisor, and what waits for processes
}

// op is what the errors of a Group begin with, before its name.
const op = "pool: app"

var (
	errClosed  = errors.New("the app is being stopped")
	errNoStart = errors.New("the app was not started: call Start")
)

// Start starts the first process and returns when it is ready to serve, or with the reason why it is not; the others
// follow in the background. After an error too the Group goes on trying, until Close; meanwhile its answer is that
// error, with status 503.
func (g *Group) Start(ctx context.Context) error {
	if !g.init(context.WithoutCancel(ctx)) {
		return errors.New("pool: app " + g.Name + ": Start was called before")
	}
	g.running.Go(g.supervise)
	select {
	case <-g.first:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return errClosed
	}
	return g.broken
}

// init reports false if it was done before.
func (g *Group) init(life context.Context) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.end != nil {
		return false
	}
	g.log = cmp.Or(g.Log, slog.Default()).With("app", g.Name)
	g.first, g.change, g.idle = make(chan struct{}), make(chan struct{}, 1), make(chan struct{})
	g.serving, g.end = context.WithCancel(life)
	g.patient, g.kill = context.WithCancel(life)
	return true
}

// Serve hands req to the least busy process, or waits for one. The error wraps [adapters.ErrBusy] if the queue is full
// or the wait too long. A request whose process dies before it answers goes to another one, once, if that does no harm.
func (g *Group) Serve(ctx context.Context, req *adapters.Request) (*adapters.Response, error) {
	for retried := false; ; retried = true {
		m, err := g.checkout(ctx)
		if err != nil {
			return nil, err
		}
		resp, err := g.ask(ctx, m, req)
		if err == nil {
			return resp, nil
		}
		if retried || !repeatable(req, err) || !m.endsSoon() {
			return nil, err
		}
	}
}

// ask hands req to m, which is checked in when the response is over, or there is none.
func (g *Group) ask(ctx context.Context, m *member, req *adapters.Request) (resp *adapters.Response, err error) {
	defer func() {
		if resp == nil { // also after a panic
			g.checkin(ctx, m)
		}
	}()
	if resp, err = m.process.Handler.Serve(ctx, req); err != nil {
		return nil, err
	}
	resp.Body = adapters.OnClose(resp.Body, func() { g.checkin(ctx, m) })
	return resp, nil
}

// repeatable reports whether a request that failed with err may be sent again: it has no body, of which something may
// have been read, and either the process never got it, or it did not answer and a second time changes nothing
// (RFC 9110 9.2.2).
func repeatable(req *adapters.Request, err error) bool {
	dial := (*net.OpError)(nil)
	missed := errors.As(err, &dial) && dial.Op == "dial"
	return !req.HasBody() && (missed || errors.Is(err, adapters.ErrUnreachable) && req.Idempotent())
}

// Close takes no more requests, lets the sessions end until ctx is done, and stops the processes: politely, and when
// ctx is done or they do not obey, by force. When it returns none is left. The error is ctx's if sessions were cut.
func (g *Group) Close(ctx context.Context) error {
	if !g.refuse() {
		return nil
	}
	defer context.AfterFunc(ctx, g.kill)()
	var cut error
	select {
	case <-g.idle:
	case <-ctx.Done():
		cut = context.Cause(ctx)
	}
	g.mu.Lock()
	if g.open == 0 {
		cut = nil
	}
	for _, m := range g.members {
		g.stop(m)
	}
	g.mu.Unlock()
	g.running.Wait()
	g.kill()
	return cut
}

// refuse ends the queue and the starts. It reports whether there were any.
func (g *Group) refuse() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed || g.end == nil {
		return g.end != nil
	}
	g.closed = true
	g.end()
	g.dismissIfDown()
	if g.open == 0 {
		close(g.idle)
	}
	return true
}
