package faulty

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
)

// converse2 answers the requests of a connection whose client began with the preface of HTTP/2 (RFC 9113 section 3.3).
func (g *Gateway) converse2(c *gatewayConn) {
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	ln := &oneListener{conn: &readAhead{Conn: c.Conn, br: c.br, closed: make(chan struct{})}}
	_, secure := c.Conn.(*tls.Conn)
	handler := func(w http.ResponseWriter, hr *http.Request) { g.serve2(w, hr, secure) }
	server := &http.Server{Protocols: protocols, Handler: http.HandlerFunc(handler)}
	server.Serve(ln)
	<-ln.conn.closed
}

// readAhead is a connection of which something has been read already.
type readAhead struct {
	net.Conn
	br     *bufio.Reader
	once   sync.Once
	closed chan struct{}
}

func (c *readAhead) Read(b []byte) (int, error) { return c.br.Read(b) }

func (c *readAhead) Close() error {
	defer c.once.Do(func() { close(c.closed) })
	return c.Conn.Close()
}

// oneListener accepts one connection.
type oneListener struct {
	conn     *readAhead
	accepted bool
}

func (l *oneListener) Accept() (net.Conn, error) {
	if l.accepted {
		return nil, net.ErrClosed
	}
	l.accepted = true
	return l.conn, nil
}

func (l *oneListener) Addr() net.Addr { return l.conn.LocalAddr() }
func (l *oneListener) Close() error   { return nil }

// serve2 answers a request of HTTP/2.
func (g *Gateway) serve2(w http.ResponseWriter, hr *http.Request, secure bool) {
	out := &reply2{w: w, request: hr}
	r := &gatewayRequest{
		method: hr.Method, target: hr.RequestURI, proto: "HTTP/2.0", host: hr.Host, length: hr.ContentLength,
		local: hr.Context().Value(http.LocalAddrContextKey).(net.Addr), remote: remoteAddr(hr), secure: secure,
	}
	for name, values := range hr.Header {
		for _, value := range values {
			r.fields = append(r.fields, Var{name, value})
		}
	}
	r.fields = append(r.fields, Var{"Host", hr.Host})
	switch {
	case !isHost(r.host) || g.locate(r) != nil:
		g.refuse(out, http.StatusBadRequest)
		return
	case r.length > maxBody:
		g.refuse(out, http.StatusRequestEntityTooLarge)
		return
	case r.length < 0:
		content, err := io.ReadAll(io.LimitReader(hr.Body, maxBody))
		if err != nil {
			return
		}
		r.body, r.length = io.NopCloser(bytes.NewReader(content)), int64(len(content))
	case r.length > 0:
		r.body = hr.Body
	}
	g.respond(hr.Context(), r, out)
}

func remoteAddr(hr *http.Request) net.Addr {
	addr, err := net.ResolveTCPAddr("tcp", hr.RemoteAddr)
	if err != nil {
		return &net.UnixAddr{Net: "unix"}
	}
	return addr
}

// reply2 is a response in HTTP/2.
type reply2 struct {
	w       http.ResponseWriter
	request *http.Request
	silent  bool
}

func (o *reply2) method() string { return o.request.Method }

func (o *reply2) interim(status int, fields []Var) error {
	o.set(fields)
	o.w.WriteHeader(status)
	for _, field := range fields {
		o.w.Header().Del(field.Name)
	}
	return nil
}

func (o *reply2) set(fields []Var) {
	for _, field := range fields {
		o.w.Header().Add(field.Name, field.Value)
	}
}

func (o *reply2) begin(status int, _ string, fields []Var, length int64) error {
	o.silent = bodiless(o.request.Method, status)
	o.set(append(fields, serverFields(fields)...))
	if length >= 0 && status != http.StatusNoContent {
		o.set([]Var{{"Content-Length", strconv.FormatInt(length, 10)}})
	}
	o.w.WriteHeader(status)
	return http.NewResponseController(o.w).Flush()
}

func (o *reply2) Write(b []byte) (int, error) {
	if o.silent {
		return len(b), nil
	}
	n, err := o.w.Write(b)
	if err == nil {
		err = http.NewResponseController(o.w).Flush()
	}
	return n, err
}

func (o *reply2) end() {}

// cut resets the stream (RFC 9113 section 8.1).
func (o *reply2) cut() { panic(http.ErrAbortHandler) }
