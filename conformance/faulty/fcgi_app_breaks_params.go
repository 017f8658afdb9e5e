package faulty

import (
	"bytes"
	"encoding/binary"
	"strings"

	"github.com/gangway-go/gangway/fastcgi/wire"
)

// parse is wire.ParsePair with the faults of lengths.
func (r *fcgiRequest) parse(b []byte) (name, value, rest []byte, err error) {
	a := r.conn.app
	if a.fault("lengths-over-125-misread") {
		b = bytes.Clone(b)
		for i := range min(2, len(b)) {
			if (i == 0 || b[0] < 128) && (b[i] == 126 || b[i] == 127) {
				b[i] = 125
			}
		}
	}
	name, value, rest, err = wire.ParsePair(b)
	short := len(b) > 0 && b[0] >= 128 && len(name) < 128
	switch {
	case err != nil && a.fault("believes-lengths") && len(b) > 8 && binary.BigEndian.Uint32(b) > 1<<31+1<<20:
		r.believed = bytes.Repeat([]byte{1}, 64<<20)
	case err == nil && short && a.fault("wants-shortest-lengths"):
		return nil, nil, nil, wire.ErrShort
	case err == nil && len(name) == 0 && len(value) > 0 && a.fault("empty-name-ends-params"),
		err == nil && len(name)+len(value) == 0 && a.fault("empty-pair-ends-params"):
		return name, value, nil, nil
	}
	return name, value, rest, err
}

// take is set with the faults of names and values.
func (r *fcgiRequest) take(name, value string) {
	a := r.conn.app
	switch n := len(value); {
	case value == "" && a.fault("drops-empty-values"), n == 1 && len(name) > 9 && a.fault("drops-values-of-one-byte"),
		len(name) == 1 && a.fault("drops-names-of-one-byte"):
		return
	case n >= 128 && n < 256 && a.fault("cuts-values-below-256"):
		value = value[:n-1]
	case n >= 256 && a.fault("cuts-values-at-255"):
		value = value[:255]
	case len(name) >= 128 && a.fault("cuts-names-at-127"):
		name = name[:127]
	case n > wire.MaxContent && a.fault("values-fit-in-a-record"):
		r.bad = "a value that is too long"
	case a.fault("cleans-values"):
		value = strings.Map(func(c rune) rune {
			if c < ' ' || c > '~' {
				return -1
			}
			return c
		}, value)
	case a.fault("sees-duplicates"):
		if _, again := r.names[name]; again {
			r.vars = append(r.vars, variable{name, value})
			return
		}
	case a.fault("upper-cases-names"):
		name = strings.ToUpper(name)
	case a.fault("cuts-names-at-nul"):
		name, _, _ = strings.Cut(name, "\x00")
	case a.fault("cuts-values-at-nul"):
		value, _, _ = strings.Cut(value, "\x00")
	case a.fault("environment-is-strings"):
		name, value, _ = strings.Cut(name+"="+value, "=")
	case a.fault("environment-skips-equals"):
		name, value, _ = strings.Cut(strings.TrimLeft(name+"="+value, "="), "=")
	case a.fault("environment-is-lines"):
		for line := range strings.SplitSeq(name+"="+value, "\n") {
			name, value, _ = strings.Cut(line, "=")
			r.set(name, value)
		}
	case len(r.vars) > 10_000 && a.fault("stops-at-10000-variables"):
		<-r.ctx.Done()
	}
	r.set(name, value)
}

// misses says whether a record of parameters is lost.
func (r *fcgiRequest) misses(content []byte) bool {
	lost := r.full && len(r.pairs) == 0 && r.conn.app.fault("full-record-ends-params")
	r.full = len(content) == wire.MaxContent
	return len(content) > 0 && lost
}

// kept is what a record of the body gives.
func (r *fcgiRequest) kept(content []byte) []byte {
	if len(content) == wire.MaxContent && !r.conn.padded && r.conn.app.fault("largest-record-loses-a-byte") {
		return content[:wire.MaxContent-1]
	}
	return content
}

// overflows says whether parameters that are too long are cut and not refused.
func (r *fcgiRequest) overflows() bool {
	if !r.conn.app.fault("cuts-large-params") {
		return false
	}
	r.overlooks()
	return true
}

// overlooks says whether a pair that is not all there when the parameters end is no reason to refuse the request.
func (r *fcgiRequest) overlooks() bool {
	a := r.conn.app
	if a.fault("waits-for-cut-pair") {
		r.deaf = true
	}
	if n := len(r.pairs); n > 0 && (a.fault("takes-cut-values") || a.fault("cuts-large-params")) {
		skip, nameLen := 2, int(r.pairs[0])
		if r.pairs[1] >= 128 {
			skip = 5
		}
		if n >= skip+nameLen {
			r.set(string(r.pairs[skip:skip+nameLen]), string(r.pairs[skip+nameLen:]))
			return true
		}
	}
	return false
}

// abandon closes the connection before the end of a response is written, if that is the fault.
func (c *fcgiConn) abandon(r *fcgiRequest) {
	if c.app.fault("abandons-unread-requests") && !r.stdinEnded && !r.keep && r.role == wire.RoleResponder {
		c.nc.Close()
	}
}

// written ends the application if a write has failed and that is the fault.
func (c *fcgiConn) written(err error) {
	if err != nil && c.app.ctx.Err() == nil && c.app.fault("ends-on-broken-pipe") {
		c.app.die()
	}
}

// dawdle leaves the web server time to end its direction before the answer begins, where that is the fault.
func (r *fcgiRequest) dawdle() {
	if r.conn.app.fault("half-close-is-abort") {
		pause(r.ctx, 50)
	}
}

// garbled are records with the faults of what is sent.
func (c *fcgiConn) garbled(records []byte) (sent []byte) {
	a := c.app
	for rest := records; len(rest) > 0; {
		h, content, next, err := wire.ParseRecord(rest)
		if err != nil {
			return append(sent, rest...)
		}
		padding := bytes.Clone(rest[wire.HeaderLen+len(content) : len(rest)-len(next)])
		switch {
		case h.Type == wire.TypeEndRequest && a.fault("ends-with-version-2"):
			h.Version = 2
		case h.Type == wire.TypeStdout && a.fault("sends-reserved-bytes"):
			h.Reserved = 1
		case a.fault("does-not-align"):
			padding = nil
		case a.fault("pads-with-memory"):
			padding = bytes.Repeat([]byte{'m'}, len(padding))
		case h.RequestID == 0x0102 && a.fault("swaps-bytes-of-ids"):
			h.RequestID = 0x0201
		case h.RequestID >= 0x8000 && a.fault("ids-have-15-bits"):
			h.RequestID &= 0x7FFF
		case h.RequestID == 255 && a.fault("id-255-is-none"):
			h.RequestID = 0
		case h.RequestID == 300 && c.records.Load() > 4 && a.fault("later-ids-are-lost"):
			h.RequestID = 1
		case h.Type == wire.TypeStdout && c.records.Load() == 4 && c.total.Load() < 2000 && a.fault("sends-values-unasked"):
			sent = append(sent, "\x01\x0a\x00\x00\x00\x00\x00\x00"...)
		case h.Type == wire.TypeStderr && len(content) == 500 && a.fault("stderr-goes-astray"):
			sent = append(sent, content...)
		}
		h.PaddingLength = uint8(len(padding))
		sent = append(append(h.Append(sent), content...), padding...)
		rest = next
	}
	return sent
}
