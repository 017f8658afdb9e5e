package fastcgi

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/fastcgi/wire"
)

const (
	maxInlineBody  = 16 << 10 // a body that is in memory and not longer rides in the first write
	maxPooledWrite = 64 << 10
)

var writeBuffers = sync.Pool{New: func() any { return new([]byte) }}

// A stream is what is still to be sent of FCGI_STDIN or FCGI_DATA, and the end of it.
type stream struct {
	t    wire.Type
	from io.Reader
	left int64
}

// appendHead appends what is sent in one write: FCGI_BEGIN_REQUEST, FCGI_PARAMS, and FCGI_STDIN if it needs no reading
// that may have to wait. What remains to be sent it leaves in x.streams.
func (x *exchange) appendHead(dst []byte) ([]byte, error) {
	req, id := x.req, x.conn.id
	switch {
	case req.Role > adapters.Filter:
		return dst, fmt.Errorf("%w: role %d", adapters.ErrBadRequest, req.Role)
	case req.Role == adapters.Filter && (req.Data == nil || req.Data.Body == nil):
		return dst, fmt.Errorf("%w: no data for a filter", adapters.ErrBadRequest)
	}
	begin := wire.BeginRequest{Role: wire.RoleResponder + wire.Role(req.Role)}
	if x.keep {
		begin.Flags = wire.FlagKeepConn
	}
	dst, err := x.appendParams(begin.Append(dst, id))
	if err != nil {
		return dst, err
	}
	switch {
	case !req.HasBody():
		dst = wire.AppendEnd(dst, wire.TypeStdin, id)
	case req.ContentLength <= maxInlineBody &&
		(inMemory(req.Body) || adapters.ReadableAtOnce(req.Body) >= req.ContentLength):
		if dst, err = x.appendBody(dst); err != nil {
			return dst, err
		}
	default:
		x.streams = append(x.streams, stream{wire.TypeStdin, req.Body, req.ContentLength})
	}
	if req.Role == adapters.Filter {
		x.streams = append(x.streams, stream{wire.TypeData, req.Data.Body, req.Data.Length})
	}
	return dst, nil
}

func (x *exchange) appendParams(dst []byte) ([]byte, error) {
	p := wire.BeginParams(dst, x.conn.id)
	for name, value := range x.req.All() {
		if strings.IndexByte(name, 0) >= 0 || strings.IndexByte(value, 0) >= 0 { // FastCGI 1.0 section 6.1
			return dst, fmt.Errorf("%w: NUL in variable %.80q", adapters.ErrBadRequest, name)
		}
		if x.req.Role == adapters.Authorizer && notForAuthorizer(name) {
			continue
		}
		p.Add(name, value)
	}
	return p.End(), nil
}

// notForAuthorizer reports whether an authorizer does not get this variable, FastCGI 1.0 section 6.3.
func notForAuthorizer(name string) bool {
	switch name {
	case "CONTENT_LENGTH", "PATH_INFO", "PATH_TRANSLATED", "SCRIPT_NAME":
		return true
	}
	return false
}

// inMemory reports whether nothing will come that is not there already, so that a body that is too short can be refused
// before the application hears of it.
func inMemory(body io.Reader) bool {
	switch body.(type) {
	case *bytes.Reader, *strings.Reader:
		return true
	}
	return false
}

// appendBody appends the whole of FCGI_STDIN.
func (x *exchange) appendBody(dst []byte) ([]byte, error) {
	h := wire.Header{
		Version: wire.Version1, Type: wire.TypeStdin,
		RequestID: x.conn.id, ContentLength: uint16(x.req.ContentLength),
	}
	dst = h.Append(dst)
	n := len(dst)
	x.consumed = true
	dst = slices.Grow(dst, int(x.req.ContentLength))[:n+int(x.req.ContentLength)]
	if _, err := io.ReadFull(x.req.Body, dst[n:]); err != nil {
		return dst, bodyError(wire.TypeStdin, err)
	}
	x.inlined = dst[n:]
	return wire.AppendEnd(dst, wire.TypeStdin, x.conn.id), nil
}
