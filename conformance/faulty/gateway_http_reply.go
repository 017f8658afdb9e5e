package faulty

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// reply is where the response to one request goes. After interim responses there is begin, Write as often as needed,
// and end or cut.
type reply interface {
	// interim sends an interim response, to clients that can have one.
	interim(status int, fields []Var) error
	// begin sends the status and the fields, which have nothing about the message's length. Reason may be empty; length is
	// -1 if it is not known.
	begin(status int, reason string, fields []Var, length int64) error
	io.Writer
	// end says that the response is complete, and cut that it is not.
	end()
	cut()
	// method is that of the request, or empty if it could not be read.
	method() string
}

// refuse answers with a status of the gateway's own.
func (g *Gateway) refuse(out reply, status int) {
	fields := []Var{{"Content-Type", "text/plain"}}
	switch status {
	case http.StatusUnauthorized:
		if g.fault.is("challenges-nobody") {
			break
		}
		fields = append(fields, Var{"WWW-Authenticate", `Basic realm="gateway", charset="UTF-8"`})
	case http.StatusMethodNotAllowed:
		fields = append(fields, Var{"Allow", "GET, HEAD"})
	}
	text := fmt.Sprintf("%d %s\n", status, http.StatusText(status))
	if out.begin(status, "", fields, int64(len(text))) != nil {
		out.cut()
		return
	}
	io.WriteString(out, text)
	out.end()
}

// bodiless says whether a response has no body whatever its fields say, RFC 9110 section 6.4.1.
func bodiless(method string, status int) bool {
	return method == http.MethodHead || status == http.StatusNoContent || status == http.StatusNotModified
}

// reply1 is a response in HTTP/1.
type reply1 struct {
	conn    *gatewayConn
	request *gatewayRequest // nil if it could not be read
	closes  bool            // no request can follow
	failed  bool            // the client cannot read to the end
	silent  bool            // there is no body
	chunked bool
	trailed bool // a mutant waits for the application's trailer
	unasked bool // 100 Continue was due and has not been sent

	mu    sync.Mutex
	begun bool
}

func (o *reply1) method() string {
	if o.request == nil {
		return ""
	}
	return o.request.method
}

// old says whether the client does not know HTTP/1.1.
func (o *reply1) old() bool {
	old := o.request != nil && o.request.proto == "HTTP/1.0"
	return old && !o.conn.gateway.fault.in("chunks-for-old-clients", "old-chunks")
}

// askForBody sends 100 Continue unless the response begins meanwhile, and reports whether it did.
func (o *reply1) askForBody(quit <-chan struct{}) (bool, error) {
	select {
	case <-quit:
	case <-time.After(patience):
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.begun {
		return false, nil
	}
	o.unasked = false
	return true, o.conn.send100()
}

func (o *reply1) interim(status int, fields []Var) error {
	if o.old() {
		return nil
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.head(status, "", fields)
	return o.conn.bw.Flush()
}

// head writes the status line and the fields, and the empty line.
func (o *reply1) head(status int, reason string, fields []Var) {
	if reason == "" {
		reason = http.StatusText(status)
	}
	fmt.Fprintf(o.conn.bw, "HTTP/1.1 %03d %s\r\n", status, reason)
	for _, field := range fields {
		o.trailed = o.trailed || field.Name == "Trailer"
		fmt.Fprintf(o.conn.bw, "%s: %s\r\n", field.Name, field.Value)
	}
	io.WriteString(o.conn.bw, "\r\n")
}

func (o *reply1) begin(status int, reason string, fields []Var, length int64) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.begun = true
	o.conn.deaf = status == http.StatusBadGateway && o.conn.gateway.fault.is("error-hides-next")
	o.silent = !o.talks(status) && bodiless(o.method(), status)
	if o.conn.gateway.fault.is("date-of-both") {
		fields = append(fields, serverFields(nil)...)
	}
	fields = append(fields, serverFields(fields)...)
	if o.request == nil || !o.conn.gateway.keeps(o.request) || o.unasked {
		o.closes = true
	}
	switch {
	case o.silent && (length < 0 || status == http.StatusNoContent):
	case length >= 0:
		fields = append(fields, Var{"Content-Length", strconv.FormatInt(length, 10)})
	case o.old():
		o.closes = true
	default:
		o.chunked = true
		fields = append(fields, Var{"Transfer-Encoding", "chunked"})
	}
	if o.closes {
		fields = append(fields, Var{"Connection", "close"})
	}
	o.head(status, reason, fields)
	return o.conn.bw.Flush()
}

// talks says whether this is a mutant that sends a body where there is none.
func (o *reply1) talks(status int) bool {
	f := o.conn.gateway.fault
	switch status {
	case http.StatusNoContent:
		return f.is("nothing-has-body")
	case http.StatusNotModified:
		return f.is("unmodified-has-body")
	}
	return o.method() == http.MethodHead && f.is("head-with-body")
}

// serverFields are the fields that the gateway adds unless the application has them.
func serverFields(fields []Var) []Var {
	added := []Var{{"Date", time.Now().UTC().Format(http.TimeFormat)}, {"Server", gatewaySoftware}}
	for _, field := range fields {
		for i := range added {
			if strings.EqualFold(field.Name, added[i].Name) {
				added = append(added[:i], added[i+1:]...)
				break
			}
		}
	}
	return added
}

func (o *reply1) Write(b []byte) (int, error) {
	if o.silent || len(b) == 0 {
		return len(b), nil
	}
	if o.chunked && bytes.Contains(b, []byte("\r\n0\r\n\r\n")) && o.conn.gateway.fault.is("chunks-as-they-are") {
		o.conn.bw.Write(b)
		return len(b), o.conn.bw.Flush()
	}
	if o.chunked {
		fmt.Fprintf(o.conn.bw, "%x\r\n", len(b))
	}
	o.conn.bw.Write(b)
	if o.chunked {
		io.WriteString(o.conn.bw, "\r\n")
	}
	return len(b), o.conn.bw.Flush()
}

func (o *reply1) end() {
	if o.chunked && !o.trailed {
		io.WriteString(o.conn.bw, "0\r\n\r\n")
	}
	o.conn.bw.Flush()
}

// cut ends the connection so that nobody takes it for the end of the response: where that is the end of the connection,
// it breaks.
func (o *reply1) cut() {
	o.failed = true
	if tcp, ok := o.conn.Conn.(*net.TCPConn); ok && !o.chunked {
		tcp.SetLinger(0)
	}
	o.conn.Close()
}
