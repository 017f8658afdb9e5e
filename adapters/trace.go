package adapters

import (
	"sync"
	"time"
)

// A Phase is a point that a request passes on its way through a backend.
type Phase int

// The phases in their order.
const (
	Assigned  Phase = iota // a connection or process was found
	Sent                   // the request header was written
	FirstByte              // the first byte of the response came
	numPhases
)

// A Trace collects when a request passed each [Phase], which backend served it and who asked. Its methods may be called
// from any goroutine and on nil, where they do nothing. The zero value is ready.
type Trace struct {
	mu       sync.Mutex
	user     string
	backend  string
	attempts int
	marks    [numPhases]time.Time
}

// Attempt notes that backend is about to be asked; phases of an earlier attempt are forgotten.
func (t *Trace) Attempt(backend string) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.backend, t.attempts, t.marks = backend, t.attempts+1, [numPhases]time.Time{}
}

// Mark notes that the request passed p now, if it did not before.
func (t *Trace) Mark(p Phase) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.marks[p].IsZero() {
		t.marks[p] = time.Now()
	}
}

// At returns when the request passed p; the zero time if it did not.
func (t *Trace) At(p Phase) time.Time {
	if t == nil {
		return time.Time{}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.marks[p]
}

// Backend returns the backend asked last, and how many attempts there were.
func (t *Trace) Backend() (name string, attempts int) {
	if t == nil {
		return "", 0
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.backend, t.attempts
}

// Authenticated notes that the credentials of user were verified. An access log, which stands outside of the
// authentication, does not see Request.User of the copy made there.
func (t *Trace) Authenticated(user string) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.user = user
}

// User returns the user whose credentials were verified; "" if nobody's were.
func (t *Trace) User() string {
	if t == nil {
		return ""
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.user
}
