package script

import (
	"regexp"
	"slices"
	"strings"

	"github.com/gangway-go/gangway/conformance"
)

// page says what the cases about the form of a response send.
const page = "a GET, and a FOO, which makes an error page"

var headerCases = []conformance.Case{{
	Name:   "script/6.3/at-least-one-cgi-field",
	Quote:  "At least one CGI field MUST be supplied",
	Level:  conformance.Must,
	Needs:  []string{needParsed},
	Sends:  page,
	Passes: "sends Content-Type, Location or Status each time",
	Run: test(func(t *T) {
		t.each(func(r *response) {
			t.Check(r.has("Content-Type") || r.has("Location") || r.has("Status"), "no CGI field: %.200q", r.stdout)
		})
	}),
}, {
	Name:   "script/6.3/cgi-fields-once",
	Quote:  "each CGI field MUST NOT appear more than once in the response.",
	Level:  conformance.Must,
	Sends:  page,
	Passes: "sends Content-Type, Location and Status at most once each",
	Run: test(func(t *T) {
		t.each(func(r *response) {
			for _, name := range []string{"Content-Type", "Location", "Status"} {
				t.Check(len(r.values(name)) < 2, "%s: %q", name, r.values(name))
			}
		})
	}),
}, {
	Name:   "script/6.3/field-syntax",
	Quote:  `Whitespace is permitted between the ":" and the field-value (but not between the field-name and the ":")`,
	Level:  conformance.Must,
	Sends:  page,
	Passes: `sends lines that are a token, at once a ":", and a value`,
	Run: test(func(t *T) {
		t.lines(func(l line) { t.Check(l.folded() || l.field(), "a line that is no field: %q", l.text) })
	}),
}, {
	Name: "script/6.3/no-continuation",
	Quote: "Note that each header field in a CGI-Response MUST be specified on a single line; CGI/1.1 does not support " +
		"continuation lines.",
	Level:  conformance.Must,
	Sends:  page,
	Passes: "sends no line that begins with a space or a tab",
	Run:    test(func(t *T) { t.lines(func(l line) { t.Check(!l.folded(), "a continuation line: %q", l.text) }) }),
}, {
	Name:   "script/6.3/content-type-not-null",
	Quote:  "A NULL field value is equivalent to a field not being sent.",
	Level:  conformance.Must,
	Sends:  page,
	Passes: "sends no empty Content-Type",
	Run: test(func(t *T) {
		t.each(func(r *response) { t.Check(!slices.Contains(r.values("Content-Type"), ""), "an empty Content-Type") })
	}),
}, {
	Name: "script/6.3/no-control-characters",
	Quote: "A CR or NUL within a field is the end of the line to some and not to others: clients and proxies see " +
		"other responses.",
	Level:  conformance.Security,
	Sends:  page,
	Passes: "sends no control character within a field, but for the tab",
	Run: test(func(t *T) {
		t.lines(func(l line) { t.Check(!control.MatchString(l.text), "a control character: %q", l.text) })
	}),
}, {
	Name:   "script/7.2/newline-is-lf",
	Quote:  "The newline (NL) sequence is LF; servers should also accept CR LF as a newline.",
	Level:  conformance.May,
	Needs:  []string{needParsed},
	Sends:  page,
	Passes: "ends the lines of the header with LF alone",
	Run:    test(func(t *T) { t.lines(func(l line) { t.Check(l.newline == "\n", "CR LF after %q", l.text) }) }),
}, {
	Name:   "script/7.2/newlines-not-mixed",
	Quote:  "A server that takes the newline from the first line sees no end of the header.",
	Level:  conformance.Robustness,
	Sends:  page,
	Passes: "ends all lines of a header in the same way, the empty one too",
	Run: test(func(t *T) {
		t.each(func(r *response) {
			header := string(r.stdout[:len(r.stdout)-len(r.body)])
			crlf, lf := strings.Count(header, "\r\n"), strings.Count(header, "\n")
			t.Check(crlf == 0 || crlf == lf, "%d lines of %d end with CR LF", crlf, lf)
		})
	}),
}}

var control = regexp.MustCompile("[\x00-\x08\x0a-\x1f\x7f]")

// lines checks each line of the headers.
func (t *T) lines(check func(l line)) {
	t.each(func(r *response) {
		for _, l := range r.header {
			check(l)
		}
	})
}

var (
	mediaType = regexp.MustCompile(`^` + tokens + `/` + tokens + `( *; *` + tokens + `=(` + tokens + `|"[^"]*"))*$`)
	cgiStatus = regexp.MustCompile(`^[1-9][0-9][0-9] `)
)

const tokens = "[!#$%&'*+.^_`|~0-9A-Za-z-]+"

