package fastcgi

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/fastcgi/wire"
)

// quietTime is how long WriteTo waits for more before it flushes: an application may send a small response in pieces.
const quietTime = time.Millisecond

// unwatchedTime is how long an answer is waited for before anybody minds ctx.
const unwatchedTime = 5 * time.Millisecond

// errQuiet says that nothing came for as long as quietTime.
var errQuiet = errors.New("nothing came")

// response reads the response header.
func (x *exchange) response() (*adapters.Response, error) {
	x.in.id, x.in.ended = x.conn.id, false
	x.header = adapters.HeaderReader{Informational: x.req.Informational, Limit: x.c.HeaderLimit}
	for {
		b, err := x.pull(false)
		if err == io.EOF {
			err = fmt.Errorf("%w: FCGI_END_REQUEST before the end of the header", adapters.ErrBadResponse)
			return nil, x.c.fault(opRequest, err)
		}
		if err != nil {
			return nil, err
		}
		n, resp, err := x.header.Feed(b)
		if err == nil && resp == nil {
			continue
		}
		if err == nil {
			err = resp.SetBody(x)
		}
		if err != nil {
			x.abort(err)
			return nil, x.c.fault(opRequest, err)
		}
		x.left, x.inBody = -1, true
		if length := resp.Header.Get("Content-Length"); length != "" && adapters.BodyAllowed(x.req.Method, resp.Status) {
			x.left, _ = adapters.ParseLength(length) // it was checked
		}
		x.pending = x.bounded(b[n:])
		resp.AppStatus = x.appStatus
		return resp, nil
	}
}

func (x *exchange) appStatus() int { return x.status }

// Read reads FCGI_STDOUT behind the header.
func (x *exchange) Read(p []byte) (int, error) {
	b, err := x.next(false)
	if err != nil {
		return 0, err
	}
	n := copy(p, b)
	x.pending = b[n:]
	return n, nil
}

// WriteTo writes what Read would read to w, without copying it, and flushes w before it has to wait.
func (x *exchange) WriteTo(w io.Writer) (int64, error) {
	flusher, unflushed := w.(adapters.Flusher)
	var written int64
	for {
		b, err := x.next(unflushed)
		switch {
		case err == errQuiet:
			flusher.Flush()
			unflushed = false
			continue
		case err == io.EOF:
			return written, nil
		case err != nil:
			return written, err
		}
		x.pending = nil
		n, err := w.Write(b)
		written += int64(n)
		if err != nil {
			return written, err
		}
		unflushed = flusher != nil
	}
}

// next returns what is to be read next.
func (x *exchange) next(hasty bool) ([]byte, error) {
	switch {
	case x.closed.Load():
		return nil, x.c.fault(opRequest, errBodyClosed)
	case len(x.pending) > 0:
		return x.pending, nil
	case x.excess:
		return nil, io.EOF
	}
	b, err := x.pull(hasty)
	if err != nil {
		return nil, err
	}
	if b = x.bounded(b); x.excess && len(b) == 0 {
		return nil, io.EOF
	}
	return b, nil
}

// bounded returns of a piece of the body what Content-Length has room for. More ends the exchange.
func (x *exchange) bounded(b []byte) []byte {
	if x.left < 0 {
		return b
	}
	if int64(len(b)) > x.left {
		b, x.excess = b[:x.left], true
		if x.req.Stderr != nil {
			io.WriteString(x.req.Stderr, "response body longer than its Content-Length: the rest is dropped\n")
		}
		x.abort(fmt.Errorf("%w: body longer than its Content-Length", adapters.ErrBadResponse))
	}
	x.left -= int64(len(b))
	return b
}

// pull returns what comes next of FCGI_STDOUT: all of it that is in the buffer, else as much as comes. What it returned
// before is no longer valid. If hasty it soon gives up, with errQuiet. io.EOF is FCGI_END_REQUEST.
func (x *exchange) pull(hasty bool) (b []byte, err error) {
	x.reading.Lock()
	defer x.reading.Unlock()
	for err = x.cause(); err == nil; err = x.fill(hasty) {
		if b, err = x.take(); len(b) > 0 {
			return b, nil
		}
		if err != nil {
			break
		}
	}
	if err != errQuiet {
		x.in.release()
	}
	return nil, err
}

