// Package wire is the codec of SCGI (https://python.ca/scgi/protocol.txt of 2008-06-23): the headers of section 3 and
// the netstring of section 4 that holds them. It turns bytes into pairs and back; it knows neither connections nor
// which pairs a request must have. Begin with [AppendPair] and [Enclose] to write, [ParseNetstring] and [ParsePair] to
// read.
package wire

import (
	"errors"
	"slices"
	"strconv"
	"strings"
)

// The errors of the parsers.
var (
	// ErrShort means that more bytes must follow.
	ErrShort = errors.New("scgi: netstring not complete")
	// ErrTooLong means that the netstring announces more bytes than allowed.
	ErrTooLong = errors.New("scgi: netstring too long")
	// ErrSyntax means that the bytes are no netstring or no header.
	ErrSyntax = errors.New("scgi: malformed header")
)

// AppendPair appends a header, section 3. Neither name nor value may hold a NUL, and name must not be empty.
func AppendPair(dst []byte, name, value string) []byte {
	dst = append(append(dst, name...), 0)
	return append(append(dst, value...), 0)
}

// ParsePair splits the first header off block, which is what a netstring holds. It returns [ErrSyntax] if the name is
// empty or a NUL is missing.
func ParsePair(block string) (name, value, rest string, err error) {
	name, rest, named := strings.Cut(block, "\x00")
	value, rest, whole := strings.Cut(rest, "\x00")
	if !named || !whole || name == "" {
		return "", "", "", ErrSyntax
	}
	return name, value, rest, nil
}

// Enclose makes a netstring of b[start:], section 4, and returns b with it in that place.
func Enclose(b []byte, start int) []byte {
	size := strconv.AppendInt(make([]byte, 0, 20), int64(len(b)-start), 10)
	return append(slices.Insert(b, start, append(size, ':')...), ',')
}

// ParseNetstring splits the first netstring off b and returns what it holds, a part of b. The error is [ErrShort] if
// more bytes must follow, [ErrTooLong] as soon as the length is seen to exceed limit, else [ErrSyntax].
func ParseNetstring(b []byte, limit int) (content, rest []byte, err error) {
	size, digits := 0, 0
	for ; digits < len(b) && b[digits] != ':'; digits++ {
		d := int(b[digits]) - '0'
		switch {
		case d < 0 || d > 9 || digits > 0 && b[0] == '0':
			return nil, nil, ErrSyntax
		case d > limit || size > (limit-d)/10:
			return nil, nil, ErrTooLong
		}
		size = size*10 + d
	}
	switch from := digits + 1; {
	case len(b) > 0 && digits == 0:
		return nil, nil, ErrSyntax
	case len(b)-from <= size:
		return nil, nil, ErrShort
	case b[from+size] != ',':
		return nil, nil, ErrSyntax
	default:
		return b[from : from+size], b[from+size+1:], nil
	}
}
