package adapters

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// A Stream is the Response.Body of an application whose response is all that it writes until it closes: SCGI's
// connection, a CGI script's standard output. [NewStream] makes one; ReadHeader comes first and returns the Response
// around it.
type Stream struct {
	src    io.Reader
	end    func(error) error
	abort  func()
	closed atomic.Bool
	stderr io.Writer // the request's

	mu   sync.Mutex // held by whoever reads
	br   *bufio.Reader
	left int64 // bytes of Content-Length to come; -1 means that the end of src is the end of the body
	err  error // how it ended
}

// NewStream returns a Stream that reads src.
//
// At the end of the body end is called once, unless Close was before: with io.EOF if src ended, with nil if all of
// Content-Length has come and src may go on, else with what failed. It returns what Read returns from then on: io.EOF
// means complete. The first Close calls abort, which must make a pending src.Read return. If src has SetReadDeadline,
// WriteTo uses it.
func NewStream(src io.Reader, end func(error) error, abort func()) *Stream {
	s := &Stream{src: src, end: end, abort: abort, br: streamBuffers.Get().(*bufio.Reader), left: -1}
	s.br.Reset(src)
	return s
}

var streamBuffers = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, copyBufferSize) }}

// ReadHeader reads the response header, of at most limit bytes (0 means [DefaultHeaderLimit]), and returns the Response
// to req with its Body. After an error Close is still to be called.
func (s *Stream) ReadHeader(req *Request, limit int) (*Response, error) {
	s.mu.Lock()
	defer s.unlock()
	s.stderr = req.Stderr
	hr := HeaderReader{Informational: req.Informational, Limit: limit}
	if _, err := s.br.Peek(1); err == nil {
		req.Trace.Mark(FirstByte)
	}
	resp, err := hr.ReadHeader(s.br)
	if err != nil {
		return nil, err
	}
	if err := resp.SetBody(s); err != nil {
		return nil, err
	}
	if v := resp.Header.Get("Content-Length"); v != "" && BodyAllowed(req.Method, resp.Status) {
		s.left, err = ParseLength(v)
	}
	return resp, err
}

// Read implements io.Reader.
func (s *Stream) Read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.unlock()
	if !s.more() {
		return 0, s.err
	}
	if s.left >= 0 && int64(len(p)) > s.left {
		p = p[:s.left]
	}
	n, err := s.br.Read(p)
	s.took(n)
	if err != nil {
		s.fail(err)
		err = s.err
	}
	return n, err
}

// WriteTo implements io.WriterTo: w gets the pieces as they came, without a copy.
func (s *Stream) WriteTo(w io.Writer) (written int64, err error) {
	s.mu.Lock()
	defer s.unlock()
	flusher, _ := w.(Flusher)
	for s.more() {
		if err := s.fill(flusher); err != nil {
			s.fail(err)
			break
		}
		b, _ := s.br.Peek(s.br.Buffered())
		if s.left >= 0 && int64(len(b)) > s.left {
			b = b[:s.left]
		}
		n, err := w.Write(b)
		written += int64(n)
		s.br.Discard(n)
		s.took(n)
		if err != nil {
			return written, err
		}
	}
	if s.err == io.EOF {
		return written, nil
	}
	return written, s.err
}

// flushDelay is how long WriteTo waits for more before it flushes. The end of a response often comes this much later,
// and then all of it can go out at once, with its length.
const flushDelay = time.Millisecond

// fill waits until the buffer holds something, and flushes before it waits long.
func (s *Stream) fill(f Flusher) error {
	if s.br.Buffered() > 0 {
		return nil
	}
	if src, ok := s.src.(interface{ SetReadDeadline(time.Time) error }); ok && f != nil {
		src.SetReadDeadline(time.Now().Add(flushDelay))
		_, err := s.br.Peek(1)
		src.SetReadDeadline(time.Time{})
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
	}
	if f != nil {
		f.Flush()
	}
	_, err := s.br.Peek(1)
	return err
}

// more reports whether the body goes on.
func (s *Stream) more() bool {
	switch {
	case s.err != nil:
	case s.closed.Load():
		s.err = ErrAborted
	case s.left == 0:
		if s.br.Buffered() > 0 && s.stderr != nil {
			io.WriteString(s.stderr, "response body longer than its Content-Length: the rest is dropped\n")
		}
		s.err = s.end(nil)
	}
	return s.err == nil
}

func (s *Stream) took(n int) {
	if s.left > 0 {
		s.left -= int64(n)
	}
}

func (s *Stream) fail(err error) {
	if err == io.EOF && s.left > 0 {
		err = fmt.Errorf("%w: %d bytes of its Content-Length missing", ErrTruncated, s.left)
	}
	if s.err = ErrAborted; !s.closed.Load() {
		s.err = s.end(err)
	}
}

// Close implements io.Closer. It waits for nothing.
func (s *Stream) Close() error {
	if s.closed.Swap(true) {
		return nil
	}
	s.abort()
	if s.mu.TryLock() {
		s.unlock()
	}
	return nil
}

// unlock also gives the buffer back when the Stream is closed: then nobody reads any more.
func (s *Stream) unlock() {
	if s.br != nil && s.closed.Load() {
		s.br.Reset(nil)
		streamBuffers.Put(s.br)
		s.br = nil
	}
	s.mu.Unlock()
}
