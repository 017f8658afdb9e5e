package adapters

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"sync"
	"time"

	"github.com/gangway-go/gangway/internal/spool"
)

// DefaultSpoolLimit bounds a body that is spooled, in bytes (limit spool).
const DefaultSpoolLimit = 1 << 30

// Spool reads a body of unknown length to its end, into memory or an unlinked file, for applications that need an exact
// CONTENT_LENGTH. It returns a copy of req whose Body is a *bytes.Reader or an *os.File, and a function that gives the
// storage back, to be called once when the application is done. A request whose length is known comes back as it is.
// limit is in bytes, 0 means DefaultSpoolLimit; a longer body is [ErrTooLarge]. Cancelling ctx ends the waiting.
func Spool(ctx context.Context, req *Request, limit int64) (spooled *Request, release func(), err error) {
	if req.ContentLength >= 0 || req.Body == nil {
		return req, func() {}, nil
	}
	return newCollection(req, cmp.Or(limit, DefaultSpoolLimit), true).collect(ctx, req)
}

// A collection is a request body that is being collected.
type collection struct {
	spool.Spool
	body   io.Reader
	length int64 // -1 if unknown
	exact  bool  // the application is not asked before it is complete
	whole  bool
	rate   int64
}

func newCollection(req *Request, limit int64, exact bool) *collection {
	return &collection{
		Spool: spool.Spool{Memory: spool.DefaultMemory, Limit: limit},
		body:  req.Body, length: req.ContentLength, exact: exact || req.ContentLength < 0,
	}
}

// collect returns req with the body that the application gets, and a function that gives its storage back.
func (c *collection) collect(ctx context.Context, req *Request) (collected *Request, release func(), err error) {
	done := make(chan error, 1)
	go func() { done <- c.run(ctx) }()
	select {
	case err = <-done:
	case <-ctx.Done():
		go func() {
			<-done
			c.Close()
		}()
		return nil, nil, context.Cause(ctx)
	}
	if err == nil {
		collected, err = c.request(req)
	}
	if err != nil {
		c.Close()
		return nil, nil, spoolError(err)
	}
	release = sync.OnceFunc(func() { c.Close() })
	if begun, ok := collected.Body.(*begunBody); ok {
		begun.release = release
	}
	return collected, release, nil
}

// run collects the body: all of it, or the beginning of one that can be passed on as it comes.
func (c *collection) run(ctx context.Context) error {
	if c.exact {
		if c.length > c.Limit {
			return fmt.Errorf("%w: %d bytes", spool.ErrTooLarge, c.length)
		}
		return c.fillExact(ctx)
	}
	began := time.Now()
	err := c.fill(min(c.length, aheadSize, c.Limit))
	if err == nil && !c.whole && c.length <= c.Limit && time.Since(began) > aheadTime {
		err = c.fill(c.length)
	}
	if errors.Is(err, spool.ErrBudget) {
		return nil
	}
	return err
}

// fillExact collects all of the body, and waits for room.
func (c *collection) fillExact(ctx context.Context) error {
	for late := time.Now().Add(roomTime); ; time.Sleep(roomCheck) {
		upTo := c.length
		if upTo < 0 {
			upTo = math.MaxInt64
		}
		if err := c.fill(upTo); !errors.Is(err, spool.ErrBudget) || time.Now().After(late) || ctx.Err() != nil {
			return err
		}
	}
}

// fill collects up to so many bytes.
func (c *collection) fill(upTo int64) error {
	err := c.Fill(c.body, upTo)
	if err == io.EOF {
		if c.Size() < c.length {
			return fmt.Errorf("%w: %d bytes of the request body missing", ErrAborted, c.length-c.Size())
		}
		c.whole, err = true, nil
	}
	c.whole = c.whole || c.Size() == c.length
	return err
}

// request returns what the application gets.
func (c *collection) request(req *Request) (*Request, error) {
	r := *req
	if c.whole {
		r.ContentLength = c.Size()
		body, err := c.Body()
		if err == nil {
			r.Body = body.ReadSeeker
		}
		if !errors.Is(err, spool.ErrBudget) {
			return &r, err
		}
		c.body = http.NoBody
	}
	r.Body = &begunBody{begun: c.Begun(), left: c.Size(), rest: c.body, rate: c.rate}
	return &r, nil
}

func spoolError(err error) error {
	switch {
	case errors.Is(err, spool.ErrTooLarge):
		return &Error{Op: "spool", Limit: "spool", Err: fmt.Errorf("%w: %w", ErrTooLarge, err)}
	case errors.Is(err, spool.ErrBudget):
		busy := &Error{Op: "spool", Limit: "spool-disk", RetryAfter: time.Second, Err: fmt.Errorf("%w: %w", ErrBusy, err)}
		if errors.Is(err, spool.ErrMemory) {
			busy.Limit = "spool-memory"
		}
		return busy
	case errors.Is(err, spool.ErrStorage):
		return &Error{Op: "spool", Status: http.StatusInsufficientStorage, Err: err}
	case StatusOf(err) == http.StatusInternalServerError: // the frontend's own reading error
		return fmt.Errorf("%w: %w", ErrAborted, err)
	}
	return err
}

// A begunBody is a body of which the beginning was collected, and the rest is passed on as it comes.
type begunBody struct {
	begun   io.Reader
	left    int64 // of begun
	release func()
	rest    io.Reader
	rate    int64         // bytes per second; 0 or less is none
	behind  time.Duration // how much longer than at this rate it took
}

// Len is for [ReadableAtOnce].
func (b *begunBody) Len() int { return int(b.left) }

// Read implements io.Reader.
func (b *begunBody) Read(p []byte) (int, error) {
	if b.left > 0 {
		n, err := b.begun.Read(p)
		if b.left -= int64(n); b.left == 0 {
			b.release()
			err = nil
		}
		return n, err
	}
	asked := time.Now()
	n, err := b.rest.Read(p)
	if err == nil && b.rate > 0 {
		b.behind += time.Since(asked) - time.Duration(float64(n)/float64(b.rate)*float64(time.Second))
		if b.behind = max(b.behind, 0); b.behind > slowTime {
			err = fmt.Errorf("%w: the client sends less than %d bytes of the body per second", ErrTimeout, b.rate)
			return 0, &Error{Op: "body", Status: http.StatusRequestTimeout, Limit: "body-rate", Err: err}
		}
	}
	return n, err
}
