package middleware

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
)

type key struct{}

func TestLazyContext(t *testing.T) {
	errParent, errOwn := errors.New("parent"), errors.New("own")
	tests := []struct {
		name  string
		end   func(c *lazyContext, parent context.CancelCauseFunc)
		cause error
	}{
		{"parent", func(_ *lazyContext, parent context.CancelCauseFunc) { parent(errParent) }, errParent},
		{"failed", func(c *lazyContext, _ context.CancelCauseFunc) { c.fail(errOwn) }, errOwn},
		{"over", func(c *lazyContext, _ context.CancelCauseFunc) { c.end() }, context.Canceled},
	}
	for _, tt := range tests {
		for _, waits := range []bool{false, true} {
			t.Run(tt.name, func(t *testing.T) {
				ctx, cancel := context.WithCancelCause(context.WithValue(t.Context(), key{}, "value"))
				defer cancel(nil)
				c := &lazyContext{Context: ctx}
				assert.Equal(t, "value", c.Value(key{}))
				assert.NoError(t, c.Err())
				told := make(chan struct{})
				if waits {
					context.AfterFunc(c, func() { close(told) })
				}
				tt.end(c, cancel)
				assert.Equal(t, context.Canceled, c.Err())
				<-c.Done()
				assert.Equal(t, tt.cause, context.Cause(c))
				assert.Equal(t, "value", c.Value(key{}))
				if waits {
					<-told
				}
			})
		}
	}
}
