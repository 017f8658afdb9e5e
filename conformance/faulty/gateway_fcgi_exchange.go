package faulty

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"

	"github.com/gangway-go/gangway/fastcgi/wire"
)

// fcgiExchange is one request on a connection; what is read from it is FCGI_STDOUT.
type fcgiExchange struct {
	conn   *keptConn
	vars   []Var
	body   io.Reader
	cancel func() bool

	heard  atomic.Bool // the application has sent something
	failed atomic.Bool // the request could not be sent whole
	out    []byte      // FCGI_STDOUT that has not been read
	stdout bool        // FCGI_STDOUT has ended
	err    error       // how the request ended: io.EOF if it did well
	sent   chan struct{}
	whole  bool // the body has been sent; after sent
	once   sync.Once

	// For faults.
	misread error
	count   int
	begun   bool
	gone    <-chan struct{} // closed when the client has been seen to leave
}

func newFCGIExchange(ctx context.Context, conn *keptConn, vars []Var, body io.Reader) *fcgiExchange {
	x := &fcgiExchange{conn: conn, vars: vars, body: body, sent: make(chan struct{}), gone: ctx.Done()}
	// The connection carries nothing else, so that closing it aborts the request, section 5.4.
	x.cancel = context.AfterFunc(ctx, x.abort)
	return x
}

// abort ends the request for a client that has gone.
func (x *fcgiExchange) abort() {
	if x.conn.backend.fault.is("short-body-ends-well") {
		<-x.sent
	}
	if !x.misabort() {
		x.conn.Close()
	}
}

// begin sends the request and waits for the first of the response.
func (x *fcgiExchange) begin() error {
	go x.send()
	for x.err == nil && len(x.out) == 0 && !x.stdout {
		x.err = x.next()
	}
	if x.err == nil || errors.Is(x.err, io.EOF) || len(x.out) > 0 {
		return nil
	}
	return refusalOf(x.err)
}

// refusalOf makes of an error that came before the response what the client is told.
func refusalOf(err error) error {
	var r *Refusal
	switch {
	case errors.As(err, &r):
		return r
	case errors.Is(err, os.ErrDeadlineExceeded):
		return &Refusal{504, "the application is silent"}
	}
	return &Refusal{502, err.Error()}
}

// send sends the request with its body. That it fails shows in the response.
func (x *fcgiExchange) send() {
	defer close(x.sent)
	head := x.conn.backend.request(x.vars)
	if value(x.vars, "CONTENT_LENGTH") == "" {
		_, err := x.conn.Write(append(head, x.misrecord(x.data(wire.AppendEnd(nil, wire.TypeStdin, requestID)))...))
		x.whole = err == nil
		return
	}
	if _, err := x.conn.Write(head); err != nil {
		return
	}
	buf := make([]byte, 32<<10)
	for {
		n, err := x.body.Read(buf)
		if err != nil && x.conn.backend.fault.is("short-body-ends-well") {
			err = io.EOF
		}
		piece := x.conn.backend.mis.piece(x.vars, buf[:n], errors.Is(err, io.EOF))
		record := wire.AppendStream(nil, wire.TypeStdin, requestID, piece)
		if errors.Is(err, io.EOF) {
			record = wire.AppendEnd(record, wire.TypeStdin, requestID)
		}
		record = x.misrecord(record)
		if _, werr := x.conn.Write(record); werr != nil {
			x.failed.Store(true)
			return
		}
		if x.stops(errors.Is(err, io.EOF)) {
			return
		}
		x.conn.wait() // an application that reads is not silent
		if errors.Is(err, io.EOF) {
			x.whole = true
			return
		}
		if err != nil {
			x.conn.Close() // the client is gone: the application must not take the body for complete
			return
		}
	}
}

// data appends the file for a Filter, section 6.4.
func (x *fcgiExchange) data(b []byte) []byte {
	if value(x.vars, roleVariable) != "FILTER" {
		return b
	}
	if x.conn.backend.fault.is("filter-without-data") {
		return wire.AppendEnd(b, wire.TypeData, requestID)
	}
	content, _ := os.ReadFile(value(x.vars, "SCRIPT_FILENAME")) // one that has gone is empty
	return wire.AppendEnd(wire.AppendStream(b, wire.TypeData, requestID, content), wire.TypeData, requestID)
}

