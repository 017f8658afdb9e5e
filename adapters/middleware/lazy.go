package middleware

import (
	"context"
	"sync"
)

// A lazyContext can be cancelled as one of [context.WithCancelCause] can. It is made one when somebody waits for its
// end, or has it end: most requests are over before.
type lazyContext struct {
	context.Context // the parent

	mu     sync.Mutex
	made   context.Context // nil until then
	cancel context.CancelCauseFunc
	over   bool
}

// make returns the context that can be cancelled.
func (c *lazyContext) make() context.Context {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.made == nil {
		c.made, c.cancel = context.WithCancelCause(c.Context)
		if c.over {
			c.cancel(nil)
		}
	}
	return c.made
}

// end cancels the context, if somebody may be told.
func (c *lazyContext) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over = true; c.made != nil {
		c.cancel(nil)
	}
}

// fail cancels the context with cause.
func (c *lazyContext) fail(cause error) {
	c.make()
	c.cancel(cause)
}

func (c *lazyContext) current() context.Context {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.made == nil {
		return c.Context
	}
	return c.made
}

func (c *lazyContext) Done() <-chan struct{} { return c.make().Done() }

func (c *lazyContext) Err() error {
	if err := c.current().Err(); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over {
		return context.Canceled
	}
	return nil
}

func (c *lazyContext) Value(key any) any { return c.current().Value(key) }
