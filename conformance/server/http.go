package server

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"sync"

	"github.com/gangway-go/gangway/conformance"
)

// Request is an HTTP request as it is sent.
type Request string

func (r Request) method() string {
	method, _, _ := strings.Cut(string(r), " ")
	return method
}

// Request returns an HTTP/1.1 request. Fields are whole lines, "Name: value", and are sent as they are. The field Host
// is added unless they begin with one; Content-Length is if there is a body and they have neither it nor
// Transfer-Encoding.
func (t *T) Request(method, target, body string, fields ...string) Request {
	host, length := "Host: "+t.host(), fmt.Sprintf("Content-Length: %d", len(body))
	if body == "" && method != "POST" && method != "PUT" {
		length = ""
	}
	for _, field := range fields {
		name, _, _ := strings.Cut(strings.ToLower(field), ":")
		switch strings.TrimSpace(name) {
		case "host":
			host = ""
		case "content-length", "transfer-encoding":
			length = ""
		}
	}
	all := append([]string{host}, fields...)
	return t.Raw(method+" "+target+" HTTP/1.1", append(all, length)...) + Request(body)
}

// Raw returns a request of this line and these fields, empty ones left out, and X-Conform. A body can be appended to
// it.
func (t *T) Raw(line string, fields ...string) Request {
	raw := t.place(line) + "\r\nX-Conform: " + t.token + "\r\n"
	for _, field := range fields {
		if field != "" {
			raw += field + "\r\n"
		}
	}
	return Request(raw + "\r\n")
}

// Chunked is body in chunks of size bytes, with the last chunk.
func Chunked(body string, size int) string {
	var b strings.Builder
	for ; body != ""; body = body[min(size, len(body)):] {
		piece := body[:min(size, len(body))]
		fmt.Fprintf(&b, "%x\r\n%s\r\n", len(piece), piece)
	}
	return b.String() + "0\r\n\r\n"
}

// A Client is an HTTP connection to the server. It reads all the time.
type Client struct {
	Conn *conformance.Conn

	t       *T
	writing chan string
	quit    chan struct{}
	request Request // whose response is next

	mu    sync.Mutex
	in    []byte // not part of a response yet
	ended error  // why nothing more comes, once that is so
	parse *parser
}

// Client connects to the server.
func (t *T) Client() *Client {
	u, err := url.Parse(t.target.URL)
	if err != nil {
		t.Broken(err)
	}
	return t.newClient(t.Dial("tcp", u.Host))
}

func (t *T) newClient(conn *conformance.Conn) *Client {
	c := &Client{Conn: conn, t: t, writing: make(chan string, 64), quit: make(chan struct{})}
	go c.read()
	go c.write()
	t.Cleanup(c.close)
	return c
}

// Send sends the request on a new connection.
func (t *T) Send(request Request) *Client {
	c := t.Client()
	c.Send(request)
	return c
}

// Send sends the request, whose response Response reads; it does not wait.
func (c *Client) Send(request Request) {
	c.request = request
	c.Write(string(request))
}

// Write sends bytes; it does not wait.
func (c *Client) Write(b string) {
	c.t.touch() // what was before it does not count
	c.writing <- b
}

// Close closes the connection; Conn.Reset breaks it.
func (c *Client) Close() { c.Conn.Close() }

func (c *Client) close() {
	c.Conn.Close()
	c.mu.Lock()
	defer c.mu.Unlock()
	select {
	case <-c.quit:
	default:
		close(c.quit)
	}
}

func (c *Client) write() {
	for {
		select {
		case <-c.quit:
			return
		case b := <-c.writing:
			for ; b != ""; b = b[min(len(b), writeSize):] {
				if _, err := c.Conn.Write([]byte(b[:min(len(b), writeSize)])); err != nil {
					break // the response tells more
				}
				c.t.touch()
			}
		}
	}
}

// writeSize is how much is written at once, for the patience counts from the last write.
const writeSize = 64 << 10

func (c *Client) read() {
	buf := make([]byte, writeSize)
	for {
		n, err := c.Conn.Read(buf)
		c.mu.Lock()
		if c.in = append(c.in, buf[:n]...); len(c.in) > maxUnread {
			err = errEndless
		}
		if err != nil {
			c.ended = err
		}
		c.mu.Unlock()
		c.t.touch()
		if err != nil {
			return
		}
	}
}

// maxUnread is how much of a response is kept that does not end.
const maxUnread = 64 << 20

var errEndless = fmt.Errorf("more than %d bytes", maxUnread)

// Response waits for the response to the request that was sent last.
func (c *Client) Response() *Response {
	var r *Response
	c.t.touch()
	if !c.t.wait(func() bool { r = c.response(false); return r != nil }) {
		r = c.response(true)
	}
	return r
}

// Answer is Do for a request on this connection, which stays open.
func (c *Client) Answer(request Request, replies ...Reply) (*Exchange, *Response) {
	c.Send(request)
	return c.t.answer(open{c}, replies)
}

// open is a Client that is not closed after a response.
type open struct{ *Client }

func (open) close() {}

// response is the next final response, nil if it is not complete and can still become so. With last it is what there
// is.
func (c *Client) response(last bool) *Response {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.parse == nil {
		c.parse = &parser{method: c.request.method(), r: &Response{}}
	}
	done := c.parse.advance(c.in, c.ended)
	if !done && !last && c.ended == nil {
		return nil
	}
	r := c.parse.r
	r.Raw = c.in
	if done {
		r.Raw = c.in[:c.parse.pos]
	}
	c.in, c.parse = c.in[len(r.Raw):], nil
	switch {
	case done:
	case c.ended == nil:
		r.End = Silent
	case errors.Is(c.ended, io.EOF):
		r.End = Truncated
	case c.ended == errEndless:
		r.End = Endless
	default:
		r.End = Reset
	}
	return r
}
