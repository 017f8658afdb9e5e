package server

import (
	"strings"

	"github.com/gangway-go/gangway/conformance"
)

const (
	quoteExpect = "an origin server MUST send either: an immediate response with a final status code, if that status " +
		"can be determined by examining just the method, target URI, and header section, or an immediate 100 (Continue) " +
		"response to encourage the client to send the request content."
	specExpect = "RFC 9110 section 10.1.1; RFC 3875"
)

var cgi42Expect = []conformance.Case{
	{
		Name: "cgi/4.2/expect-100", Level: conformance.Must, Spec: specExpect, Quote: quoteExpect,
		Sends:  "a POST request with Expect: 100-continue, and the body when 100 has come",
		Passes: "sends 100 and gives the application the body, or refuses the request",
		Run: test(func(t *T) {
			c := t.Send(t.Request("POST", "/app/x", "", "Expect: 100-continue", "Content-Length: 5"))
			t.touch()
			if !t.wait(func() bool { return c.starts("HTTP/1.") }) {
				t.Hang("neither 100 nor a final status within %v", t.patience())
			}
			if !c.starts("HTTP/1.1 100 ") {
				t.Refusal(c.Response(), 400)
				return
			}
			c.Write("hello")
			x, r := t.answer(c, []Reply{OK})
			t.Check(x != nil, "the application got no request; the server answered %v", r)
			t.Intact(r, 200, t.token)
			x.WantBody("hello")
		}),
	},
	{
		Name: "cgi/4.2/expect-100-early-final", Level: conformance.May, Spec: specExpect, Quote: quoteExpect,
		Sends:  "a POST request with Expect: 100-continue, and as the application 401 without reading the body",
		Passes: "sends 401 and does not ask for the body",
		Run: test(func(t *T) {
			c := t.Client()
			c.Send(t.Request("POST", "/app/x", "", "Expect: 100-continue", "Content-Length: 5"))
			x := t.Arrival(t.Patience() / 2)
			t.Check(x != nil, "%s before the application is asked", excerpt(c.unread()))
			Early("Status: 401 Unauthorized\r\nContent-Type: text/plain\r\n\r\nno")(x)
			r := c.Response()
			t.Want(r, 401)
			t.Check(len(r.Interim) == 0, "the statuses %v before it", r.Interim)
		}),
	},
	{
		Name: "cgi/4.2/expect-http10", Level: conformance.Must, Spec: specExpect,
		Quote:  "A server that receives a 100-continue expectation in an HTTP/1.0 request MUST ignore that expectation.",
		Sends:  "a request of HTTP/1.0 with Expect: 100-continue and a body",
		Passes: "does not send 100, which HTTP/1.0 does not have, and gives the application the body",
		Run: test(func(t *T) {
			request := t.Raw("POST /app/x HTTP/1.0", "Host: "+t.host(), "Expect: 100-continue", "Content-Length: 5")
			x, r := t.Do(request+"hello", OK)
			t.Check(len(r.Interim) == 0, "the statuses %v before the response", r.Interim)
			t.Check(x != nil, "the application got no request; the server answered %v", r)
			t.Intact(r, 200, t.token)
			x.WantBody("hello")
		}),
	},
	{
		Name: "cgi/4.2/expect-unknown", Level: conformance.May, Spec: specExpect,
		Quote: "A server that receives an Expect field value containing a member other than 100-continue MAY respond with " +
			"a 417 (Expectation Failed) status code to indicate that the unexpected expectation cannot be met.",
		Sends:  "a request with Expect: x",
		Passes: "answers 417 or ignores the field",
		Run: test(func(t *T) {
			x, r := t.Do(t.Request("POST", "/app/x", "hello", "Expect: x"), OK)
			if x == nil {
				t.Want(r, 417)
				return
			}
			t.Intact(r, 200, t.token)
			x.WantBody("hello")
		}),
	},
}

// unread is what has come from the server and is not part of a response that has been read.
func (c *Client) unread() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return string(c.in)
}

func (c *Client) starts(text string) bool { return strings.HasPrefix(c.unread(), text) }