// take takes what is in the buffer and returns the content of FCGI_STDOUT in one piece.
func (x *exchange) take() (out []byte, err error) {
	for {
		t, piece, err := x.in.next()
		switch {
		case err == errMore:
			return out, nil
		case err != nil && len(out) > 0:
			return out, nil // The error comes again.
		case err != nil:
			x.lost = !x.in.ours && x.conn.id > 1 // the request before it has spoilt the connection
			return nil, x.fail(err)
		case t == wire.TypeEndRequest:
			return out, x.endRequest(piece)
		case t == wire.TypeStderr:
			if x.req.Stderr != nil {
				x.req.Stderr.Write(piece)
			}
		case out == nil:
			out = piece
		default:
			out = append(out, piece...) // moves piece down the buffer, over the record header between the two
		}
	}
}

// endRequest takes the body of FCGI_END_REQUEST, FastCGI 1.0 section 5.5, and returns what the exchange ended with.
func (x *exchange) endRequest(body []byte) error {
	end, _ := wire.ParseEndRequest(body)
	x.status = int(int32(end.AppStatus))
	switch end.ProtocolStatus {
	case wire.StatusRequestComplete:
		return x.complete()
	case wire.StatusOverloaded:
		return x.fail(x.c.busy(end.ProtocolStatus.String()))
	case wire.StatusUnknownRole:
		return x.fail(fmt.Errorf("%w: %v %v", adapters.ErrBadResponse, end.ProtocolStatus, x.req.Role))
	}
	return x.fail(fmt.Errorf("%w: protocolStatus %v", adapters.ErrBadResponse, end.ProtocolStatus))
}

// fill reads once, for as long as the application may take.
func (x *exchange) fill(hasty bool) error {
	wait := x.c.timeout()
	switch {
	case hasty:
		wait = quietTime
	case x.stop == nil:
		wait = unwatchedTime
	}
	for {
		if err := x.setReadDeadline(in(wait)); err != nil {
			return err
		}
		n, err := x.in.read(x.conn)
		switch {
		case n > 0:
			x.arrived()
			return nil
		case err == nil:
			continue
		case !errors.Is(err, os.ErrDeadlineExceeded):
			return x.broke(err)
		}
		x.in.wait()
		switch {
		case hasty:
			return errQuiet
		case x.stop == nil:
			x.watch()
			wait = x.c.timeout()
			continue
		}
		if wait = x.reprieve(); wait <= 0 {
			x.abort(x.timedOut())
			return x.cause()
		}
	}
}

func (x *exchange) setReadDeadline(t time.Time) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.err == nil {
		x.conn.SetReadDeadline(t)
	}
	return x.err
}

func (x *exchange) arrived() {
	if x.answered {
		x.watch() // who never pauses, as with diagnostics without end, must hear of ctx too
		return
	}
	x.answered = true
	x.req.Trace.Mark(adapters.FirstByte)
	if x.conn.id == 1 {
		x.c.answered(x.conn)
	}
}

// broke ends the exchange after a failed read.
func (x *exchange) broke(err error) error {
	if cause := x.cause(); cause != nil {
		return cause
	}
	x.lost = !x.answered
	why := x.header.EndError(io.EOF)
	if x.inBody {
		why = fmt.Errorf("%w: it closed the connection before FCGI_END_REQUEST", adapters.ErrTruncated)
	}
	if op := (*net.OpError)(nil); errors.As(err, &op) {
		err = op.Err
	}
	if err != io.EOF {
		why = fmt.Errorf("%w (%w)", why, err)
	}
	return x.fail(why)
}

// reprieve returns how much longer the application may take that sent nothing for Timeout.
func (x *exchange) reprieve() time.Duration {
	timeout := x.c.timeout()
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.sending == readsBody {
		return timeout
	}
	return timeout - time.Since(x.moved)
}

func (x *exchange) timedOut() error {
	return fmt.Errorf("%w: it moved no byte for %v (limit Timeout)", adapters.ErrTimeout,
		x.c.timeout())
}
