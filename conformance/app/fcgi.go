package app

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/gangway-go/gangway/conformance"
	"github.com/gangway-go/gangway/fastcgi/wire"
)

// collectLimit is how much output of one request is collected.
const collectLimit = 64 << 20

// conn is a FastCGI connection to the target.
type conn struct {
	*conformance.Conn
	t   *T
	buf []byte // received, not yet taken
	got []record
	// patience is how long the target may take for the next record.
	patience time.Duration
}

// record is one that the target has sent.
type record struct {
	wire.Header
	content, padding []byte
}

// String describes the record for a verdict.
func (r record) String() string {
	s := fmt.Sprintf("%v(id %d, %d bytes", r.Type, r.RequestID, r.ContentLength)
	if end, err := wire.ParseEndRequest(r.content); err == nil && r.Type == wire.TypeEndRequest {
		s += fmt.Sprintf(": %v, appStatus %d", end.ProtocolStatus, end.AppStatus)
	}
	return s + ")"
}

// Connect opens a FastCGI connection to the target.
func (t *T) Connect() *conn { return &conn{Conn: t.Open(), t: t, patience: t.Patience()} }

// Send writes all parts at once. If the target takes no more, what it sends tells why.
func (c *conn) Send(parts ...[]byte) {
	c.SetWriteDeadline(time.Now().Add(3 * c.patience))
	c.Write(slices.Concat(parts...))
}

// next returns the next record; an error that isTimeout if none came in time, and another if the connection has ended.
func (c *conn) next(wait time.Duration) (record, error) {
	c.SetReadDeadline(time.Now().Add(wait))
	for {
		h, content, rest, err := wire.ParseRecord(c.buf)
		if err == nil {
			padding := c.buf[wire.HeaderLen+len(content) : len(c.buf)-len(rest)]
			r := record{h, bytes.Clone(content), bytes.Clone(padding)}
			c.buf = rest
			c.got = append(c.got, record{h, r.content[:min(len(content), wire.BodyLen)], nil})
			return r, nil
		}
		c.buf = slices.Grow(c.buf, 32<<10)
		n, err := c.Read(c.buf[len(c.buf):cap(c.buf)])
		c.buf = c.buf[:len(c.buf)+n]
		if n == 0 && err != nil {
			return record{}, err
		}
	}
}

func isTimeout(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) }

// heard says what came so far over the connection, for a verdict.
func (c *conn) heard() string {
	var words []string
	for _, r := range c.got {
		if words = append(words, r.String()); len(words) == 8 && len(c.got) > 8 {
			words = append(words, fmt.Sprintf("… %d records in all", len(c.got)))
			break
		}
	}
	if len(c.buf) > 0 {
		words = append(words, fmt.Sprintf("%d bytes that are no whole record: %.40q", len(c.buf), c.buf))
	}
	if len(words) == 0 {
		return "nothing"
	}
	return strings.Join(words, ", ")
}

// Record returns the next record. It fails if the target closes the connection instead, or sends none in time.
func (c *conn) Record() record {
	r, err := c.next(c.patience)
	if isTimeout(err) {
		c.t.Hang("no record within %v; before: %s", c.patience, c.heard())
	}
	c.t.Check(err == nil, "it closed the connection; before: %s", c.heard())
	return r
}

// Expect returns the next record of one of the types, skipping others.
func (c *conn) Expect(types ...wire.Type) record {
	for {
		if r := c.Record(); slices.Contains(types, r.Type) {
			return r
		}
	}
}

// response is what the target has sent for one request.
type response struct {
	id                       uint16
	stdout, stderr           []byte
	stdoutEnded, stderrEnded bool
	records                  []record // of this request, in order, without their content
	end                      *wire.EndRequest
	// closed and silent say why there is no more if end is nil: the connection was closed, or nothing came in time.
	closed, silent bool
}

// add takes a record of the request into the response.
func (r *response) add(rec record) {
	switch rec.Type {
	case wire.TypeStdout:
		r.stdout = append(r.stdout, rec.content...)
		r.stdoutEnded = r.stdoutEnded || len(rec.content) == 0
	case wire.TypeStderr:
		r.stderr = append(r.stderr, rec.content...)
		r.stderrEnded = r.stderrEnded || len(rec.content) == 0
	case wire.TypeEndRequest:
		if end, err := wire.ParseEndRequest(rec.content); err == nil {
			r.end = &end
		}
	}
	rec.content = rec.content[:min(len(rec.content), wire.BodyLen)]
	r.records = append(r.records, rec)
}

