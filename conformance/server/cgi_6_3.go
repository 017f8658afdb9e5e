package server

import (
	"fmt"
	"strings"

	"github.com/gangway-go/gangway/conformance"
)

const quoteOnce = "each CGI field MUST NOT appear more than once in the response"

// RFC 3875 section 6.3, Response Header Fields.
var cgi63 = []conformance.Case{{
	Name: "cgi/6.3/case-insensitive", Quote: "The field-name is not case sensitive.", Level: conformance.Must,
	Sends:  "a response with sTATUS: 404 and cONTENT-tYPE: text/x-conform",
	Passes: "answers 404 with that type, and without a field Status",
	Run: test(func(t *T) {
		r := t.Reply("sTATUS: 404 Nope\ncONTENT-tYPE: text/x-conform\n\nbody")
		t.Intact(r, 404, "body")
		t.WantField(r, "Content-Type", "text/x-conform")
		t.WantNoField(r, "Status")
	}),
}, {
	Name:  "cgi/6.3/case-insensitive-location",
	Quote: "The field-name is not case sensitive.",
	Level: conformance.Must,
	Sends: "a response with lOCATION: http://example.org/x only", Passes: "answers 302",
	Run: test(func(t *T) { t.Want(t.Reply("lOCATION: http://example.org/x\n\n"), 302) }),
}, {
	Name: "cgi/6.3/status-duplicate", Quote: quoteOnce, Level: conformance.Robustness,
	Sends: "a response with Status: 404 and then Status: 403", Passes: "answers 404, or with a 5xx status",
	Run: test(func(t *T) { t.Want(t.Reply("Status: 404 Nope\nStatus: 403 No\n"+plain+"\nbody"), 404, 5) }),
}, {
	Name: "cgi/6.3/content-type-duplicate", Quote: quoteOnce, Level: conformance.Must,
	Sends:  "a response with two different Content-Type fields",
	Passes: "sends one of them, or answers with a 5xx status",
	Run: test(func(t *T) {
		r := t.Reply("Content-Type: text/x-one\nContent-Type: text/x-two\n\nbody")
		t.Passed(r)
		t.Check(len(r.Values("Content-Type")) < 2, "%v with Content-Type %q", r, r.Values("Content-Type"))
	}),
}, {
	Name: "cgi/6.3/location-duplicate", Quote: quoteOnce, Level: conformance.Must,
	Sends:  "a response with two different Location fields",
	Passes: "sends one of them, or answers with a 5xx status",
	Run: test(func(t *T) {
		r := t.Reply("Location: http://example.org/1\nLocation: http://example.org/2\n\n")
		t.Want(r, 3, 5)
		t.Check(len(r.Values("Location")) < 2, "%v with Location %q", r, r.Values("Location"))
	}),
}, {
	Name: "cgi/6.3/no-cgi-field", Quote: "At least one CGI field MUST be supplied", Level: conformance.Robustness,
	Sends:  "a response with the field X-A only, and a body",
	Passes: "answers with a 5xx status, or 200 and the body",
	Run: test(func(t *T) {
		if r := t.Reply("X-A: 1\n\nbody"); t.Passed(r) {
			t.Intact(r, 200, "body")
		}
	}),
}, {
	Name: "cgi/6.3/whitespace-after-colon", Level: conformance.Must,
	Quote:  "Whitespace is permitted between the \":\" and the field-value",
	Sends:  "a response with \"X-A:v\", \"X-B: v\", \"X-C:<TAB>v\" and \"X-D:   v\"",
	Passes: "sends all four with the value \"v\"",
	Run: test(func(t *T) {
		r := t.Reply(plain + "X-A:v\nX-B: v\nX-C:\tv\nX-D:   v\n\nbody")
		t.Intact(r, 200, "body")
		for _, name := range []string{"X-A", "X-B", "X-C", "X-D"} {
			t.WantField(r, name, "v")
		}
	}),
}, {
	Name:   "cgi/6.3/status-whitespace",
	Quote:  "Whitespace is permitted between the \":\" and the field-value",
	Level:  conformance.Must,
	Sends:  "a response with \"Status:404 Nope\", one with two spaces and one with a tab before 404",
	Passes: "answers 404 to all",
	Run: test(func(t *T) {
		for _, space := range []string{"", "  ", "\t"} {
			t.Intact(t.Reply("Status:"+space+"404 Nope\n"+plain+"\nbody"), 404, "body")
		}
	}),
}, {
	Name:   "cgi/6.3/value-exact",
	Quote:  "protocol-specific header fields to be included in the response returned to the client",
	Level:  conformance.Must,
	Sends:  "a response with a field whose value has colons, commas, semicolons, two spaces and a quoted string",
	Passes: "sends the value as it is",
	Run: test(func(t *T) {
		const value = `a:b: c, "d; \"e\"";  f=1 # g`
		r := t.Reply(plain + "X-Exact: " + value + "\n\nbody")
		t.Intact(r, 200, "body")
		t.WantField(r, "X-Exact", value)
	}),
}, {
	Name: "cgi/6.3/field-order-kept", Spec: "RFC 9110 section 5.3; RFC 3875", Level: conformance.Must,
	Quote: "a proxy MUST NOT change the order of these field line values when forwarding a message",
	Sends: "a response with three fields Link, among others", Passes: "sends their values in that order",
	Run: test(func(t *T) {
		r := t.Reply("Link: </1>\nX-A: 1\nLink: </2>\n" + plain + "Link: </3>\n\nbody")
		t.Intact(r, 200, "body")
		got := strings.Join(r.Values("Link"), ", ")
		t.Check(strings.ReplaceAll(got, " ", "") == "</1>,</2>,</3>", "Link: %q", r.Values("Link"))
	}),
}, {
	Name:  "cgi/6.3/null-value-dropped",
	Quote: "A NULL field value is equivalent to a field not being sent.",
	Level: conformance.Should,
	Sends: "a response with a field X-Null that has no value", Passes: "sends it without a value, or not at all",
	Run: test(func(t *T) {
		r := t.Reply(plain + "X-Null:\nX-A: 1\n\nbody")
		t.Intact(r, 200, "body")
		t.Check(r.Get("X-Null") == "", "X-Null: %q", r.Values("X-Null"))
		t.WantField(r, "X-A", "1")
	}),
}, {
	Name:   "cgi/6.3/status-empty",
	Quote:  "A NULL field value is equivalent to a field not being sent.",
	Level:  conformance.Robustness,
	Sends:  "a response with a field Status that has no value",
	Passes: "answers 200 and the body, or with a 5xx status",
	Run: test(func(t *T) {
		if r := t.Reply("Status:\n" + plain + "\nbody"); t.Passed(r) {
			t.Intact(r, 200, "body")
		}
	}),
}, {
	Name:   "cgi/6.3/location-empty",
	Quote:  "A NULL field value is equivalent to a field not being sent.",
	Level:  conformance.Robustness,
	Sends:  "a response with a field Location that has no value, and a body",
	Passes: "answers 200 and the body, or with a 5xx status",
	Run: test(func(t *T) {
		if r := t.Reply("Location:\n" + plain + "\nbody"); t.Passed(r) {
			t.Intact(r, 200, "body")
		}
	}),
}, {
	Name: "cgi/6.3/http-status-line-from-non-nph", Quote: aboutConformity, Level: conformance.Robustness,
	Sends:  "a response that begins with \"HTTP/1.1 404 Nope\"",
	Passes: "answers 404, or with a 5xx status; the line is not in the body",
	Run: test(func(t *T) {
		r := t.Reply("HTTP/1.1 404 Nope\n" + plain + "\nbody")
		t.Want(r, 404, 5)
		t.Check(!strings.Contains(string(r.Body), "HTTP/1.1 404 Nope"), "%v with the body %s", r,
			excerpt(string(r.Body)))
	}),
}, {
	Name: "cgi/6.3/garbage-block", Quote: aboutConformity, Level: conformance.Robustness,
	Sends: "an answer of two lines of text without any header", Passes: "answers with a 5xx status",
	Run: test(func(t *T) { t.Want(t.Reply("This is some text\nwithout a header\n"), 5) }),
}, {
	Name: "cgi/6.3/garbage-then-blank-line", Quote: aboutConformity, Level: conformance.Robustness,
	Sends: "an answer of a line of text, a blank line and another text", Passes: "answers with a 5xx status",
	Run: test(func(t *T) { t.Want(t.Reply("This is some text\n\nwithout a header\n"), 5) }),
}, {
	Name: "cgi/6.3/garbage-between-fields", Quote: aboutConformity, Level: conformance.Robustness,
	Sends:  "a response with \": v\" between two fields, and a body",
	Passes: "answers 200, or with a 5xx status, and completely",
	Run:    test(func(t *T) { t.Want(t.Reply(plain+": v\nX-A: 1\n\nbody"), 200, 5) }),
}, {
	Name: "cgi/6.3/keepalive-after-error", Quote: aboutConformity, Level: conformance.Robustness,
	Sends:  "a request that is answered without a header, and another one on the same connection",
	Passes: "serves the second, or ends the connection after the first",
	Run:    test(func(t *T) { t.Want(t.ReplyThen("This is some text\nwithout a header\n"), 5) }),
}, {
	Name:   "cgi/6.3/response-splitting-via-body",
	Quote:  "A body that looks like a response must not become one for the client's next request.",
	Level:  conformance.Security,
	Sends:  "a response whose body ends a chunk and begins a response, and another request on the same connection",
	Passes: "delivers the body as it is, and the answer to the second request",
	Run: test(func(t *T) {
		const body = "\r\n0\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"
		t.Intact(t.ReplyThen(plain+"\n"+body), 200, body)
		t.Intact(t.ReplyThen(plain+fmt.Sprintf("Content-Length: %d\n\n", len(body))+body), 200, body)
	}),
}}

