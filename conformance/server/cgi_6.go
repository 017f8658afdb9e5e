package server

import (
	"slices"
	"strings"

	"github.com/gangway-go/gangway/conformance"
)

// responseCases are about what a server makes of an application's response, RFC 3875 sections 6 and 8, with any
// protocol between them.
func responseCases() []conformance.Case {
	return slices.Concat(cgi61(), cgi62, cgi622, cgi623(), cgi63, cgi63Bytes(), cgi631(), cgi632(), cgi633(),
		cgi633Bad(),
		cgi634, cgi634Length, cgi635(), cgi64(), cgi64Bodiless(), cgi72Newline(), cgi81())
}

// plain begins a response with an ordinary document.
const plain = "Content-Type: text/plain\n"

// aboutConformity is what holds if a response is not what it should be.
const aboutConformity = "the server retains its responsibility to the client to conform to the relevant network " +
	"protocol even if " +
	"the CGI script fails to conform to this specification"

// Passed makes sure that the response is HTTP and has status 200 and is complete, or says that the server failed. It
// says which.
func (t *T) Passed(r *Response) bool {
	t.Valid(r)
	if r.Status < 500 {
		t.Want(r, 200)
	}
	return r.Status < 500
}

// WantField makes sure that the response has the field once, with that value.
func (t *T) WantField(r *Response, name, value string) {
	got := r.Values(name)
	t.Check(len(got) == 1 && got[0] == value, "%v with %s %q", r, name, got)
}

// WantNoField makes sure that the response does not have the field.
func (t *T) WantNoField(r *Response, name string) {
	t.Check(len(r.Values(name)) == 0, "%v with %s %q", r, name, r.Values(name))
}

// ReplyThen has the application answer a request with the CGI response, and then another one, as Next does.
func (t *T) ReplyThen(response string) *Response {
	c := t.Client()
	x, r := c.Answer(t.Request("GET", "/app/first", ""), CGI(response))
	t.Check(x != nil, "the application got no request; the server answered %v", r)
	t.Next(c, r)
	return r
}

// Next makes sure that nothing comes on c after r but the end of the connection or, if it is kept, the response to
// another request, which the application answers with the token of the case.
func (t *T) Next(c *Client, r *Response) {
	if r.End != Complete {
		return
	}
	if r.Framing == "close" || strings.EqualFold(r.Get("Connection"), "close") {
		rest := c.Response().Raw
		t.Check(len(rest) == 0, "%v, and then %s", r, excerpt(string(rest)))
		return
	}
	x, second := c.Answer(t.Request("GET", "/app/second", ""), OK)
	if len(second.Raw) == 0 && second.End != Silent { // closed instead
		return
	}
	t.Check(x != nil && string(second.Body) == t.token, "the next request on the connection got %v", second)
	t.Valid(second)
}
