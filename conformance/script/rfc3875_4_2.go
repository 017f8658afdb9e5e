package script

import (
	"time"

	"github.com/gangway-go/gangway/conformance"
)

var bodyCases = []conformance.Case{{
	Name: "script/4.2/reads-at-most-content-length",
	Quote: "Therefore, the script MUST NOT attempt to read more than CONTENT_LENGTH bytes, even if more data is " +
		"available.",
	Level:  conformance.Must,
	Sends:  "a POST with CONTENT_LENGTH=3 and 10 bytes; standard input stays open",
	Passes: "answers without waiting for the end of standard input, and takes 3 bytes for the body",
	Run: test(func(t *T) {
		r := t.post(form, "a=bcdefghi").set("CONTENT_LENGTH", "3")
		r.hold = true
		got := t.send(r)
		t.answers(got)
		if t.target.echo {
			t.readsBody(got, "a=b")
		}
	}),
}, {
	Name: "script/4.2/extension-data-left",
	Quote: "Therefore, the script MUST NOT attempt to read more than CONTENT_LENGTH bytes, even if more data is " +
		"available.",
	Level:  conformance.Must,
	Sends:  "a POST with CONTENT_LENGTH=3 and 10 bytes",
	Passes: "leaves the 7 bytes that are not the body's in standard input, also its buffers",
	Run: test(func(t *T) {
		r := t.post(form, "a=bcdefghi").set("CONTENT_LENGTH", "3")
		r.keep = true
		got := t.send(r)
		t.answers(got)
		t.Check(got.unread >= 7, "%d of 10 bytes read", 10-got.unread)
	}),
}, {
	Name:   "script/4.2/no-content-length-no-read",
	Quote:  "A request-body is supplied with the request if the CONTENT_LENGTH is not NULL.",
	Level:  conformance.Must,
	Sends:  "a GET; standard input stays open",
	Passes: "answers without waiting for data",
	Run: test(func(t *T) {
		r := t.request("GET")
		r.hold = true
		t.answers(t.send(r))
	}),
}, {
	Name:   "script/4.2/short-body",
	Quote:  "The server MUST make at least that many bytes available for the script to read.",
	Level:  conformance.Robustness,
	Sends:  "a POST with CONTENT_LENGTH=10, 3 bytes and the end of standard input",
	Passes: "refuses the request or fails, unless it does not read the body",
	Run: test(func(t *T) {
		r := t.post(form, "a=b").set("CONTENT_LENGTH", "10")
		r.keep = true
		got := t.send(r)
		t.answersOrFails(got)
		if got.unread < 3 {
			t.refuses(got)
		}
	}),
}, {
	Name: "script/4.2/body-in-pieces",
	Quote: "Request data is accessed by the script in a system-defined method; unless defined otherwise, this will be " +
		"by reading the 'standard input' file descriptor or file handle.",
	Level:  conformance.Must,
	Echo:   true,
	Sends:  "a POST whose 10 bytes come one by one",
	Passes: "reads all of them",
	Run: test(func(t *T) {
		r := t.post(form, "a=12345678")
		r.stdin, r.hold = "", true
		p := t.start(r)
		for _, b := range []byte("a=12345678") {
			t.Sleep(5 * time.Millisecond)
			p.conn.Write([]byte{b})
		}
		t.readsBody(p.await(), "a=12345678")
	}),
}, {
	Name:   "script/4.2/body-octets",
	Quote:  "request-body   = <CONTENT_LENGTH>OCTET",
	Level:  conformance.Must,
	Echo:   true,
	Sends:  "a POST with the bytes 0x00 to 0xFF",
	Passes: "reads the same bytes, whatever they mean to terminals and text files",
	Run: test(func(t *T) {
		body := string(octets())
		t.readsBody(t.send(t.post("application/octet-stream", body)), body)
	}),
}}

// octets are all bytes, in order.
func octets() []byte {
	b := make([]byte, 256)
	for i := range b {
		b[i] = byte(i)
	}
	return b
}
