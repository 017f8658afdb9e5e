package server

import (
	"bytes"

	"github.com/gangway-go/gangway/fastcgi/wire"
)

// Record is one FastCGI record from the server.
type Record struct {
	wire.Header
	Content []byte
}

// fastCGI is the dialect of FastCGI 1.0.
type fastCGI struct{}

// sniff returns the content of all FCGI_PARAMS.
func (fastCGI) sniff(raw []byte) (text []byte, done bool) {
	for {
		h, content, rest, err := wire.ParseRecord(raw)
		if err != nil {
			return text, len(raw) >= wire.HeaderLen && h.Version != wire.Version1 && raw[0] != wire.Version1
		}
		raw = rest
		if h.Type == wire.TypeParams {
			text = append(text, content...)
			if len(content) == 0 {
				return text, true
			}
		}
	}
}

// chat answers FCGI_GET_VALUES, that requests do not share a connection.
func (fastCGI) chat(raw []byte) (answer []byte, n int) {
	h, content, rest, err := wire.ParseRecord(raw)
	if err != nil || h.RequestID != wire.NullRequestID || h.Type <= wire.TypeData {
		return nil, 0
	}
	if h.Type != wire.TypeGetValues {
		return wire.AppendUnknownType(nil, h.Type), len(raw) - len(rest)
	}
	var values []byte
	for _, v := range []Var{{wire.MaxConns, "100"}, {wire.MaxReqs, "100"}, {wire.MpxsConns, "0"}} {
		if bytes.Contains(content, []byte(v.Name)) {
			values = wire.AppendPair(values, v.Name, v.Value)
		}
	}
	return wire.AppendRecord(nil, wire.TypeGetValuesResult, 0, values), len(raw) - len(rest)
}

func (fastCGI) refuse(raw []byte) []byte {
	var id uint16
	if h, err := wire.ParseHeader(raw); err == nil {
		id = h.RequestID
	}
	b := wire.AppendRecord(nil, wire.TypeStdout, id, []byte(refusal))
	b = wire.AppendEnd(b, wire.TypeStdout, id)
	return wire.EndRequest{}.Append(b, id)
}

// refusal is the response to requests of no case.
const refusal = "Status: 404 Not Found\r\nContent-Type: text/plain\r\n\r\nno case has sent this request\n"

// record reads the next record.
func (fastCGI) record(x *Exchange) (Record, error) {
	for {
		h, content, rest, err := wire.ParseRecord(x.in)
		if err == nil {
			record := Record{h, bytes.Clone(content)}
			x.in = rest
			x.Records = append(x.Records, record)
			return record, nil
		}
		if err := x.fill(); err != nil {
			return Record{}, err
		}
	}
}

func (d fastCGI) begin(x *Exchange) {
	var params []byte
	for {
		r, err := d.record(x)
		switch {
		case err == errSilent:
			x.t.Hang("the meta-variables do not end; %d records came", len(x.Records))
		case err != nil:
			x.t.Fail("the connection ends within the meta-variables: %v", err)
		}
		switch r.Type {
		case wire.TypeBeginRequest:
			body, err := wire.ParseBeginRequest(r.Content)
			x.t.Check(err == nil, "FCGI_BEGIN_REQUEST with %d bytes of content", len(r.Content))
			x.ID, x.Role, x.KeepConn = r.RequestID, body.Role, body.Flags&wire.FlagKeepConn != 0
			x.Records = x.Records[len(x.Records)-1:] // before it may be the rest of a request that has been answered early
		case wire.TypeParams:
			params = append(params, r.Content...)
			if len(r.Content) == 0 {
				x.Vars = x.t.pairs(params)
				return
			}
		}
	}
}

func (t *T) pairs(b []byte) (vars []Var) {
	for len(b) > 0 {
		name, value, rest, err := wire.ParsePair(b)
		t.Check(err == nil, "FCGI_PARAMS ends within a name-value pair, after %d pairs", len(vars))
		vars = append(vars, Var{string(name), string(value)})
		b = rest
	}
	return vars
}

// more reads the next record of FCGI_STDIN.
func (d fastCGI) more(x *Exchange) (bool, error) {
	ended := x.inputEnded(wire.TypeStdin)
	if _, _, _, err := wire.ParseRecord(x.in); err != nil && ended {
		return false, nil
	}
	r, err := d.record(x)
	if err != nil {
		return false, err
	}
	switch r.Type {
	case wire.TypeStdin:
		x.body = append(x.body, r.Content...)
		return !ended && len(r.Content) > 0, nil
	case wire.TypeAbortRequest:
		return false, errAborted
	}
	return !ended, nil
}

// inputEnded says whether the empty record of a stream has come.
func (x *Exchange) inputEnded(t wire.Type) bool {
	for i := len(x.Records) - 1; i >= 0; i-- {
		if x.Records[i].Type == t {
			return len(x.Records[i].Content) == 0
		}
	}
	return false
}

func (fastCGI) stdout(x *Exchange, b []byte) []byte {
	return wire.AppendStream(nil, wire.TypeStdout, x.ID, b)
}

func (fastCGI) stderr(x *Exchange, b []byte) []byte {
	return wire.AppendStream(nil, wire.TypeStderr, x.ID, b)
}

func (fastCGI) end(x *Exchange) []byte {
	return wire.EndRequest{}.Append(wire.AppendEnd(nil, wire.TypeStdout, x.ID), x.ID)
}
