package app

import (
	"fmt"
	"slices"

	"github.com/gangway-go/gangway/conformance"
	"github.com/gangway-go/gangway/conformance/echo"
	"github.com/gangway-go/gangway/fastcgi/wire"
)

// fcgi51 has the cases of FastCGI 1.0 section 5.1, FCGI_BEGIN_REQUEST.
func fcgi51() []conformance.Case {
	return slices.Concat(fcgi51Closes(), fcgi51Keeps(), fcgi51Body(), fcgi51UnknownRoles(), fcgi51Roles())
}

const (
	quoteCloses = "flags & FCGI_KEEP_CONN: If zero, the application closes the connection after responding to this " +
		"request."
	quoteKeeps = "If not zero, the application does not close the connection after responding to this request; the " +
		"Web server retains responsibility for the connection."
)

func fcgi51Closes() []conformance.Case {
	return []conformance.Case{{
		Name: "fcgi/5.1/keepconn-0-closes", Quote: quoteCloses, Level: conformance.Must,
		Sends:  "a request without FCGI_KEEP_CONN",
		Passes: "closes the connection after the response",
		Run: test(func(t *T) {
			c := t.Connect()
			c.Ask(t.Get(""))
			c.UntilClosed()
		}),
	}, {
		Name: "fcgi/5.1/keepconn-then-0", Quote: quoteCloses, Level: conformance.Must, DependsOn: []string{keepCase},
		Sends:  "a request with FCGI_KEEP_CONN and then one without",
		Passes: "closes the connection after the second response",
		Run: test(func(t *T) {
			c := t.Connect()
			c.Serves()
			c.Ask(t.Get(""))
			c.UntilClosed()
		}),
	}, {
		Name: "fcgi/5.1/flags-other-bits", Quote: quoteCloses, Level: conformance.Must,
		Sends:  "a request with all bits of flags set but FCGI_KEEP_CONN",
		Passes: "closes the connection after the response",
		Run: test(func(t *T) {
			c, r := t.Connect(), t.Get("")
			r.Flags = 0xFE
			c.Ask(r)
			c.UntilClosed()
		}),
	}, {
		Name: "fcgi/5.1/close-after-whole-response", Quote: quoteCloses, Level: conformance.Must, Echo: true,
		Sends:  "a request without FCGI_KEEP_CONN for 1 MiB, and begins to read later",
		Passes: "sends all of the response before it closes the connection",
		Run: test(func(t *T) {
			c := t.Connect()
			c.Send(t.Get("large=1048576").Bytes())
			t.Sleep(t.Patience() / 2)
			t.checkLarge(c.Served(1), 1<<20)
		}),
	}}
}

func fcgi51Keeps() []conformance.Case {
	return []conformance.Case{{
		Name: "fcgi/5.1/keepconn-1-stays-open", Quote: quoteKeeps, Level: conformance.Must,
		Sends:  "a request with FCGI_KEEP_CONN",
		Passes: "leaves the connection open after the response, and sends nothing more",
		Run: test(func(t *T) {
			c := t.Connect()
			c.Ask(t.Get("").Keep())
			more, open := c.Quiet(t.Patience())
			t.Check(open, "it closed the connection")
			t.Check(len(more) == 0, "it sent %v after the end of the request", more)
		}),
	}, {
		Name: keepCase, Quote: quoteKeeps, Level: conformance.Must,
		Sends:  "two POST requests with FCGI_KEEP_CONN over one connection, one after the other",
		Passes: "serves both",
		Run: test(func(t *T) {
			c := t.Connect()
			c.Ask(t.Post("", []byte("first")).Keep())
			c.Ask(t.Post("", []byte("second")).Keep())
		}),
	}, {
		Name: "fcgi/5.1/flags-keepconn-and-others", Quote: quoteKeeps, Level: conformance.Must,
		DependsOn: []string{keepCase},
		Sends:     "two requests with all bits of flags set over one connection",
		Passes:    "serves both",
		Run: test(func(t *T) {
			c, r := t.Connect(), t.Get("")
			r.Flags = 0xFF
			c.Ask(r)
			c.Ask(r)
		}),
	}}
}

