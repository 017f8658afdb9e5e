package server

import (
	"strings"

	"github.com/gangway-go/gangway/conformance"
)

// RFC 3875 section 6.4, Response Message-Body.
func cgi64() []conformance.Case {
	const all = "The server MUST read all the data provided by the script, until the script signals the end of " +
		"the message-body by " +
		"way of an end-of-file condition."
	const unmodified = "The message-body SHOULD be sent unmodified to the client"
	return []conformance.Case{{
		Name: "cgi/6.4/body-binary", Quote: unmodified, Level: conformance.Should,
		Sends: "a response with a body of all 256 bytes", Passes: "delivers the body as it is",
		Run: test(func(t *T) {
			body := ""
			for b := range 256 {
				body += string([]byte{byte(b)})
			}
			t.Intact(t.Reply("Content-Type: application/octet-stream\n\n"+body), 200, body)
		}),
	}, {
		Name: "cgi/6.4/body-read-to-eof", Quote: all, Level: conformance.Must,
		Sends:  "a response whose body comes in three pieces with pauses, without Content-Length",
		Passes: "delivers all of it",
		Run: test(func(t *T) {
			_, r := t.Do(t.Request("GET", "/app/pieces", ""), func(x *Exchange) {
				for _, piece := range []string{plain, "\none,", "two,", "three"} {
					x.Write(piece)
					t.Sleep(t.Patience() / 5)
				}
				x.End()
			})
			t.Intact(r, 200, "one,two,three")
		}),
	}, {
		Name: "cgi/6.4/body-4mb", Quote: all, Level: conformance.Must,
		Sends: "a response with 4 MiB of body, without Content-Length", Passes: "delivers all of it",
		Run: test(func(t *T) {
			body := strings.Repeat("0123456789abcdef", 4<<16)
			t.Intact(t.Reply("Content-Type: application/octet-stream\n\n"+body), 200, body)
		}),
	}, {
		Name: "cgi/6.4/body-crlf-blank-first", Quote: unmodified, Level: conformance.Robustness,
		Sends: "a response whose body begins with two CR LF", Passes: "delivers the body as it is",
		Run: test(func(t *T) { t.Intact(t.Reply(plain+"\n\r\n\r\nbody"), 200, "\r\n\r\nbody") }),
	}, {
		Name: "cgi/6.4/body-looks-like-header", Quote: unmodified, Level: conformance.Robustness,
		Sends:  "a response whose body begins with Status: 404 and Set-Cookie lines",
		Passes: "answers 200 with that body",
		Run: test(func(t *T) {
			const body = "Status: 404 Nope\r\nSet-Cookie: a=b\r\n\r\nbody"
			r := t.Reply(plain + "\n" + body)
			t.Intact(r, 200, body)
			t.WantNoField(r, "Set-Cookie")
		}),
	}}
}

// cgi64Bodiless are about responses that have no body in HTTP, whatever the application sends.
func cgi64Bodiless() []conformance.Case {
	bodiless := func(name, spec, quote, status string, code int) conformance.Case {
		return conformance.Case{
			Name: "cgi/6.4/" + name, Spec: spec + "; RFC 3875", Quote: quote, Level: conformance.Must,
			Sends: "a response with Status: " + status + ", Content-Type and a body, and another request on the " +
				"same connection",
			Passes: "answers with that status and without a body, and serves the second request",
			Run: test(func(t *T) {
				r := t.ReplyThen("Status: " + status + "\n" + plain + "\nbody")
				t.Want(r, code)
				t.Check(len(r.Body) == 0, "%v with the body %s", r, excerpt(string(r.Body)))
			}),
		}
	}
	cases := []conformance.Case{
		bodiless("status-204-body", "RFC 9110 section 15.3.5",
			"A 204 response is terminated by the end of the header section; it cannot contain content or trailers.",
			"204 No Content", 204),
		bodiless("status-304-body", "RFC 9110 section 15.4.5",
			"A 304 response is terminated by the end of the header section; it cannot contain content or trailers.",
			"304 Not Modified", 304),
	}
	return append(cases, conformance.Case{
		Name: "cgi/6.4/status-205-body", Spec: "RFC 9110 section 15.3.6; RFC 3875", Level: conformance.Robustness,
		Quote: "Since the 205 status code implies that no additional content will be provided, a server MUST NOT " +
			"generate content in a 205 response.",
		Sends:  "a response with Status: 205, Content-Type and a body, and another request on the same connection",
		Passes: "answers 205 with an empty body, or with a 5xx status, and serves the second request",
		Run: test(func(t *T) {
			r := t.ReplyThen("Status: 205 Reset Content\n" + plain + "\nbody")
			t.Want(r, 205, 5)
			t.Check(r.Status != 205 || len(r.Body) == 0, "%v", r)
		}),
	})
}
