package app

import (
	"bytes"
	"time"

	"github.com/gangway-go/gangway/conformance"
)

// exchange is a connection for one request, as SCGI and uwsgi have it: the response ends with the connection.
type exchange struct {
	*conformance.Conn
	t      *T
	got    []byte
	closed bool // the target ended the connection
}

// begin opens a connection and writes the parts of a request, in one piece.
func (t *T) begin(parts ...[]byte) *exchange {
	e := &exchange{Conn: t.Open(), t: t}
	if len(parts) > 0 {
		e.send(bytes.Join(parts, nil))
	}
	return e
}

// send writes at once. If the target takes no more, what it sends tells why.
func (e *exchange) send(b []byte) {
	e.SetWriteDeadline(time.Now().Add(3 * e.t.Patience()))
	e.Write(b)
}

// read reads until the target ends the connection, or sends nothing for as long as patience.
func (e *exchange) read() *exchange {
	buf := make([]byte, 64<<10)
	for !e.closed {
		e.SetReadDeadline(time.Now().Add(e.t.Patience()))
		n, err := e.Read(buf)
		e.got = append(e.got, buf[:n]...)
		e.t.Check(len(e.got) <= collectLimit, "more than %d bytes of output", collectLimit)
		switch {
		case isTimeout(err):
			return e
		case err != nil:
			e.closed = true
		}
	}
	return e
}

// end reads until the target ends the connection, which it then closes, and hangs if that does not come.
func (e *exchange) end() *exchange {
	if e.read(); !e.closed && len(e.got) == 0 {
		e.t.Hang("neither a response nor the end of the connection within %v", e.t.Patience())
	}
	if !e.closed {
		e.t.Hang("the connection stays open, nothing for %v; before: %.80q", e.t.Patience(), e.got)
	}
	e.Close() // for the target may serve nobody else before
	return e
}

// response returns what the target sent. It fails if that is no well-formed response.
func (e *exchange) response() []byte {
	e.end()
	e.t.Reply(e.got)
	return e.got
}

// rejected fails unless the target closes the connection, with or without a response that reports an error.
func (e *exchange) rejected() {
	e.end()
	if len(e.got) > 0 {
		status := e.t.Reply(e.got).status
		e.t.Check(status >= 400, "it served the request: status %d", status)
	}
}

// settled fails unless the target closes the connection, with or without a well-formed response, and records which.
func (e *exchange) settled() {
	if e.end(); len(e.got) == 0 {
		e.t.Info("closes the connection without a response")
		return
	}
	e.t.Info("status %d", e.t.Reply(e.got).status)
}

// refused says whether the target closed the connection or reported an error, instead of serving the request.
func (e *exchange) refused() bool {
	e.end()
	return len(e.got) == 0 || e.t.Reply(e.got).status >= 400
}

// dribble writes one byte at a time, each in a segment of its own.
func (e *exchange) dribble(b []byte) { e.t.Dribble(func(b []byte) { e.send(b) }, b) }
