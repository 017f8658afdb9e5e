package server

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Field is a header field of a response.
type Field struct{ Name, Value string }

// Response is what the server answered to an HTTP request.
type Response struct {
	Proto   string // "HTTP/1.1"
	Status  int    // 0 if there is no status line
	Reason  string
	Fields  []Field
	Body    []byte // without its coding
	Trailer []Field
	Interim []int  // the statuses of the 1xx responses before it
	Framing string // how the end of the body is known: "length", "chunked", "close", "none"; "h2" for HTTP/2
	End     End
	Faults  []string // why this is not HTTP
	Raw     []byte   // the bytes of the response and those before it
}

// End is how a response ended.
type End string

// The ends.
const (
	Complete  End = "complete"
	Truncated End = "cut off"                       // the connection ended before the response did
	Reset     End = "cut off by a reset"            // or the stream, in HTTP/2
	Silent    End = "not complete, open and silent" // nothing more came, and the connection is open
	Endless   End = "given up after 64 MiB"
)

// Get is the value of the first field with that name, in any case.
func (r *Response) Get(name string) string {
	if values := r.Values(name); len(values) > 0 {
		return values[0]
	}
	return ""
}

// Values are the values of all fields with that name, in any case.
func (r *Response) Values(name string) (values []string) {
	for _, field := range r.Fields {
		if strings.EqualFold(field.Name, name) {
			values = append(values, field.Value)
		}
	}
	return values
}

// String describes the response for a verdict.
func (r *Response) String() string {
	if r.Status == 0 {
		if len(r.Raw) > 0 || len(r.Faults) > 0 {
			return fmt.Sprintf("no status line but %s, %s", excerpt(string(r.Raw)), r.End)
		}
		return "nothing, " + string(r.End)
	}
	text := fmt.Sprintf("%s %d, %d bytes of body, %s", r.Proto, r.Status, len(r.Body), r.End)
	if location := r.Get("Location"); location != "" {
		text += ", Location " + excerpt(location)
	}
	return text
}

// parser reads one response, and the interim ones before it, from bytes that become more.
type parser struct {
	method string
	r      *Response
	pos    int // how many bytes have been read
	chunks int // 0: size line, 1: data, 2: line end, 3: trailer
	left   int64
}

// advance reads on and says whether the response is complete. Ended is why no more bytes will come, or nil.
func (p *parser) advance(in []byte, ended error) bool {
	for p.r.Framing == "" {
		if !p.head(in) {
			return false
		}
	}
	switch p.r.Framing {
	case "none":
		p.r.End = Complete
		return true
	case "length":
		return p.take(in)
	case "chunked":
		return p.chunked(in)
	}
	p.r.Body = append(p.r.Body, in[p.pos:]...)
	p.pos = len(in)
	if errors.Is(ended, io.EOF) {
		p.r.End = Complete
	}
	return p.r.End == Complete
}

// line is the next line without its end.
func (p *parser) line(in []byte) (string, bool) {
	end := bytes.IndexByte(in[p.pos:], '\n')
	if end < 0 {
		return "", false
	}
	line := in[p.pos : p.pos+end]
	p.pos += end + 1
	trimmed, ok := bytes.CutSuffix(line, []byte("\r"))
	if !ok {
		p.fault("a line ends without CR")
	}
	if i := bytes.IndexAny(trimmed, "\r\x00"); i >= 0 {
		p.fault("%q in the line %s", trimmed[i], excerpt(string(trimmed)))
	}
	return string(trimmed), true
}

func (p *parser) fault(format string, args ...any) {
	p.r.Faults = append(p.r.Faults, fmt.Sprintf(format, args...))
}

// head reads a status line and its fields. An interim response is only noted.
func (p *parser) head(in []byte) bool {
	if !headComplete(in[p.pos:]) {
		return false
	}
	status, _ := p.line(in)
	p.r.Fields = nil
	p.statusLine(status)
	for {
		line, _ := p.line(in)
		if line == "" {
			break
		}
		p.r.Fields = append(p.r.Fields, p.field(line))
	}
	if p.r.Status/100 == 1 && p.r.Status != 101 {
		p.r.Interim = append(p.r.Interim, p.r.Status)
		return true
	}
	p.frame()
	return true
}

