package pool

import (
	"context"
	"io"
	"time"

	"github.com/gangway-go/gangway/adapters"
)

// A Spawner starts the processes of one app. A [Group] calls it from one goroutine.
type Spawner interface {
	// Spawn starts a process and returns when it is ready to serve. ctx bounds the start, not the life of the process.
	Spawn(ctx context.Context) (*Process, error)
}

// A Process is one running process of an app, as a [Spawner] makes it. A [Group] stops each Process that it has got.
type Process struct {
	// Handler serves the requests. If it is an io.Closer it is closed before the process is stopped, and after its end.
	// If it has OnAborted(fn func(delta int)), as a fastcgi.Client has, requests that were aborted count as sessions as
	// long as the process is busy with them.
	Handler adapters.Handler
	// Idle says the same of a Handler that has it not: it returns when the process has done with what was aborted, or has
	// ended. It may be nil.
	Idle func()
	// ID is the process id, for logs.
	ID int
	// Wait returns why the process ended, when it has.
	Wait func() error
	// Stop asks the process to end, forces it when ctx is done, and returns when nothing of it is left.
	Stop func(ctx context.Context)
}

// closeHandler gives up the kept connections, which would keep some servers from ending.
func (p *Process) closeHandler() {
	if c, ok := p.Handler.(io.Closer); ok {
		c.Close()
	}
}

// A member is a Process in a Group. The Group's mutex guards it.
type member struct {
	process  *Process
	since    time.Time
	sessions int           // open ones
	aborted  int           // requests that it goes on with, though their sessions are over
	served   int           // sessions that are over
	retiring bool          // to be replaced
	detached bool          // gets no more sessions
	stopping bool          // its end is our wish
	ended    chan struct{} // closed when it has, and is no member any more
}

// load is how many requests the process is busy with.
func (m *member) load() int { return m.sessions + m.aborted }

func (m *member) attached() bool { return !m.detached }

// fresh reports whether the process counts: it need not be replaced.
func (m *member) fresh() bool { return !m.detached && !m.retiring }

// deathNotice is how long the news of a process's end may take after its connection broke.
const deathNotice = 100 * time.Millisecond

// endsSoon reports whether the process has ended or is about to.
func (m *member) endsSoon() bool {
	select {
	case <-m.ended:
		return true
	case <-time.After(deathNotice):
		return false
	}
}
