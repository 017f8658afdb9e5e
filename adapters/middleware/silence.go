package middleware

import (
	"cmp"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/internal/lazyctx"
)

// A phase is what a request waits for.
type phase uint64

const (
	header   phase = iota // the application's response header
	body                  // a part of the client's body
	response              // a part of the application's response
	sending               // the client, to take a part of the response: the frontend's matter
	phases
)

// waits says what is wrong with each phase that takes too long.
var waits = [sending]struct {
	limit  string
	status int
	text   string
}{
	{"timeout", http.StatusGatewayTimeout, "the application was silent"},
	{"body-timeout", http.StatusRequestTimeout, "the client sent nothing of its body"},
	{"response-timeout", http.StatusGatewayTimeout, "the application sent nothing of its response"},
}

// timeLimits are those of a Limits.
type timeLimits struct {
	phases [phases]time.Duration
	whole  time.Duration
	tick   time.Duration // how often to look; 0 if there is no limit
}

func (l *Limits) times() *timeLimits {
	t := &timeLimits{phases: [phases]time.Duration{l.Timeout, l.BodyTimeout, l.ResponseTimeout}, whole: l.RequestTimeout}
	shortest := t.whole
	for _, d := range t.phases {
		if d > 0 && (shortest <= 0 || d < shortest) {
			shortest = d
		}
	}
	t.tick = max(shortest/4, min(shortest, time.Millisecond), 0)
	return t
}

// A silence cancels a request when one of its phases, or all of it, takes too long. Changes of phase cost next to
// nothing: a timer looks every now and then whether there was one, so that an end may come a tick late and never early.
type silence struct {
	limits   *timeLimits
	ctx      *lazyctx.Context // of the request
	answered atomic.Bool
	state    atomic.Uint64 // the number of changes, and in the last two bits the phase

	mu    sync.Mutex
	timer *time.Timer // nil before start and after the end
	begun time.Time
	seen  uint64    // of state
	since time.Time // when that was seen first
	err   error     // set by the timer
}

func (s *silence) start(limits *timeLimits, ctx *lazyctx.Context) {
	s.limits, s.ctx = limits, ctx
	s.mu.Lock()
	defer s.mu.Unlock()
	s.begun = time.Now()
	s.since = s.begun
	s.timer = time.AfterFunc(limits.tick, s.look)
}

// enter begins a phase. If two goroutines do that at once, one of them is as good as both.
func (s *silence) enter(p phase) { s.state.Store((s.state.Load()&^3 + 4) | uint64(p)) }

// leave ends a phase in which it was not the application that was waited for.
func (s *silence) leave() {
	if s.answered.Load() {
		s.enter(response)
	} else {
		s.enter(header)
	}
}

// look is what the timer does.
func (s *silence) look() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.timer == nil {
		return
	}
	now := time.Now()
	if state := s.state.Load(); state != s.seen {
		s.seen, s.since = state, now
	}
	next := s.limits.tick
	p := phase(s.seen & 3)
	if limit := s.limits.phases[p]; limit > 0 {
		w := waits[p]
		next = min(next, s.left(limit-now.Sub(s.since), w.limit, w.status, w.text, limit))
	}
	if limit := s.limits.whole; limit > 0 {
		left := limit - now.Sub(s.begun)
		next = min(next, s.left(left, "request-timeout", http.StatusGatewayTimeout, "it was not over", limit))
	}
	if s.err == nil {
		s.timer.Reset(next)
		return
	}
	s.timer = nil
	s.ctx.Cancel(s.err)
}

// left returns how much time is left, and if it is none, notes the error.
func (s *silence) left(left time.Duration, name string, status int, text string, limit time.Duration) time.Duration {
	if left <= 0 && s.err == nil {
		err := fmt.Errorf("%w: %s for %v", adapters.ErrTimeout, text, limit)
		s.err = &adapters.Error{Op: opLimits, Status: status, Limit: name, Err: err}
	}
	return left
}

// stop ends the waiting and returns the error of a time-out.
func (s *silence) stop() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.timer != nil {
		s.timer.Stop()
		s.timer = nil
	}
	return s.err
}

// answer begins the response. The error is that it came too late.
func (s *silence) answer() error {
	s.answered.Store(true)
	s.enter(response)
	return s.failure(nil)
}

// failure returns the error of a time-out, else err.
func (s *silence) failure(err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return cmp.Or(s.err, err)
}
