package http1

import (
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/gangway-go/gangway/adapters"
)

// refuse returns why a message is not served, and with which status. The connection ends with it.
func refuse(status int, format string, args ...any) error {
	return refuseFor("", status, format, args...)
}

// refuseFor is refuse because of a limit.
func refuseFor(limit string, status int, format string, args ...any) error {
	return &adapters.Error{Op: "http1", Status: status, Limit: limit, Err: fmt.Errorf(format, args...)}
}

func malformed(format string, args ...any) error {
	return refuse(http.StatusBadRequest, format, args...)
}

// refuse answers a message that is not served, if an answer makes sense, and ends the connection.
func (c *conn) refuse(err error) {
	var r *adapters.Error
	if !errors.As(err, &r) {
		return
	}
	log := c.s.log()
	err = c.s.Reporter.Report(&adapters.Request{Remote: c.remote}, r)
	if id := adapters.ErrorID(err); id != "" {
		log = log.With("error_id", id)
	}
	if r.Limit != "" {
		log = log.With("limit", r.Limit)
	}
	log.Info("request refused", "status", r.Status, "error", r, "remote", c.remote.Addr)
	resp := adapters.Failure(err)
	b := appendFields(appendStatusLine(nil, r.Status), resp.Header)
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
