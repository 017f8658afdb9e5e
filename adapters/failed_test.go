package adapters_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/gangway-go/gangway/adapters"
)

func TestFailed(t *testing.T) {
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	left, leave := context.WithCancelCause(context.Background())
	leave(io.ErrClosedPipe)
	late, stop := context.WithDeadline(context.Background(), time.Unix(1, 0))
	defer stop()
	refused := &net.OpError{Op: "dial", Net: "unix", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	tests := []struct {
		name   string
		ctx    context.Context
		err    error
		wraps  []error
		not    []error
		status int
		text   string
	}{
		{"kind", t.Context(), refused, []error{adapters.ErrUnreachable, syscall.ECONNREFUSED}, nil, 502,
			"x: dial unix /s: application not reachable: connect: connection refused"},
		{"its own sentinel", t.Context(), fmt.Errorf("%w: no", adapters.ErrBadResponse),
			[]error{adapters.ErrBadResponse}, []error{adapters.ErrUnreachable}, 502,
			"x: dial unix /s: bad response from the application: no"},
		{"full queue", t.Context(), syscall.EAGAIN, []error{adapters.ErrBusy}, []error{adapters.ErrTimeout}, 503, ""},
		{"full queue told before", t.Context(), fmt.Errorf("%w: %w", adapters.ErrBusy, syscall.EAGAIN),
			[]error{adapters.ErrBusy}, []error{adapters.ErrTimeout}, 503, ""},
		{"time-out", t.Context(), os.ErrDeadlineExceeded, []error{adapters.ErrTimeout, os.ErrDeadlineExceeded}, nil, 504, ""},
		{"time-out told before", t.Context(), fmt.Errorf("%w: %w", adapters.ErrTimeout, os.ErrDeadlineExceeded),
			[]error{adapters.ErrTimeout}, nil, 504, "x: dial unix /s: application timed out: i/o timeout"},
		{"cancelled", cancelled, refused,
			[]error{context.Canceled}, []error{syscall.ECONNREFUSED, adapters.ErrUnreachable}, 499, ""},
		{"cause", left, refused, []error{io.ErrClosedPipe, adapters.ErrAborted}, []error{adapters.ErrUnreachable}, 499, ""},
		{"deadline", late, refused,
			[]error{context.DeadlineExceeded, adapters.ErrTimeout}, []error{adapters.ErrUnreachable}, 504, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := error(adapters.Failed(tt.ctx, "x: dial", "unix /s", adapters.ErrUnreachable, tt.err))
			for _, want := range tt.wraps {
				assert.ErrorIs(t, err, want)
			}
			for _, not := range tt.not {
				assert.NotErrorIs(t, err, not)
			}
			assert.Equal(t, tt.status, adapters.StatusOf(err))
			if tt.text != "" {
				assert.EqualError(t, err, tt.text)
			}
			var e *adapters.Error
			assert.True(t, errors.As(err, &e))
		})
	}
}
