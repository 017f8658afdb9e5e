package http1

import (
	"bytes"
	"net/http"
	"strings"

	"github.com/gangway-go/gangway/adapters"
)

// headEnd returns the length of the head at the beginning of b with the empty line that ends it, or 0 if that has not
// come yet. Lines before *line have been looked at. A line must end with CRLF: RFC 9112 2.2 lets a server take a bare
// LF as well, which others in the chain may not.
func headEnd(b []byte, line *int) (int, error) {
	for {
		i := bytes.IndexByte(b[*line:], '\n')
		if i < 0 {
			return 0, nil
		}
		if i == 0 || b[*line+i-1] != '\r' {
			return 0, malformed("line that ends without CR")
		}
		*line += i + 1
		if i == 1 {
			return *line, nil
		}
	}
}

// A head is what a request says before its body.
type head struct {
	method, uri string // uri is in origin form, or "*"
	path, query string // of uri, as sent
	proto       string
	minor       int // of the version HTTP/1.minor
	host        string

	length  int64 // of the body; -1 if it is chunked
	hasBody bool  // a body was announced, though it may be empty
	close   bool  // the client wants no further request on the connection
	expect  bool  // 100-continue
	upgrade bool  // to another protocol
}

// parse reads text, a whole head, and appends the fields that are for the application to fields.
func (h *head) parse(text string, fields adapters.Header) (adapters.Header, error) {
	line, rest, _ := strings.Cut(text, "\r\n")
	if err := h.parseLine(line); err != nil {
		return nil, err
	}
	p := fieldParser{head: h, header: fields}
	for rest != "\r\n" {
		line, rest, _ = strings.Cut(rest, "\r\n")
		name, value, err := parseField(line)
		if err != nil {
			return nil, err
		}
		if err := p.take(name, value); err != nil {
			return nil, err
		}
	}
	if err := p.finish(); err != nil {
		return nil, err
	}
	return p.header, nil
}

