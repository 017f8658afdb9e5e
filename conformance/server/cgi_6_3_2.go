package server

import "github.com/gangway-go/gangway/conformance"

// RFC 3875 section 6.3.2, Location.
func cgi632() []conformance.Case {
	return []conformance.Case{{
		Name:   "cgi/6.3.2/location-absolute-fragment",
		Quote:  "It is either an absolute URI (optionally with a fragment identifier)",
		Level:  conformance.Must,
		Sends:  "a response with Location: http://example.org/x?y#f only",
		Passes: "answers 302 with that Location, fragment included",
		Run: test(func(t *T) {
			r := t.Reply("Location: http://example.org/x?y#f\n\n")
			t.Want(r, 302)
			t.WantField(r, "Location", "http://example.org/x?y#f")
		}),
	}, {
		Name: "cgi/6.3.2/location-relative", Level: conformance.Robustness,
		Quote: "The local URI path and query must be an absolute path, and not a relative path or NULL, and hence " +
			"must start with a \"/\".",
		Sends: "a response with Location: foo only", Passes: "redirects the client, or answers with a 5xx status",
		Run: test(func(t *T) {
			r := t.Reply("Location: foo\n\n")
			t.Want(r, 3, 5)
			t.Check(r.Status >= 500 || r.Get("Location") != "", "%v without Location", r)
		}),
	}, {
		Name: "cgi/6.3.2/location-protocol-relative", Level: conformance.Security,
		Quote:  "What a browser takes for another host must not be a path of this one, nor the other way round.",
		Sends:  "a response with Location: //HOST/app2/x, where HOST is the server's own name",
		Passes: "leaves the redirect to the client, or refuses the response; the program is not asked",
		Run: test(func(t *T) {
			response := "Location: //" + t.host() + t.At("/app2/x") + "?" + t.token + "\n\n"
			_, r := t.Do(t.Request("GET", "/app/reply", ""), CGI(response), OK)
			t.Check(len(t.Exchanges) == 1, "the server asked for %s itself",
				t.Exchanges[len(t.Exchanges)-1].Get("REQUEST_URI"))
			t.Valid(r)
		}),
	}, {
		Name: "cgi/6.3.2/location-crlf", Level: conformance.Security,
		Quote:  "A CR that ends a line for some clients must not let an application's data add fields to a response.",
		Sends:  "a response with Location: http://example.org/<CR>Injected: 1 only",
		Passes: "cleans the field or answers with a 5xx status; the client gets no CR",
		Run: test(func(t *T) {
			r := t.Reply("Location: http://example.org/\rInjected: 1\n\n")
			t.Want(r, 200, 3, 5)
			t.WantNoField(r, "Injected")
		}),
	}}
}
