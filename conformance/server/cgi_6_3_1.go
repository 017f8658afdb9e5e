package server

import (
	"strings"

	"github.com/gangway-go/gangway/conformance"
)

// RFC 3875 section 6.3.1, Content-Type.
func cgi631() []conformance.Case {
	const sniff = "If it fails to do so, the server SHOULD NOT attempt to determine the correct content type."
	return []conformance.Case{{
		Name: "cgi/6.3.1/content-type-missing-with-body", Quote: sniff, Level: conformance.Should,
		Sends:  "a response with Status: 200 and an HTML document, and without Content-Type",
		Passes: "answers with a 5xx status, or with another type than text/html",
		Run: test(func(t *T) {
			r := t.Reply("Status: 200 OK\n\n<!DOCTYPE html><html><body>body</body></html>")
			t.Passed(r)
			t.Check(r.Status != 200 || !strings.HasPrefix(r.Get("Content-Type"), "text/html"),
				"%v with Content-Type %q", r, r.Get("Content-Type"))
		}),
	}, {
		Name: "cgi/6.3.1/content-type-missing-image", Quote: sniff, Level: conformance.Should,
		Sends:  "a response with Status: 200 and the beginning of a PNG file, and without Content-Type",
		Passes: "answers with a 5xx status, or with another type than image/png",
		Run: test(func(t *T) {
			r := t.Reply("Status: 200 OK\n\n\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR")
			t.Passed(r)
			t.Check(r.Get("Content-Type") != "image/png", "%v with Content-Type %q", r, r.Get("Content-Type"))
		}),
	}, {
		Name: "cgi/6.3.1/content-type-unmodified", Level: conformance.Should,
		Quote: "The value SHOULD be sent unmodified to the client, except for any charset parameter changes.",
		Sends: "a response with Content-Type: text/x-conform; a=\"b;c\";d=E", Passes: "sends that value byte for byte",
		Run: test(func(t *T) {
			r := t.Reply("Content-Type: text/x-conform; a=\"b;c\";d=E\n\nbody")
			t.Intact(r, 200, "body")
			t.WantField(r, "Content-Type", "text/x-conform; a=\"b;c\";d=E")
		}),
	}}
}