// begin is the record FCGI_BEGIN_REQUEST of request 1 with the content, which the specification makes eight bytes long.
func begin(content string) []byte { return rec(wire.TypeBeginRequest, 1, content) }

func fcgi51Body() []conformance.Case {
	const quote = "The contentData component of a FCGI_BEGIN_REQUEST record has the form: typedef struct { unsigned " +
		"char roleB1; unsigned char roleB0; unsigned char flags; unsigned char reserved[5]; } FCGI_BeginRequestBody;"
	short := func(slug, sends, content string) conformance.Case {
		return conformance.Case{
			Name: "fcgi/5.1/" + slug, Quote: quote, Level: conformance.Robustness,
			Sends: "a request whose FCGI_BEGIN_REQUEST has " + sends + ", then another request over the same " +
				"connection",
			Passes: "does not serve the first, and serves the second or closes the connection",
			Run: test(func(t *T) {
				c := t.Connect()
				c.Send(begin(content), t.Get("").Params(), t.Get("").Stdin(), t.Get("").As(2).Bytes())
				r := c.Collect(1, 2)
				t.Check(!r[0].served(), "it served the request")
				if r[1].silent {
					t.Hang("neither a response nor the end of the connection; before: %s", c.heard())
				}
			}),
		}
	}
	return []conformance.Case{
		short("begin-short-body", "two bytes of content", "\x00\x01"),
		short("begin-empty-body", "no content", ""),
		{
			Name: "fcgi/5.1/begin-long-body", Quote: quote, Level: conformance.Robustness,
			Sends: "a request whose FCGI_BEGIN_REQUEST has eight bytes more than it should, which look like the " +
				"record FCGI_GET_VALUES",
			Passes: "serves the request or refuses it, and does not answer the bytes",
			Run: test(func(t *T) {
				c := t.Connect()
				c.Send(begin("\x00\x01\x00\x00\x00\x00\x00\x00\x01\x09\x00\x00\x00\x00\x00\x00"),
					t.Get("").Params(), t.Get("").Stdin())
				c.Settled(1)
				i := slices.IndexFunc(c.got, func(r record) bool { return r.RequestID == 0 })
				t.Check(i < 0, "it took them for a record: %s", c.heard())
			}),
		}, {
			Name: "fcgi/5.1/begin-twice-same-id", Level: conformance.Robustness,
			Quote: "Harm: variables of a request that the web server has given up get into the next one; two " +
				"responses for one request put all later responses of the connection out of step.",
			Sends:  "FCGI_BEGIN_REQUEST and a variable, and the whole request with the same id behind it",
			Passes: "ends the request at most twice, and does not mix the variables of both",
			Run: test(func(t *T) {
				c, r := t.Connect(), t.Get("")
				c.Send(r.Begin(), rec(wire.TypeParams, 1, "\x0c\x03HTTP_X_FIRSTyes"), r.Bytes())
				first := c.Settled(1)
				more, _ := c.Quiet(t.Patience())
				ends := slices.DeleteFunc(more, func(r record) bool { return r.Type != wire.TypeEndRequest })
				t.Check(len(ends) <= 1, "it ended the request %d times", 1+len(ends))
				if reply, _ := parseReply(first.stdout); t.target.echo && first.served() {
					seen, err := echo.Parse(reply.body)
					t.Check(err != nil || seen.Values("HTTP_X_FIRST") == nil, "it served the request with variables "+
						"of both")
				}
			}),
		},
	}
}

