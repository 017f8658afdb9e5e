// Package lazyctx has a context that costs nothing as long as nobody waits for its end.
package lazyctx

import (
	"context"
	"sync"
	"time"
)

// A Context is like one of [context.WithCancelCause]. It becomes one when somebody waits for its end, and when it is
// over: most requests have been answered before anybody did. Parent must be set, and Cancel must be called in the end.
type Context struct {
	Parent context.Context

	mu     sync.Mutex
	made   context.Context // nil until then
	cancel context.CancelCauseFunc
	over   bool
	cause  error
}

// Cancel ends the context as a [context.CancelCauseFunc] does: the first one counts.
func (c *Context) Cancel(cause error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.made != nil:
		c.cancel(cause)
	case !c.over && c.Parent.Err() == nil:
		c.over, c.cause = true, cause
	}
}

// current returns the context of now: one that can end if it is waited for.
func (c *Context) current(waitedFor bool) context.Context {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.made == nil && (waitedFor || c.over) {
		parent := c.Parent
		if c.over {
			parent = context.WithoutCancel(parent) // which may have ended since
		}
		c.made, c.cancel = context.WithCancelCause(parent)
		if c.over {
			c.cancel(c.cause)
		}
	}
	if c.made == nil {
		return c.Parent
	}
	return c.made
}

// Err is [context.Context]'s.
func (c *Context) Err() error {
	c.mu.Lock()
	made, over := c.made, c.over
	c.mu.Unlock()
	switch {
	case made != nil:
		return made.Err()
	case over:
		return context.Canceled
	}
	return c.Parent.Err()
}

// The other methods of [context.Context].

func (c *Context) Done() <-chan struct{}       { return c.current(true).Done() }
func (c *Context) Value(key any) any           { return c.current(false).Value(key) }
func (c *Context) Deadline() (time.Time, bool) { return c.Parent.Deadline() }
