package adapters

import (
	"cmp"
	"crypto/tls"
	"iter"
	"strconv"
	"strings"
)

// All yields every meta-variable of the request, each name once; encoders range over it instead of building a map.
// Vars win over the fields, and one with an empty value removes what a field would make. A variable that a field makes
// is left out if it is empty, which RFC 3875 4.1 calls the same, except those of the request header and those that must
// exist: GATEWAY_INTERFACE, SERVER_SOFTWARE, SERVER_PROTOCOL, SERVER_NAME, SERVER_PORT, REQUEST_METHOD, SCRIPT_NAME
// (but for an Authorizer, FastCGI 1.0 section 6.3), QUERY_STRING and REMOTE_ADDR.
//
// Repeated header fields are joined, Cookie by "; ", others by ", ". A header field whose name has another character
// than letter, digit and hyphen is left out, since two such names could fold into one variable; so are Proxy, which as
// HTTP_PROXY would command HTTP clients (httpoxy), and HTTP_CONTENT_LENGTH.
func (r *Request) All() iter.Seq2[string, string] {
	return func(yield func(name, value string) bool) { r.yieldAll(yield) } // a literal: inlined, it costs no allocation
}

func (r *Request) yieldAll(yield func(name, value string) bool) {
	var set varSet
	set.init(r.Vars)
	e := varEncoder{set: &set, yield: yield}
	_ = e.request(r) && e.script(r) && e.endpoints(r) && e.tls(r.TLS) && e.header(r) && e.vars(r.Vars)
}

// A varEncoder yields the variables of a request; each method reports whether to go on. The request is no field: the
// compiler would take yield to live as long, and allocate every variable that a loop over All uses.
type varEncoder struct {
	set   *varSet
	yield func(name, value string) bool
}

// opt yields a variable that may be missing.
func (e *varEncoder) opt(name, value string) bool {
	return value == "" || e.set.last(name) >= 0 || e.yield(name, value)
}

// must yields a variable that has to exist, RFC 3875 4.1.
func (e *varEncoder) must(name, value string) bool {
	if i := e.set.last(name); i >= 0 {
		return e.set.vars[i].Value != "" || e.yield(name, "")
	}
	return e.yield(name, value)
}

func (e *varEncoder) request(r *Request) bool {
	https := ""
	if r.Scheme == "https" {
		https = "on"
	}
	return e.must("GATEWAY_INTERFACE", "CGI/1.1") &&
		e.must("SERVER_SOFTWARE", "gangway") &&
		e.must("SERVER_PROTOCOL", cmp.Or(r.Proto, "HTTP/1.0")) &&
		e.must("REQUEST_METHOD", r.Method) &&
		e.must("QUERY_STRING", r.Query) &&
		e.opt("REQUEST_URI", r.URI) &&
		e.opt("REQUEST_SCHEME", r.Scheme) &&
		e.opt("HTTPS", https) &&
		e.opt("REQUEST_ID", r.ID) &&
		e.opt("AUTH_TYPE", r.AuthType) &&
		e.opt("REMOTE_USER", r.User) &&
		e.opt("CONTENT_LENGTH", r.contentLength()) &&
		e.opt("CONTENT_TYPE", r.Header.Get("Content-Type")) &&
		e.data(r.Data)
}

// contentLength returns CONTENT_LENGTH: "" without a body, or if its length is unknown.
func (r *Request) contentLength() string {
	if r.Body == nil && r.ContentLength == 0 || r.ContentLength < 0 {
		return ""
	}
	return strconv.FormatInt(r.ContentLength, 10)
}

func (e *varEncoder) data(d *Data) bool {
	return d == nil || e.opt("FCGI_DATA_LENGTH", strconv.FormatInt(d.Length, 10)) &&
		e.opt("FCGI_DATA_LAST_MOD", strconv.FormatInt(max(d.LastMod.Unix(), 0), 10)) // 0 also for no time
}

func (e *varEncoder) script(r *Request) bool {
	s := &r.Script
	translated := ""
	if s.PathInfo != "" && s.Root != "" {
		translated = s.Root + s.PathInfo
	}
	authorizer := r.Role == Authorizer && s.Name == ""
	return (authorizer || e.must("SCRIPT_NAME", s.Name)) &&
		e.opt("SCRIPT_FILENAME", s.Filename) &&
		e.opt("DOCUMENT_ROOT", s.Root) &&
		e.opt("PATH_INFO", s.PathInfo) &&
		e.opt("PATH_TRANSLATED", translated)
}