// cgi63Bytes are about bytes that must not be in a field.
func cgi63Bytes() []conformance.Case {
	const harm = "What is not a header field to one program is one to another: it must not reach a client."
	field := func(name, sends, line string, level conformance.Level) conformance.Case {
		return conformance.Case{
			Name: "cgi/6.3/" + name, Quote: harm, Level: level, Sends: "a response with " + sends,
			Passes: "drops or repairs the field, or answers with a 5xx status; all that the client gets is HTTP",
			Run: test(func(t *T) {
				r := t.Reply(plain + line + "\n\nbody")
				if t.Passed(r) {
					t.Intact(r, 200, "body")
				}
				t.WantNoField(r, "Injected")
			}),
		}
	}
	cases := []conformance.Case{
		field("space-before-colon", "the line \"X-Bad : 1\"", "X-Bad : 1", conformance.Security),
		field("nul-in-value", "a NUL in a value", "X-Bad: a\x00b", conformance.Security),
		field("nul-in-name", "a NUL in a name", "X-B\x00ad: a", conformance.Security),
		field("bare-cr-in-value", "a CR in a value that is no line end, and what looks like a field after it",
			"X-Bad: a\rInjected: 1", conformance.Security),
		field("bare-cr-in-name", "a CR within a name", "X-A\rInjected: 1", conformance.Security),
		field("ctl-in-value", "the byte 0x07 in a value", "X-Bad: a\x07b", conformance.Robustness),
		field("del-in-value", "the byte 0x7F in a value", "X-Bad: a\x7fb", conformance.Robustness),
		field("invalid-name", "the line \"X(Bad): 1\"", "X(Bad): 1", conformance.Security),
		field("empty-name", "the line \": v\"", ": v", conformance.Security),
		field("no-colon-line", "a line without a colon", "X-Bad", conformance.Robustness),
		field("status-crlf", "a CR in the reason phrase, and what looks like a field after it",
			"Status: 200 OK\rInjected: 1", conformance.Security),
	}
	return append(cases, conformance.Case{
		Name: "cgi/6.3/folded", Quote: "CGI/1.1 does not support continuation lines.", Level: conformance.Must,
		Sends:  "a response with a field whose second line begins with a space",
		Passes: "joins the lines, drops one or both, or answers with a 5xx status; the client gets no folded field",
		Run:    test(func(t *T) { t.Passed(t.Reply(plain + "X-Folded: a\n Injected: b\n\nbody")) }),
	}, conformance.Case{
		Name:   "cgi/6.3/latin1-in-value",
		Spec:   "RFC 3875 section 7.2; RFC 3875",
		Quote:  "TEXT values use ISO-8859-1",
		Level:  conformance.Robustness,
		Sends:  "a response with the bytes 0x80 to 0xFF in a value",
		Passes: "sends them as they are, or answers with a 5xx status",
		Run: test(func(t *T) {
			value := "x"
			for b := 0x80; b <= 0xff; b++ {
				value += string([]byte{byte(b)})
			}
			if r := t.Reply(plain + "X-High: " + value + "\n\nbody"); t.Passed(r) {
				t.WantField(r, "X-High", value)
			}
		}),
	})
}
