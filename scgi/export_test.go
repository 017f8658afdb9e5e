package scgi

import "github.com/gangway-go/gangway/adapters"

// ParseHeader is parseHeader, for the fuzz target.
func ParseHeader(block string) (*adapters.Request, error) { return parseHeader(block) }

// AppendHeader is appendHeader.
func AppendHeader(dst []byte, req *adapters.Request) ([]byte, error) { return appendHeader(dst, req) }
