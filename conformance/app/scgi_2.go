package app

import (
	"bytes"
	"fmt"

	"github.com/gangway-go/gangway/conformance"
)

func scgi2() []conformance.Case {
	return []conformance.Case{{
		Name:   "scgi/2/response-is-cgi",
		Quote:  "The format of the response is not specified by this protocol.",
		Level:  conformance.Should,
		Sends:  "a GET",
		Passes: "sends a CGI response, as section 5 has it, and no status line of HTTP: web servers parse the former",
		Run: test(func(t *T) {
			b := t.begin(scgi(t.scgiGet(""), nil)).response()
			t.Check(!bytes.HasPrefix(b, []byte("HTTP/")), "a response that begins with %.40q", b)
		}),
	}, {
		Name:   "scgi/2/concurrent",
		Quote:  "The client connects to a SCGI server over a reliable stream protocol allowing transmission of 8-bit bytes.",
		Level:  conformance.May,
		Echo:   true,
		Sends:  "half a request, a whole one over another connection, and the rest of the first",
		Passes: "answers the second while it waits for the first, and both get their own response",
		Run: test(func(t *T) {
			request := scgi(t.scgiGet("", "HTTP_X_NAME", "first"), nil)
			half := len(request) / 2
			first := t.begin(request[:half])
			t.Sleep(t.Patience() / 10) // so that the target has begun with it
			second := t.begin(scgi(t.scgiGet("", "HTTP_X_NAME", "second"), nil))
			t.CheckVar(t.Echo(second.response()), "HTTP_X_NAME", "second")
			first.send(request[half:])
			t.CheckVar(t.Echo(first.response()), "HTTP_X_NAME", "first")
		}),
	}, {
		Name:   "scgi/2/large-response",
		Quote:  "When the SCGI server sees the end of the request it sends back a response and closes the connection.",
		Level:  conformance.Must,
		Echo:   true,
		Sends:  "a GET that is answered with 4 MiB, and is in no hurry to read it",
		Passes: "sends every byte before it closes the connection",
		Run:    test(func(t *T) { t.largeResponse(scgi(t.scgiGet(fmt.Sprintf("large=%d", largeSize)), nil)) }),
	}, {
		Name:   "scgi/2/pipelined-request",
		Quote:  "When the SCGI server sees the end of the request it sends back a response and closes the connection.",
		Level:  conformance.Security,
		Echo:   true,
		Sends:  "two requests, one behind the other, over one connection",
		Passes: "answers the first alone: what follows a request may be an attacker's",
		Run: test(func(t *T) {
			request := scgi(t.scgiGet(""), nil)
			t.onlyOne(t.begin(append(bytes.Clone(request), request...)))
		}),
	}}
}

// largeSize is the size of a response that no buffer between the two holds.
const largeSize = 4 << 20

// largeResponse fails unless all bytes of the echo application's mode large arrive.
func (t *T) largeResponse(request []byte) {
	e := t.begin(request)
	t.Sleep(t.Patience() / 5)
	r := t.Reply(e.response())
	t.Check(len(r.body) == largeSize, "%d bytes of %d", len(r.body), largeSize)
	t.Check(bytes.Equal(r.body[64:], r.body[:largeSize-64]), "other bytes than those of the contract")
}

// onlyOne fails unless there is one response of the echo application, and not two.
func (t *T) onlyOne(e *exchange) {
	n := bytes.Count(e.response(), []byte("echo 1\n"))
	t.Check(n == 1, "%d responses", n)
}

func scgi2Ends() []conformance.Case {
	const quote = "When the SCGI server sees the end of the request it sends back a response and closes the connection."
	return []conformance.Case{{
		Name:   "scgi/2/closes-after-response",
		Quote:  quote,
		Level:  conformance.Must,
		Sends:  "a GET, and one with HTTP_CONNECTION=keep-alive",
		Passes: "closes the connection after each response",
		Run: test(func(t *T) {
			t.begin(scgi(t.scgiGet(""), nil)).response()
			t.begin(scgi(t.scgiGet("", "HTTP_CONNECTION", "keep-alive"), nil)).response()
		}),
	}, {
		Name:   "scgi/2/half-closed",
		Quote:  quote,
		Level:  conformance.Robustness,
		Sends:  "a GET, and ends its direction of the connection",
		Passes: "answers all the same: that the request has ended does not mean that nobody waits",
		Run: test(func(t *T) {
			e := t.begin(scgi(t.scgiGet(""), nil))
			e.CloseWrite()
			e.response()
		}),
	}, {
		Name:   "scgi/2/close-before-response",
		Quote:  "A web server whose client is gone closes the connection: that must not end the application.",
		Level:  conformance.Robustness,
		Sends:  "20 GET requests, and breaks each connection at once",
		Passes: "serves the next one",
		Run: test(func(t *T) {
			for range 20 {
				t.begin(scgi(t.scgiGet(""), nil)).Reset()
			}
			t.Serves()
		}),
	}, {
		Name:   "scgi/2/reset-within-response",
		Quote:  "A web server whose client is gone closes the connection: that must not end the application.",
		Level:  conformance.Robustness,
		Echo:   true,
		Sends:  "a GET that is answered with 4 MiB, and breaks the connection after the first bytes",
		Passes: "serves the next one",
		Run:    test(func(t *T) { t.resetWithin(scgi(t.scgiGet(fmt.Sprintf("large=%d", largeSize)), nil)) }),
	}}
}

// resetWithin breaks the connection when the response has begun.
func (t *T) resetWithin(request []byte) {
	e := t.begin(request)
	if n, _ := e.Read(make([]byte, 100)); n == 0 {
		t.Fail("no response")
	}
	e.Reset()
	t.Serves()
}
