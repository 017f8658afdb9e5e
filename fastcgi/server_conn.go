package fastcgi

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math"
	"net"
	"os"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/fastcgi/wire"
	"github.com/gangway-go/gangway/internal/sockio"
)

// Why a request of the server ended early.
var (
	errServerClosed = fmt.Errorf("fastcgi: server closed: %w", adapters.ErrAborted)
	errConnLost     = fmt.Errorf("fastcgi: connection to the web server lost: %w", adapters.ErrAborted)
	errConnCut      = fmt.Errorf("fastcgi: connection closed for another request: %w", adapters.ErrAborted)
	errAbortRequest = fmt.Errorf("fastcgi: FCGI_ABORT_REQUEST: %w", adapters.ErrAborted)
)

// Why the server closes a connection.
var (
	errProtocol = errors.New("fastcgi: protocol error")
	errTimeout  = errors.New("fastcgi: a record or FCGI_PARAMS did not become complete in time (limit header-timeout)")
)

const (
	readBufferSize = 8 << 10
	lingerTime     = 2 * time.Second        // how long a web server may take to see an answer that comes before its body
	cutTime        = 100 * time.Millisecond // how long one that does not read may take to see that no more will come
)

var readBuffers = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, readBufferSize) }}

// A serverConn is a connection of a web server. One goroutine reads its records; each request has another one, which
// runs the handler and writes.
type serverConn struct {
	srv      *Server
	nc       net.Conn
	handlers sync.WaitGroup
	reading  atomic.Bool // nothing is read of a record whose request is not known

	// These belong to the goroutine that reads.
	br        *bufio.Reader
	receiving []*serverRequest // those whose FCGI_PARAMS have not ended, in the order of their begin
	inRecord  bool             // the rest of a record is still to come
	inStream  bool             // it is FCGI_STDIN or FCGI_DATA
	waiting   time.Time        // since when the record is incomplete
	armed     bool             // there is a deadline
	params    []byte           // buffer for FCGI_PARAMS; nil while a request has it
	piece     []byte           // buffer on the way to a temporary file

	wmu sync.Mutex // held to write records; taken before mu

	mu        sync.Mutex
	active    map[uint16]*serverRequest
	busy      int  // requests whose last record is not written yet
	draining  bool // to be closed when no request is left, nor on its way
	closing   bool // to be closed when no request is left
	lingering bool // closed for writing
}

func newServerConn(s *Server, nc net.Conn) *serverConn {
	c := &serverConn{srv: s, nc: nc, active: map[uint16]*serverRequest{}}
	c.br = readBuffers.Get().(*bufio.Reader)
	c.br.Reset(c)
	return c
}

// serve lives as long as the connection and everything that was begun on it.
func (c *serverConn) serve() {
	err := c.readRecords()
	c.logEnd(err)
	if errors.Is(err, errProtocol) || errors.Is(err, os.ErrDeadlineExceeded) {
		c.cut(errConnCut)
	}
	c.kill(errConnLost)
	c.handlers.Wait()
	c.br.Reset(nil)
	readBuffers.Put(c.br)
	c.srv.remove(c)
}

func (c *serverConn) logEnd(err error) {
	c.mu.Lock()
	lingering, requests := c.lingering, len(c.active)
	c.mu.Unlock()
	log, level := c.srv.log(), slog.LevelWarn
	switch {
	case lingering:
		return
	case errors.Is(err, os.ErrDeadlineExceeded):
		log, err = log.With("limit", "header-timeout"), errTimeout
	case errors.Is(err, errProtocol):
	case requests == 0:
		return
	default:
		level = slog.LevelDebug
	}
	log.Log(context.Background(), level, "connection closed",
		"error", err, "peer", c.nc.RemoteAddr(), "requests", requests)
}

func (c *serverConn) readRecords() error {
	for {
		b, err := c.br.Peek(wire.HeaderLen)
		if err != nil {
			return err
		}
		h, _ := wire.ParseHeader(b)
		c.br.Discard(wire.HeaderLen)
		if h.Version != wire.Version1 {
			return fmt.Errorf("%w: version %d", errProtocol, h.Version)
		}
		c.inRecord = true
		if err := c.record(h); err != nil {
			return err
		}
		if err := c.discard(int(h.PaddingLength)); err != nil {
			return err
		}
		c.inRecord, c.waiting = false, time.Time{}
	}
}

