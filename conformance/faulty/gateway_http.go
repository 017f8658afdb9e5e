package faulty

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"
)

// What the gateway takes from a client.
const (
	maxHeader  = 2 << 20
	maxFields  = 1000
	maxBody    = 256 << 20
	maxDrained = 64 << 10 // of a body that nobody read, to keep the connection
)

// gatewayConn is a connection of a client that speaks HTTP/1.
type gatewayConn struct {
	net.Conn
	gateway *Gateway
	br      *bufio.Reader
	bw      *bufio.Writer
	deaf    bool // as a mutant is after an error
}

// gatewayRequest is the request of a client.
type gatewayRequest struct {
	method, target, proto string
	host                  string        // as sent, or as in an absolute target
	path, query           string        // path is decoded and has no dot segments
	fields                []Var         // names as sent
	body                  io.ReadCloser // nil if there is none
	length                int64         // of body; -1 while it is chunked
	user                  string
	local, remote         net.Addr
	secure                bool // over TLS
	redirected            bool // by a mutant that asks no more for passwords
}

// exchange reads a request and answers it. It reports whether another one can follow.
func (c *gatewayConn) exchange() bool {
	if c.deaf {
		io.Copy(io.Discard, c.br)
		return false
	}
	ctx, cancel := context.WithCancelCause(c.gateway.end)
	defer cancel(nil)
	out := &reply1{conn: c}
	r, err := c.readRequest()
	body := &gatewayBody{conn: c, gone: cancel, out: out, done: make(chan struct{}), quit: make(chan struct{})}
	if err == nil {
		out.request = r
		err = c.attach(r, body)
	}
	var refused *Refusal
	if errors.As(err, &refused) {
		out.closes = true
		c.gateway.refuse(out, refused.Status)
		c.linger()
		return false
	}
	if err != nil {
		return false
	}
	stopped := c.watch(body, cancel)
	c.gateway.respond(ctx, r, out)
	cancel(nil)
	body.Close()
	<-stopped
	c.SetReadDeadline(time.Time{})
	if out.failed || out.closes || !body.drain() {
		c.linger()
		return false
	}
	return true
}

// linger closes the connection so that the client can read the response, though it still sends.
func (c *gatewayConn) linger() {
	half, ok := c.Conn.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil {
		return
	}
	c.SetReadDeadline(time.Now().Add(time.Second))
	io.Copy(io.Discard, c.Conn)
}

// watch finds out that the client has gone once it has sent body.
func (c *gatewayConn) watch(body *gatewayBody, gone context.CancelCauseFunc) <-chan struct{} {
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		<-body.done
		for {
			_, err := c.br.Peek(c.br.Buffered() + 1)
			switch {
			case err == nil:
				continue
			case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, bufio.ErrBufferFull):
			default:
				if !c.gateway.fault.in("ignores-disconnect", "pads-short-bodies", "ends-chunks-early") {
					gone(errGone)
				}
			}
			return
		}
	}()
	return stopped
}

// readLine returns the next line without its CRLF; it takes its length off budget.
func (c *gatewayConn) readLine(budget *int) (string, error) {
	var line []byte
	for {
		part, err := c.br.ReadSlice('\n')
		line = append(line, part...)
		if *budget -= len(part); *budget < 0 {
			return "", refuse(http.StatusRequestHeaderFieldsTooLarge)
		}
		if err == nil {
			break
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return "", err
		}
	}
	text, ok := strings.CutSuffix(string(line), "\r\n")
	if !ok && !c.gateway.fault.is("bare-lf-ends-lines") {
		return "", refuse(http.StatusBadRequest)
	}
	return strings.TrimSuffix(text, "\n"), nil
}

// readRequest reads a request as far as its fields, RFC 9112 section 3.
func (c *gatewayConn) readRequest() (*gatewayRequest, error) {
	budget := maxHeader
	line, err := c.readLine(&budget)
	if err == nil && line == "" { // RFC 9112 section 2.2: at least one empty line before the request is to be ignored
		line, err = c.readLine(&budget)
	}
	if err != nil {
		return nil, err
	}
	r := &gatewayRequest{local: c.LocalAddr(), remote: c.RemoteAddr()}
	_, r.secure = c.Conn.(*tls.Conn)
	words := strings.Split(line, " ")
	if len(words) != 3 || !isToken(words[0]) || !c.gateway.isTarget(words[1]) {
		return r, refuse(http.StatusBadRequest)
	}
	r.method, r.target, r.proto = words[0], words[1], words[2]
	if r.proto != "HTTP/1.1" && r.proto != "HTTP/1.0" && !c.gateway.fault.is("any-version") {
		return r, refuse(http.StatusHTTPVersionNotSupported)
	}
	if r.fields, err = c.readFields(&budget); err != nil {
		return r, err
	}
	return r, c.gateway.check(r)
}