// served says whether the response is complete and well-formed.
func (r *response) served() bool {
	return r.end != nil && r.end.ProtocolStatus == wire.StatusRequestComplete && wellFormed(r.stdout)
}

// Collect gathers the responses of the given requests, in that order, until all have ended, the target closes the
// connection, or nothing comes for as long as patience. It makes no verdict.
func (c *conn) Collect(ids ...uint16) []*response {
	responses := make([]*response, len(ids))
	for i, id := range ids {
		responses[i] = &response{id: id}
	}
	total := 0
	for open := len(ids); open > 0; {
		rec, err := c.next(c.patience)
		if err != nil {
			for _, r := range responses {
				r.silent, r.closed = r.end == nil && isTimeout(err), r.end == nil && !isTimeout(err)
			}
			break
		}
		total += len(rec.content)
		c.t.Check(total <= collectLimit, "more than %d bytes of output", collectLimit)
		if i := slices.Index(ids, rec.RequestID); i >= 0 {
			ended := responses[i].end != nil
			if responses[i].add(rec); !ended && responses[i].end != nil {
				open--
			}
		}
	}
	return responses
}

// Response gathers the response of the request and fails unless its end comes.
func (c *conn) Response(id uint16) *response {
	r := c.Collect(id)[0]
	if r.silent {
		c.t.Hang("no end of request %d, nothing for %v; before: %s", id, c.patience, c.heard())
	}
	c.t.Check(!r.closed, "it closed the connection before the end of request %d; before: %s", id, c.heard())
	return r
}

// Settled gathers the response of a request that the target may refuse, and hangs unless the request ends or the target
// closes the connection.
func (c *conn) Settled(id uint16) *response {
	r := c.Collect(id)[0]
	if r.silent {
		c.t.Hang("neither an end of request %d nor a close for %v; before: %s", id, c.patience, c.heard())
	}
	return r
}

// Served is Response, and fails if that is not complete and well-formed.
func (c *conn) Served(id uint16) *response {
	r := c.Response(id)
	c.t.Check(r.end.ProtocolStatus == wire.StatusRequestComplete, "request %d ended with %v", id, r.end.ProtocolStatus)
	c.t.Reply(r.stdout)
	return r
}

// Ask sends a request and returns its response, which is complete and well-formed.
func (c *conn) Ask(r *request) *response {
	c.Send(r.Bytes())
	return c.Served(r.ID)
}

// Serves makes a plain request over this connection, which the target is to keep open, and fails if it gets no
// well-formed response.
func (c *conn) Serves() { c.Ask(c.t.Get("").Keep()) }

// UntilClosed gathers records until the target closes the connection, and hangs if it does not.
func (c *conn) UntilClosed() []record {
	var all []record
	for {
		r, err := c.next(c.patience)
		if isTimeout(err) {
			c.t.Hang("the connection stays open, nothing for %v; before: %s", c.patience, c.heard())
		}
		if err != nil {
			return all
		}
		all = append(all, r)
	}
}

// Closes gathers records until the target closes the connection, or until nothing comes for as long as patience; then
// it is not closed.
func (c *conn) Closes() (records []record, closed bool) {
	for {
		r, err := c.next(c.patience)
		if err != nil {
			return records, !isTimeout(err)
		}
		records = append(records, r)
	}
}

// Quiet gathers what comes within d, and says whether the connection is still open then.
func (c *conn) Quiet(d time.Duration) (records []record, open bool) {
	end := time.Now().Add(d)
	for {
		r, err := c.next(time.Until(end))
		if err != nil {
			return records, isTimeout(err)
		}
		records = append(records, r)
	}
}

// fcgiAsk is the plain request of a target that speaks FastCGI.
func (t *T) fcgiAsk(query string) []byte {
	c := t.Connect()
	defer c.Close()
	return c.Ask(t.Get(query)).stdout
}

// keeps says whether the target keeps a connection open if asked to.
func (t *T) keeps() bool {
	return t.within(t.Patience(), func(t *T) {
		c := t.Connect()
		c.Serves()
		c.Serves()
	})
}