// Read reads from the connection for the buffer, whenever that has run dry.
func (c *serverConn) Read(p []byte) (int, error) {
	if err := c.setDeadline(); err != nil {
		return 0, err
	}
	c.reading.Store(!c.inRecord && c.br.Buffered() == 0)
	n, err := c.nc.Read(p)
	c.reading.Store(false)
	return n, err
}

// setDeadline limits the time for what must not be left incomplete.
func (c *serverConn) setDeadline() error {
	var since time.Time
	switch {
	case len(c.receiving) > 0:
		since = c.receiving[0].begun
	case (c.inRecord || c.br.Buffered() > 0) && !c.inStream:
		if c.waiting.IsZero() {
			c.waiting = time.Now()
		}
		since = c.waiting
	case !c.armed:
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.lingering {
		return nil
	}
	if c.armed = !since.IsZero(); !c.armed {
		return c.nc.SetReadDeadline(time.Time{})
	}
	return c.nc.SetReadDeadline(since.Add(cmp.Or(c.srv.ParamsTimeout, DefaultParamsTimeout)))
}

func (c *serverConn) discard(n int) error {
	_, err := c.br.Discard(n)
	return err
}

// record takes the content of the record that h begins, and leaves the padding.
func (c *serverConn) record(h wire.Header) error {
	c.mu.Lock()
	r, lingering := c.active[h.RequestID], c.lingering
	c.mu.Unlock()
	switch {
	case lingering:
	case h.RequestID == wire.NullRequestID:
		return c.management(h)
	case h.Type == wire.TypeBeginRequest:
		return c.begin(h)
	case r == nil: // records of an inactive request are ignored, FastCGI 1.0 section 3.3
	case h.Type == wire.TypeParams:
		return r.receiveParams(h)
	case h.Type == wire.TypeStdin:
		return r.receive(&r.stdin, h)
	case h.Type == wire.TypeData:
		return r.receive(&r.data, h)
	case h.Type == wire.TypeAbortRequest:
		r.abortRequest()
	}
	return c.discard(int(h.ContentLength))
}

// management answers a record that belongs to no request, FastCGI 1.0 section 4.
func (c *serverConn) management(h wire.Header) error {
	if h.Type == wire.TypeGetValues {
		query := make([]byte, h.ContentLength)
		if _, err := io.ReadFull(c.br, query); err != nil {
			return err
		}
		return c.write(wire.AppendRecord(nil, wire.TypeGetValuesResult, wire.NullRequestID, c.srv.values(query)))
	}
	if err := c.discard(int(h.ContentLength)); err != nil {
		return err
	}
	if h.Type == wire.TypeGetValuesResult || h.Type == wire.TypeUnknownType {
		return nil // answers to nothing; to answer them could go on for ever
	}
	return c.write(wire.AppendUnknownType(nil, h.Type))
}

// values returns the pairs of FCGI_GET_VALUES_RESULT for the names in query, each known one once.
func (s *Server) values(query []byte) (result []byte) {
	conns, each := s.maxConns(), s.maxRequests()
	known := map[string]int{
		wire.MaxConns: conns, wire.MaxReqs: min(conns, math.MaxInt32/each) * each, wire.MpxsConns: min(each-1, 1),
	}
	for len(query) > 0 {
		name, _, rest, err := wire.ParsePair(query)
		if err != nil {
			break
		}
		if value, ok := known[string(name)]; ok {
			result = wire.AppendPair(result, string(name), strconv.Itoa(value))
			delete(known, string(name))
		}
		query = rest
	}
	return result
}

// begin starts a request, or rejects it, FCGI_BEGIN_REQUEST, FastCGI 1.0 section 5.1.
func (c *serverConn) begin(h wire.Header) error {
	if h.ContentLength < wire.BodyLen {
		return fmt.Errorf("%w: FCGI_BEGIN_REQUEST of %d bytes", errProtocol, h.ContentLength)
	}
	b, err := c.br.Peek(wire.BodyLen)
	if err != nil {
		return err
	}
	body, _ := wire.ParseBeginRequest(b)
	if err := c.discard(int(h.ContentLength)); err != nil {
		return err
	}
	r := &serverRequest{conn: c, id: h.RequestID, keep: body.Flags&wire.FlagKeepConn != 0, role: body.Role}
	status, err := c.admit(r)
	if err == nil && status != wire.StatusRequestComplete {
		c.srv.log().Warn("request rejected", "status", status, "role", body.Role)
		c.end(r, nil, wire.EndRequest{ProtocolStatus: status})
	}
	return err
}

// admit makes r an active request, or says why not.
func (c *serverConn) admit(r *serverRequest) (wire.ProtocolStatus, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.active[r.id] != nil {
		return 0, fmt.Errorf("%w: FCGI_BEGIN_REQUEST for active request %d", errProtocol, r.id)
	}
	c.busy++
	switch {
	case r.role < wire.RoleResponder || r.role > wire.RoleFilter:
		return wire.StatusUnknownRole, nil
	case c.closing, c.draining && len(c.active) > 0:
		return wire.StatusOverloaded, nil
	case len(c.active) >= c.srv.maxRequests():
		if c.srv.maxRequests() == 1 {
			return wire.StatusCantMpxConn, nil
		}
		return wire.StatusOverloaded, nil
	}
	r.init()
	c.active[r.id] = r
	c.receiving = append(c.receiving, r)
	return wire.StatusRequestComplete, nil
}

// received takes note that nothing more of r's FCGI_PARAMS is wanted.
func (c *serverConn) received(r *serverRequest) {
	if i := slices.Index(c.receiving, r); i >= 0 {
		c.receiving = slices.Delete(c.receiving, i, i+1)
	}
}

// alone reports whether the connection has one request only.
func (c *serverConn) alone() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.active) == 1
}

