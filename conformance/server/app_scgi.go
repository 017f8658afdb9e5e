package server

import (
	"bytes"
	"errors"
	"io"
	"strconv"

	"github.com/gangway-go/gangway/scgi/uwsgi"
	"github.com/gangway-go/gangway/scgi/wire"
)

// plainBody is what SCGI and uwsgi have in common: after the meta-variables the body comes as it is, CONTENT_LENGTH
// bytes of it, and the response is a CGI response that ends with the connection.
type plainBody struct{}

func (plainBody) chat([]byte) ([]byte, int)           { return nil, 0 }
func (plainBody) refuse([]byte) []byte                { return []byte(refusal) }
func (plainBody) stdout(_ *Exchange, b []byte) []byte { return b }
func (plainBody) stderr(_ *Exchange, _ []byte) []byte { return nil }
func (plainBody) end(*Exchange) []byte                { return nil }

func (plainBody) more(x *Exchange) (bool, error) {
	length, _ := strconv.Atoi(x.Get("CONTENT_LENGTH"))
	if left := length - len(x.body); left > 0 && len(x.in) == 0 {
		if err := x.fill(); err != nil {
			return false, err
		}
	}
	n := max(0, min(length-len(x.body), len(x.in)))
	x.body = append(x.body, x.in[:n]...)
	x.in = x.in[n:]
	return len(x.body) < length, nil
}

// simpleCGI is the dialect of SCGI.
type simpleCGI struct{ plainBody }

// maxHead is the most bytes of meta-variables.
const maxHead = 16 << 20

func (simpleCGI) sniff(raw []byte) (text []byte, done bool) {
	_, _, err := wire.ParseNetstring(raw, maxHead)
	return raw, !errors.Is(err, wire.ErrShort)
}

func (simpleCGI) begin(x *Exchange) {
	for {
		content, rest, err := wire.ParseNetstring(x.in, maxHead)
		if err == nil {
			x.head = string(x.in[:len(x.in)-len(rest)])
			x.in = rest
			x.Vars = x.t.headers(string(content))
			return
		}
		x.t.Check(errors.Is(err, wire.ErrShort), "%v: %s", err, excerpt(string(x.in)))
		x.fillHead()
	}
}

// fillHead reads more of the meta-variables.
func (x *Exchange) fillHead() {
	switch err := x.fill(); {
	case err == errSilent:
		x.t.Hang("the meta-variables do not end; %d bytes came", len(x.in))
	case err != nil && !errors.Is(err, io.EOF):
		x.t.Fail("the connection breaks within the meta-variables: %v", err)
	case err != nil:
		x.t.Fail("the connection ends within the meta-variables after %s", excerpt(string(x.in)))
	}
}

func (t *T) headers(block string) (vars []Var) {
	for block != "" {
		name, value, rest, err := wire.ParsePair(block)
		t.Check(err == nil, "%v, after %d headers", err, len(vars))
		vars = append(vars, Var{name, value})
		block = rest
	}
	return vars
}

// microWSGI is the dialect of uwsgi.
type microWSGI struct{ plainBody }

func (microWSGI) sniff(raw []byte) (text []byte, done bool) {
	_, _, _, err := uwsgi.ParsePacket(raw)
	return raw, err == nil
}

func (microWSGI) begin(x *Exchange) {
	for {
		_, block, rest, err := uwsgi.ParsePacket(x.in)
		if err != nil {
			x.fillHead()
			continue
		}
		x.head = string(x.in[:len(x.in)-len(rest)])
		for x.in = bytes.Clone(rest); len(block) > 0; {
			name, value, others, err := uwsgi.ParsePair(block)
			x.t.Check(err == nil, "the block ends within a pair, after %d pairs", len(x.Vars))
			x.Vars = append(x.Vars, Var{string(name), string(value)})
			block = others
		}
		return
	}
}
