package wire

import "encoding/binary"

// Params writes the stream FCGI_PARAMS, FastCGI 1.0 section 5.2, pair by pair into one buffer and as many records as
// it takes. [BeginParams] makes one, [Params.End] gives the buffer back:
//
//	p := wire.BeginParams(dst, id)
//	for name, value := range req.All() {
//		p.Add(name, value)
//	}
//	dst = p.End()
//
// It takes pairs one at a time, and not a sequence of them, because a loop over a sequence that the compiler knows
// allocates nothing, and one over a sequence that is handed in does.
//
// A pair that fits into one record is not divided between two, since php-fpm closes the connection on such a pair.
// A Params must not be used concurrently, nor after End.
type Params struct {
	buf     []byte
	content int // where in buf the content of the open record begins
	id      uint16
}

// BeginParams begins the stream FCGI_PARAMS of request id at the end of dst.
func BeginParams(dst []byte, id uint16) Params {
	p := Params{buf: dst, id: id}
	p.open()
	return p
}

// Add writes one pair. It panics if name or value is longer than [MaxPairPart].
func (p *Params) Add(name, value string) {
	if pairLen(name, value) > int64(p.room()) {
		p.next()
	}
	p.buf = appendLengths(p.buf, name, value)
	p.write(name)
	p.write(value)
}

// End ends the stream with its empty record and returns the buffer.
func (p *Params) End() []byte {
	p.next()
	return p.buf
}

// open begins a record. As long as nothing is added it is the empty record that ends the stream.
func (p *Params) open() {
	p.buf = AppendEnd(p.buf, TypeParams, p.id)
	p.content = len(p.buf)
}

// next closes the open record and begins another, unless the open one is still empty.
func (p *Params) next() {
	n := len(p.buf) - p.content
	if n == 0 {
		return
	}
	binary.BigEndian.PutUint16(p.buf[p.content-HeaderLen+4:], uint16(n))
	p.open()
}

func (p *Params) room() int {
	return MaxContent - (len(p.buf) - p.content)
}

func (p *Params) write(s string) {
	for n := p.room(); n < len(s); n = p.room() {
		p.buf = append(p.buf, s[:n]...)
		p.next()
		s = s[n:]
	}
	p.buf = append(p.buf, s...)
}
