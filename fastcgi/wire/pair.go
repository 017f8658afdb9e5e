package wire

import (
	"encoding/binary"
	"fmt"
	"math"
)

// Lengths up to maxShort are written in one byte, others up to MaxPairPart in four, FastCGI 1.0 section 3.4.
const (
	maxShort = 127
	longBit  = 1 << 31

	// MaxPairPart is the most bytes that the name or the value of a pair can have.
	MaxPairPart = math.MaxInt32
)

// ParsePair reads the name-value pair at the beginning of b, FastCGI 1.0 section 3.4. Name, value and rest are slices
// of b. It returns [ErrShort] if b does not hold the whole pair; in a stream a pair may begin in one record and end in
// another. To read all pairs of b:
//
//	for len(b) > 0 {
//		name, value, rest, err := wire.ParsePair(b)
//		…
//		b = rest
//	}
func ParsePair(b []byte) (name, value, rest []byte, err error) {
	nameLen, n := parseLength(b)
	valueLen, m := parseLength(b[n:])
	if n == 0 || m == 0 {
		return nil, nil, nil, ErrShort
	}
	b = b[n+m:]
	// The sum of two lengths may exceed a 32-bit int, each alone does not.
	if nameLen > len(b) || valueLen > len(b)-nameLen {
		return nil, nil, nil, ErrShort
	}
	end := nameLen + valueLen
	return b[:nameLen:nameLen], b[nameLen:end:end], b[end:], nil
}

// parseLength returns the length at the beginning of b and the number of bytes that it takes there, 0 if b is short.
func parseLength(b []byte) (length, n int) {
	if len(b) > 0 && b[0] <= maxShort {
		return int(b[0]), 1
	}
	if len(b) < 4 {
		return 0, 0
	}
	return int(binary.BigEndian.Uint32(b) &^ longBit), 4
}

// AppendPair appends one name-value pair, for the content of FCGI_GET_VALUES and FCGI_GET_VALUES_RESULT; the stream
// FCGI_PARAMS is written by [Params]. It panics if name or value is longer than [MaxPairPart].
func AppendPair(dst []byte, name, value string) []byte {
	dst = appendLengths(dst, name, value)
	dst = append(dst, name...)
	return append(dst, value...)
}

func appendLengths(dst []byte, name, value string) []byte {
	return appendLength(appendLength(dst, len(name)), len(value))
}

// pairLen returns the size of the encoded pair, which may exceed a 32-bit int.
func pairLen(name, value string) int64 {
	return lengthLen(name) + int64(len(name)) + lengthLen(value) + int64(len(value))
}

func lengthLen(s string) int64 {
	if len(s) <= maxShort {
		return 1
	}
	return 4
}

func appendLength(dst []byte, n int) []byte {
	if n <= maxShort {
		return append(dst, byte(n))
	}
	if n > MaxPairPart {
		panic(fmt.Sprintf("fastcgi: name or value of %d bytes", n))
	}
	return binary.BigEndian.AppendUint32(dst, uint32(n)|longBit)
}
