// Package proxyproto reads the header with which a load balancer says who its client is: the PROXY protocol, versions 1
// and 2 (https://www.haproxy.org/download/2.9/doc/proxy-protocol.txt), as its receiver. Addresses of TCP are taken;
// UNKNOWN, LOCAL and families other than IPv4 and IPv6 leave those of the connection; TLVs are skipped.
//
// Begin with [Listener]. [Read] takes exactly the header's bytes, so that the connection can be used as it is from then
// on, with its descriptor.
package proxyproto

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strconv"
	"strings"
)

// ErrHeader is wrapped by every error about bytes that are no header.
var ErrHeader = errors.New("proxyproto: bad header")

// A Header is what it says. Without valid addresses those of the connection count.
type Header struct {
	Source, Dest netip.AddrPort
}

const (
	v1Prefix  = "PROXY "
	v1Longest = 107 // section 2.1, with CRLF
	v1Least   = len("PROXY UNKNOWN\r\n")

	v2Signature = "\r\n\r\n\x00\r\nQUIT\n"
	v2Fixed     = 16 // section 2.2: signature, version and command, family and protocol, length
	// v2Longest is how much may follow: 536 bytes are what a sender may rely on in version 2, and TLVs have grown since.
	v2Longest = 4096
)

// Read reads a header and not a byte more. The error wraps [ErrHeader], or is r's.
func Read(r io.Reader) (Header, error) {
	var store [v1Longest]byte
	b := store[:v1Least]
	if _, err := io.ReadFull(r, b); err != nil {
		return Header{}, err
	}
	switch {
	case string(b[:len(v1Prefix)]) == v1Prefix:
		return readV1(r, store[:], v1Least)
	case string(b[:len(v2Signature)]) == v2Signature:
		return readV2(r, append(b, 0))
	}
	return Header{}, fmt.Errorf("%w: neither version 1 nor version 2: it begins with %q", ErrHeader, b[:6])
}

// readV1 reads the rest of the line: as long as no LF has come, at least one byte of it is missing, or two if no CR
// has.
func readV1(r io.Reader, b []byte, n int) (Header, error) {
	for b[n-1] != '\n' {
		step := 2
		if b[n-1] == '\r' {
			step = 1
		}
		if n+step > len(b) {
			return Header{}, fmt.Errorf("%w: line longer than %d bytes", ErrHeader, v1Longest)
		}
		if _, err := io.ReadFull(r, b[n:n+step]); err != nil {
			return Header{}, err
		}
		if i := bytes.IndexByte(b[n:n+step], '\n'); i >= 0 && i < step-1 {
			return Header{}, fmt.Errorf("%w: line that ends without CR", ErrHeader)
		}
		n += step
	}
	return parseV1(string(b[:n]))
}

// parseV1 parses a line, section 2.1.
func parseV1(line string) (h Header, err error) {
	line, ok := strings.CutSuffix(line, "\r\n")
	if !ok || strings.ContainsAny(line, "\r\n") {
		return h, fmt.Errorf("%w: line %.110q", ErrHeader, line)
	}
	words := strings.Split(line, " ")
	if words[1] == "UNKNOWN" { // and whatever follows
		return h, nil
	}
	if len(words) != 6 || words[1] != "TCP4" && words[1] != "TCP6" {
		return h, fmt.Errorf("%w: line %.110q", ErrHeader, line)
	}
	h.Source, ok = parseV1Addr(words[1], words[2], words[4])
	dest, ok2 := parseV1Addr(words[1], words[3], words[5])
	if h.Dest = dest; !ok || !ok2 {
		return Header{}, fmt.Errorf("%w: line %.110q", ErrHeader, line)
	}
	return h, nil
}

func parseV1Addr(family, addr, port string) (netip.AddrPort, bool) {
	a, err := netip.ParseAddr(addr)
	n, err2 := strconv.ParseUint(port, 10, 16)
	ok := err == nil && err2 == nil && a.Zone() == "" && a.Is4() == (family == "TCP4") &&
		(port == "0" || port[0] > '0')
	return netip.AddrPortFrom(a.Unmap(), uint16(n)), ok
}

// readV2 reads the rest of a binary header, section 2.2, of which all but the last byte of the fixed part was read.
func readV2(r io.Reader, fixed []byte) (h Header, err error) {
	if _, err := io.ReadFull(r, fixed[v2Fixed-1:]); err != nil {
		return h, err
	}
	version, command, family := fixed[12]>>4, fixed[12]&15, fixed[13]
	length := int(binary.BigEndian.Uint16(fixed[14:]))
	switch {
	case version != 2:
		return h, fmt.Errorf("%w: version %d", ErrHeader, version)
	case command > 1:
		return h, fmt.Errorf("%w: command %d", ErrHeader, command)
	case length > v2Longest:
		return h, fmt.Errorf("%w: %d bytes long", ErrHeader, length)
	}
	rest := make([]byte, length)
	if _, err := io.ReadFull(r, rest); err != nil {
		return h, err
	}
	if command == 0 { // LOCAL: of the balancer itself, such as a health check
		return h, nil
	}
	size := 0
	switch family {
	case 0x11: // TCP over IPv4
		size = 4
	case 0x21: // TCP over IPv6
		size = 16
	case 0x00, 0x12, 0x22, 0x31, 0x32: // UNSPEC, UDP, Unix sockets
		return h, nil
	default:
		return h, fmt.Errorf("%w: family and protocol %#02x", ErrHeader, family)
	}
	if length < 2*size+4 {
		return h, fmt.Errorf("%w: %d bytes are no addresses of family %#02x", ErrHeader, length, family)
	}
	h.Source = v2Addr(rest[:size], rest[2*size:])
	h.Dest = v2Addr(rest[size:2*size], rest[2*size+2:])
	return h, nil
}

func v2Addr(addr, port []byte) netip.AddrPort {
	a, _ := netip.AddrFromSlice(addr)
	return netip.AddrPortFrom(a.Unmap(), binary.BigEndian.Uint16(port))
}
