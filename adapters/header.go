package adapters

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// DefaultHeaderLimit is the largest response header that a [HeaderReader] takes by default, in bytes.
const DefaultHeaderLimit = 64 << 10

// A HeaderReader parses the CGI response header (RFC 3875 section 6) from the pieces in which it arrives. One
// implementation serves FastCGI, SCGI and CGI. It is used once and by one goroutine.
//
// Lines end with LF or CRLF and are not folded. Of Location and Content-Type the last one counts, as in Apache; a
// second Status or Content-Length must be equal (RFC 3875 section 6.3). Instead of a Status field the block may begin
// with an HTTP status line, as scripts with a non-parsed header write it (section 5). Field names stay as written.
type HeaderReader struct {
	// Informational takes 1xx responses, after which another header follows; nil drops them.
	Informational func(status int, h Header) error
	// Limit bounds the bytes of one header, of one and all 1xx before it; 0 means DefaultHeaderLimit.
	Limit int

	read  int    // bytes consumed
	block []byte // what came before, if the header did not come in one piece
}

// Feed takes the next piece of the response and returns how many bytes of it belong to the header, and, if that ends
// in this piece, the Response, without Body. A nil Response means that all of b was taken and more must follow.
// The error wraps [ErrBadResponse].
func (hr *HeaderReader) Feed(b []byte) (n int, resp *Response, err error) {
	limit := hr.Limit
	if limit == 0 {
		limit = DefaultHeaderLimit
	}
	for n < len(b) {
		end := blockEnd(hr.block, b[n:])
		size := end
		if end == 0 {
			size = len(b) - n
		}
		if hr.read += size; hr.read > limit {
			return n, nil, LongHeader(int64(limit))
		}
		piece := b[n : n+size]
		n += size
		if end == 0 {
			hr.block = append(hr.block, piece...)
			return n, nil, nil
		}
		if len(hr.block) > 0 {
			piece = append(hr.block, piece...)
			hr.block = hr.block[:0]
		}
		resp, err = parseBlock(string(piece))
		if err != nil || resp.Status >= 200 || resp.Status == http.StatusSwitchingProtocols {
			return n, resp, err
		}
		if hr.Informational != nil {
			if err = hr.Informational(resp.Status, resp.Header); err != nil {
				return n, nil, err
			}
		}
	}
	return n, nil, nil
}

// blockEnd returns how many bytes of b complete the header block that begins with before; 0 if it is not complete.
func blockEnd(before, b []byte) int {
	line := len(before) - 1 - bytes.LastIndexByte(before, '\n') // length of the line that b goes on with
	cr := line == 1 && before[len(before)-1] == '\r'
	for i := 0; i < len(b); {
		nl := bytes.IndexByte(b[i:], '\n')
		if nl < 0 {
			return 0
		}
		if line+nl == 0 || line+nl == 1 && (cr || nl == 1 && b[i] == '\r') {
			return i + nl + 1
		}
		i += nl + 1
		line, cr = 0, false
	}
	return 0
}

// ReadHeader reads a response header with hr from br, and leaves br at the body. io.EOF before the header's end is
// [ErrTruncated], or [ErrUnreachable] if no byte came at all.
func (hr *HeaderReader) ReadHeader(br *bufio.Reader) (*Response, error) {
	for {
		if _, err := br.Peek(1); err != nil {
			return nil, hr.EndError(err)
		}
		b, _ := br.Peek(br.Buffered())
		n, resp, err := hr.Feed(b)
		br.Discard(n)
		if resp != nil || err != nil {
			return resp, err
		}
	}
}

// EndError returns the error for a stream that ended with err before the header was complete.
func (hr *HeaderReader) EndError(err error) error {
	if err != io.EOF && hr.read > 0 {
		return fmt.Errorf("%w: it broke off within the header: %w", ErrTruncated, err)
	}
	if err != io.EOF {
		return err
	}
	if hr.read == 0 {
		return fmt.Errorf("%w: %w", ErrUnreachable, errNoAnswer)
	}
	return fmt.Errorf("%w: it ended within the header: %.80q", ErrTruncated, hr.block)
}

