package faulty

import (
	"bufio"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// maxResponseHeader is how long the header of an application's response may be.
const maxResponseHeader = 256 << 10

// cgiResponse is the message-header of a response, RFC 3875 section 6.3.
type cgiResponse struct {
	status   int    // 0 if there is no field
	reason   string // may be empty
	location string
	length   int64 // -1 if there is no field
	typed    bool  // there is a Content-Type
	other    bool  // there are fields that a local redirect cannot have
	fields   []Var // those that go to the client

	lines []string // of the message-header as they came
	early string   // what a mutant takes for the beginning of the body
	odd   bool     // a mutant takes it for valid
}

// relay reads the response of an application and sends it to the client. It returns the target of a local redirect instead.
func (g *Gateway) relay(r *gatewayRequest, output io.Reader, out reply) (location string, err error) {
	br := bufio.NewReaderSize(output, 16<<10)
	if g.fault.is("header-in-one-piece") && !whole(br) {
		return "", refuse(http.StatusBadGateway)
	}
	head, err := g.readResponse(br)
	err = g.misanswer.judge(head, err)
	for err == nil && head.status > 101 && head.status < 200 {
		if err := out.interim(head.status, head.fields); err != nil {
			return "", err
		}
		head, err = g.readResponse(br)
	}
	var refused *Refusal
	if errors.As(err, &refused) {
		return "", err
	}
	if err != nil || !head.valid() {
		return "", g.malformed(r, head, out)
	}
	if head.isLocal() {
		_, err := io.Copy(io.Discard, br)
		return head.location, err
	}
	return "", g.relayBody(r, head, br, out)
}

// valid says whether the response is one of those of RFC 3875 section 6.2.
func (h *cgiResponse) valid() bool {
	return h.odd || (h.status == 0 || h.status >= 200 && h.status <= 599) && (h.status != 0 || h.location != "" || h.typed)
}

// isLocal says whether the response is a local redirect, RFC 3875 section 6.2.2.
func (h *cgiResponse) isLocal() bool {
	return strings.HasPrefix(h.location, "/") && !strings.HasPrefix(h.location, "//") && h.status == 0 && !h.other
}

// relayBody sends the response to the client.
func (g *Gateway) relayBody(r *gatewayRequest, head *cgiResponse, body io.Reader, out reply) error {
	status, fields := head.status, head.fields
	if head.location != "" {
		fields = append(fields, Var{"Location", head.location})
	}
	switch {
	case status == 0 && head.location != "":
		status = http.StatusFound
	case status == 0:
		status = http.StatusOK
	}
	a := &answer{status, head.reason, fields, head.length, io.MultiReader(strings.NewReader(head.early), body)}
	if status == http.StatusResetContent { // RFC 9110 section 15.3.6
		a.length = 0
	}
	g.misanswer.alter(a, head)
	if err := out.begin(a.status, a.reason, a.fields, a.length); err != nil {
		return err
	}
	if a.length >= 0 && !bodiless(r.method, a.status) && !g.fault.is("overruns-length") {
		_, err := io.CopyN(out, a.body, a.length)
		return err
	}
	_, err := io.Copy(out, struct{ io.Reader }{a.body})
	return err
}

// answer is what the client gets.
type answer struct {
	status int
	reason string
	fields []Var
	length int64 // -1 if it is not known
	body   io.Reader
}

// readResponse reads a message-header and the blank line that ends it.
func (g *Gateway) readResponse(br *bufio.Reader) (*cgiResponse, error) {
	h := &cgiResponse{length: -1}
	left := maxResponseHeader
	for first := true; ; first = false {
		raw, err := g.readResponseLine(br, &left)
		if err != nil {
			return h, err
		}
		line := strings.TrimSuffix(strings.TrimSuffix(g.misanswer.hear(h, raw), "\n"), "\r")
		h.lines = append(h.lines, raw)
		if line == "" {
			return h, nil
		}
		if version, rest, ok := strings.Cut(line, " "); ok && first && strings.HasPrefix(version, "HTTP/1.") {
			line = "Status: " + rest // as applications behind SCGI and uwsgi may begin
		}
		if first && !strings.Contains(line, ":") && g.fault.is("first-line-is-reason") {
			h.reason, h.typed = "OK\n"+line, true
			continue
		}
		switch g.misanswer.take(h, line) {
		case takenAlready:
		case takenForBody:
			return h, nil
		default:
			if err := g.readResponseField(h, line); err != nil {
				return h, err
			}
		}
	}
}

var errResponse = errors.New("gateway: malformed response")

// readResponseLine returns the next line with its LF or CRLF.
func (g *Gateway) readResponseLine(br *bufio.Reader, left *int) (string, error) {
	var line []byte
	for {
		part, err := br.ReadSlice('\n')
		line = append(line, part...)
		if *left -= len(part); *left < 0 {
			return "", errResponse
		}
		if err == nil {
			break
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return "", err
		}
	}
	return string(line), nil
}

// readResponseField takes one field.
func (g *Gateway) readResponseField(h *cgiResponse, line string) error {
	name, value, ok := strings.Cut(line, ":")
	if !ok || !isToken(name) || !isValue(value) {
		return errResponse
	}
	if value = strings.Trim(value, " \t"); value == "" { // a NULL value means that the field is not sent, section 6.3
		return nil
	}
	lower := strings.ToLower(name)
	switch lower {
	case "status":
		return h.setStatus(value)
	case "location":
		if h.location != "" {
			return errResponse
		}
		h.location = value
		return nil
	case "content-length":
		return h.setLength(value)
	case "content-type":
		if h.typed {
			return errResponse
		}
		h.typed = true
	}
	h.other = h.other || !strings.HasPrefix(lower, "x-cgi-")
	if !unforwarded[lower] && !strings.HasPrefix(lower, "x-cgi-") && !strings.HasPrefix(lower, "x-accel-") {
		h.fields = append(h.fields, Var{name, value})
	}
	return nil
}

// unforwarded are the fields that concern the connection to the client, which is not the application's, or the server's files.
var unforwarded = map[string]bool{
	"connection": true, "keep-alive": true, "proxy-connection": true, "te": true, "trailer": true, "transfer-encoding": true,
	"upgrade": true, "x-sendfile": true, "x-lighttpd-send-file": true,
}

// setStatus is RFC 3875 section 6.3.3.
func (h *cgiResponse) setStatus(value string) error {
	code, reason, _ := strings.Cut(value, " ")
	status, err := strconv.Atoi(code)
	if h.status != 0 || len(code) != 3 || err != nil || status < 102 {
		return errResponse
	}
	h.status = status
	if isVisible(strings.ReplaceAll(reason, " ", "_")) {
		h.reason = reason
	}
	return nil
}

func (h *cgiResponse) setLength(value string) error {
	n, err := strconv.ParseInt(value, 10, 63)
	if err != nil || strings.Trim(value, "0123456789") != "" || h.length >= 0 && h.length != n {
		return errResponse
	}
	h.length, h.other = n, true
	return nil
}
