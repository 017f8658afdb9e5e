package app

import (
	"fmt"

	"github.com/gangway-go/gangway/conformance"
	"github.com/gangway-go/gangway/fastcgi/wire"
)

const (
	quoteID    = "requestId: Identifies the FastCGI request to which the record belongs."
	quoteReuse = "The Web server re-uses FastCGI request IDs; the application keeps track of the current state of each " +
		"request ID on a given transport connection."
	quoteInactive = "While a request ID R is inactive, the application ignores records with requestId == R, except for " +
		"FCGI_BEGIN_REQUEST records as just described."
	quoteNullID = "Management records have a requestId value of zero, also called the null request ID. Application " +
		"records have a nonzero requestId."
)

// keepCase is the case without which others that need a kept connection say nothing.
const keepCase = "fcgi/5.1/keepconn-second-request"

func fcgi33IDs() []conformance.Case {
	var cases []conformance.Case
	for _, id := range []struct {
		slug string
		id   uint16
	}{{"1", 1}, {"255", 255}, {"258-byte-order", 0x0102}, {"32768", 32768}, {"65535", 65535}} {
		cases = append(cases, conformance.Case{
			Name:   "fcgi/3.3/request-id-" + id.slug,
			Family: "fcgi/3.3/request-id",
			Quote:  quoteID,
			Level:  conformance.Must,
			Sends:  fmt.Sprintf("a plain request with the id %d", id.id),
			Passes: "serves it with records of this id only",
			Run: test(func(t *T) {
				c := t.Connect()
				c.Ask(t.Get("").As(id.id))
				for _, r := range c.got {
					t.Check(r.RequestID == id.id, "it sent %v", r)
				}
			}),
		})
	}
	return append(append(cases, fcgi33Reuse()...), fcgi33Inactive()...)
}

func fcgi33Reuse() []conformance.Case {
	return []conformance.Case{{
		Name:  "fcgi/3.3/request-id-reuse",
		Quote: quoteReuse,
		Level: conformance.Must, DependsOn: []string{keepCase},
		Sends:  "ten plain requests with the same id over one connection, one after the other",
		Passes: "serves them all",
		Run: test(func(t *T) {
			c := t.Connect()
			for range 10 {
				c.Serves()
			}
		}),
	}, {
		Name:  "fcgi/3.3/request-id-change",
		Quote: quoteReuse,
		Level: conformance.Must, DependsOn: []string{keepCase},
		Sends:  "plain requests with the ids 1, 2, 1, 300 over one connection, one after the other",
		Passes: "serves each with records of its id only",
		Run: test(func(t *T) {
			c := t.Connect()
			for _, id := range []uint16{1, 2, 1, 300} {
				c.got = nil
				c.Ask(t.Get("").As(id).Keep())
				for _, r := range c.got {
					t.Check(r.RequestID == id, "it sent %v for request %d", r, id)
				}
			}
		}),
	}}
}

// Ignores sends records and a plain request with the id 1 over the same connection, and fails unless the request is
// served and nothing is sent for another one.
func (c *conn) Ignores(records ...[]byte) {
	c.Send(records...)
	c.Ask(c.t.Get(""))
	for _, r := range c.got {
		c.t.Check(r.RequestID == 1, "it sent %v", r)
	}
}

