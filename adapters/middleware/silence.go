package middleware

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/gangway-go/gangway/adapters"
)

// A silence cancels a request when nothing is heard of its application for some time. The zero value does nothing.
type silence struct {
	limit  time.Duration
	cancel context.CancelCauseFunc

	mu      sync.Mutex
	timer   *time.Timer // nil before start and after the end
	waiting bool        // for the client
	err     error       // set by the timer
}

func (s *silence) start(limit time.Duration, cancel context.CancelCauseFunc) {
	s.limit, s.cancel = limit, cancel
	s.mu.Lock()
	defer s.mu.Unlock()
	s.timer = time.AfterFunc(limit, s.expire)
}

// client tells that the application begins, or ends, to wait for a part of the body.
func (s *silence) client(waiting bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.timer != nil {
		s.waiting = waiting
		s.timer.Reset(s.limit)
	}
}

func (s *silence) expire() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.timer == nil {
		return
	}
	s.timer = nil
	status, who := http.StatusGatewayTimeout, "application"
	if s.waiting {
		status, who = http.StatusRequestTimeout, "client"
	}
	s.err = limitError(status,
		fmt.Errorf("%w: the %s was silent for %v (limit timeout)", adapters.ErrTimeout, who, s.limit))
	s.cancel(s.err)
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