// parseBlock parses one header block, its empty last line included.
func parseBlock(block string) (*Response, error) {
	p := blockParser{resp: newResponse(strings.Count(block, "\n"))}
	for rest := block; rest != ""; {
		line, after, _ := strings.Cut(rest, "\n")
		if line = strings.TrimSuffix(line, "\r"); line == "" {
			break
		}
		if err := p.line(line, len(rest) == len(block)); err != nil {
			return nil, err
		}
		rest = after
	}
	return p.finish()
}

type blockParser struct {
	resp     *Response
	location string
	length   string
	other    bool // a field other than Location and Content-Type was seen
}

func (p *blockParser) line(line string, first bool) error {
	if first && strings.HasPrefix(line, "HTTP/") {
		_, status, _ := strings.Cut(line, " ")
		return p.status(status)
	}
	name, value, ok := strings.Cut(line, ":")
	value = strings.Trim(value, " \t")
	if !ok || !ValidName(name) || !ValidValue(value) {
		return fmt.Errorf("%w: header line %.80q", ErrBadResponse, line)
	}
	switch {
	case EqualName(name, "Status"):
		return p.status(value)
	case EqualName(name, "Content-Length"):
		if p.length == value {
			return nil
		}
		if _, err := ParseLength(value); err != nil || p.length != "" {
			return fmt.Errorf("%w: Content-Length %.40q", ErrBadResponse, value)
		}
		p.length = value
		p.other = p.other || value != "0"
	case EqualName(name, "Location"):
		p.location = value
		p.resp.Header.Set(name, value)
		return nil
	case EqualName(name, "Content-Type"):
		p.resp.Header.Set(name, value)
		return nil
	default:
		p.other = true
	}
	p.resp.Header = append(p.resp.Header, Field{name, value})
	return nil
}

func (p *blockParser) status(value string) error {
	code, _, _ := strings.Cut(value, " ")
	n, err := strconv.ParseUint(code, 10, 16)
	if err != nil || len(code) != 3 || n < 100 || n > 599 || p.resp.Status != 0 && p.resp.Status != int(n) {
		return fmt.Errorf("%w: Status %.40q", ErrBadResponse, value)
	}
	p.resp.Status = int(n)
	return nil
}

// finish decides what kind of response it is, RFC 3875 6.2. A path in Location is a local redirect only if no field is
// beside it but Content-Type: one that sets a cookie must reach the client.
func (p *blockParser) finish() (*Response, error) {
	resp := p.resp
	switch {
	case resp.Status != 0:
	case len(resp.Header) == 0:
		return nil, fmt.Errorf("%w: empty header", ErrBadResponse)
	case p.location == "":
		resp.Status = http.StatusOK
	case p.location[0] == '/' && !strings.HasPrefix(p.location, "//") && !p.other:
		resp.LocalRedirect = p.location
		resp.Status = http.StatusFound // for a frontend that passes Location on
	default:
		resp.Status = http.StatusFound
	}
	return resp, nil
}

// SetBody gives resp, which a HeaderReader returned, its Body and removes what only concerns the application's own
// connection (RFC 9110 7.6.1). Some scripts frame their body as chunked although they may not: that is undone, here and
// not for any other coding, which is ErrBadResponse. What follows a status of 205 is dropped (RFC 9110 15.3.6).
func (resp *Response) SetBody(body io.ReadCloser) error {
	coding, length := resp.Header.Get("Transfer-Encoding"), resp.Header.Get("Content-Length")
	resp.Header = StripHopByHop(resp.Header)
	switch {
	case resp.Status == http.StatusSwitchingProtocols:
		return fmt.Errorf("%w: 101 over a protocol that has no upgrade", ErrBadResponse)
	case resp.Status == http.StatusResetContent:
		resp.Header.Set("Content-Length", "0")
		resp.Body = droppedBody{body}
	case coding == "" || EqualName(coding, "identity"):
		resp.Body = body
	case EqualName(coding, "chunked"):
		resp.Header.Del("Content-Length")
		resp.Body = &unchunkedBody{ReadCloser: body, length: length}
	default:
		return fmt.Errorf("%w: Transfer-Encoding %.40q", ErrBadResponse, coding)
	}
	return nil
}

