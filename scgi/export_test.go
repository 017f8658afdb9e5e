package scgi

import (
	"net"

	"github.com/gangway-go/gangway/adapters"
)

// ParseHeader is parseHeader, for the fuzz target.
func ParseHeader(block string) (*adapters.Request, error) { return parseHeader(block) }

// AppendHeader is appendHeader with the length that req has.
func AppendHeader(dst []byte, req *adapters.Request) ([]byte, error) {
	return appendHeader(dst, req, req.ContentLength)
}

// ReadRequest is readRequest with a new buffer.
func (s *Server) ReadRequest(conn net.Conn) (req *adapters.Request, rest []byte, err error) {
	return s.readRequest(conn, getBuffer())
}
