package adapters

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/gangway-go/gangway/internal/spool"
)

// DefaultSpoolLimit bounds a request body of unknown length, in bytes (limit spool).
const DefaultSpoolLimit = 1 << 30

// Spool reads a body of unknown length to its end, into memory or an unlinked file, for applications that need an exact
// CONTENT_LENGTH. It returns a copy of req whose Body is a *bytes.Reader or an *os.File, and a function that gives the
// storage back, to be called once when the application is done. A request whose length is known comes back as it is.
// limit is in bytes, 0 means DefaultSpoolLimit; a longer body is [ErrTooLarge]. Cancelling ctx ends the waiting.
func Spool(ctx context.Context, req *Request, limit int64) (spooled *Request, release func(), err error) {
	if req.ContentLength >= 0 || req.Body == nil {
		return req, func() {}, nil
	}
	if limit == 0 {
		limit = DefaultSpoolLimit
	}
	type result struct {
		body spool.Body
		err  error
	}
	done := make(chan result, 1)
	go func() {
		body, err := spool.Read(req.Body, spool.DefaultMemory, limit)
		done <- result{body, err}
	}()
	select {
	case r := <-done:
		if r.err != nil {
			return nil, nil, spoolError(r.err)
		}
		c := *req
		c.Body, c.ContentLength = r.body.ReadSeeker, r.body.Size
		return &c, func() { r.body.Close() }, nil
	case <-ctx.Done():
		go func() { (<-done).body.Close() }()
		return nil, nil, context.Cause(ctx)
	}
}

func spoolError(err error) error {
	switch {
	case errors.Is(err, spool.ErrTooLarge):
		return fmt.Errorf("%w: %w (limit spool)", ErrTooLarge, err)
	case errors.Is(err, spool.ErrStorage):
		return &Error{Op: "spool", Status: http.StatusInsufficientStorage, Err: err}
	case StatusOf(err) == http.StatusInternalServerError: // the frontend's own reading error
		return fmt.Errorf("%w: %w", ErrAborted, err)
	}
	return err
}
