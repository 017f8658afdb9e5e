package lazyctx_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/gangway-go/gangway/internal/lazyctx"
	"github.com/gangway-go/gangway/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

type key struct{}

// It ends as one of context.WithCancelCause does, waited for or not.
func TestContext(t *testing.T) {
	errParent, errOwn := errors.New("parent"), errors.New("own")
	tests := []struct {
		name string
		end  func(parent, own context.CancelCauseFunc)
	}{
		{"goes on", func(_, _ context.CancelCauseFunc) {}},
		{"parent", func(parent, _ context.CancelCauseFunc) { parent(errParent) }},
		{"own cause", func(_, own context.CancelCauseFunc) { own(errOwn) }},
		{"no cause", func(_, own context.CancelCauseFunc) { own(nil) }},
		{"twice", func(_, own context.CancelCauseFunc) { own(errOwn); own(nil) }},
		{"parent, then own", func(parent, own context.CancelCauseFunc) { parent(errParent); own(errOwn) }},
		{"own, then parent", func(parent, own context.CancelCauseFunc) { own(errOwn); parent(errParent) }},
	}
	for _, tt := range tests {
		for _, waitedFor := range []bool{false, true} {
			t.Run(tt.name, func(t *testing.T) {
				parent, cancelParent := context.WithCancelCause(context.WithValue(t.Context(), key{}, "value"))
				defer cancelParent(nil)
				lazy := &lazyctx.Context{Parent: parent}
				usual, cancel := context.WithCancelCause(parent)
				defer cancel(nil)
				told := make(chan struct{})
				if waitedFor {
					context.AfterFunc(lazy, func() { close(told) })
				}
				tt.end(cancelParent, func(cause error) {
					cancel(cause)
					lazy.Cancel(cause)
				})
				assert.Equal(t, usual.Err(), lazy.Err())
				assert.Equal(t, context.Cause(usual), context.Cause(lazy))
				assert.Equal(t, "value", lazy.Value(key{}))
				if usual.Err() == nil {
					lazy.Cancel(nil)
				}
				<-lazy.Done()
				if waitedFor {
					<-told
				}
			})
		}
	}
}

func TestDeadline(t *testing.T) {
	parent, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	want, _ := parent.Deadline()
	got, ok := (&lazyctx.Context{Parent: parent}).Deadline()
	assert.True(t, ok)
	assert.Equal(t, want, got)
}

func TestExpiredParent(t *testing.T) {
	parent, cancel := context.WithTimeout(t.Context(), 0)
	defer cancel()
	c := &lazyctx.Context{Parent: parent}
	for range 2 {
		assert.Equal(t, context.DeadlineExceeded, c.Err())
		c.Cancel(nil)
	}
	assert.Equal(t, context.DeadlineExceeded, context.Cause(c))
}

func TestNoAllocations(t *testing.T) {
	parent := t.Context()
	assert.LessOrEqual(t, testing.AllocsPerRun(100, func() {
		c := lazyctx.Context{Parent: parent}
		_ = c.Err()
		c.Cancel(nil)
	}), 1.0)
}
