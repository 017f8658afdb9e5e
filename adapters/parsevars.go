package adapters

import (
	"fmt"
	"iter"
	"net/url"
	"strconv"
	"strings"
)

// ParseVars makes a Request of meta-variables, the reverse of [Request.All]: what All would not yield again in the same
// form is kept in Vars, so nothing is lost. HTTP_PROXY alone is dropped, since no web server may pass it on (httpoxy).
// Without REQUEST_URI, URI is built from SCRIPT_NAME, PATH_INFO and QUERY_STRING; without SCRIPT_NAME and PATH_INFO, as
// nginx's scgi_params has it, the path of REQUEST_URI is PATH_INFO. Without CONTENT_LENGTH, ContentLength is -1. Body
// is left to the caller. The error wraps [ErrBadRequest]: a REQUEST_METHOD that is none, a CONTENT_LENGTH that is no
// number, a control byte in a header field.
func ParseVars(vars iter.Seq2[string, string]) (*Request, error) {
	p := &varParser{r: Request{ContentLength: -1}}
	p.r.Header, p.r.Vars = p.fields[:0], p.vars[:0]
	var err error
	vars(func(name, value string) bool {
		err = p.add(name, value)
		return err == nil
	})
	if err != nil {
		return nil, err
	}
	return p.finish()
}

// A varParser is one allocation for a usual request.
type varParser struct {
	r                 Request
	fields            [16]Field
	vars              [8]Var
	https, translated string
	script            bool // SCRIPT_NAME or PATH_INFO was given
}

func (p *varParser) add(name, value string) error {
	if strings.HasPrefix(name, "HTTP_") {
		return p.addField(name, value)
	}
	if field := p.r.variable(name); field != nil {
		*field = value
		p.script = p.script || name == "SCRIPT_NAME" || name == "PATH_INFO"
		return nil
	}
	switch name {
	case "HTTPS":
		p.https = value
		return nil
	case "PATH_TRANSLATED":
		p.translated = value
		return nil
	case "CONTENT_TYPE":
		if value != "" {
			p.r.Header.Add("Content-Type", value)
		}
		return checkField(name, value)
	case "CONTENT_LENGTH":
		return p.setLength(value)
	case "GATEWAY_INTERFACE":
		if value == "CGI/1.1" {
			return nil // All yields it again
		}
	}
	p.r.Vars = append(p.r.Vars, Var{name, value})
	return nil
}

// variable returns where the variable called name is kept as it is; nil if it has no such place.
func (r *Request) variable(name string) *string {
	switch name {
	case "REQUEST_METHOD":
		return &r.Method
	case "REQUEST_URI":
		return &r.URI
	case "SERVER_PROTOCOL":
		return &r.Proto
	case "QUERY_STRING":
		return &r.Query
	case "REQUEST_SCHEME":
		return &r.Scheme
	case "REQUEST_ID":
		return &r.ID
	case "SCRIPT_NAME":
		return &r.Script.Name
	case "PATH_INFO":
		return &r.Script.PathInfo
	case "SCRIPT_FILENAME":
		return &r.Script.Filename
	case "DOCUMENT_ROOT":
		return &r.Script.Root
	case "REMOTE_ADDR":
		return &r.Remote.Addr
	case "REMOTE_PORT":
		return &r.Remote.Port
	case "REMOTE_HOST":
		return &r.Remote.Name
	case "SERVER_ADDR":
		return &r.Local.Addr
	case "SERVER_PORT":
		return &r.Local.Port
	case "SERVER_NAME":
		return &r.Local.Name
	case "AUTH_TYPE":
		return &r.AuthType
	case "REMOTE_USER":
		return &r.User
	}
	return nil
}

func (p *varParser) addField(name, value string) error {
	switch name {
	case "HTTP_PROXY":
		return nil
	case "HTTP_HOST":
		p.r.Host = value
		return checkField(name, value)
	}
	if field, ok := fieldName(name); ok {
		p.r.Header.Add(field, value)
		return checkField(name, value)
	}
	p.r.Vars = append(p.r.Vars, Var{name, value})
	return nil
}

func checkField(name, value string) error {
	if !ValidValue(value) {
		return fmt.Errorf("%w: control byte in %s", ErrBadRequest, name)
	}
	return nil
}

func (p *varParser) setLength(value string) error {
	if value == "" {
		return nil
	}
	n, err := ParseLength(value)
	if err != nil {
		return fmt.Errorf("%w: CONTENT_LENGTH %.40q", ErrBadRequest, value)
	}
	p.r.ContentLength = n
	return nil
}

// ParseLength parses a Content-Length, which is digits alone (RFC 9110 8.6).
func ParseLength(s string) (int64, error) {
	n, err := strconv.ParseUint(s, 10, 63)
	if err != nil || s[0] == '+' {
		return 0, strconv.ErrSyntax
	}
	return int64(n), nil
}

func (p *varParser) finish() (*Request, error) {
	r := &p.r
	if !ValidName(r.Method) {
		return nil, fmt.Errorf("%w: REQUEST_METHOD %.40q", ErrBadRequest, r.Method)
	}
	if p.https == "on" && (r.Scheme == "" || r.Scheme == "https") {
		r.Scheme = "https"
	} else if p.https != "" || r.Scheme == "https" {
		r.Vars = append(r.Vars, Var{"HTTPS", p.https})
	}
	if s := r.Script; s.PathInfo == "" || s.Root == "" || p.translated != s.Root+s.PathInfo {
		if p.translated != "" || s.PathInfo != "" && s.Root != "" {
			r.Vars = append(r.Vars, Var{"PATH_TRANSLATED", p.translated}) // "" keeps All from making one up
		}
	}
	if raw, _, _ := strings.Cut(r.URI, "?"); !p.script && raw != "" {
		r.Script.PathInfo, _ = CanonicalPath(raw)
	}
	if r.URI == "" {
		r.URI = (&url.URL{Path: r.Path(), RawQuery: r.Query}).RequestURI()
	}
	return r, nil
}
