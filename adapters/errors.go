package adapters

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"syscall"
	"time"

	"github.com/gangway-go/gangway/internal/sockio"
)

// The errors that callers decide on. They arrive wrapped, usually in an [*Error].
var (
	// ErrDeclined is a Handler's "not mine": the Dispatcher asks the next route. StatusOf makes it 404.
	ErrDeclined = errors.New("declined")
	// ErrBadRequest is a request that cannot be passed on as it is, such as a NUL in a variable. 400.
	ErrBadRequest = errors.New("bad request")
	// ErrForbidden is a resource that exists and may not be used this way. 403.
	ErrForbidden = errors.New("forbidden")
	// ErrNotFound is a path under which nothing is found. 404.
	ErrNotFound = errors.New("not found")
	// ErrTooLarge is a request that exceeds a limit. 413.
	ErrTooLarge = errors.New("request too large")
	// ErrAborted is what is left of a request whose client has gone, or whose response is over. 499, which is only logged.
	ErrAborted = errors.New("request aborted")
	// ErrRedirectLoop is a local redirect or rewrite that does not end. 500.
	ErrRedirectLoop = errors.New("too many internal redirects")
	// ErrUpgrade is a request to change the protocol where that is impossible. 501.
	ErrUpgrade = errors.New("upgrade not supported")
	// ErrBadResponse is an answer of the application that breaks its protocol. 502.
	ErrBadResponse = errors.New("bad response from the application")
	// ErrUnreachable is an application that accepts no connection, or closed it before it answered. 502.
	ErrUnreachable = errors.New("application not reachable")
	// ErrTruncated is a response body that ended before its end. If no header was sent yet: 502.
	ErrTruncated = errors.New("response cut short by the application")
	// ErrBusy is an application that has no capacity left, FCGI_OVERLOADED among others. 503.
	ErrBusy = errors.New("application busy")
	// ErrTimeout is an application that did not answer in time. 504.
	ErrTimeout = errors.New("application timed out")
)

// StatusClientGone is nginx's number for a request whose client left before the answer; it is logged and never sent.
const StatusClientGone = 499

// An Error says what was tried, where, and why it failed: "fastcgi: dial unix /run/php.sock: connection refused".
type Error struct {
	Op         string        // package and operation: "fastcgi: dial"
	Addr       string        // the application's address; may be empty
	Status     int           // HTTP status; 0 means that Err decides
	RetryAfter time.Duration // when another try may succeed; 0 means unknown
	Limit      string        // the limit that was reached, as docs/limits.md names it; empty if it was none
	Err        error
}

// Error returns the parts in one line.
func (e *Error) Error() string {
	s := e.Op
	if e.Addr != "" {
		s += " " + e.Addr
	}
	s += ": " + e.Err.Error()
	if e.Limit != "" {
		s += " (limit " + e.Limit + ")"
	}
	return s
}

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }

// statuses is the documented table of failures; the first match counts.
var statuses = []struct {
	err    error
	status int
}{
	{ErrAborted, StatusClientGone},
	{ErrDeclined, http.StatusNotFound},
	{ErrBadRequest, http.StatusBadRequest},
	{ErrForbidden, http.StatusForbidden},
	{ErrNotFound, http.StatusNotFound},
	{ErrTooLarge, http.StatusRequestEntityTooLarge},
	{ErrRedirectLoop, http.StatusInternalServerError},
	{ErrUpgrade, http.StatusNotImplemented},
	{ErrBusy, http.StatusServiceUnavailable},
	{ErrTimeout, http.StatusGatewayTimeout},
	{context.DeadlineExceeded, http.StatusGatewayTimeout},
	{ErrBadResponse, http.StatusBadGateway},
	{ErrUnreachable, http.StatusBadGateway},
	{ErrTruncated, http.StatusBadGateway},
	{context.Canceled, StatusClientGone},
}

// StatusOf returns the HTTP status for an error of a [Handler]: an [*Error]'s own, else by the sentinel it wraps, else
// 504 for a network time-out, 502 for another network error, and 500. Only here do errors become statuses.
func StatusOf(err error) int {
	var e *Error
	for inner := err; errors.As(inner, &e); inner = e.Err {
		if e.Status != 0 {
			return e.Status
		}
	}
	if status := sentinelStatus(err); status != 0 {
		return status
	}
	var ne net.Error
	errors.As(err, &ne)
	switch ne.(type) {
	case nil, syscall.Errno: // a system call by itself, such as that of a file
		return http.StatusInternalServerError
	}
	if ne.Timeout() {
		return http.StatusGatewayTimeout
	}
	return http.StatusBadGateway
}

// sentinelStatus returns the status of the sentinel that err wraps; 0 if there is none.
func sentinelStatus(err error) int {
	for _, s := range statuses {
		if errors.Is(err, s.err) {
			return s.status
		}
	}
	return 0
}

// Failed returns the [*Error] for err, which stopped op at addr. If ctx is over, the cause of that counts instead: it
// is no fault of the application. A time-out becomes [ErrTimeout], a full queue of a Unix socket or of processes
// (EAGAIN) [ErrBusy]; kind is the sentinel for an error that has none.
func Failed(ctx context.Context, op, addr string, kind, err error) *Error {
	if over := sockio.Over(ctx); over != nil {
		err, kind = over, ErrAborted
	}
	dial := false
	if ne, ok := err.(*net.OpError); ok {
		err, dial = ne.Err, ne.Op == "dial" // op and addr say the rest
	}
	var timeout interface{ Timeout() bool }
	switch {
	case errors.Is(err, syscall.EAGAIN) && !errors.Is(err, ErrBusy): // it calls itself a time-out
		err = fmt.Errorf("%w: %w", ErrBusy, err)
	case !errors.Is(err, ErrBusy) && !errors.Is(err, ErrTimeout) && errors.As(err, &timeout) && timeout.Timeout():
		if err = fmt.Errorf("%w: %w", ErrTimeout, err); dial {
			err = ConnectTimeout(err)
		}
	case sentinelStatus(err) == 0:
		err = fmt.Errorf("%w: %w", kind, err)
	}
	return &Error{Op: op, Addr: addr, Err: err}
}

// RetryAfter returns when another try may succeed, as the error says; 0 means unknown.
func RetryAfter(err error) time.Duration {
	for e := (*Error)(nil); errors.As(err, &e); err = e.Err {
		if e.RetryAfter != 0 {
			return e.RetryAfter
		}
	}
	return 0
}

// LimitOf returns the name of the limit that err is about; empty if it is about none.
func LimitOf(err error) string {
	for e := (*Error)(nil); errors.As(err, &e); err = e.Err {
		if e.Limit != "" {
			return e.Limit
		}
	}
	return ""
}
