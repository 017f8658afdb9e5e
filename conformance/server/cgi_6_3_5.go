package server

import "github.com/gangway-go/gangway/conformance"

// RFC 3875 section 6.3.5, Extension Header Fields.
func cgi635() []conformance.Case {
	return []conformance.Case{{
		Name: "cgi/6.3.5/x-cgi-extension", Level: conformance.May,
		Quote: "The server MAY ignore (and delete) any unrecognised header fields with names beginning \"X-CGI-\" " +
			"that are received from the script.",
		Sends: "a response with X-CGI-Conform: 1", Passes: "does not send the field",
		Run: test(func(t *T) {
			r := t.Reply(plain + "X-CGI-Conform: 1\n\nbody")
			t.Intact(r, 200, "body")
			t.WantNoField(r, "X-CGI-Conform")
		}),
	}, {
		Name: "cgi/6.3.5/x-sendfile-ungated", Level: conformance.Security,
		Quote: "An application that passes a user's data on in a header must not make the server read any file " +
			"there is.",
		Sends:  "responses with X-Sendfile, X-Accel-Redirect, X-LIGHTTPD-send-file, X-LiteSpeed-Location: /etc/passwd",
		Passes: "does not show that file",
		Run: test(func(t *T) {
			for _, name := range []string{"X-Sendfile", "X-Accel-Redirect", "X-LIGHTTPD-send-file",
				"X-LiteSpeed-Location", "X-Reproxy-File"} {
				r := t.Reply(plain + name + ": /etc/passwd\n\nbody")
				t.noSystemFile(r)
				t.Want(r, 200, 4, 5)
				if r.Get(name) != "" {
					t.Info("the client gets %s", name)
				}
			}
		}),
	}}
}
