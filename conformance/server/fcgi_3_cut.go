package server

import (
	"github.com/gangway-go/gangway/conformance"
	"github.com/gangway-go/gangway/fastcgi/wire"
)

// fcgi3Kept are the cases of section 3.3 about what comes on a kept connection when no request is active.
var fcgi3Kept = []conformance.Case{
	{
		Name: "fcgi-client/3.3/records-after-end", Level: conformance.Security, Serial: true, Needs: []string{"keepconn"},
		Quote: "A request ID R becomes active when the application receives a record {FCGI_BEGIN_REQUEST, R, ...} and " +
			"becomes " +
			"inactive when the application sends a record {FCGI_END_REQUEST, R, ...} to the Web server.",
		Sends:  "a response, more FCGI_STDOUT after its FCGI_END_REQUEST, and then another request",
		Passes: "does not deliver the excess to the next client",
		Run: test(func(t *T) {
			t.alone()
			_, r := t.Do(t.Request("GET", "/app/x", ""), func(x *Exchange) {
				x.ReadBody(-1)
				x.EndBy(join(x.out(text+"good"), x.normal(), x.out("Status: 418 foreign\r\n\r\nforeign")))
			})
			t.Intact(r, 200, "good")
			t.Get("/app/next")
		}),
	},
	{
		Name: "fcgi-client/3.3/unsolicited-response-on-idle", Level: conformance.Security,
		Serial: true, Needs: []string{"keepconn"},
		Quote: belongs + " Who can make the application send a response too many, must not choose " +
			"what the next client gets.",
		Sends:  "a whole response on the kept connection while no request is active, and then another request",
		Passes: "does not deliver that response to the next client",
		Run: test(func(t *T) {
			t.alone()
			x := t.Get("/app/x")
			t.Note("on the idle connection: a response with status 418")
			x.lease.appConn.Write(join(x.out("Status: 418 foreign\r\n\r\nforeign"), x.normal()))
			t.Sleep(t.Patience() / 10)
			t.Get("/app/next")
		}),
	},
}

// fcgi3Cut are the cases of section 3.3 in which the application dies within a record.
func fcgi3Cut() (cases []conformance.Case) {
	for _, cut := range []struct {
		name, what string
		missing    int // bytes
	}{
		{"record-cut-in-header", "the header", 14},
		{"record-cut-in-content", "the content", 9},
		{"record-cut-in-padding", "the padding", 4},
	} {
		cases = append(cases, conformance.Case{
			Name: "fcgi-client/3.3/" + cut.name, Level: conformance.Security,
			Quote: "contentLength: The number of bytes in the contentData component of the record. A response that is cut " +
				"must not look whole.",
			Sends:  "the beginning of a response, and closes the connection within " + cut.what + " of a FCGI_STDOUT",
			Passes: "lets the client see that the response is not complete",
			Run: test(func(t *T) {
				_, r := t.Cut(t.Request("GET", "/app/x", ""), func(x *Exchange) {
					x.ReadBody(-1)
					b := join(x.out(text+"go"), padded(wire.TypeStdout, x.ID, "od", 8))
					x.Send(b[:len(b)-cut.missing])
					x.Close()
				})
				t.Visible(r)
			}),
		})
	}
	return cases
}