// readFields reads field lines and the empty line after them, RFC 9112 section 5.
func (c *gatewayConn) readFields(budget *int) ([]Var, error) {
	var fields []Var
	for {
		line, err := c.readLine(budget)
		if err != nil || line == "" {
			return fields, err
		}
		if c.gateway.misread(&fields, line) {
			continue
		}
		name, value, ok := strings.Cut(line, ":")
		if !ok || !c.gateway.isName(name) || !isValue(value) { // also: a line that continues another begins with a space
			return nil, refuse(http.StatusBadRequest)
		}
		if len(fields) == maxFields {
			return nil, refuse(http.StatusRequestHeaderFieldsTooLarge)
		}
		fields = append(fields, Var{name, strings.Trim(value, " \t")})
	}
}

// isTarget says whether a word of the request line can be its target.
func (g *Gateway) isTarget(s string) bool {
	return isVisible(s) || g.fault.is("loses-raw-bytes")
}

// check finds what a request of HTTP/1.1 must have and must not have.
func (g *Gateway) check(r *gatewayRequest) error {
	hosts := r.values("Host")
	few := len(hosts) == 0 && r.proto == "HTTP/1.1" && !g.fault.is("host-is-optional")
	if few || len(hosts) > 1 && !g.fault.is("first-host-wins") {
		return refuse(http.StatusBadRequest)
	}
	if len(hosts) > 0 {
		r.host = hosts[0]
	}
	if err := g.locate(r); err != nil {
		return err
	}
	types := r.values("Content-Type")
	bad := r.host != "" && !isHost(r.host) && !g.fault.is("any-host")
	if bad || len(types) > 1 && !g.fault.is("joins-types") {
		return refuse(http.StatusBadRequest)
	}
	return g.frame(r)
}

// frame finds out how long the body is, RFC 9112 section 6.
func (g *Gateway) frame(r *gatewayRequest) error {
	codings, lengths := r.values("Transfer-Encoding"), r.values("Content-Length")
	if g.misframe(r, codings, lengths) {
		return nil
	}
	switch {
	case len(codings) > 1, len(codings) == 1 && (len(lengths) > 0 || r.proto == "HTTP/1.0"):
		return refuse(http.StatusBadRequest)
	case len(codings) == 1 && !strings.EqualFold(codings[0], "chunked"):
		return refuse(http.StatusNotImplemented)
	case len(codings) == 1:
		r.length = -1
	case len(lengths) > 1:
		return refuse(http.StatusBadRequest)
	case len(lengths) == 1:
		return g.declared(r, lengths[0])
	}
	return nil
}

// declared reads the value of Content-Length.
func (g *Gateway) declared(r *gatewayRequest, value string) error {
	if g.misjudge(r, value) {
		return nil
	}
	if value == "" || strings.Trim(value, "0123456789") != "" {
		return refuse(http.StatusBadRequest)
	}
	r.length = 0 // of which a mutant may have thought something else
	for _, digit := range value {
		if r.length = 10*r.length + int64(digit-'0'); r.length > maxBody {
			return refuse(http.StatusRequestEntityTooLarge)
		}
	}
	return nil
}

// values are the values of the fields with that name.
func (r *gatewayRequest) values(name string) []string {
	var values []string
	for _, field := range r.fields {
		if strings.EqualFold(field.Name, name) {
			values = append(values, field.Value)
		}
	}
	return values
}

// has says whether word is in a comma-separated list in the fields with that name.
func (r *gatewayRequest) has(name, word string) bool {
	for _, value := range r.values(name) {
		for item := range strings.SplitSeq(value, ",") {
			if strings.EqualFold(strings.Trim(item, " \t"), word) {
				return true
			}
		}
	}
	return false
}

// keeps says whether the client wants to send another request.
func (g *Gateway) keeps(r *gatewayRequest) bool {
	if r.proto == "HTTP/1.0" {
		return g.fault.is("old-chunks") && r.has("Connection", "keep-alive")
	}
	return !r.has("Connection", "close")
}
