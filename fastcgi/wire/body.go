package wire

import "encoding/binary"

// Role is what the web server expects the application to do, FastCGI 1.0 section 6.
type Role uint16

// The roles.
const (
	RoleResponder  Role = 1 + iota // FCGI_RESPONDER, section 6.2
	RoleAuthorizer                 // FCGI_AUTHORIZER, section 6.3
	RoleFilter                     // FCGI_FILTER, section 6.4
)

// String returns the name that the specification gives to r, or its number.
func (r Role) String() string {
	return nameOf(uint64(r), roleNames[:])
}

var roleNames = [...]string{
	RoleResponder: "FCGI_RESPONDER", RoleAuthorizer: "FCGI_AUTHORIZER", RoleFilter: "FCGI_FILTER",
}

// FlagKeepConn is FCGI_KEEP_CONN, the bit of [BeginRequest.Flags] that asks the application to leave the connection
// open after its response, FastCGI 1.0 section 5.1.
const FlagKeepConn = 1

// BeginRequest is the body of FCGI_BEGIN_REQUEST, FastCGI 1.0 section 5.1.
type BeginRequest struct {
	Role  Role
	Flags uint8
}

// ParseBeginRequest reads the body of FCGI_BEGIN_REQUEST. It returns [ErrShort] if content is shorter than [BodyLen]
// and ignores the reserved bytes and what follows.
func ParseBeginRequest(content []byte) (BeginRequest, error) {
	if len(content) < BodyLen {
		return BeginRequest{}, ErrShort
	}
	return BeginRequest{Role: Role(binary.BigEndian.Uint16(content)), Flags: content[2]}, nil
}

// Append appends the record FCGI_BEGIN_REQUEST of request id.
func (r BeginRequest) Append(dst []byte, id uint16) []byte {
	return appendBody(dst, TypeBeginRequest, id, [BodyLen]byte{byte(r.Role >> 8), byte(r.Role), r.Flags})
}

// ProtocolStatus says how a request ended, FastCGI 1.0 section 5.5.
type ProtocolStatus uint8

// The protocol statuses.
const (
	StatusRequestComplete ProtocolStatus = iota // FCGI_REQUEST_COMPLETE
	StatusCantMpxConn                           // FCGI_CANT_MPX_CONN: the connection serves one request at a time
	StatusOverloaded                            // FCGI_OVERLOADED
	StatusUnknownRole                           // FCGI_UNKNOWN_ROLE
)

// String returns the name that the specification gives to s, or its number.
func (s ProtocolStatus) String() string {
	return nameOf(uint64(s), statusNames[:])
}

var statusNames = [...]string{
	StatusRequestComplete: "FCGI_REQUEST_COMPLETE", StatusCantMpxConn: "FCGI_CANT_MPX_CONN",
	StatusOverloaded: "FCGI_OVERLOADED", StatusUnknownRole: "FCGI_UNKNOWN_ROLE",
}

// EndRequest is the body of FCGI_END_REQUEST, FastCGI 1.0 section 5.5.
type EndRequest struct {
	AppStatus      uint32 // the exit status that a CGI program would have had
	ProtocolStatus ProtocolStatus
}

// ParseEndRequest reads the body of FCGI_END_REQUEST. It returns [ErrShort] if content is shorter than [BodyLen] and
// ignores the reserved bytes and what follows.
func ParseEndRequest(content []byte) (EndRequest, error) {
	if len(content) < BodyLen {
		return EndRequest{}, ErrShort
	}
	return EndRequest{AppStatus: binary.BigEndian.Uint32(content), ProtocolStatus: ProtocolStatus(content[4])}, nil
}

// Append appends the record FCGI_END_REQUEST of request id.
func (r EndRequest) Append(dst []byte, id uint16) []byte {
	body := [BodyLen]byte{4: byte(r.ProtocolStatus)}
	binary.BigEndian.PutUint32(body[:], r.AppStatus)
	return appendBody(dst, TypeEndRequest, id, body)
}

// ParseUnknownType reads the body of FCGI_UNKNOWN_TYPE, the record type that the application did not understand. It
// returns [ErrShort] if content is shorter than [BodyLen] and ignores the reserved bytes and what follows.
func ParseUnknownType(content []byte) (Type, error) {
	if len(content) < BodyLen {
		return 0, ErrShort
	}
	return Type(content[0]), nil
}

// AppendUnknownType appends the management record FCGI_UNKNOWN_TYPE for a record of type t, FastCGI 1.0 section 4.2.
func AppendUnknownType(dst []byte, t Type) []byte {
	return appendBody(dst, TypeUnknownType, NullRequestID, [BodyLen]byte{byte(t)})
}

func appendBody(dst []byte, t Type, id uint16, body [BodyLen]byte) []byte {
	return AppendRecord(dst, t, id, body[:])
}
