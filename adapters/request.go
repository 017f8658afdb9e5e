package adapters

import (
	"crypto/tls"
	"io"
	"strings"
	"time"
)

// A Request is one request in the terms of RFC 3875. A frontend makes it and owns it until Response.Body is closed; a
// Handler that changes something works on a shallow copy. Header and Vars are shared and read-only.
type Request struct {
	Method string // REQUEST_METHOD
	URI    string // REQUEST_URI: path and query as the client sent them
	Proto  string // SERVER_PROTOCOL, "HTTP/1.1"
	Host   string // HTTP_HOST
	Query  string // QUERY_STRING, which after a rewrite is not URI's
	Scheme string // REQUEST_SCHEME: "http" or "https"; "https" also sets HTTPS=on
	ID     string // REQUEST_ID: names the request in logs and answers

	Header        Header    // HTTP_* and CONTENT_TYPE, without Host and Content-Length
	ContentLength int64     // CONTENT_LENGTH; -1 if unknown
	Body          io.Reader // message-body; nil if there is none. ReadableAtOnce says what is there of it

	// Trailer returns the trailer fields once Body has returned io.EOF; nil if the frontend has none.
	Trailer func() Header

	Script        Script
	Remote, Local Endpoint
	TLS           *tls.ConnectionState // SSL_*; nil without TLS
	AuthType      string               // AUTH_TYPE
	User          string               // REMOTE_USER

	Role Role  // zero is Responder
	Data *Data // Filter only
	Vars []Var // every other meta-variable; wins over the fields, an empty value removes one

	// Stderr takes the application's diagnostics; nil drops them. It is used until Response.Body is closed.
	Stderr io.Writer
	// Informational takes 1xx responses, only before Serve returns; nil drops them.
	Informational func(status int, h Header) error
	// Trace takes the phases of the request; nil is off. Copies of the request share it.
	Trace *Trace
}

// Path returns the canonical path of the request: decoded once, no dot segments, no empty segments. Before a script is
// resolved it is all in Script.PathInfo.
func (r *Request) Path() string { return r.Script.Name + r.Script.PathInfo }

// WithPath returns a copy of r that asks for another path and query; URI stays what the client sent.
func (r *Request) WithPath(path, query string) *Request {
	c := *r
	c.Script = Script{PathInfo: path}
	c.Query = query
	return &c
}

// EncodedSeparator reports whether the path was sent with %2F or %5C. One that took its place ([Rewrite], a local
// redirect, what a web server made of it) was not.
func (r *Request) EncodedSeparator() bool {
	if !EncodedSeparator(r.URI) {
		return false
	}
	raw, _, _ := strings.Cut(r.URI, "?")
	sent, err := CanonicalPath(raw)
	return err != nil || sent == r.Path()
}

// HasBody reports whether a message-body may follow.
func (r *Request) HasBody() bool { return r.Body != nil && r.ContentLength != 0 }

// Idempotent reports whether repeating the request has no further effect (RFC 9110 9.2.2).
func (r *Request) Idempotent() bool {
	switch r.Method {
	case "GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE":
		return true
	}
	return false
}

// A Script says which program answers and how the path divides into program and rest.
type Script struct {
	Name     string // SCRIPT_NAME, RFC 3875 4.1.13
	PathInfo string // PATH_INFO, RFC 3875 4.1.5
	Filename string // SCRIPT_FILENAME, as the application sees it
	Root     string // DOCUMENT_ROOT, as the application sees it; with PathInfo it makes PATH_TRANSLATED
}

// Mount returns s with prefix moved from the front of the path to SCRIPT_NAME, and whether the path lies beneath it.
// A prefix ends at a segment: "/app" holds "/app" and "/app/x", not "/apple".
func (s Script) Mount(prefix string) (Script, bool) {
	prefix = strings.TrimSuffix(prefix, "/")
	rest, ok := strings.CutPrefix(s.Name+s.PathInfo, prefix)
	if !ok || rest != "" && rest[0] != '/' {
		return s, false
	}
	s.Name, s.PathInfo = prefix, rest
	return s, true
}

// An Endpoint is one end of the client's connection.
type Endpoint struct {
	Addr string // REMOTE_ADDR or SERVER_ADDR
	Port string // REMOTE_PORT or SERVER_PORT
	Name string // REMOTE_HOST or SERVER_NAME
}

// A Role is what the application is asked to be, FastCGI 1.0 section 6.
type Role uint16

// The roles of FastCGI 1.0, with their wire values.
const (
	Responder  Role = iota // also for all other protocols
	Authorizer             // decides whether a request may pass, FastCGI 1.0 section 6.3
	Filter                 // rewrites a file, FastCGI 1.0 section 6.4
)

// String returns the name used in FCGI_ROLE.
func (r Role) String() string {
	switch r {
	case Responder:
		return "RESPONDER"
	case Authorizer:
		return "AUTHORIZER"
	case Filter:
		return "FILTER"
	}
	return "UNKNOWN"
}

// Data is the file that a Filter rewrites, FastCGI 1.0 section 6.4. Body is read only after Request.Body's io.EOF.
type Data struct {
	Body    io.Reader // FCGI_DATA
	Length  int64     // FCGI_DATA_LENGTH, in bytes
	LastMod time.Time // FCGI_DATA_LAST_MOD, in seconds since 1970
}

// A Var is one meta-variable.
type Var struct{ Name, Value string }
