package app

import (
	"bytes"
	"slices"
	"strconv"

	"github.com/gangway-go/gangway/fastcgi/wire"
)

// request is a FastCGI request, to be sent as it is or in parts. Cases change the fields as they need.
type request struct {
	ID    uint16
	Role  wire.Role
	Flags byte
	Vars  []pair
	Body  []byte
}

// Get is a GET request with id 1 in the Responder role, after which the target closes the connection. More are
// variables, as name, value, ….
func (t *T) Get(query string, more ...string) *request {
	return &request{ID: 1, Role: wire.RoleResponder, Vars: t.variables("GET", query, more...)}
}

// Post is a POST request with a body, otherwise like Get.
func (t *T) Post(query string, body []byte, more ...string) *request {
	more = append([]string{"CONTENT_LENGTH", strconv.Itoa(len(body)), "CONTENT_TYPE", "application/octet-stream"}, more...)
	return &request{ID: 1, Role: wire.RoleResponder, Vars: t.variables("POST", query, more...), Body: body}
}

// Keep asks the target to keep the connection open, FCGI_KEEP_CONN.
func (r *request) Keep() *request {
	r.Flags |= wire.FlagKeepConn
	return r
}

// As gives the request another id.
func (r *request) As(id uint16) *request {
	r.ID = id
	return r
}

// Begin is the record FCGI_BEGIN_REQUEST.
func (r *request) Begin() []byte {
	return wire.BeginRequest{Role: r.Role, Flags: r.Flags}.Append(nil, r.ID)
}

// Pairs are the bytes of the stream FCGI_PARAMS.
func (r *request) Pairs() (b []byte) {
	for _, v := range r.Vars {
		b = wire.AppendPair(b, v.name, v.value)
	}
	return b
}

// Params is the stream FCGI_PARAMS and its end. No pair straddles records unless it has to.
func (r *request) Params() (b []byte) {
	var content []byte
	for _, v := range r.Vars {
		pair := wire.AppendPair(nil, v.name, v.value)
		if len(content)+len(pair) > wire.MaxContent {
			b = wire.AppendStream(b, wire.TypeParams, r.ID, content)
			content = nil
		}
		content = append(content, pair...)
	}
	b = wire.AppendStream(b, wire.TypeParams, r.ID, content)
	return wire.AppendEnd(b, wire.TypeParams, r.ID)
}

// Stdin is the stream FCGI_STDIN and its end.
func (r *request) Stdin() []byte {
	return wire.AppendEnd(wire.AppendStream(nil, wire.TypeStdin, r.ID, r.Body), wire.TypeStdin, r.ID)
}

// Bytes is the whole request.
func (r *request) Bytes() []byte { return slices.Concat(r.Begin(), r.Params(), r.Stdin()) }

// rec is a record without padding. Type and id are as the case wants them; the content must fit.
func rec(t wire.Type, id uint16, content string) []byte {
	return wire.AppendRecord(nil, t, id, []byte(content))
}

// end is the empty record that ends a stream.
func end(t wire.Type, id uint16) []byte { return wire.AppendEnd(nil, t, id) }

// pad puts n bytes of padding with the given value behind the records of b, which have none: behind those with the
// given indexes, or all.
func pad(b []byte, n int, value byte, which ...int) (padded []byte) {
	for i := 0; len(b) > 0; i++ {
		h, content, rest, err := wire.ParseRecord(b)
		if err != nil {
			return append(padded, b...)
		}
		var padding []byte
		if len(which) == 0 || slices.Contains(which, i) {
			padding = bytes.Repeat([]byte{value}, n)
		}
		h.PaddingLength = uint8(len(padding))
		padded = slices.Concat(h.Append(padded), content, padding)
		b = rest
	}
	return padded
}
