package adapters

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"syscall"
)

// A Reporter has clients told more than the status of a failure: an error id, which the log repeats with the cause, and
// to those who may know it what kind of failure it was, in Proxy-Status (RFC 9209). Frontends that have none tell the
// status alone. It is safe for concurrent use.
type Reporter struct {
	// Name is what this gateway is called in Proxy-Status: a token (RFC 9110 5.6.2) that begins with a letter.
	Name string
	// Trusted reports whether who sent a request may have Proxy-Status; nil is nobody.
	Trusted func(Endpoint) bool
}

// An Incident is an error that a client is told about. [Failure] makes the answer of it.
type Incident struct {
	ID     string // the request's, else made for this error
	Status string // Proxy-Status; empty if the client may not have it
	Err    error
}

// Error returns that of Err.
func (i *Incident) Error() string { return i.Err.Error() }

// Unwrap returns Err.
func (i *Incident) Unwrap() error { return i.Err }

// Report returns the [*Incident] that err is to the client of req, which for an error in req itself may be nearly
// empty. On nil it returns err.
func (r *Reporter) Report(req *Request, err error) error {
	if r == nil || err == nil {
		return err
	}
	i := &Incident{ID: req.ID, Err: err}
	if i.ID == "" {
		i.ID = NewRequestID()
	}
	if kind := ErrorType(err); kind != "" && r.Trusted != nil && r.Trusted(req.Remote) {
		i.Status = r.Name + "; error=" + kind + `; details="id=` + safeID(i.ID) + `"`
	}
	return i
}

// ErrorID returns the ID of the [*Incident] in err; "" if there is none.
func ErrorID(err error) string {
	if i := (*Incident)(nil); errors.As(err, &i) {
		return i.ID
	}
	return ""
}

// safeID returns an id, which may be a web server's, as it may stand in quotes (RFC 8941 3.3.3).
func safeID(id string) string {
	b := []byte(id)
	for i, c := range b {
		if c < ' ' || c > '~' || c == '"' || c == '\\' {
			b[i] = '?'
		}
	}
	return string(b)
}

// What an ErrUnreachable and an ErrBadResponse may be in particular.
var (
	errNoAnswer = errors.New("it closed the connection without an answer")
	errLong     = errors.New("header too long")
)

// LongHeader returns the [ErrBadResponse] that a response header of more than limit bytes is.
func LongHeader(limit int64) error {
	return fmt.Errorf("%w: %w: more than %d bytes (limit response-header)", ErrBadResponse, errLong, limit)
}

// errorTypes is the documented table of the error types of Proxy-Status, RFC 9209 section 2.3; the first match counts.
// What is not in it has its type by its status.
var errorTypes = []struct {
	err  error
	kind string
}{
	{ErrAborted, ""}, // nobody is told
	{context.Canceled, ""},
	{ErrDeclined, "destination_not_found"},         // 2.3.3
	{ErrForbidden, "http_request_denied"},          // 2.3.17
	{ErrRedirectLoop, "proxy_loop_detected"},       // 2.3.32
	{ErrUpgrade, "http_upgrade_failed"},            // 2.3.27
	{ErrBusy, "destination_unavailable"},           // 2.3.4
	{ErrTruncated, "http_response_incomplete"},     // 2.3.18
	{errLong, "http_response_header_section_size"}, // 2.3.19
	{ErrBadResponse, "http_protocol_error"},        // 2.3.28
	{errNoAnswer, "connection_terminated"},         // 2.3.8
	{syscall.ECONNRESET, "connection_terminated"},
	{syscall.EPIPE, "connection_terminated"},
	{syscall.ECONNREFUSED, "connection_refused"}, // 2.3.7
	{ErrUnreachable, "destination_unavailable"},
}

// ErrorType returns the error type that RFC 9209 section 2.3 has for an error of a [Handler]; "" for a client that has
// gone.
func ErrorType(err error) string {
	status := StatusOf(err)
	if status == StatusClientGone {
		return ""
	}
	if dns := (*net.DNSError)(nil); errors.As(err, &dns) {
		if dns.IsTimeout {
			return "dns_timeout" // 2.3.1
		}
		return "dns_error" // 2.3.2
	}
	if dial := (*connectTimeout)(nil); errors.As(err, &dial) {
		return "connection_timeout" // 2.3.9
	}
	for _, t := range errorTypes {
		if errors.Is(err, t.err) {
			return t.kind
		}
	}
	switch {
	case status < http.StatusInternalServerError:
		return "http_request_error" // 2.3.16
	case status == http.StatusServiceUnavailable:
		return "destination_unavailable"
	case status == http.StatusGatewayTimeout:
		return "http_response_timeout" // 2.3.26
	case status == http.StatusBadGateway:
		return "connection_terminated"
	}
	return "proxy_internal_error" // 2.3.30
}

// A connectTimeout is a time-out before there was a connection.
type connectTimeout struct{ error }

func (e *connectTimeout) Unwrap() error { return e.error }

// ConnectTimeout marks err, which wraps [ErrTimeout], as one that ended the opening of a connection.
func ConnectTimeout(err error) error { return &connectTimeout{err} }
