package fastcgi

import (
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/fastcgi/wire"
)

// The sizes of the buffers for responses.
const (
	waitSize  = 4 << 10   // while nothing comes
	smallSize = 72 << 10  // to begin with: the longest record, and what comes before and behind it
	largeSize = 256 << 10 // for responses that fill the small one; more saves nothing
)

var (
	waitBuffers  = sync.Pool{New: func() any { return new([waitSize]byte) }}
	smallBuffers = sync.Pool{New: func() any { return new([smallSize]byte) }}
	largeBuffers = sync.Pool{New: func() any { return new([largeSize]byte) }}
)

func getBuffer(size int) []byte {
	switch size {
	case waitSize:
		return waitBuffers.Get().(*[waitSize]byte)[:]
	case smallSize:
		return smallBuffers.Get().(*[smallSize]byte)[:]
	}
	return largeBuffers.Get().(*[largeSize]byte)[:]
}

func larger(size int) int {
	if size < smallSize {
		return smallSize
	}
	return largeSize
}

// putBuffer takes back what getBuffer gave, or nil.
func putBuffer(b []byte) {
	switch len(b) {
	case waitSize:
		waitBuffers.Put((*[waitSize]byte)(b))
	case smallSize:
		smallBuffers.Put((*[smallSize]byte)(b))
	case largeSize:
		largeBuffers.Put((*[largeSize]byte)(b))
	}
}

// errMore says that the buffer holds no whole piece.
var errMore = errors.New("more is needed")

// records takes apart what an application sends for one request. The zero value with an id is ready.
type records struct {
	id   uint16
	buf  []byte // from a pool; nil at first
	r, w int    // buf[r:w] is not taken yet
	full bool   // the last reading filled buf

	// The open record.
	t       wire.Type
	content int // bytes of it that are not taken yet
	padding int

	ended bool // FCGI_STDOUT was closed by an empty record
	ours  bool // a record of the request has come
}

// read adds to the buffer. All pieces that were taken from it must have been used.
func (in *records) read(from io.Reader) (int, error) {
	rest := in.buf[in.r:in.w] // part of a header at most
	switch {
	case in.buf == nil:
		in.buf = getBuffer(smallSize)
	case in.full && len(in.buf) < largeSize:
		old := in.buf
		in.buf = getBuffer(larger(len(old)))
		copy(in.buf, rest)
		putBuffer(old)
	default:
		copy(in.buf, rest)
	}
	in.r, in.w = 0, len(rest)
	n, err := from.Read(in.buf[in.w:])
	in.w += n
	in.full = in.w == len(in.buf)
	return n, err
}

// wait is for who expects nothing soon: requests that wait shall not cost much memory.
func (in *records) wait() {
	if in.r == in.w {
		in.release()
		in.buf = getBuffer(waitSize)
	}
}

// release gives the buffer back. All pieces must have been used.
func (in *records) release() {
	putBuffer(in.buf)
	in.buf, in.r, in.w, in.full = nil, 0, 0, false
}

// empty reports whether everything was taken.
func (in *records) empty() bool { return in.r == in.w && in.content == 0 && in.padding == 0 }

// next returns the next piece: some content of FCGI_STDOUT or FCGI_STDERR, or the body of FCGI_END_REQUEST. errMore
// asks for another read; any other error wraps [adapters.ErrBadResponse] and comes again.
func (in *records) next() (wire.Type, []byte, error) {
	for {
		if in.content > 0 && in.r < in.w {
			piece := in.buf[in.r:min(in.r+in.content, in.w)]
			in.r += len(piece)
			in.content -= len(piece)
			if in.t == wire.TypeStdout || in.t == wire.TypeStderr {
				return in.t, piece, nil
			}
			continue // a management record
		}
		skip := min(in.padding, in.w-in.r)
		in.r += skip
		in.padding -= skip
		if in.content > 0 || in.padding > 0 {
			return 0, nil, errMore
		}
		h, err := wire.ParseHeader(in.buf[in.r:in.w])
		if err != nil {
			return 0, nil, errMore
		}
		if err := in.check(h); err != nil {
			return 0, nil, err
		}
		in.ours = in.ours || h.RequestID == in.id
		if h.Type == wire.TypeEndRequest {
			_, body, rest, err := wire.ParseRecord(in.buf[in.r:in.w])
			if err != nil {
				return 0, nil, errMore
			}
			in.r = in.w - len(rest)
			return h.Type, body, nil
		}
		in.ended = in.ended || h.Type == wire.TypeStdout && h.ContentLength == 0
		in.r += wire.HeaderLen
		in.t, in.content, in.padding = h.Type, int(h.ContentLength), int(h.PaddingLength)
	}
}

// check refuses what must not come: another version, another request's records, types that go the other way. Answers to
// management records, which have the null request id, are skipped.
func (in *records) check(h wire.Header) error {
	var fault string
	switch {
	case h.Version != wire.Version1:
		fault = fmt.Sprintf("record of version %d", h.Version)
	case h.RequestID == wire.NullRequestID && (h.Type == wire.TypeGetValuesResult || h.Type == wire.TypeUnknownType):
		return nil
	case h.Type != wire.TypeStdout && h.Type != wire.TypeStderr && h.Type != wire.TypeEndRequest:
		fault = fmt.Sprintf("record of type %v", h.Type)
	case h.RequestID != in.id:
		fault = fmt.Sprintf("%v for request %d instead of %d", h.Type, h.RequestID, in.id)
	case h.Type == wire.TypeStdout && h.ContentLength > 0 && in.ended:
		fault = fmt.Sprintf("%v after its end", h.Type)
	case h.Type == wire.TypeEndRequest && h.ContentLength != wire.BodyLen:
		fault = fmt.Sprintf("%v of %d bytes", h.Type, h.ContentLength)
	default:
		return nil
	}
	return fmt.Errorf("%w: %s", adapters.ErrBadResponse, fault)
}
