package server

import (
	"slices"
	"strings"
	"time"

	"github.com/gangway-go/gangway/fastcgi/wire"
)

// record is one record from the application.
func record(t wire.Type, id uint16, content string) []byte {
	return wire.AppendRecord(nil, t, id, []byte(content))
}

// padded is record with padding.
func padded(t wire.Type, id uint16, content string, padding int) []byte {
	b := record(t, id, content)
	b[6] = byte(padding)
	return append(b, strings.Repeat("P", padding)...)
}

// out is FCGI_STDOUT for the request.
func (x *Exchange) out(content string) []byte { return record(wire.TypeStdout, x.ID, content) }

// err is FCGI_STDERR for the request.
func (x *Exchange) err(content string) []byte { return record(wire.TypeStderr, x.ID, content) }

// last is FCGI_END_REQUEST with an appStatus and a protocolStatus.
func (x *Exchange) last(app uint32, protocol wire.ProtocolStatus) []byte {
	return wire.EndRequest{AppStatus: app, ProtocolStatus: protocol}.Append(nil, x.ID)
}

// normal is the end of a response: the empty FCGI_STDOUT and FCGI_END_REQUEST.
func (x *Exchange) normal() []byte { return fastCGI{}.end(x) }

// text is the beginning of a response with status 200, as far as its body.
const text = "Content-Type: text/plain\r\n\r\n"

// Bytes reads the body, as far as it comes, and answers with the bytes that build returns, which end the request.
func Bytes(build func(x *Exchange) []byte) Reply {
	return func(x *Exchange) {
		x.ReadBody(-1)
		x.EndBy(build(x))
	}
}

// limit is how long the server may take to see that the application is silent: servers look now and then only.
func (t *T) limit() time.Duration { return t.target.Timeout + 2*time.Second }

// answered is the response to GET /app/x if the application answers with the bytes that build returns.
func (t *T) answered(build func(x *Exchange) []byte) *Response {
	x, r := t.Do(t.Request("GET", "/app/x", ""), Bytes(build))
	t.Check(x != nil, "the application got no request; the server answered %v", r)
	return r
}

// served checks that the response to GET /app/x is intact if the application answers with the bytes that build returns,
// which have the body "good".
func (t *T) served(build func(x *Exchange) []byte) { t.Intact(t.answered(build), 200, "good") }

// tolerated is served, but an error from the server will do too.
func (t *T) tolerated(build func(x *Exchange) []byte) {
	r := t.answered(build)
	if r.Status >= 500 {
		t.Want(r, 5)
		return
	}
	t.Intact(r, 200, "good")
}

// records are those of one type.
func (x *Exchange) records(t wire.Type) (found []Record) {
	for _, r := range x.Records {
		if r.Type == t {
			found = append(found, r)
		}
	}
	return found
}

// join makes one slice of all.
func join(parts ...[]byte) []byte { return slices.Concat(parts...) }

// closed is a Reply that closes the connection instead of an answer.
func closed(x *Exchange) {
	x.ReadBody(-1)
	x.Close()
}

// alone makes sure that the server has no kept connection to the application now, and after the case.
func (t *T) alone() {
	t.target.closeIdle()
	t.Cleanup(t.target.closeIdle)
	t.Sleep(t.Patience() / 20)
}

// data is FCGI_DATA.
func (x *Exchange) data() string {
	for !x.inputEnded(wire.TypeData) {
		if _, err := (fastCGI{}).record(x); err != nil {
			x.t.Fail("FCGI_DATA does not end: %v", err)
		}
	}
	var data []byte
	for _, r := range x.records(wire.TypeData) {
		data = append(data, r.Content...)
	}
	return string(data)
}