func (c *serverConn) write(records []byte) error {
	c.wmu.Lock()
	defer c.wmu.Unlock()
	return c.writeLocked(records)
}

func (c *serverConn) writeLocked(records []byte) error {
	_, err := c.nc.Write(records)
	if err != nil {
		c.kill(errConnLost)
	}
	return err
}

// end writes records, the last ones of r but for the end of its FCGI_STDERR and FCGI_END_REQUEST, which it appends.
// Then it closes the connection, if the web server wants that.
func (c *serverConn) end(r *serverRequest, records []byte, end wire.EndRequest) {
	c.forget(r)
	c.wmu.Lock()
	r.ended = true
	if r.wroteStderr {
		records = wire.AppendEnd(records, wire.TypeStderr, r.id)
	}
	c.writeLocked(end.Append(records, r.id))
	c.wmu.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.busy--
	switch complete := r.complete.Load(); {
	case c.busy > 0:
	case c.closing, c.draining && !complete:
		c.hangUp(complete)
	case c.draining:
		c.leave()
	}
}

// forget makes r inactive before the web server, which then may use its id again, can know it.
func (c *serverConn) forget(r *serverRequest) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.active[r.id] == r {
		delete(c.active, r.id)
	}
	c.closing = c.closing || !r.keep
}

// hangUp closes the connection with mu held. To close it while the web server still sends would reset it, and the
// response could be lost on the way: then only the sending side is closed, and the rest is read for a while.
func (c *serverConn) hangUp(complete bool) {
	half, ok := c.nc.(interface{ CloseWrite() error })
	if complete || !ok || half.CloseWrite() != nil {
		c.nc.Close()
		return
	}
	c.lingering = true
	c.nc.SetReadDeadline(time.Now().Add(lingerTime))
}

// drain has the connection closed when it has no request, and take no more as long as it has one.
func (c *serverConn) drain() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.draining = true
}

// closeIdle closes the connection if it has no request, and reports whether that is so.
func (c *serverConn) closeIdle() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.busy == 0 && !c.lingering {
		c.leave()
	}
	return c.busy == 0
}

// leave closes the connection with mu held, unless something has come meanwhile: a web server may send the next request
// as soon as it sees the end of the last one, and does not know that there is to be none.
func (c *serverConn) leave() {
	if c.reading.Load() && sockio.New(c.nc).Quiet() {
		c.nc.Close()
	}
}

// cut closes the connection so that a web server cannot take that for the end of a response that is under way.
func (c *serverConn) cut(cause error) {
	if unix, ok := c.nc.(*net.UnixConn); ok {
		unix.SetWriteDeadline(time.Now().Add(cutTime))
		c.wmu.Lock()
		unix.SetWriteDeadline(time.Now().Add(cutTime)) // the time may have gone by in waiting
		if slices.ContainsFunc(c.requests(), func(r *serverRequest) bool { return r.out.sent }) {
			unix.Write(wire.Header{}.Append(nil)) // of version 0
		}
		c.wmu.Unlock()
	}
	adapters.ResetConn(c.nc)
	c.kill(cause)
}

// kill closes the connection and cancels what goes on.
func (c *serverConn) kill(cause error) {
	c.nc.Close()
	for _, r := range c.requests() {
		r.abort(cause)
	}
}

// requests returns the active requests.
func (c *serverConn) requests() []*serverRequest {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Collect(maps.Values(c.active))
}
