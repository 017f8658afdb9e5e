package fastcgi

import (
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/fastcgi/wire"
)

const (
	smallSize = 64 << 10
	largeSize = 256 << 10 // for responses that fill the small buffer; more saves nothing
)

var (
	smallBuffers = sync.Pool{New: func() any { return new([smallSize]byte) }}
	largeBuffers = sync.Pool{New: func() any { return new([largeSize]byte) }}
)

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
}

// read adds to the buffer, of which all pieces must have been taken and used.
func (in *records) read(from io.Reader) (int, error) {
	switch {
	case in.buf == nil:
		in.buf = smallBuffers.Get().(*[smallSize]byte)[:]
	case in.full && len(in.buf) == smallSize:
		large := largeBuffers.Get().(*[largeSize]byte)
		copy(large[:], in.buf[in.r:in.w])
		smallBuffers.Put((*[smallSize]byte)(in.buf))
		in.buf = large[:]
	default:
		copy(in.buf, in.buf[in.r:in.w]) // part of a header at most
	}
	in.r, in.w = 0, in.w-in.r
	n, err := from.Read(in.buf[in.w:])
	in.w += n
	in.full = in.w == len(in.buf)
	return n, err
}

// release gives the buffer back. All pieces must have been used.
func (in *records) release() {
	switch len(in.buf) {
	case smallSize:
		smallBuffers.Put((*[smallSize]byte)(in.buf))
	case largeSize:
		largeBuffers.Put((*[largeSize]byte)(in.buf))
	}
	in.buf, in.r, in.w = nil, 0, 0
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
		if h.Type == wire.TypeEndRequest {
			_, body, rest, err := wire.ParseRecord(in.buf[in.r:in.w])
			if err != nil {
				return 0, nil, errMore
			}
			in.r = in.w - len(rest)
			return h.Type, body, nil
		}
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
	case h.Type == wire.TypeEndRequest && h.ContentLength != wire.BodyLen:
		fault = fmt.Sprintf("%v of %d bytes", h.Type, h.ContentLength)
	default:
		return nil
	}
	return fmt.Errorf("%w: %s", adapters.ErrBadResponse, fault)
}