func fcgi51UnknownRoles() []conformance.Case {
	const quote = "FCGI_UNKNOWN_ROLE: rejecting a new request. This happens when the Web server has specified a " +
		"role that is unknown to the application."
	var cases []conformance.Case
	for _, role := range []wire.Role{0, 99, 257} {
		cases = append(cases, conformance.Case{
			Name:   fmt.Sprintf("fcgi/5.1/unknown-role-%d", role),
			Family: "fcgi/5.1/unknown-role", Quote: quote, Level: conformance.Must,
			Sends:  fmt.Sprintf("a request with role %d", role),
			Passes: "ends it with FCGI_UNKNOWN_ROLE and without output",
			Run: test(func(t *T) {
				c, r := t.Connect(), t.Get("")
				r.Role = role
				c.Send(r.Bytes())
				t.checkUnknownRole(c.Response(1))
			}),
		})
	}
	return append(cases, conformance.Case{
		Name: "fcgi/5.1/unknown-role-keepconn-reuse", Quote: quoteKeeps, Level: conformance.Should,
		DependsOn: []string{keepCase},
		Sends: "a request with role 99 and FCGI_KEEP_CONN, and a plain one with the same id over the same " +
			"connection",
		Passes: "ends the first with FCGI_UNKNOWN_ROLE and serves the second",
		Run: test(func(t *T) {
			c, r := t.Connect(), t.Get("").Keep()
			r.Role = 99
			c.Send(r.Bytes())
			t.checkUnknownRole(c.Response(1))
			c.Serves()
		}),
	})
}

func (t *T) checkUnknownRole(r *response) {
	t.Check(r.end.ProtocolStatus == wire.StatusUnknownRole, "it ended with %v", r.end.ProtocolStatus)
	t.Check(len(r.stdout)+len(r.stderr) == 0, "%d bytes of output for a request that it "+
		"rejects", len(r.stdout)+len(r.stderr))
}

// Filter is a request in the role Filter, with the stream FCGI_DATA to be sent behind it.
func (t *T) Filter(body, data string) (*request, []byte) {
	r := t.Post("", []byte(body), "FCGI_DATA_LAST_MOD", "825552000", "FCGI_DATA_LENGTH", fmt.Sprint(len(data)))
	r.Role = wire.RoleFilter
	return r, wire.AppendEnd(wire.AppendStream(nil, wire.TypeData, 1, []byte(data)), wire.TypeData, 1)
}

// Authorizer is a request in the role Authorizer, without the variables that section 6.3 excludes.
func (t *T) Authorizer() *request {
	r := t.Get("")
	r.Role = wire.RoleAuthorizer
	r.Vars = slices.DeleteFunc(r.Vars, func(v pair) bool { return v.name == "PATH_INFO" || v.name == "SCRIPT_NAME" })
	return r
}

// played says whether the response shows that the target plays the role of the request, and fails if it neither does
// nor says that it does not.
func (t *T) played(r *response) bool {
	if r.end.ProtocolStatus == wire.StatusUnknownRole {
		t.Check(len(r.stdout) == 0, "output for a request that it rejects")
		return false
	}
	t.Check(r.served(), "neither a response nor FCGI_UNKNOWN_ROLE: %v, %.80q", r.end.ProtocolStatus, r.stdout)
	return true
}

func fcgi51Roles() []conformance.Case {
	const quote = "The role component sets the role the Web server expects the application to play. The " +
		"currently-defined roles are: FCGI_RESPONDER FCGI_AUTHORIZER FCGI_FILTER"
	return []conformance.Case{{
		Name: "fcgi/5.1/role-authorizer", Quote: quote, Level: conformance.May,
		Sends:  "a request in the role Authorizer, which has no FCGI_STDIN",
		Passes: "serves it or ends it with FCGI_UNKNOWN_ROLE",
		Run: test(func(t *T) {
			c, r := t.Connect(), t.Authorizer()
			c.Send(r.Begin(), r.Params())
			t.Info("Authorizer: %v", t.played(c.Response(1)))
		}),
	}, {
		Name: "fcgi/5.1/role-filter", Quote: quote, Level: conformance.May,
		Sends:  "a request in the role Filter with FCGI_DATA",
		Passes: "serves it or ends it with FCGI_UNKNOWN_ROLE",
		Run: test(func(t *T) {
			c := t.Connect()
			r, data := t.Filter("abc", "defg")
			c.Send(r.Bytes(), data)
			t.Info("Filter: %v", t.played(c.Response(1)))
		}),
	}}
}
