package server

import (
	"strings"

	"github.com/gangway-go/gangway/conformance"
	"github.com/gangway-go/gangway/fastcgi/wire"
)

const (
	endRequest = "The application sends a FCGI_END_REQUEST record to terminate a request, either because the " +
		"application has processed " +
		"the request or because the application has rejected the request."
	noLie = endRequest + " A response without it is not complete, and must not look so to the client or a cache."
)

// fcgi55 are the cases of FastCGI 1.0 section 5.5, FCGI_END_REQUEST.
var fcgi55 = []conformance.Case{
	{
		Name: "fcgi-client/5.5/end-waits", Level: conformance.Must, Quote: endRequest,
		Sends:  "a response whose FCGI_END_REQUEST comes a moment after the empty FCGI_STDOUT, and then another request",
		Passes: "delivers both responses as they are",
		Run: test(func(t *T) {
			c := t.Client()
			_, r := c.Answer(t.Request("GET", "/app/x", ""), func(x *Exchange) {
				x.ReadBody(-1)
				x.Send(join(x.out(text+"good"), x.out("")))
				t.Sleep(t.Patience() / 2)
				x.EndBy(x.last(0, 0))
			})
			t.Intact(r, 200, "good")
			_, r = c.Answer(t.Request("GET", "/app/y", ""))
			t.Intact(r, 200, t.token)
		}),
	},
	{
		Name: "fcgi-client/5.5/end-without-stdout-eos", Level: conformance.Robustness,
		Quote: "When a role protocol calls for transmitting a stream other than FCGI_STDERR, at least one record of the " +
			"stream type is always transmitted (section 6.1). PHP ends its requests without an empty FCGI_STDOUT.",
		Sends:  "a response that ends with FCGI_END_REQUEST, without an empty FCGI_STDOUT",
		Passes: "delivers the response as it is",
		Run: test(func(t *T) {
			t.served(func(x *Exchange) []byte { return join(x.out(text+"good"), x.last(0, 0)) })
		}),
	},
	{
		Name: "fcgi-client/5.5/appstatus-nonzero", Level: conformance.Must,
		Quote: "The application sets […] the appStatus component to the status code that the CGI program would have " +
			"returned via the exit system call. (section 6.2; example B.3 has 938)",
		Sends:  "a good response with appStatus 938",
		Passes: "delivers the response as it is",
		Run: test(func(t *T) {
			t.served(func(x *Exchange) []byte { return join(x.out(text+"good"), x.out(""), x.last(938, 0)) })
		}),
	},
	{
		Name: "fcgi-client/5.5/appstatus-all-ones", Level: conformance.Robustness,
		Quote:  "The appStatus component is an application-level status code. (An exit status of -1 has all bits set.)",
		Sends:  "a good response with appStatus 4294967295",
		Passes: "delivers the response as it is",
		Run: test(func(t *T) {
			t.served(func(x *Exchange) []byte { return join(x.out(text+"good"), x.out(""), x.last(1<<32-1, 0)) })
		}),
	},
	{
		Name: "fcgi-client/5.5/end-reserved-nonzero", Level: conformance.Robustness,
		Quote: "The body of FCGI_END_REQUEST has three reserved bytes with no meaning in version 1; others than 0 must " +
			"not harm the response.",
		Sends:  "a good response with 255 in the reserved bytes of FCGI_END_REQUEST",
		Passes: "delivers the response as it is, or answers with an error",
		Run: test(func(t *T) {
			t.tolerated(func(x *Exchange) []byte {
				end := record(wire.TypeEndRequest, x.ID, "\x00\x00\x00\x00\x00\xff\xff\xff")
				return join(x.out(text+"good"), x.out(""), end)
			})
		}),
	},
	{
		Name: "fcgi-client/5.5/short-end-body", Level: conformance.Robustness, Serial: true,
		Quote: "A record FCGI_END_REQUEST whose content is shorter than its 8 bytes must neither stop the server nor " +
			"leave the client waiting.",
		Sends:  "a response that ends with a FCGI_END_REQUEST of 2 bytes",
		Passes: "delivers the response as it is, lets the client see that it is not complete, or answers with an error",
		Run: test(func(t *T) {
			t.settledOpen(func(x *Exchange) []byte {
				return join(x.out(text+"good"), x.out(""), record(wire.TypeEndRequest, x.ID, "\x00\x00"))
			})
		}),
	},
	{
		Name: "fcgi-client/5.5/long-end-body", Level: conformance.Robustness, Serial: true,
		Quote: "A record FCGI_END_REQUEST whose content is longer than its 8 bytes must neither stop the server nor " +
			"leave the client waiting.",
		Sends:  "a response that ends with a FCGI_END_REQUEST of 60000 bytes",
		Passes: "delivers the response as it is, lets the client see that it is not complete, or answers with an error",
		Run: test(func(t *T) {
			t.settledOpen(func(x *Exchange) []byte {
				return join(x.out(text+"good"), x.out(""), record(wire.TypeEndRequest, x.ID, strings.Repeat("\x00", 60000)))
			})
		}),
	},
	{
		Name: "fcgi-client/5.5/overloaded-503", Level: conformance.Should,
		Quote: "FCGI_OVERLOADED: rejecting a new request. This happens when the application runs out of some resource, " +
			"e.g. database connections. (503 is HTTP's word for it, RFC 9110 section 15.6.4)",
		Sends:  "FCGI_END_REQUEST with FCGI_OVERLOADED and no output",
		Passes: "answers with status 503",
		Run:    test(func(t *T) { t.Want(t.rejected(wire.StatusOverloaded), 503) }),
	},
	{
		Name: "fcgi-client/5.5/overloaded-not-success", Level: conformance.Must,
		Quote:  "FCGI_OVERLOADED: rejecting a new request.",
		Sends:  "FCGI_END_REQUEST with FCGI_OVERLOADED and no output",
		Passes: "answers with status 5xx, or asks again and delivers the response to that",
		Run:    test(func(t *T) { t.notSuccess(wire.StatusOverloaded) }),
	},
	{
		Name: "fcgi-client/5.5/overloaded-retry-next", Level: conformance.Robustness,
		Quote: "FCGI_OVERLOADED: rejecting a new request. It has not been processed and may be tried again, but then " +
			"whole: who reads its body from the client has it once.",
		Sends:  "POST /app/x with 100000 bytes, which the application reads and rejects with FCGI_OVERLOADED the first time",
		Passes: "answers with status 5xx, or asks again with the whole body and delivers the response to that",
		Run: test(func(t *T) {
			body := strings.Repeat("0123456789", 10000)
			_, r := t.Do(t.Request("POST", "/app/x", body), Bytes(func(x *Exchange) []byte {
				return x.last(0, wire.StatusOverloaded)
			}), OK)
			if len(t.Exchanges) == 1 {
				t.Want(r, 5)
				return
			}
			t.Info("it asks again")
			t.Check(t.Exchanges[1].Body() == body, "%d bytes of body the second time", len(t.Exchanges[1].Body()))
			t.Intact(r, 200, t.token)
		}),
	},
	{
		Name: "fcgi-client/5.5/cant-mpx", Level: conformance.Must,
		Quote: "FCGI_CANT_MPX_CONN: rejecting a new request. This happens when a Web server sends concurrent requests " +
			"over one " +
			"connection to an application that is designed to process one request at a time per connection.",
		Sends:  "FCGI_END_REQUEST with FCGI_CANT_MPX_CONN and no output",
		Passes: "answers with status 5xx, or asks again and delivers the response to that",
		Run:    test(func(t *T) { t.notSuccess(wire.StatusCantMpxConn) }),
	},
	{
		Name: "fcgi-client/5.5/unknown-role", Level: conformance.Must,
		Quote: "FCGI_UNKNOWN_ROLE: rejecting a new request. This happens when the Web server has specified a role that " +
			"is unknown to the application.",
		Sends:  "FCGI_END_REQUEST with FCGI_UNKNOWN_ROLE and no output",
		Passes: "answers with status 5xx",
		Run:    test(func(t *T) { t.Want(t.rejected(wire.StatusUnknownRole), 5) }),
	},
	{
		Name: "fcgi-client/5.5/unknown-protocol-status", Level: conformance.Robustness,
		Quote: "the possible protocolStatus values are: FCGI_REQUEST_COMPLETE […] FCGI_CANT_MPX_CONN […] " +
			"FCGI_OVERLOADED […] FCGI_UNKNOWN_ROLE",
		Sends:  "FCGI_END_REQUEST with protocolStatus 77 and no output",
		Passes: "answers with status 5xx",
		Run:    test(func(t *T) { t.Want(t.rejected(77), 5) }),
	},
	{
		Name: "fcgi-client/5.5/overloaded-after-output", Level: conformance.Security,
		Quote: "FCGI_OVERLOADED: rejecting a new request. What came before is not a whole response, and must not look " +
			"so to the client or a cache.",
		Sends:  "the beginning of a response, and FCGI_END_REQUEST with FCGI_OVERLOADED",
		Passes: "lets the client see that the response is not complete, or answers with status 5xx",
		Run: test(func(t *T) {
			_, r := t.Cut(t.Request("GET", "/app/x", ""), Bytes(func(x *Exchange) []byte {
				return join(x.out(text+"good"), x.last(0, wire.StatusOverloaded))
			}))
			t.Visible(r)
		}),
	},
}

// rejected is the response if the application ends the request with that protocolStatus.
func (t *T) rejected(status wire.ProtocolStatus) *Response {
	return t.answered(func(x *Exchange) []byte { return x.last(0, status) })
}

// notSuccess checks that a rejected request does not look like one that was served.
func (t *T) notSuccess(status wire.ProtocolStatus) {
	_, r := t.Do(t.Request("GET", "/app/x", ""), Bytes(func(x *Exchange) []byte { return x.last(0, status) }), OK)
	if len(t.Exchanges) > 1 {
		t.Intact(r, 200, t.token)
		return
	}
	t.Want(r, 5)
}

// settled checks that the response is "good" if it looks complete.
func (t *T) settled(build func(x *Exchange) []byte) { t.settles(Bytes(build)) }

// settledOpen is settled, but the connection stays open until the response is there.
func (t *T) settledOpen(build func(x *Exchange) []byte) {
	t.settles(func(x *Exchange) {
		x.ReadBody(-1)
		x.Send(build(x))
	})
}

func (t *T) settles(reply Reply) {
	_, r := t.Do(t.Request("GET", "/app/x", ""), reply)
	t.Valid(r)
	if r.End == Complete && r.Status < 500 {
		t.Intact(r, 200, "good")
	}
}
