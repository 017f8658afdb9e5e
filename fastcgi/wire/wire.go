// Package wire is the alphabet of FastCGI 1.0 (Mark R. Brown, 29 April 1996): record headers, the bodies of the
// discrete records and name-value pairs, to bytes and back. It knows what each byte means and not which record may
// follow which: no connections, no state, no limits. Record types, request ids and numbers pass as they are, also
// those that a peer must reject; the caller decides. All record types and roles are covered.
//
// To write, begin with [AppendRecord], [AppendStream] and [Params]; to read, with [ParseRecord] (or [ParseHeader]) and
// [ParsePair]. Functions that append extend dst as the built-in append does and allocate only if its capacity runs
// out. Functions that parse return slices of their argument, allocate nothing, and fail only with [ErrShort]. All of
// them may be called concurrently.
//
// The records that this package writes have no padding. Section 3.3 recommends boundaries at multiples of eight bytes,
// but no known receiver gains from them, and php-fpm and libfcgi lose a request's body if the record that ends
// FCGI_PARAMS is padded. Who needs padding appends a [Header] with its PaddingLength, the content and that many bytes.
package wire

import (
	"errors"
	"strconv"
)

// Sizes and fixed values, FastCGI 1.0 sections 3.3 and 8.
const (
	Version1         = 1     // FCGI_VERSION_1
	HeaderLen        = 8     // FCGI_HEADER_LEN
	BodyLen          = 8     // size of the bodies of FCGI_BEGIN_REQUEST, FCGI_END_REQUEST and FCGI_UNKNOWN_TYPE
	MaxContent       = 65535 // the most content that one record carries
	MaxPadding       = 255   // the most padding that one record carries
	NullRequestID    = 0     // FCGI_NULL_REQUEST_ID, the request id of management records
	ListenSockFileno = 0     // FCGI_LISTENSOCK_FILENO, section 2.2
)

// Names that FCGI_GET_VALUES asks for, FastCGI 1.0 section 4.1.
const (
	MaxConns  = "FCGI_MAX_CONNS"  // how many connections the application accepts at once
	MaxReqs   = "FCGI_MAX_REQS"   // how many requests the application accepts at once
	MpxsConns = "FCGI_MPXS_CONNS" // "1" if requests may share a connection, else "0"
)

// WebServerAddrs is FCGI_WEB_SERVER_ADDRS, the environment variable that lists the addresses of the web servers that
// may connect, FastCGI 1.0 section 3.2.
const WebServerAddrs = "FCGI_WEB_SERVER_ADDRS"

// ErrShort reports that the argument ends before the header, record, body or pair does. Whether more bytes can come is
// known to the caller only: nothing on this level is malformed in any other way.
var ErrShort = errors.New("fastcgi: message ends too early")

// Type is the type of a record, FastCGI 1.0 section 8.
type Type uint8

// The record types.
const (
	TypeBeginRequest    Type = 1 + iota // FCGI_BEGIN_REQUEST, section 5.1
	TypeAbortRequest                    // FCGI_ABORT_REQUEST, section 5.4
	TypeEndRequest                      // FCGI_END_REQUEST, section 5.5
	TypeParams                          // FCGI_PARAMS, section 5.2
	TypeStdin                           // FCGI_STDIN, section 5.3
	TypeStdout                          // FCGI_STDOUT, section 5.3
	TypeStderr                          // FCGI_STDERR, section 5.3
	TypeData                            // FCGI_DATA, section 5.3
	TypeGetValues                       // FCGI_GET_VALUES, section 4.1
	TypeGetValuesResult                 // FCGI_GET_VALUES_RESULT, section 4.1
	TypeUnknownType                     // FCGI_UNKNOWN_TYPE, section 4.2
)

// String returns the name that the specification gives to t, or its number.
func (t Type) String() string {
	return nameOf(uint64(t), typeNames[:])
}

var typeNames = [...]string{
	TypeBeginRequest:    "FCGI_BEGIN_REQUEST",
	TypeAbortRequest:    "FCGI_ABORT_REQUEST",
	TypeEndRequest:      "FCGI_END_REQUEST",
	TypeParams:          "FCGI_PARAMS",
	TypeStdin:           "FCGI_STDIN",
	TypeStdout:          "FCGI_STDOUT",
	TypeStderr:          "FCGI_STDERR",
	TypeData:            "FCGI_DATA",
	TypeGetValues:       "FCGI_GET_VALUES",
	TypeGetValuesResult: "FCGI_GET_VALUES_RESULT",
	TypeUnknownType:     "FCGI_UNKNOWN_TYPE",
}

// nameOf returns names[n], or n itself where the specification has no name.
func nameOf(n uint64, names []string) string {
	if n < uint64(len(names)) && names[n] != "" {
		return names[n]
	}
	return strconv.FormatUint(n, 10)
}