// A droppedBody has nothing in it, and ends when the application's body does.
type droppedBody struct{ io.ReadCloser }

func (b droppedBody) Read([]byte) (int, error) {
	if _, err := io.Copy(io.Discard, b.ReadCloser); err != nil {
		return 0, err
	}
	return 0, io.EOF
}

// hopByHop are the fields that concern one connection, RFC 9110 7.6.1, or are for the first proxy, 11.7.2.
var hopByHop = []string{
	"Connection", "Keep-Alive", "Proxy-Authorization", "Proxy-Connection", "TE", "Trailer", "Transfer-Encoding", "Upgrade",
}

// notInTrailer are the other fields that frame or route a message, say who may see it or what its content is.
var notInTrailer = []string{
	"Content-Length", "Host", "Expect", "Authorization", "Cookie", "Content-Type", "Content-Encoding", "Content-Range",
}

// TrailerAllowed reports whether a field called name may stand in a trailer section, RFC 9110 6.5.1.
func TrailerAllowed(name string) bool {
	is := func(other string) bool { return EqualName(other, name) }
	return !slices.ContainsFunc(hopByHop, is) && !slices.ContainsFunc(notInTrailer, is)
}

// endToEnd are fields, and beginnings of fields with "-", that are for all recipients.
var endToEnd = []string{
	"Authorization", "Cache-Control", "Content-", "Cookie", "Forwarded", "Host", "X-Forwarded-", "X-Real-Ip",
}

// MayNominate reports whether a field called name concerns one connection only if Connection names it. Those that are
// for all recipients never do (RFC 9110 7.6.1): a client could take away what the application decides by.
func MayNominate(name string) bool {
	return !slices.ContainsFunc(endToEnd, func(known string) bool {
		if strings.HasSuffix(known, "-") && len(name) > len(known) {
			return EqualName(name[:len(known)], known)
		}
		return EqualName(name, known)
	})
}

// StripHopByHop removes the fields that concern one connection only, those that Connection names (see [MayNominate])
// among them. It returns h itself if there are none.
func StripHopByHop(h Header) Header {
	names := slices.Clip(hopByHop)
	for _, v := range h.Values("Connection") {
		for name := range strings.SplitSeq(v, ",") {
			if name = strings.TrimSpace(name); MayNominate(name) {
				names = append(names, name)
			}
		}
	}
	var set nameSet
	set.init(names)
	if !slices.ContainsFunc(h, set.has) {
		return h
	}
	return slices.DeleteFunc(h.Clone(), set.has)
}

// AppendHeader appends resp's header in the form of a CGI response (RFC 3875 section 6), for the frontends of FastCGI,
// SCGI and CGI. A local redirect goes out as Location alone: the web server follows it.
func AppendHeader(dst []byte, resp *Response) []byte {
	if resp.LocalRedirect != "" {
		return append(append(append(dst, "Location: "...), resp.LocalRedirect...), "\r\n\r\n"...)
	}
	dst = append(dst, "Status: "...)
	dst = strconv.AppendInt(dst, int64(resp.Status), 10)
	if text := http.StatusText(resp.Status); text != "" {
		dst = append(append(dst, ' '), text...)
	}
	dst = append(dst, "\r\n"...)
	for _, f := range resp.Header {
		if EqualName(f.Name, "Status") || !f.sendable() {
			continue // nothing that an in-process app sets may split the response
		}
		dst = append(append(append(append(dst, f.Name...), ": "...), f.Value...), "\r\n"...)
	}
	return append(dst, "\r\n"...)
}