func headComplete(in []byte) bool {
	return bytes.Contains(in, []byte("\n\r\n")) || bytes.Contains(in, []byte("\n\n"))
}

func (p *parser) statusLine(line string) {
	proto, rest, _ := strings.Cut(line, " ")
	code, reason, space := strings.Cut(rest, " ")
	status, err := strconv.Atoi(code)
	if err != nil || len(code) != 3 || status < 100 || !strings.HasPrefix(proto, "HTTP/1.") || len(proto) != 8 || !space {
		p.fault("status line %s", excerpt(line))
	}
	p.r.Proto, p.r.Status, p.r.Reason = proto, status, reason
}

func (p *parser) field(line string) Field {
	name, value, ok := strings.Cut(line, ":")
	if !ok || !isToken(name) {
		p.fault("header field %s", excerpt(line))
	}
	value = strings.Trim(value, " \t")
	for i := range len(value) {
		if c := value[i]; c < ' ' && c != '\t' || c == 0x7f {
			p.fault("%q in the header field %s", c, excerpt(line))
			break
		}
	}
	return Field{name, value}
}

func isToken(s string) bool {
	for i := range len(s) {
		c := s[i]
		letter := 'a' <= c|0x20 && c|0x20 <= 'z'
		if !letter && !('0' <= c && c <= '9') && !strings.ContainsRune("!#$%&'*+-.^_`|~", rune(c)) {
			return false
		}
	}
	return s != ""
}

// frame finds out how long the body is, RFC 9112 section 6.3.
func (p *parser) frame() {
	lengths, codings := p.r.Values("Content-Length"), p.r.Values("Transfer-Encoding")
	bare := p.r.Status/100 == 1 || p.r.Status == 204
	switch {
	case len(codings) > 0 && (len(lengths) > 0 || bare || p.r.Proto == "HTTP/1.0"):
		p.fault("Transfer-Encoding with Content-Length, a response without body or HTTP/1.0")
	case len(lengths) > 0 && bare:
		p.fault("Content-Length in a response with status %d", p.r.Status)
	}
	switch {
	case p.method == "HEAD", bare, p.r.Status == 304:
		p.r.Framing = "none"
	case len(codings) > 0:
		p.r.Framing = "chunked"
		if len(codings) != 1 || !strings.EqualFold(codings[0], "chunked") {
			p.r.Framing = "close"
			p.fault("Transfer-Encoding %q", codings)
		}
	case len(lengths) > 0:
		p.r.Framing = "length"
		n, err := strconv.ParseUint(lengths[0], 10, 62)
		if err != nil || len(lengths) > 1 {
			p.fault("Content-Length %q", lengths)
		}
		p.left = int64(n)
	default:
		p.r.Framing = "close"
	}
}

// take reads what is left of a body, or a chunk, of known length and says whether that was all.
func (p *parser) take(in []byte) bool {
	n := min(p.left, int64(len(in)-p.pos))
	p.r.Body = append(p.r.Body, in[p.pos:p.pos+int(n)]...)
	p.pos += int(n)
	p.left -= n
	if p.left == 0 && p.r.Framing == "length" {
		p.r.End = Complete
	}
	return p.left == 0
}

func (p *parser) chunked(in []byte) bool {
	for {
		if p.chunks == 1 {
			if !p.take(in) {
				return false
			}
			p.chunks = 2
		}
		line, ok := p.line(in)
		switch {
		case !ok:
			return false
		case p.chunks == 0:
			p.chunkSize(line)
		case p.chunks == 2:
			if line != "" {
				p.fault("%s after a chunk", excerpt(line))
			}
			p.chunks = 0
		case line == "":
			p.r.End = Complete
			return true
		default:
			p.r.Trailer = append(p.r.Trailer, p.field(line))
		}
	}
}

func (p *parser) chunkSize(line string) {
	size, _, _ := strings.Cut(line, ";")
	n, err := strconv.ParseUint(strings.TrimRight(size, " \t"), 16, 62)
	if err != nil {
		p.fault("chunk size %s", excerpt(line))
	}
	p.left = int64(n)
	p.chunks = 1
	if n == 0 {
		p.chunks = 3
	}
}
