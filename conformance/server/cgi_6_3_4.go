package server

import (
	"fmt"
	"strings"

	"github.com/gangway-go/gangway/conformance"
)

const harmLength = "Where server and client do not agree on the end of a response, the rest of one becomes the " +
	"beginning of the next."

const mayNot = "The script MUST NOT return any header fields that relate to client-side communication issues and " +
	"could affect the " +
	"server's ability to send the response to the client."

// RFC 3875 section 6.3.4, Protocol-Specific Header Fields.
var cgi634 = []conformance.Case{{
	Name: "cgi/6.3.4/set-cookie-multiple", Spec: "RFC 9110 section 5.3; RFC 3875", Level: conformance.Must,
	Quote: "the \"Set-Cookie\" header field often appears in a response message across multiple field lines " +
		"and does not use the list syntax",
	Sends: "a response with two Set-Cookie fields", Passes: "sends both, each on its own line",
	Run: test(func(t *T) {
		r := t.Reply(plain + "Set-Cookie: a=1; Path=/\nSet-Cookie: b=2; Expires=Wed, 21 Oct 2099 07:28:00 " +
			"GMT\n\nbody")
		t.Intact(r, 200, "body")
		got := strings.Join(r.Values("Set-Cookie"), "|")
		t.Check(got == "a=1; Path=/|b=2; Expires=Wed, 21 Oct 2099 07:28:00 GMT", "Set-Cookie: %q",
			r.Values("Set-Cookie"))
	}),
}, {
	Name: "cgi/6.3.4/connection-header", Quote: mayNot, Level: conformance.Must,
	Sends:  "a response with Connection: upgrade, x-conform and Keep-Alive: timeout=4711",
	Passes: "sends neither of these values",
	Run: test(func(t *T) {
		r := t.ReplyThen(plain + "Connection: upgrade, x-conform\nKeep-Alive: timeout=4711\n\nbody")
		t.Intact(r, 200, "body")
		got := strings.ToLower(strings.Join(append(r.Values("Connection"), r.Values("Keep-Alive")...), ", "))
		for _, word := range []string{"upgrade", "x-conform", "4711"} {
			t.Check(!strings.Contains(got, word), "Connection and Keep-Alive: %q", got)
		}
	}),
}, {
	Name: "cgi/6.3.4/connection-close-consistent", Quote: mayNot, Level: conformance.Robustness,
	Sends:  "a response with Connection: close, and another request on the same connection",
	Passes: "drops the field and serves the second request, or keeps it and ends the connection",
	Run: test(func(t *T) {
		c := t.Client()
		_, r := c.Answer(t.Request("GET", "/app/first", ""), CGI(plain+"Connection: close\n\nbody"))
		t.Intact(r, 200, "body")
		x, second := c.Answer(t.Request("GET", "/app/second", ""), OK)
		closes := r.Framing == "close" || strings.EqualFold(r.Get("Connection"), "close")
		t.Check(closes == (x == nil), "%v with Connection %q, and the next request on the connection got %v", r,
			r.Get("Connection"), second)
	}),
}, {
	Name: "cgi/6.3.4/upgrade-header", Quote: mayNot, Level: conformance.Security,
	Sends: "a response with Upgrade: h2c and Connection: upgrade", Passes: "does not send Upgrade",
	Run: test(func(t *T) {
		r := t.Reply(plain + "Upgrade: h2c\nConnection: upgrade\n\nbody")
		t.Passed(r)
		t.Check(!strings.Contains(strings.Join(r.Values("Upgrade"), ", "), "h2c") || !r.has("Connection",
			"upgrade"), "%v with Upgrade and Connection", r)
	}),
}, {
	Name: "cgi/6.3.4/trailer-header", Quote: mayNot, Level: conformance.Robustness,
	Sends:  "a response with Trailer: X-T, and another request on the same connection",
	Passes: "delivers both responses intact",
	Run:    test(func(t *T) { t.Intact(t.ReplyThen(plain+"Trailer: X-T\n\nbody"), 200, "body") }),
}, {
	Name: "cgi/6.3.4/server-date-conflict", Level: conformance.Should,
	Quote: "It SHOULD resolve any conflicts between header fields returned by the script and header fields " +
		"that it would otherwise send itself.",
	Sends:  "a response with Server: conform/1 and Date: Sun, 06 Nov 1994 08:49:37 GMT",
	Passes: "sends one Date, and one Server or none",
	Run: test(func(t *T) {
		r := t.Reply(plain + "Server: conform/1\nDate: Sun, 06 Nov 1994 08:49:37 GMT\n\nbody")
		t.Intact(r, 200, "body")
		t.Check(len(r.Values("Date")) == 1 && len(r.Values("Server")) <= 1, "Date %q and Server %q",
			r.Values("Date"), r.Values("Server"))
	}),
}, coded("transfer-encoding-header", "chunked"), coded("te-gzip-header", "gzip"), coded("te-obfuscated",
	"\tx, CHUNKED"), {
	Name: "cgi/6.3.4/transfer-encoding-http10", Quote: mayNot, Level: conformance.Security,
	Sends:  "an HTTP/1.0 request that is answered with Transfer-Encoding: chunked and a plain body",
	Passes: "delivers the body, without that field",
	Run: test(func(t *T) {
		_, r := t.Do(t.Raw("GET /app/reply HTTP/1.0", "Host: "+t.host()), CGI(plain+"Transfer-Encoding: "+
			"chunked\n\nplain body"))
		if t.Passed(r) {
			t.Intact(r, 200, "plain body")
		}
		t.WantNoField(r, "Transfer-Encoding")
	}),
}}

