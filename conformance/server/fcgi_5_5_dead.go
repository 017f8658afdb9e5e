package server

import (
	"time"

	"github.com/gangway-go/gangway/conformance"
)

// fcgi55Dead are the cases of section 5.5 in which FCGI_END_REQUEST never comes.
var fcgi55Dead = []conformance.Case{
	{
		Name: "fcgi-client/5.5/close-without-end-visible", Level: conformance.Security, Quote: noLie,
		Sends:  "the header and 5 bytes of a response, and closes the connection",
		Passes: "lets an HTTP/1.1 client see that the response is not complete, or answers with status 5xx",
		Run: test(func(t *T) {
			_, r := t.Cut(t.Request("GET", "/app/x", ""), Partial(text+"hello"))
			t.Visible(r)
		}),
	},
	{
		Name: "fcgi-client/5.5/close-without-end-http10", Level: conformance.Security, Quote: noLie,
		Sends:  "the header and 5 bytes of a response, and closes the connection",
		Passes: "breaks the connection of an HTTP/1.0 client, or answers with status 5xx",
		Run: test(func(t *T) {
			_, r := t.Cut(t.Raw("GET /app/x HTTP/1.0", "Host: "+t.host()), Partial(text+"hello"))
			t.Visible(r)
		}),
	},
	{
		Name: "fcgi-client/5.5/close-without-end-h2", Level: conformance.Security, Quote: noLie, Needs: []string{"h2"},
		Sends:  "the header and 5 bytes of a response, and closes the connection",
		Passes: "resets the stream of an HTTP/2 client, or answers with status 5xx",
		Run: test(func(t *T) {
			_, r := t.follow(t.request2("GET", "/app/x", ""), []Reply{Partial(text + "hello")})
			t.Visible(r)
		}),
	},
	{
		Name: "fcgi-client/5.5/reset-mid-body", Level: conformance.Security, Quote: noLie,
		Sends:  "the header and 5 bytes of a response, and breaks the connection (RST)",
		Passes: "lets the client see that the response is not complete, or answers with status 5xx",
		Run:    test((*T).resetMidBody),
	},
	{
		Name: "fcgi-client/5.5/close-mid-headers", Level: conformance.Must, Quote: endRequest,
		Sends:  "a part of the header of a response, and closes the connection",
		Passes: "answers with status 5xx",
		Run: test(func(t *T) {
			_, r := t.Do(t.Request("GET", "/app/x", ""), Partial("Content-Type: text/pl"))
			t.Want(r, 5)
		}),
	},
	{
		Name: "fcgi-client/5.5/close-immediately", Level: conformance.Must, Quote: endRequest,
		Sends:  "nothing, and closes the connection",
		Passes: "answers with status 5xx",
		Run: test(func(t *T) {
			_, r := t.Do(t.Request("GET", "/app/x", ""), closed)
			t.Want(r, 5)
		}),
	},
	{
		Name: "fcgi-client/5.5/connect-refused", Level: conformance.Must, Serial: true,
		Quote: "The 502 (Bad Gateway) […] 503 (Service Unavailable) status code indicates that the server […] is " +
			"currently unable to handle the request (RFC 9110 section 15.6)",
		Sends:  "GET /app/x while nobody listens for the application",
		Passes: "answers with status 502 or 503 at once, and serves again when somebody listens again",
		Run: test(func(t *T) {
			t.target.deafen()
			t.Cleanup(func() { t.target.Listen() })
			_, r := t.Do(t.Request("GET", "/app/x", ""))
			t.Want(r, 502, 503)
			if err := t.target.Listen(); err != nil {
				t.Broken(err)
			}
			t.recovered()
		}),
	},
	{
		Name: "fcgi-client/5.5/connect-timeout", Level: conformance.Robustness, Serial: true, Timing: true,
		Quote:  "An application that is too busy to accept connections must not hold the server's clients for ever.",
		Sends:  "GET /app/x while nobody accepts the connections for the application",
		Passes: "answers with status 5xx within its time limit",
		Run: test(func(t *T) {
			unclog, err := t.clog()
			if err != nil {
				t.Skip("%v", err)
			}
			t.Grace(t.limit())
			_, r := t.try(t.Request("GET", "/app/x", ""))
			t.extra = 0
			unclog()
			t.recovered()
			if r.End == Silent {
				t.Hang("no response within %v", t.Patience()+t.limit())
			}
			t.Want(r, 5)
		}),
	},
	{
		Name: "fcgi-client/5.5/read-timeout", Level: conformance.Must, Timing: true,
		Quote: "The 504 (Gateway Timeout) status code indicates that the server, while acting as a gateway or proxy, " +
			"did not receive a timely response (RFC 9110 section 15.6.5)",
		Sends:  "GET /app/x, which the application never answers",
		Passes: "answers with status 504 within its time limit, and tells the application that it no longer waits",
		Run: test(func(t *T) {
			c := t.Send(t.Request("GET", "/app/x", ""))
			x := t.Accept()
			x.ReadBody(-1)
			t.Grace(t.limit())
			t.Want(c.Response(), 504)
			t.Gone(x, t.Patience())
		}),
	},
	{
		Name: "fcgi-client/5.5/read-timeout-mid-body", Level: conformance.Robustness, Timing: true, Quote: noLie,
		Sends:  "the header and 5 bytes of a response, and then nothing more",
		Passes: "lets the client see within its time limit that the response is not complete",
		Run: test(func(t *T) {
			c := t.Send(t.Request("GET", "/app/x", ""))
			x := t.Accept()
			x.ReadBody(-1)
			x.Write(text + "hello")
			t.Grace(t.limit())
			r := c.Response()
			if r.End == Silent {
				t.Hang("the client still waits after %v: %v", t.patience(), r)
			}
			t.Visible(r)
		}),
	},
	{
		Name: "fcgi-client/5.5/slow-is-not-dead", Level: conformance.Robustness,
		Quote:  "An application that answers slowly, but within the time limit from one piece to the next, is not dead.",
		Sends:  "a response in 5 pieces, with pauses that are together longer than the server's time limit",
		Passes: "delivers the response as it is",
		Run: test(func(t *T) {
			t.Grace(t.target.Timeout)
			pause := min(t.target.Timeout*3/10, 2*time.Second)
			_, r := t.Do(t.Request("GET", "/app/x", ""), func(x *Exchange) {
				x.ReadBody(-1)
				for _, piece := range []string{text, "g", "o", "o", "d"} {
					x.Write(piece)
					t.Sleep(pause)
				}
				x.End()
			})
			t.Intact(r, 200, "good")
		}),
	},
}