func (e *varEncoder) endpoints(r *Request) bool {
	remote, local := &r.Remote, &r.Local
	return e.must("REMOTE_ADDR", remote.Addr) &&
		e.opt("REMOTE_PORT", remote.Port) &&
		e.opt("REMOTE_HOST", remote.Name) &&
		e.opt("SERVER_ADDR", local.Addr) &&
		e.must("SERVER_PORT", local.Port) &&
		e.must("SERVER_NAME", local.Name)
}

func (e *varEncoder) tls(state *tls.ConnectionState) bool {
	if state == nil {
		return true
	}
	client := ""
	if len(state.PeerCertificates) > 0 {
		client = state.PeerCertificates[0].Subject.String()
	}
	return e.opt("SSL_PROTOCOL", strings.Replace(tls.VersionName(state.Version), "TLS ", "TLSv", 1)) &&
		e.opt("SSL_CIPHER", tls.CipherSuiteName(state.CipherSuite)) &&
		e.opt("SSL_TLS_SNI", state.ServerName) &&
		e.opt("SSL_CLIENT_S_DN", client)
}

func (e *varEncoder) header(r *Request) bool {
	if !e.opt("HTTP_HOST", r.Host) {
		return false
	}
	h := r.Header
	var seen fieldSet
	seen.init(h)
	for i, f := range h {
		name, ok := envName(f.Name)
		if !ok || seen.before(i) {
			continue
		}
		if e.set.last(name) < 0 && !e.yield(name, seen.joined(i)) {
			return false
		}
	}
	return true
}

func (e *varEncoder) vars(vars []Var) bool {
	for i, v := range vars {
		if e.set.last(v.Name) != i || v.Value == "" && ofField(v.Name) {
			continue
		}
		if !e.yield(v.Name, v.Value) {
			return false
		}
	}
	return true
}

// ofField reports whether a field of Request makes the variable.
func ofField(name string) bool {
	switch name {
	case "CONTENT_TYPE", "CONTENT_LENGTH", "GATEWAY_INTERFACE", "HTTPS", "SERVER_SOFTWARE", "PATH_TRANSLATED",
		"FCGI_DATA_LENGTH", "FCGI_DATA_LAST_MOD", "SSL_PROTOCOL", "SSL_CIPHER", "SSL_TLS_SNI", "SSL_CLIENT_S_DN":
		return true
	}
	return strings.HasPrefix(name, "HTTP_") || new(Request).variable(name) != nil
}

// scanLimit is the length up to which a scan beats a map, and beyond which it would let a client burn our time.
const scanLimit = 64

// A varSet finds a variable by name.
type varSet struct {
	vars  []Var
	index map[string]int
}

func (s *varSet) init(vars []Var) {
	s.vars = vars
	if len(vars) > scanLimit {
		s.index = make(map[string]int, len(vars))
		for i, v := range vars {
			s.index[v.Name] = i
		}
	}
}

// last returns the index of the last variable of that name, or -1.
func (s *varSet) last(name string) int {
	if s.index != nil {
		if i, ok := s.index[name]; ok {
			return i
		}
		return -1
	}
	for i := len(s.vars) - 1; i >= 0; i-- {
		if s.vars[i].Name == name {
			return i
		}
	}
	return -1
}

// A fieldSet groups header fields of the same name.
type fieldSet struct {
	fields Header
	groups map[string][]int // by lower-case name; nil for a short header
}

func (s *fieldSet) init(h Header) {
	s.fields = h
	if len(h) > scanLimit {
		s.groups = make(map[string][]int, len(h))
		for i, f := range h {
			name := strings.ToLower(f.Name)
			s.groups[name] = append(s.groups[name], i)
		}
	}
}

// before reports whether an earlier field has the name of field i.
func (s *fieldSet) before(i int) bool {
	name := s.fields[i].Name
	if s.groups != nil {
		return s.groups[strings.ToLower(name)][0] < i
	}
	return s.fields[:i].Has(name)
}

// joined returns the values of all fields that have the name of field i.
func (s *fieldSet) joined(i int) string {
	f := s.fields[i]
	var values []string
	if s.groups == nil {
		if !s.fields[i+1:].Has(f.Name) {
			return f.Value
		}
		values = s.fields.Values(f.Name)
	} else {
		for _, j := range s.groups[strings.ToLower(f.Name)] {
			values = append(values, s.fields[j].Value)
		}
	}
	separator := ", "
	if EqualName(f.Name, "Cookie") {
		separator = "; "
	}
	return strings.Join(values, separator)
}