// coded is a case in which the application says that its body has a transfer coding, which it has not.
func coded(name, coding string) conformance.Case {
	return conformance.Case{
		Name: "cgi/6.3.4/" + name, Quote: mayNot, Level: conformance.Security,
		Sends: fmt.Sprintf("a response with %q and a plain body, and another request on the same connection",
			"Transfer-Encoding: "+coding),
		Passes: "delivers the body with a coding of its own or none, or answers with a 5xx status, and serves the " +
			"second",
		Run: test(func(t *T) {
			if r := t.ReplyThen(plain + "Transfer-Encoding: " + coding + "\n\nplain body"); t.Passed(r) {
				t.Intact(r, 200, "plain body")
			}
		}),
	}
}

// has says whether word is in the comma-separated lists of the fields with that name.
func (r *Response) has(name, word string) bool {
	for item := range strings.SplitSeq(strings.Join(r.Values(name), ","), ",") {
		if strings.EqualFold(strings.TrimSpace(item), word) {
			return true
		}
	}
	return false
}

// lengthCase is a case about the field Content-Length.
func lengthCase(name, sends, passes string, level conformance.Level, run func(*T)) conformance.Case {
	return conformance.Case{
		Name:   "cgi/6.3.4/content-length-" + name,
		Quote:  harmLength,
		Level:  level,
		Sends:  sends,
		Passes: passes,
		Run:    test(run),
	}
}

// cgi634Length are about the field Content-Length, which says how long the response is in HTTP and not in CGI.
var cgi634Length = []conformance.Case{
	lengthCase("right", "a response with the right Content-Length, and another request on the same connection",
		"delivers both responses", conformance.Must, func(t *T) {
			t.Intact(t.ReplyThen(plain+"Content-Length: 4\n\nbody"), 200, "body")
		}),
	lengthCase("zero", "a response with Content-Length: 0 and no body, and another request on the same connection",
		"delivers both responses", conformance.Must, func(t *T) {
			t.Intact(t.ReplyThen(plain+"Content-Length: 0\n\n"), 200, "")
		}),
	lengthCase("short", "a response with Content-Length: 3 and 10 bytes of body, and another request on the same "+
		"connection",
		"delivers 3 or 10 bytes, or lets the client see that something is wrong; serves the second request or "+
			"ends the connection",
		conformance.Security, func(t *T) {
			r := t.ReplyThen(plain + "Content-Length: 3\n\n0123456789")
			t.Valid(r)
			t.Check(r.End != Complete || r.Status >= 500 || string(r.Body) == "012" ||
				string(r.Body) == "0123456789",
				"%v with the body %s", r, excerpt(string(r.Body)))
		}),
	lengthCase("long", "a response with Content-Length: 100 and 5 bytes of body",
		"lets the client see that something is wrong", conformance.Security, func(t *T) {
			r := t.Reply(plain + "Content-Length: 100\n\n01234")
			t.Valid(r)
			t.Visible(r)
		}),
	lengthCase("duplicate", "a response with Content-Length: 1 and Content-Length: 5, and a body of 5 bytes",
		"sends one Content-Length at most, or answers with a 5xx status", conformance.Security, func(t *T) {
			t.Valid(t.ReplyThen(plain + "Content-Length: 1\nContent-Length: 5\n\n01234"))
		}),
	lengthCase("list", "a response with Content-Length: 5, 5 and a body of 5 bytes",
		"sends one number at most, or answers with a 5xx status", conformance.Security, func(t *T) {
			t.Valid(t.ReplyThen(plain + "Content-Length: 5, 5\n\n01234"))
		}),
	lengthCase("invalid", "responses with Content-Length: abc, -1, +5 and 0x5",
		"drops the field or answers with a 5xx status", conformance.Security, func(t *T) {
			for _, value := range []string{"abc", "-1", "+5", "0x5"} {
				t.Valid(t.ReplyThen(plain + "Content-Length: " + value + "\n\n01234"))
			}
		}),
	lengthCase("overflow", "a response with Content-Length: 18446744073709551619 and a body of 5 bytes",
		"drops the field, answers with a 5xx status, or lets the client see that something is wrong",
		conformance.Security, func(t *T) {
			r := t.ReplyThen(plain + "Content-Length: 18446744073709551619\n\n01234")
			t.Check(string(r.Body) == "01234" || r.End != Complete || r.Status >= 500, "%v with the body %s", r,
				excerpt(string(r.Body)))
		}),
	lengthCase("with-te", "a response with Content-Length: 5, Transfer-Encoding: chunked and a plain body of "+
		"5 bytes",
		"sends one of them at most, and a body that fits", conformance.Security, func(t *T) {
			if r := t.ReplyThen(plain + "Content-Length: 5\nTransfer-Encoding: chunked\n\n01234"); t.Passed(r) {
				t.Intact(r, 200, "01234")
			}
		}),
	lengthCase("204", "a response with Status: 204 and Content-Length: 5, without a body",
		"answers 204 without Content-Length", conformance.Must, func(t *T) {
			t.Want(t.ReplyThen("Status: 204 No Content\nContent-Length: 5\n\n"), 204, 5)
		}),
}
