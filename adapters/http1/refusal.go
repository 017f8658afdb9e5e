package http1

import (
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/gangway-go/gangway/adapters"
)

// A refusal is why a message is not served, and with which status. The connection ends with it.
type refusal struct {
	status int
	reason string
	limit  string // that was reached; empty if it was none
}

func (r *refusal) Error() string {
	if r.limit != "" {
		return "http1: " + r.reason + " (limit " + r.limit + ")"
	}
	return "http1: " + r.reason
}

func refuse(status int, format string, args ...any) error {
	return refuseFor("", status, format, args...)
}

// refuseFor is refuse because of a limit.
func refuseFor(limit string, status int, format string, args ...any) error {
	return &refusal{status, fmt.Sprintf(format, args...), limit}
}

func malformed(format string, args ...any) error {
	return refuse(http.StatusBadRequest, format, args...)
}

// refuse answers a message that is not served, if an answer makes sense, and ends the connection.
func (c *conn) refuse(err error) {
	var r *refusal
	if !errors.As(err, &r) {
		return
	}
	log := c.s.log()
	err = c.s.Reporter.Report(&adapters.Request{Remote: c.remote}, &adapters.Error{Op: "http1", Status: r.status, Err: r})
	if id := adapters.ErrorID(err); id != "" {
		log = log.With("error_id", id)
	}
	if r.limit != "" {
		log = log.With("limit", r.limit)
	}
	log.Info("request refused", "status", r.status, "error", r, "remote", c.remote.Addr)
	resp := adapters.Failure(err)
	b := appendFields(appendStatusLine(nil, r.status), resp.Header)
	b = fmt.Appendf(b, "Connection: close\r\nDate: %s\r\n\r\n", date())
	text, _ := io.ReadAll(resp.Body)
	c.setWriteDeadline()
	c.nc.Write(append(b, text...))
	c.linger()
}

// linger ends the connection so that a client that still sends can read the answer, RFC 9112 9.6.
func (c *conn) linger() {
	c.enter(StateClosing)
	if c.nc.CloseWrite() != nil {
		return
	}
	c.setReadDeadline(drainTime, 0)
	buf := writeBuffers.Get().(*[writeBufferSize]byte)
	defer writeBuffers.Put(buf)
	for { // closing with bytes unread would reset the connection, and the client might lose the answer
		if _, err := c.nc.Read(buf[:]); err != nil {
			return
		}
	}
}
