package faulty

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"sync/atomic"
	"time"
)

// Var is one meta-variable of a request.
type Var struct{ Name, Value string }

// backend is what the gateway hands its requests to: an application behind FastCGI, SCGI or uwsgi, or a CGI program. It
// is safe for concurrent use.
type backend interface {
	// RoundTrip hands the request over and returns once the application has begun to answer: what it reads is the CGI
	// response, with io.EOF if and only if it is complete. Before that, errors are of type *Refusal.
	//
	// The variables have CONTENT_LENGTH if there is a body, and body has as many bytes; an error of body other than
	// io.EOF, and the end of ctx, mean that the client is gone, and the application is told. RoundTrip may read from body
	// until the response has been read or closed. Close ends the exchange; the caller calls it always.
	RoundTrip(ctx context.Context, vars []Var, body io.Reader) (io.ReadCloser, error)
	// Close closes the connections that are kept.
	Close()
}

// Refusal is why the application gave no answer, and the HTTP status that says so.
type Refusal struct {
	Status int // 502, 503 or 504
	Reason string
}

func (r *Refusal) Error() string { return fmt.Sprintf("%d: %s", r.Status, r.Reason) }

// faults are the names, without the peer, of the faults that a peer has; a mutant has one.
type fault string

// is says whether the peer has the fault.
func (f fault) is(slug string) bool { return string(f) == slug }

// newBackend returns the backend for an application's address as package server takes it, for example
// "fcgi+unix:///run/app.sock", with a fault or none. An application that is silent for timeout has failed. Log gets
// what the application writes to its error stream.
func newBackend(address string, f fault, timeout time.Duration, log io.Writer) (backend, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	protocol, _, _ := strings.Cut(u.Scheme, "+")
	d := dialer{
		network: "tcp", address: u.Host, timeout: timeout, fault: f, mis: misspeechOf(f, protocol), again: new(atomic.Int32),
	}
	if u.Host == "" {
		d.network, d.address = "unix", u.Path
	}
	switch u.Scheme {
	case "fcgi", "fcgi+unix":
		return &fcgiBackend{dialer: d, log: log}, nil
	case "scgi", "scgi+unix":
		return &scgiBackend{dialer: d}, nil
	case "uwsgi", "uwsgi+unix":
		return &uwsgiBackend{dialer: d}, nil
	case "cgi":
		return &cgiBackend{dir: u.Path, timeout: timeout, fault: f, log: log}, nil
	}
	return nil, fmt.Errorf("faulty: no backend for %q", address)
}

// dialer is what all backends have.
type dialer struct {
	network, address string
	timeout          time.Duration
	fault            fault
	mis              *misspeech
	again            *atomic.Int32 // for a fault
}

func (d *dialer) dial(ctx context.Context) (net.Conn, error) {
	limit := d.timeout
	if d.fault.is("connects-for-ever") {
		limit = time.Hour
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, d.network, d.address)
	if err != nil && ctx.Err() == context.DeadlineExceeded {
		return nil, &Refusal{504, "no connection in time"}
	}
	if err != nil && d.fault.is("nobody-is-404") {
		return nil, &Refusal{404, err.Error()}
	}
	if err != nil {
		return nil, &Refusal{502, err.Error()}
	}
	return conn, nil
}
