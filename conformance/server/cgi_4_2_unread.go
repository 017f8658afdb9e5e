package server

import (
	"strings"

	"github.com/gangway-go/gangway/conformance"
)

const quoteUnread = "The bytes of a body that the application did not read are taken for a request, which the " +
	"client's neighbour on the connection has not sent."

// cgi42Unread are the cases about bodies that the application does not read.
var cgi42Unread = []conformance.Case{
	{
		Name: "cgi/4.2/body-pipelined-next", Level: conformance.Security, Quote: quoteUnread,
		Sends:  "a POST request whose body looks like a request, and a GET request, at once; the application reads nothing",
		Passes: "takes the GET for the next request, or closes the connection, and never the body",
		Run: test(func(t *T) {
			c := t.Client()
			first := t.Request("POST", "/app/first", string(t.Request("GET", "/app/smuggled", "")))
			_, r := c.Answer(first+t.Request("GET", "/app/next", ""), Early(plainOK))
			t.Valid(r)
			t.unsmuggled(c, "")
		}),
	},
	{
		Name: "cgi/4.2/body-unread-keepalive", Level: conformance.Security, Quote: quoteUnread,
		Sends: "a POST request whose body of 1 MB looks like requests, which the application does not read, and then a " +
			"GET request",
		Passes: "takes the GET for the next request, or closes the connection, and never a part of the body",
		Run: test(func(t *T) {
			c := t.Client()
			smuggled := string(t.Request("GET", "/app/smuggled", ""))
			_, r := c.Answer(t.Request("POST", "/app/first", strings.Repeat(smuggled, 1<<20/len(smuggled))), Early(plainOK))
			t.Valid(r)
			t.unsmuggled(c, t.Request("GET", "/app/next", ""))
		}),
	},
}

const plainOK = "Content-Type: text/plain\r\nContent-Length: 2\r\n\r\nok"

// unsmuggled makes sure that the server answers the request that follows, or has closed the connection, and that the
// application never sees another.
func (t *T) unsmuggled(c *Client, next Request) {
	if next != "" {
		c.Send(next)
	}
	t.touch()
	_, r := t.follow(open{c}, []Reply{OK})
	t.wantNoSmuggled()
	t.Valid(r)
	if r.End == Silent {
		t.Hang("%v to the second request", r)
	}
	t.Check(r.Status == 0 || r.Status == 200, "%v to the second request", r)
}

// wantNoSmuggled makes sure that the application has not got what was in a body, or behind a request that is the last.
func (t *T) wantNoSmuggled() {
	for _, x := range t.Exchanges {
		t.Check(x.Get("PATH_INFO") != "/smuggled", "the application got a request that nobody has sent")
	}
}