// Read is that of io.Reader: io.EOF if and only if the response is complete.
func (x *fcgiExchange) Read(p []byte) (int, error) {
	for len(x.out) == 0 && x.err == nil {
		x.err = x.next()
	}
	if len(x.out) > 0 {
		n := copy(p, x.out)
		x.out = x.out[n:]
		return n, nil
	}
	var r *Refusal
	if errors.As(x.err, &r) {
		return 0, errors.New(r.Reason) // too late for a status
	}
	if errors.Is(x.err, io.EOF) {
		select {
		case <-x.sent:
			x.Close() // before the client knows, so that its next request finds the connection
		default: // the body may still be awaited
		}
	}
	return 0, x.err
}

// next reads one record. It returns io.EOF at the end of the request.
func (x *fcgiExchange) next() error { return x.misend(x.understand()) }

func (x *fcgiExchange) understand() error {
	h, content, err := x.record()
	if err != nil {
		return err
	}
	if content = x.mistake(&h, content); x.misread != nil {
		return x.misread
	}
	switch {
	case h.Version != wire.Version1 && !x.conn.backend.fault.is("any-record-version"):
		return fmt.Errorf("version %d", h.Version)
	case h.RequestID != requestID:
		return nil // of a request that is not active, or of management
	}
	switch h.Type {
	case wire.TypeStdout:
		if !x.stdout || x.conn.backend.fault.is("output-after-its-end") {
			x.out = append(x.out, content...)
		}
		x.stdout = x.stdout || len(content) == 0
	case wire.TypeStderr:
		if x.logged(content); x.conn.backend.fault.is("shows-stderr") {
			x.out = append(x.out, content...)
		}
	case wire.TypeEndRequest:
		return x.ended(content)
	}
	return nil
}

// ended says what FCGI_END_REQUEST means, section 5.5.
func (x *fcgiExchange) ended(content []byte) error {
	end, err := wire.ParseEndRequest(content)
	if err != nil {
		return err
	}
	switch end.ProtocolStatus {
	case wire.StatusRequestComplete:
		return io.EOF
	case wire.StatusOverloaded:
		if x.conn.backend.fault.is("overload-is-502") {
			return &Refusal{502, "the application is overloaded"}
		}
		return &Refusal{503, "the application is overloaded"}
	}
	return &Refusal{502, end.ProtocolStatus.String()}
}

// logged writes a piece of the error stream so that nobody takes it for a line of the log's, or for commands to a
// terminal.
func (x *fcgiExchange) logged(text []byte) {
	switch f := x.conn.backend.fault; {
	case len(text) == 0, f.is("logs-nothing"):
	case f.is("logs-raw"):
		x.conn.backend.log.Write(text)
	default:
		fmt.Fprintf(x.conn.backend.log, "application: %q\n", text)
	}
}

// record returns the next record.
func (x *fcgiExchange) record() (wire.Header, []byte, error) {
	for {
		h, content, rest, err := wire.ParseRecord(x.conn.in)
		if err == nil {
			x.conn.in = rest
			return h, content, nil
		}
		if h, content := x.passes(); content != nil {
			return h, content, nil
		}
		if len(x.conn.in) > 0 && x.conn.in[0] != wire.Version1 && !x.conn.backend.fault.is("any-record-version") {
			return h, nil, errors.New("what came is not FastCGI 1.0")
		}
		if !x.conn.backend.fault.is("one-limit-for-all") || !x.heard.Load() {
			x.conn.wait()
		}
		n, err := x.conn.Read(x.conn.buf)
		if err == nil && n == 1 && x.conn.backend.fault.is("whole-headers-only") {
			return h, nil, io.ErrUnexpectedEOF
		}
		if n > 0 {
			x.heard.Store(true)
			x.conn.in = append(bytes.Clone(x.conn.in), x.conn.buf[:n]...)
		} else if errors.Is(err, io.EOF) {
			return h, nil, io.ErrUnexpectedEOF
		} else {
			return h, nil, err
		}
	}
}

// Close keeps the connection if both ends are done with it.
func (x *fcgiExchange) Close() error {
	x.once.Do(func() {
		alive := x.cancel()
		select {
		case <-x.sent:
		default:
			x.stop()
			<-x.sent
		}
		if alive && x.whole && errors.Is(x.err, io.EOF) && len(x.conn.in) == 0 || x.miskeep() {
			x.conn.backend.keep(x.conn)
			return
		}
		x.conn.Close()
	})
	return nil
}
