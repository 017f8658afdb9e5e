package server

import (
	"strings"

	"github.com/gangway-go/gangway/conformance"
)

// RFC 3875 section 6.3.3, Status.
func cgi633() []conformance.Case {
	const digits = "The Status header field contains a 3-digit integer result code that indicates the level of " +
		"success of the " +
		"script's attempt to handle the request."
	return []conformance.Case{{
		Name: "cgi/6.3.3/status-404", Quote: digits, Level: conformance.Must,
		Sends: "a response with Status: 404 Nope", Passes: "answers 404, and sends no field Status",
		Run: test(func(t *T) {
			r := t.Reply("Status: 404 Nope\n" + plain + "\nbody")
			t.Intact(r, 404, "body")
			t.WantNoField(r, "Status")
		}),
	}, {
		Name: "cgi/6.3.3/status-extension-code",
		Quote: "Other valid status codes are listed in section 6.1.1 of the HTTP specifications [1], [4], and " +
			"also the IANA HTTP Status Code Registry [8] and MAY be used",
		Level: conformance.Must,
		Sends: "responses with Status: 207, 299, 422 and 507", Passes: "answers with that status and the body",
		Run: test(func(t *T) {
			for code, status := range map[string]int{"207": 207, "299": 299, "422": 422, "507": 507} {
				t.Intact(t.Reply("Status: "+code+" Conform\n"+plain+"\nbody"), status, "body")
			}
		}),
	}, {
		Name: "cgi/6.3.3/status-reason-phrase", Level: conformance.May,
		Quote: "The reason-phrase is a textual description of the error to be returned to the client for human " +
			"consumption.",
		Sends: "a response with Status: 404 Gone Fishing", Passes: "sends that reason phrase",
		Run: test(func(t *T) {
			r := t.Reply("Status: 404 Gone Fishing\n" + plain + "\nbody")
			t.Intact(r, 404, "body")
			t.Check(r.Reason == "Gone Fishing", "the reason phrase %q", r.Reason)
		}),
	}, {
		Name: "cgi/6.3.3/status-no-reason", Quote: "reason-phrase  = *TEXT", Level: conformance.Robustness,
		Sends: "a response with \"Status: 404\"", Passes: "answers 404",
		Run: test(func(t *T) { t.Intact(t.Reply("Status: 404\n"+plain+"\nbody"), 404, "body") }),
	}, {
		Name: "cgi/6.3.3/status-reason-utf8", Quote: "reason-phrase  = *TEXT", Level: conformance.Robustness,
		Sends:  "a response with Status: 404 and a reason phrase with a letter outside of ASCII",
		Passes: "answers 404; all that the client gets is HTTP",
		Run:    test(func(t *T) { t.Intact(t.Reply("Status: 404 caf\xc3\xa9\n"+plain+"\nbody"), 404, "body") }),
	}, {
		Name: "cgi/6.3.3/status-201-no-location", Quote: digits, Level: conformance.Must,
		Sends: "a response with Status: 201 Created", Passes: "answers 201",
		Run: test(func(t *T) { t.Intact(t.Reply("Status: 201 Created\n"+plain+"\nbody"), 201, "body") }),
	}, {
		Name: "cgi/6.3.3/status-401-challenges", Spec: "RFC 9110 section 15.5.2; RFC 3875", Level: conformance.Must,
		Quote:  "The server generating a 401 response MUST send a WWW-Authenticate header field",
		Sends:  "a response with Status: 401 and two WWW-Authenticate fields",
		Passes: "answers 401 with both challenges",
		Run: test(func(t *T) {
			r := t.Reply("Status: 401 Unauthorized\nWWW-Authenticate: Basic realm=\"a, b\"\nWWW-Authenticate: " +
				"X-Conform\n" + plain + "\nbody")
			t.Intact(r, 401, "body")
			got := strings.Join(r.Values("WWW-Authenticate"), ", ")
			t.Check(got == `Basic realm="a, b", X-Conform`, "WWW-Authenticate: %q", r.Values("WWW-Authenticate"))
		}),
	}}
}

// cgi633Bad are about statuses that are none, or that a final response cannot have.
func cgi633Bad() []conformance.Case {
	bad := func(name, value string) conformance.Case {
		return conformance.Case{
			Name: "cgi/6.3.3/" + name, Family: "cgi/6.3.3/no-status",
			Quote: aboutConformity,
			Level: conformance.Robustness,
			Sends: "a response with Status: " + value, Passes: "answers with a 5xx status that is one",
			Run: test(func(t *T) {
				r := t.Reply("Status: " + value + "\n" + plain + "\nbody")
				t.Want(r, 5)
			}),
		}
	}
	interim := func(name, fields string) conformance.Case {
		return conformance.Case{
			Name: "cgi/6.3.3/" + name, Spec: "RFC 9110 section 15.2; RFC 3875", Level: conformance.Security,
			Quote: "A client that takes an interim response for the final one, or the other way round, gets the " +
				"answers to others.",
			Sends: "a response with " + strings.ReplaceAll(strings.TrimSpace(fields), "\n",
				", ") + ", Content-Type and a body",
			Passes: "answers with a 5xx status, or takes the response for an interim one",
			Run: test(func(t *T) {
				_, r := t.try(t.Request("GET", "/app/reply", ""), CGI(fields+plain+"\nbody"))
				t.Check(r.Status != 101 && r.End != Silent, "%v, after %v", r, r.Interim)
				t.Passed(r)
			}),
		}
	}
	return []conformance.Case{
		bad("status-99", "99 X"), bad("status-000", "000 X"), bad("status-1000", "1000 X"), bad("status-abc", "abc"),
		bad("status-signed", "+404 X"), bad("status-glued", "404X"),
		interim("status-100", "Status: 100 Continue\n"),
		interim("status-101", "Status: 101 Switching Protocols\nUpgrade: x-conform\nConnection: upgrade\n"),
		{
			Name: "cgi/6.3.3/status-103", Spec: "RFC 8297 section 2; RFC 3875", Level: conformance.May,
			Quote:  "A server can generate a 103 (Early Hints) informational response before sending a final response.",
			Sends:  "a block with Status: 103 and Link, and then a whole response",
			Passes: "answers with that response, after the hints or without them",
			Run: test(func(t *T) {
				_, r := t.try(t.Request("GET", "/app/reply", ""), CGI("Status: 103 Early Hints\nLink: </a>; "+
					"rel=preload\n\n"+plain+"\nbody"))
				t.Intact(r, 200, "body")
				t.Info("interim responses: %v", r.Interim)
			}),
		},
	}
}