// connectionFields belong to one connection, which is the server's.
var connectionFields = []string{
	"Connection", "Keep-Alive", "Proxy-Connection", "Proxy-Authenticate", "TE", "Trailer", "Transfer-Encoding", "Upgrade",
}

func fieldCases() []conformance.Case {
	return slices.Concat(statusCases(), []conformance.Case{{
		Name:   "script/6.3.1/content-type-syntax",
		Quote:  `Content-Type = "Content-Type:" media-type NL`,
		Level:  conformance.Must,
		Sends:  page,
		Passes: "sends a Content-Type that is type/subtype and parameters",
		Run: test(func(t *T) {
			t.each(func(r *response) {
				value := r.value("Content-Type")
				t.Check(value == "" || mediaType.MatchString(value), "Content-Type: %s", value)
			})
		}),
	}, {
		Name:   "script/6.3.1/charset-for-text",
		Quote:  "Hence the script SHOULD include a charset parameter.",
		Level:  conformance.Should,
		Sends:  page,
		Passes: "sends a charset with each Content-Type: text/…",
		Run: test(func(t *T) {
			t.each(func(r *response) {
				value := strings.ToLower(r.value("Content-Type"))
				t.Check(!strings.HasPrefix(value, "text/") || strings.Contains(value, "charset="), "Content-Type: %s", value)
			})
		}),
	}, {
		Name: "script/6.3.4/no-connection-headers",
		Quote: "The script MUST NOT return any header fields that relate to client-side communication issues and could " +
			"affect the server's ability to send the response to the client.",
		Level:  conformance.Must,
		Needs:  []string{needParsed},
		Sends:  page,
		Passes: "sends none of " + strings.Join(connectionFields, ", "),
		Run: test(func(t *T) {
			t.each(func(r *response) {
				for _, name := range connectionFields {
					t.Check(!r.has(name), "%s: %s", name, r.value(name))
				}
			})
		}),
	}, {
		Name: "script/6.3.4/content-length-true",
		Quote: "The script MUST NOT return any header fields that relate to client-side communication issues and could " +
			"affect the server's ability to send the response to the client.",
		Level:  conformance.Must,
		Needs:  []string{needParsed},
		Sends:  page,
		Passes: "sends a body of Content-Length bytes, if it sends Content-Length",
		Run:    test(func(t *T) { t.each(t.lengthIsTrue) }),
	}, {
		Name: "script/8.2/cgi-fields-first",
		Quote: "When returning header fields, the script should try to send the CGI header fields as soon as possible, and " +
			"should send them before any HTTP header fields.",
		Level:  conformance.Should,
		Needs:  []string{needParsed},
		Sends:  page,
		Passes: "sends Content-Type, Location and Status before other fields",
		Run:    test((*T).cgiFirst),
	}})
}

func (t *T) cgiFirst() {
	t.each(func(r *response) {
		other := ""
		for _, l := range r.header {
			if !l.is("Content-Type") && !l.is("Location") && !l.is("Status") {
				other = l.name()
			} else {
				t.Check(other == "", "%s before %s", other, l.name())
			}
		}
	})
}

func statusCases() []conformance.Case {
	return []conformance.Case{{
		Name:   "script/6.3.3/status-syntax",
		Quote:  `Status         = "Status:" status-code SP reason-phrase NL`,
		Level:  conformance.Must,
		Needs:  []string{needParsed},
		Sends:  page,
		Passes: "sends a Status of three digits, a space and a reason, if it sends Status",
		Run: test(func(t *T) {
			t.lines(func(l line) {
				_, value, _ := strings.Cut(l.text, ":")
				t.Check(!l.is("Status") || cgiStatus.MatchString(strings.TrimLeft(value, " \t")), "%q", l.text)
			})
		}),
	}, {
		Name:   "script/6.3.3/http11-codes-on-10",
		Quote:  "The script SHOULD check the value of SERVER_PROTOCOL before using HTTP/1.1 status codes.",
		Level:  conformance.Should,
		Sends:  "a FOO and a POST of an unknown type, both with SERVER_PROTOCOL=HTTP/1.0",
		Passes: "gives no status that HTTP/1.0 does not know, as 405 and 415",
		Run: test(func(t *T) {
			for _, r := range []*request{t.request(unknownMethod), t.post("application/x-foo", "abc")} {
				status := t.send(r.set("SERVER_PROTOCOL", "HTTP/1.0")).status()
				t.Check(status == 0 || slices.Contains(http10, status), "status %d", status)
			}
		}),
	}}
}

// http10 are the status codes of RFC 1945 section 6.1.1.
var http10 = []int{200, 201, 202, 204, 301, 302, 304, 400, 401, 403, 404, 500, 501, 502, 503}
