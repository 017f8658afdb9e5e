package app

import (
	"fmt"
	"strings"

	"github.com/gangway-go/gangway/conformance"
	"github.com/gangway-go/gangway/fastcgi/wire"
)

const unknownTypeQuote = "When an application receives a management record whose type T it does not understand, the " +
	"application responds with {FCGI_UNKNOWN_TYPE, 0, {T}}."

// fcgi42 has the cases of FastCGI 1.0 section 4.2, FCGI_UNKNOWN_TYPE.
func fcgi42() []conformance.Case { return append(fcgi42Records(), fcgi42Types()...) }

func fcgi42Records() []conformance.Case {
	return []conformance.Case{{
		Name: "fcgi/4.2/unknown-mgmt-then-request", Quote: unknownTypeQuote, Level: conformance.Must,
		Sends:  "a management record of type 100 and then a request, in one piece",
		Passes: "answers FCGI_UNKNOWN_TYPE and serves the request",
		Run: test(func(t *T) {
			c := t.Connect()
			c.Send(rec(100, 0, ""), t.Get("").Bytes())
			t.checkUnknown(c.Record(), 100)
			c.Served(1)
		}),
	}, {
		Name: "fcgi/4.2/unknown-mgmt-during-request", Quote: unknownTypeQuote, Level: conformance.Must,
		Sends:  "a management record of type 100 between FCGI_PARAMS and FCGI_STDIN of a request",
		Passes: "answers FCGI_UNKNOWN_TYPE and serves the request",
		Run: test(func(t *T) {
			c, r := t.Connect(), t.Post("", []byte("abc"))
			c.Send(r.Begin(), r.Params(), rec(100, 0, ""), r.Stdin())
			t.checkUnknown(c.Expect(wire.TypeUnknownType), 100)
			c.Served(1)
		}),
	}, {
		Name: "fcgi/4.2/unknown-mgmt-with-content", Level: conformance.Must,
		Quote:  "The set of management record types is likely to grow in future versions of this protocol.",
		Sends:  "a management record of type 100 with 60 000 bytes of content and 255 of padding, then a request",
		Passes: "answers FCGI_UNKNOWN_TYPE, skips the content and serves the request",
		Run: test(func(t *T) {
			c := t.Connect()
			c.Send(pad(rec(100, 0, strings.Repeat("\x01", 60000)), 255, 1), t.Get("").Bytes())
			t.checkUnknown(c.Record(), 100)
			c.Served(1)
		}),
	}, {
		Name: "fcgi/4.2/unknown-type-reserved-zero", Level: conformance.Should,
		Quote: "The contentData component of a FCGI_UNKNOWN_TYPE record has the form: typedef struct { unsigned char " +
			"type; unsigned char reserved[7]; } FCGI_UnknownTypeBody;",
		Sends:  "a management record of type 99",
		Passes: "answers FCGI_UNKNOWN_TYPE whose reserved bytes are 0, and not what happened to be in memory",
		Run: test(func(t *T) {
			c := t.Connect()
			c.Send(rec(99, 0, ""))
			r := c.Record()
			t.checkUnknown(r, 99)
			t.Check(string(r.content[1:]) == strings.Repeat("\x00", 7), "FCGI_UNKNOWN_TYPE with the content % x", r.content)
		}),
	}, {
		Name: "fcgi/4.2/unknown-mgmt-each-answered", Quote: unknownTypeQuote, Level: conformance.Must,
		Sends:  "management records of types 50, 51 and 52 in one piece",
		Passes: "answers each with FCGI_UNKNOWN_TYPE and its type",
		Run: test(func(t *T) {
			c := t.Connect()
			c.Send(rec(50, 0, ""), rec(51, 0, "x"), rec(52, 0, "xy"))
			for _, unknown := range []wire.Type{50, 51, 52} {
				t.checkUnknown(c.Record(), unknown)
			}
		}),
	}}
}

func fcgi42Types() (cases []conformance.Case) {
	for _, unknown := range []wire.Type{0, 12, 77, 200, 255} {
		cases = append(cases, conformance.Case{
			Name:  fmt.Sprintf("fcgi/4.2/unknown-mgmt-type-%d", unknown),
			Quote: unknownTypeQuote, Level: conformance.Must, Family: "fcgi/4.2/unknown-mgmt-type",
			Sends:  fmt.Sprintf("a management record of type %d", unknown),
			Passes: fmt.Sprintf("answers FCGI_UNKNOWN_TYPE of eight bytes with request id 0 and type %d", unknown),
			Run: test(func(t *T) {
				c := t.Connect()
				c.Send(rec(unknown, 0, ""))
				t.checkUnknown(c.Record(), unknown)
			}),
		})
	}
	return cases
}

// checkUnknown fails unless r is FCGI_UNKNOWN_TYPE for the type.
func (t *T) checkUnknown(r record, unknown wire.Type) {
	t.Check(r.Type == wire.TypeUnknownType, "the answer is %v", r)
	t.Check(r.RequestID == 0, "FCGI_UNKNOWN_TYPE with request id %d", r.RequestID)
	t.Check(len(r.content) == wire.BodyLen && r.content[0] == byte(unknown), "FCGI_UNKNOWN_TYPE with the content % x",
		r.content)
}