// parseLine reads the request line, RFC 9112 3.
func (h *head) parseLine(line string) error {
	method, rest, ok := strings.Cut(line, " ")
	target, proto, ok2 := strings.Cut(rest, " ")
	if !ok || !ok2 || !adapters.ValidName(method) {
		return malformed("request line %.80q", line)
	}
	if len(proto) != 8 || proto[:5] != "HTTP/" || proto[6] != '.' || !isDigit(proto[5]) || !isDigit(proto[7]) {
		return malformed("version %.20q", proto)
	}
	if proto[5] != '1' {
		return refuse(http.StatusHTTPVersionNotSupported, "version %q", proto)
	}
	h.method, h.proto, h.minor = method, proto, int(proto[7]-'0')
	return h.parseTarget(target)
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// parseTarget reads the request target, RFC 9112 3.2.
func (h *head) parseTarget(target string) error {
	for i := range len(target) {
		if c := target[i]; c <= ' ' || c == 0x7f || c == '#' {
			return malformed("byte %#x in the request target", c)
		}
	}
	switch {
	case target == "":
		return malformed("no request target")
	case h.method == http.MethodConnect:
		return refuse(http.StatusNotImplemented, "CONNECT")
	case target[0] == '/':
		h.uri = target
	case target == "*":
		if h.method != http.MethodOptions {
			return malformed("target * with %s", h.method)
		}
		h.uri = target
		return nil
	default:
		if err := h.absoluteForm(target); err != nil {
			return err
		}
	}
	h.path, h.query, _ = strings.Cut(h.uri, "?")
	return nil
}

// absoluteForm takes the authority of the target instead of Host, RFC 9112 3.2.2.
func (h *head) absoluteForm(target string) error {
	scheme, rest, ok := strings.Cut(target, "://")
	if !ok || !adapters.EqualName(scheme, "http") && !adapters.EqualName(scheme, "https") {
		return malformed("request target %.80q", target)
	}
	end := strings.IndexAny(rest, "/?")
	if end < 0 {
		end = len(rest)
	}
	if h.host, h.uri = rest[:end], rest[end:]; h.host == "" || !adapters.ValidHost(h.host) {
		return malformed("authority in %.80q", target)
	}
	if h.uri == "" || h.uri[0] == '?' {
		h.uri = "/" + h.uri
	}
	return nil
}

// parseField reads a field line, RFC 9112 5. A folded line begins with white space and so has no name.
func parseField(line string) (name, value string, err error) {
	name, value, ok := strings.Cut(line, ":")
	if !ok || !adapters.ValidName(name) {
		return "", "", malformed("field line %.80q", line)
	}
	value = trimBlank(value)
	if !adapters.ValidValue(value) {
		return "", "", malformed("value of %.80s", name)
	}
	return name, value, nil
}

// A fieldParser sorts the fields of a request into those about the message and those for the application.
type fieldParser struct {
	*head
	header    adapters.Header
	hosts     int
	lengths   int
	codings   int
	keepAlive bool
	nominated []string // by Connection
	wants     string   // Upgrade
	upgrades  bool     // Connection: Upgrade
}

func (p *fieldParser) take(name, value string) error {
	if !aboutMessage[len(name)&31] { // nearly all fields are for the application
		p.header = append(p.header, adapters.Field{Name: name, Value: value})
		return nil
	}
	switch {
	case adapters.EqualName(name, "Host"):
		if p.hosts++; p.hosts > 1 {
			return malformed("more than one Host") // RFC 9112 3.2
		}
		if !adapters.ValidHost(value) {
			return malformed("Host %.80q", value)
		}
		if p.host == "" {
			p.host = value
		}
	case adapters.EqualName(name, "Content-Length"):
		if p.lengths++; p.lengths > 1 {
			return malformed("more than one Content-Length") // RFC 9112 6.3, item 5
		}
		n, err := adapters.ParseLength(value)
		if err != nil {
			return malformed("Content-Length %.80q", value)
		}
		p.length, p.hasBody = n, true
	case adapters.EqualName(name, "Transfer-Encoding"):
		if value == "" {
			return malformed("Transfer-Encoding without a value")
		}
		if p.codings++; p.codings > 1 || !adapters.EqualName(value, "chunked") {
			return refuse(http.StatusNotImplemented, "Transfer-Encoding %.80q", value) // RFC 9112 6.1
		}
	case adapters.EqualName(name, "Connection"):
		p.connection(value)
	case adapters.EqualName(name, "Expect"):
		if !adapters.EqualName(value, "100-continue") {
			return refuse(http.StatusExpectationFailed, "Expect %.80q", value) // RFC 9110 10.1.1
		}
		p.expect = true
		p.header = append(p.header, adapters.Field{Name: name, Value: value})
	case adapters.EqualName(name, "Upgrade"):
		p.wants = value
	case hopByHop(name), adapters.EqualName(name, "Proxy-Authorization"): // which is for the first proxy, RFC 9110 11.7.2
	default:
		p.header = append(p.header, adapters.Field{Name: name, Value: value})
	}
	return nil
}

// aboutMessage has the lengths of the names that take looks at.
var aboutMessage = func() (lengths [32]bool) {
	for _, name := range []string{
		"Host", "Content-Length", "Transfer-Encoding", "Connection", "Expect", "Upgrade", "Keep-Alive",
		"Proxy-Connection", "Proxy-Authorization", "TE", "Trailer",
	} {
		lengths[len(name)] = true
	}
	return lengths
}()

// connection reads Connection, RFC 9110 7.6.1 and RFC 9112 9.3.
func (p *fieldParser) connection(value string) {
	for option := range strings.SplitSeq(value, ",") {
		switch option = trimBlank(option); {
		case option == "":
		case adapters.EqualName(option, "close"):
			p.close = true
		case adapters.EqualName(option, "keep-alive"):
			p.keepAlive = true
		case adapters.EqualName(option, "Upgrade"):
			p.upgrades = true
		case !adapters.ValidName(option):
			p.close = true // whatever was meant: to some it is close
		case adapters.MayNominate(option):
			p.nominated = append(p.nominated, option)
		}
	}
}

// finish checks what the fields say together.
func (p *fieldParser) finish() error {
	switch {
	case p.hosts == 0 && p.minor > 0:
		return malformed("no Host") // RFC 9112 3.2
	case p.codings > 0 && p.minor == 0:
		return malformed("Transfer-Encoding in HTTP/1.0") // RFC 9112 6.1
	case p.codings > 0 && p.lengths > 0:
		return malformed("Transfer-Encoding beside Content-Length") // RFC 9112 6.3, item 3
	case p.codings > 0:
		p.length, p.hasBody = -1, true
	}
	if p.minor == 0 {
		p.close = p.close || !p.keepAlive
		p.expect = false // RFC 9110 10.1.1
	} else if p.upgrades && p.wants != "" {
		p.upgrade = true
		p.header = append(p.header, adapters.Field{Name: "Connection", Value: "Upgrade"},
			adapters.Field{Name: "Upgrade", Value: p.wants})
	}
	if len(p.nominated) > 0 {
		p.header = p.header.Without(p.nominated...)
	}
	return nil
}