func fcgi33Inactive() []conformance.Case {
	ignored := func(slug, sends string, records []byte) conformance.Case {
		return conformance.Case{
			Name:   "fcgi/3.3/" + slug,
			Quote:  quoteInactive,
			Level:  conformance.Must,
			Sends:  sends + ", and a plain request with the id 1 over the same connection",
			Passes: "ignores the former and serves the request",
			Run:    test(func(t *T) { t.Connect().Ignores(records) }),
		}
	}
	return append([]conformance.Case{
		ignored("inactive-id-params-ignored", "FCGI_PARAMS and FCGI_STDIN of request 5, which has not begun",
			[]byte("\x01\x04\x00\x05\x00\x04\x00\x00\x01\x01AB"+"\x01\x04\x00\x05\x00\x00\x00\x00"+
				"\x01\x05\x00\x05\x00\x00\x00\x00")),
		ignored("inactive-id-abort-ignored", "FCGI_ABORT_REQUEST of request 5, which has not begun",
			[]byte("\x01\x02\x00\x05\x00\x00\x00\x00")),
		ignored("inactive-id-unknown-type-ignored", "a record of type 99 of request 5, which has not begun",
			[]byte("\x01\x63\x00\x05\x00\x04\x00\x00abcd")),
	}, fcgi33InactiveLater()...)
}

func fcgi33InactiveLater() []conformance.Case {
	return []conformance.Case{{
		Name:  "fcgi/3.3/inactive-id-stdin-after-end",
		Quote: quoteInactive,
		Level: conformance.Must, DependsOn: []string{keepCase},
		Sends:  "FCGI_STDIN of a request after its FCGI_END_REQUEST, and a plain request over the same connection",
		Passes: "ignores the former and serves the request",
		Run: test(func(t *T) {
			c := t.Connect()
			c.Ask(t.Get("").As(2).Keep())
			c.got = nil
			c.Ignores([]byte("\x01\x05\x00\x02\x00\x04\x00\x00late\x01\x05\x00\x02\x00\x00\x00\x00"))
		}),
	}, {
		Name:  "fcgi/3.3/stray-id-interleaved-params",
		Quote: quoteInactive,
		Level: conformance.Must, Echo: true,
		Sends:  "FCGI_PARAMS of request 9, which has not begun, between two records FCGI_PARAMS of request 1",
		Passes: "serves request 1 with its own variables only",
		Run: test(func(t *T) {
			r, c := t.Get(""), t.Connect()
			c.Send(r.Begin(), rec(wire.TypeParams, 1, string(r.Pairs())),
				[]byte("\x01\x04\x00\x09\x00\x0b\x00\x00\x05\x04STRAYevil"),
				rec(wire.TypeParams, 1, "\x05\x03AFTERyes"), end(wire.TypeParams, 1), r.Stdin())
			e := t.Echo(c.Served(1).stdout)
			t.CheckVar(e, "AFTER", "yes")
			t.Check(len(e.Values("STRAY")) == 0, "a variable of request 9 in request 1")
		}),
	}, {
		Name:  "fcgi/3.3/stray-id-interleaved-stdin",
		Quote: quoteInactive + " Its bytes in another request's body are smuggled.",
		Level: conformance.Security, Echo: true,
		Sends:  `FCGI_STDIN "evil" of request 9, which has not begun, between two records FCGI_STDIN of request 1`,
		Passes: "does not hand it over in the body of request 1",
		Run: test(func(t *T) {
			r, c := t.Post("", []byte("abcdef")), t.Connect()
			c.Send(r.Begin(), r.Params(), rec(wire.TypeStdin, 1, "abc"), []byte("\x01\x05\x00\x09\x00\x04\x00\x00evil"),
				rec(wire.TypeStdin, 1, "def"), end(wire.TypeStdin, 1))
			if resp := c.Settled(1); resp.served() && t.Reply(resp.stdout).status < 400 {
				t.CheckBody(t.Echo(resp.stdout), r.Body)
			}
		}),
	}, {
		Name:   "fcgi/3.3/id-zero-begin",
		Quote:  quoteNullID,
		Level:  conformance.Robustness,
		Sends:  "a whole request with the id 0",
		Passes: "does not serve it",
		Run: test(func(t *T) {
			c := t.Connect()
			c.Send([]byte("\x01\x01\x00\x00\x00\x08\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00"), t.Get("").As(0).Bytes()[16:])
			t.Check(!c.Collect(0)[0].served(), "it served request 0")
		}),
	}}
}
