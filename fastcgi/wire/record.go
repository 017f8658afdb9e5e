package wire

import (
	"encoding/binary"
	"fmt"
)

// Header is the fixed part of a record, FCGI_Header, FastCGI 1.0 section 3.3. The zero value has version 0, which is
// no version of FastCGI.
type Header struct {
	Version       uint8
	Type          Type
	RequestID     uint16
	ContentLength uint16
	PaddingLength uint8
	Reserved      uint8
}

// ParseHeader reads the header at the beginning of b. It returns [ErrShort] if b is shorter than [HeaderLen].
func ParseHeader(b []byte) (Header, error) {
	if len(b) < HeaderLen {
		return Header{}, ErrShort
	}
	return Header{
		Version:       b[0],
		Type:          Type(b[1]),
		RequestID:     binary.BigEndian.Uint16(b[2:]),
		ContentLength: binary.BigEndian.Uint16(b[4:]),
		PaddingLength: b[6],
		Reserved:      b[7],
	}, nil
}

// Append appends h to dst. The content and padding that it announces must follow.
func (h Header) Append(dst []byte) []byte {
	return append(dst, h.Version, byte(h.Type), byte(h.RequestID>>8), byte(h.RequestID),
		byte(h.ContentLength>>8), byte(h.ContentLength), h.PaddingLength, h.Reserved)
}

// ParseRecord reads the record at the beginning of b: its header, its content, and what follows its padding. Content
// and rest are slices of b. It returns [ErrShort] if b does not hold the whole record.
func ParseRecord(b []byte) (h Header, content, rest []byte, err error) {
	h, err = ParseHeader(b)
	if err != nil {
		return Header{}, nil, nil, err
	}
	end := HeaderLen + int(h.ContentLength)
	next := end + int(h.PaddingLength)
	if len(b) < next {
		return Header{}, nil, nil, ErrShort
	}
	return h, b[HeaderLen:end:end], b[next:], nil
}

// AppendRecord appends one record. It panics if content is longer than [MaxContent]; a stream of any length is for
// [AppendStream].
func AppendRecord(dst []byte, t Type, id uint16, content []byte) []byte {
	if len(content) > MaxContent {
		panic(fmt.Sprintf("fastcgi: record content of %d bytes", len(content)))
	}
	h := Header{Version: Version1, Type: t, RequestID: id, ContentLength: uint16(len(content))}
	return append(h.Append(dst), content...)
}

// AppendStream appends content as records of at most [MaxContent] bytes each; no record if content is empty, for an
// empty record ends a stream: see [AppendEnd].
func AppendStream(dst []byte, t Type, id uint16, content []byte) []byte {
	for len(content) > 0 {
		n := min(len(content), MaxContent)
		dst = AppendRecord(dst, t, id, content[:n])
		content = content[n:]
	}
	return dst
}

// AppendEnd appends the empty record that ends the stream of type t, FastCGI 1.0 section 3.3.
func AppendEnd(dst []byte, t Type, id uint16) []byte {
	return AppendRecord(dst, t, id, nil)
}
