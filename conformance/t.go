package conformance

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"
)

// T is one run of a case. The methods that give a verdict do not return; only the goroutine that Run was called in may call them.
// Wrap, Cleanup and Note may be called by any goroutine.
type T struct {
	Case   *Case
	Target Target

	ctx      context.Context
	patience time.Duration
	log      *wireLog

	mu       sync.Mutex
	cleanups []func()
	ended    bool // cleanups have been called
	infos    []string
	pace     time.Duration
}

// verdict is what the methods that end a case panic with.
type verdict struct {
	outcome Outcome
	got     string
}

// Context ends when the time of the case is over.
func (t *T) Context() context.Context { return t.ctx }

// Patience is how long the target may take for an answer that it owes at once.
func (t *T) Patience() time.Duration { return t.patience }

// Fail ends the case: the target did what the arguments say, as for fmt.Sprintf, instead of what it should.
func (t *T) Fail(format string, args ...any) { panic(verdict{Fail, fmt.Sprintf(format, args...)}) }

// Check calls Fail unless ok.
func (t *T) Check(ok bool, format string, args ...any) {
	if !ok {
		t.Fail(format, args...)
	}
}

// Hang ends the case: the target neither answered nor closed the connection in time.
func (t *T) Hang(format string, args ...any) { panic(verdict{Hang, fmt.Sprintf(format, args...)}) }

// Skip ends the case without a verdict on the target.
func (t *T) Skip(format string, args ...any) { panic(verdict{Skip, fmt.Sprintf(format, args...)}) }

// Broken ends the case because the suite itself could not go on: no verdict on the target.
func (t *T) Broken(err error) { panic(verdict{SuiteError, err.Error()}) }

// Info records something worth knowing about the target, whatever the verdict.
func (t *T) Info(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.infos = append(t.infos, fmt.Sprintf(format, args...))
}

// Pace tells how long the target took for one plain request: from the preflight, which sets the patience by it.
func (t *T) Pace(d time.Duration) { t.pace = d }

// Try runs a part of a case with another patience, and says how it ended. The connections that it opened are closed then.
func (t *T) Try(patience time.Duration, run func(*T)) Outcome {
	part := &T{Case: &Case{Run: run}, Target: t.Target, ctx: t.ctx, patience: patience, log: t.log}
	t.Cleanup(part.cleanup) // if the time is over
	defer part.cleanup()
	return part.verdict().outcome
}

// Note puts a remark into the wire log.
func (t *T) Note(format string, args ...any) { t.log.add(0, Noted, fmt.Appendf(nil, format, args...)) }

// Cleanup calls f when the case has ended, the last one first; at once if it has ended already.
func (t *T) Cleanup(f func()) {
	t.mu.Lock()
	ended := t.ended
	if !ended {
		t.cleanups = append(t.cleanups, f)
	}
	t.mu.Unlock()
	if ended {
		f()
	}
}

// lostSYN is time enough to send the first segment of a connection once more, which TCP does after a second (RFC 6298,
// section 2): a machine under load drops some.
const lostSYN = 1500 * time.Millisecond

// Dial connects to the target and logs what goes over the connection. A target that does not accept ends the case.
func (t *T) Dial(network, address string) *Conn {
	within := max(2*t.patience, lostSYN)
	ctx, cancel := context.WithTimeout(t.ctx, within)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	switch {
	case err == nil:
		return t.Wrap(conn, network+" "+address)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		t.Hang("no connection within %v", within)
	default:
		t.Fail("no connection: %v", err)
	}
	return nil
}

// Sleep waits, at most until the time of the case is over.
func (t *T) Sleep(d time.Duration) {
	select {
	case <-time.After(d):
	case <-t.ctx.Done():
	}
}

func (t *T) cleanup() {
	for {
		t.mu.Lock()
		n := len(t.cleanups)
		if n == 0 {
			t.ended = true
			t.mu.Unlock()
			return
		}
		f := t.cleanups[n-1]
		t.cleanups = t.cleanups[:n-1]
		t.mu.Unlock()
		f()
	}
}
