// Package uwsgi is the codec of the uwsgi protocol (https://uwsgi-docs.readthedocs.io/en/latest/Protocol.html, as of
// uWSGI 2.0): the header of a packet and the pairs of its block vars, all numbers little endian. A request is a packet
// of [Modifier] and its message-body; the response has no packet, it is that of a CGI script or of HTTP. The package
// turns bytes into packets and pairs and back; it knows neither connections nor which pairs a request must have. Begin
// with [AppendPair] and [Enclose] to write, [ParsePacket] and [ParsePair] to read.
package uwsgi

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
)

// The errors of the codec.
var (
	// ErrShort means that more bytes must follow.
	ErrShort = errors.New("uwsgi: packet not complete")
	// ErrTooLong means that a block is larger than MaxBlock.
	ErrTooLong = errors.New("uwsgi: block vars too long")
)

const (
	// HeaderLen is the size of a packet header.
	HeaderLen = 4
	// MaxBlock is the most bytes that a block can have, and so the name or the value of a pair.
	MaxBlock = math.MaxUint16
	// Modifier is the modifier1 of a request, "Standard WSGI request", as web servers send it unless told otherwise.
	Modifier = 0
)

// Header is the uwsgi_packet_header.
type Header struct {
	Modifier1 uint8  // what the packet is
	DataSize  uint16 // datasize, of the block for most packets
	Modifier2 uint8
}

// ParseHeader reads the header at the beginning of b. It returns [ErrShort] if b is shorter than [HeaderLen].
func ParseHeader(b []byte) (Header, error) {
	if len(b) < HeaderLen {
		return Header{}, ErrShort
	}
	return Header{Modifier1: b[0], DataSize: binary.LittleEndian.Uint16(b[1:]), Modifier2: b[3]}, nil
}

// Append appends h.
func (h Header) Append(dst []byte) []byte {
	return append(dst, h.Modifier1, byte(h.DataSize), byte(h.DataSize>>8), h.Modifier2)
}

// ParsePacket reads the header at the beginning of b and the block of its DataSize; block and rest are slices of b.
// It returns [ErrShort] if b does not hold both.
func ParsePacket(b []byte) (h Header, block, rest []byte, err error) {
	h, err = ParseHeader(b)
	end := HeaderLen + int(h.DataSize)
	if err != nil || len(b) < end {
		return Header{}, nil, nil, ErrShort
	}
	return h, b[HeaderLen:end:end], b[end:], nil
}

// Enclose makes a packet of the block b[start:] and returns b with it in that place. It returns [ErrTooLong] and b as
// it is if the block is larger than [MaxBlock].
func Enclose(b []byte, start int, modifier1, modifier2 uint8) ([]byte, error) {
	size := len(b) - start
	if size > MaxBlock {
		return b, ErrTooLong
	}
	h := Header{Modifier1: modifier1, DataSize: uint16(size), Modifier2: modifier2}
	return slices.Insert(b, start, h.Append(make([]byte, 0, HeaderLen))...), nil
}

// ParsePair reads the pair, a uwsgi_var, at the beginning of block; name, value and rest are slices of it. It returns
// [ErrShort] if block does not hold the whole pair.
func ParsePair(block []byte) (name, value, rest []byte, err error) {
	name, rest, named := parseString(block)
	value, rest, whole := parseString(rest)
	if !named || !whole {
		return nil, nil, nil, ErrShort
	}
	return name, value, rest, nil
}

func parseString(b []byte) (s, rest []byte, ok bool) {
	if len(b) < 2 {
		return nil, nil, false
	}
	end := 2 + int(binary.LittleEndian.Uint16(b))
	if len(b) < end {
		return nil, nil, false
	}
	return b[2:end:end], b[end:], true
}

// AppendPair appends a pair, a uwsgi_var. It panics if name or value is longer than [MaxBlock].
func AppendPair(dst []byte, name, value string) []byte {
	return appendString(appendString(dst, name), value)
}

func appendString(dst []byte, s string) []byte {
	if len(s) > MaxBlock {
		panic(fmt.Sprintf("uwsgi: name or value of %d bytes", len(s)))
	}
	return append(binary.LittleEndian.AppendUint16(dst, uint16(len(s))), s...)
}
