package app

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gangway-go/gangway/conformance"
	"github.com/gangway-go/gangway/fastcgi/wire"
)

// fcgi41 has the cases of FastCGI 1.0 section 4.1, FCGI_GET_VALUES, FCGI_GET_VALUES_RESULT.
func fcgi41() []conformance.Case {
	return slices.Concat(fcgi41Names(), fcgi41Queries(), fcgi41Strange(), fcgi41AnyTime(), fcgi41During(), fcgi41Truth())
}

// fcgi41Names has the cases about the three variables that are defined.
func fcgi41Names() []conformance.Case {
	return []conformance.Case{{
		Name: "fcgi/4.1/get-values-max-conns",
		Quote: `FCGI_MAX_CONNS: The maximum number of concurrent transport connections this application will ` +
			`accept, e.g. "1" or "10".`,
		Level:  conformance.Must,
		Sends:  "FCGI_GET_VALUES for FCGI_MAX_CONNS",
		Passes: "answers FCGI_GET_VALUES_RESULT with a decimal number",
		Run: test(func(t *T) {
			t.number(t.Connect().Values(wire.MaxConns), wire.MaxConns)
		}),
	}, {
		Name: "fcgi/4.1/get-values-max-reqs",
		Quote: `FCGI_MAX_REQS: The maximum number of concurrent requests this application will accept, e.g. "1" or ` +
			`"50".`,
		Level:  conformance.Must,
		Sends:  "FCGI_GET_VALUES for FCGI_MAX_REQS",
		Passes: "answers FCGI_GET_VALUES_RESULT with a decimal number",
		Run: test(func(t *T) {
			t.number(t.Connect().Values(wire.MaxReqs), wire.MaxReqs)
		}),
	}, {
		Name: "fcgi/4.1/get-values-mpxs-conns",
		Quote: `FCGI_MPXS_CONNS: "0" if this application does not multiplex connections (i.e. handle concurrent ` +
			`requests over each connection), "1" otherwise.`,
		Level:  conformance.Must,
		Sends:  "FCGI_GET_VALUES for FCGI_MPXS_CONNS",
		Passes: `answers FCGI_GET_VALUES_RESULT with "0" or "1"`,
		Run: test(func(t *T) {
			t.multiplexes(t.Connect().Values(wire.MpxsConns))
		}),
	}, {
		Name: "fcgi/4.1/get-values-all-three",
		Quote: "The application responds by sending a record {FCGI_GET_VALUES_RESULT, 0, ...} with the values " +
			"supplied.",
		Level:  conformance.Must,
		Sends:  "FCGI_GET_VALUES for all three variables",
		Passes: "answers one FCGI_GET_VALUES_RESULT with all three",
		Run: test(func(t *T) {
			t.CheckNames(t.Connect().Values(allValues...), allValues...)
		}),
	}, {
		Name:  "fcgi/4.1/result-wellformed",
		Quote: "The application responds by sending a record {FCGI_GET_VALUES_RESULT, 0, ...} with the values supplied.",
		Level: conformance.Must,
		Sends: "FCGI_GET_VALUES for all three variables",
		Passes: "answers a record of version 1 with request id 0 and whole pairs, each once, whose values are ASCII " +
			"digits",
		Run: test(func(t *T) {
			for name, value := range t.Connect().Values(allValues...) {
				t.Check(slices.Contains(allValues, name), "%.40q was not asked for", name)
				t.Check(value != "" && strings.Trim(value, "0123456789") == "", "%s is %.40q", name, value)
			}
		}),
	}}
}

const quoteOmits = "If the application doesn't understand a variable name that was included in the query, it omits " +
	"that name from the response."

const quoteQuery = "The contentData portion of a FCGI_GET_VALUES record contains a sequence of name-value pairs with " +
	"empty values."

// fcgi41Queries has the cases about what a query may contain.
func fcgi41Queries() []conformance.Case {
	return []conformance.Case{{
		Name: "fcgi/4.1/get-values-unknown-omitted", Quote: quoteOmits, Level: conformance.Must,
		Sends:  "FCGI_GET_VALUES for GANGWAY_UNKNOWN and FCGI_MPXS_CONNS",
		Passes: "answers FCGI_MPXS_CONNS only",
		Run: test(func(t *T) {
			t.CheckNames(t.Connect().Values("GANGWAY_UNKNOWN", wire.MpxsConns), wire.MpxsConns)
		}),
	}, {
		Name: "fcgi/4.1/get-values-only-unknown", Quote: quoteOmits, Level: conformance.Must,
		Sends:  "FCGI_GET_VALUES for GANGWAY_UNKNOWN",
		Passes: "answers an empty FCGI_GET_VALUES_RESULT",
		Run:    test(func(t *T) { t.CheckNames(t.Connect().Values("GANGWAY_UNKNOWN")) }),
	}, {
		Name: "fcgi/4.1/get-values-empty-query", Level: conformance.Must,
		Quote: "The application responds by sending a record {FCGI_GET_VALUES_RESULT, 0, ...} with the values " +
			"supplied.",
		Sends:  "FCGI_GET_VALUES without content",
		Passes: "answers an empty FCGI_GET_VALUES_RESULT",
		Run:    test(func(t *T) { t.CheckNames(t.Connect().Values()) }),
	}, {
		Name: "fcgi/4.1/get-values-nonempty-value", Quote: quoteQuery, Level: conformance.Robustness,
		Sends:  `FCGI_GET_VALUES for FCGI_MPXS_CONNS with the value "7"`,
		Passes: "ignores the value and answers FCGI_MPXS_CONNS",
		Run: test(func(t *T) {
			content := wire.AppendPair(nil, wire.MpxsConns, "7")
			t.multiplexes(t.Connect().result(wire.AppendRecord(nil, wire.TypeGetValues, 0, content)))
		}),
	}, {
		Name: "fcgi/4.1/get-values-four-byte-lengths", Level: conformance.Must,
		Quote:  quoteQuery,
		Sends:  "FCGI_GET_VALUES for FCGI_MPXS_CONNS with both lengths in four bytes",
		Passes: "answers FCGI_MPXS_CONNS",
		Run: test(func(t *T) {
			t.multiplexes(t.Connect().result(rec(wire.TypeGetValues, 0,
				"\x80\x00\x00\x0f\x80\x00\x00\x00FCGI_MPXS_CONNS")))
		}),
	}, {
		Name: "fcgi/4.1/get-values-long-unknown-name", Quote: quoteOmits, Level: conformance.Must,
		Sends:  "FCGI_GET_VALUES for a name of 300 bytes and FCGI_MPXS_CONNS",
		Passes: "answers FCGI_MPXS_CONNS only",
		Run: test(func(t *T) {
			t.CheckNames(t.Connect().Values(strings.Repeat("X", 300), wire.MpxsConns), wire.MpxsConns)
		}),
	}}
}

func fcgi41Strange() []conformance.Case {
	return []conformance.Case{{
		Name: "fcgi/4.1/get-values-malformed", Quote: quoteQuery, Level: conformance.Robustness,
		Sends:  "FCGI_GET_VALUES that ends within the name of its only pair, then a request",
		Passes: "sends nothing malformed, and serves the request or closes the connection",
		Run: test(func(t *T) {
			c := t.Connect()
			c.Send(rec(wire.TypeGetValues, 0, "\x0f\x00FCGI_"))
			c.ServedOrClosed(t.Get(""))
			t.checkResults(c)
		}),
	}, {
		Name:   "fcgi/4.1/get-values-large",
		Quote:  "FCGI_GET_VALUES is designed to allow an open-ended set of variables.",
		Level:  conformance.Robustness,
		Sends:  "FCGI_GET_VALUES with 60 KB of names, FCGI_MPXS_CONNS the last",
		Passes: "answers FCGI_MPXS_CONNS only",
		Run: test(func(t *T) {
			var names []string
			for i := range 3000 {
				names = append(names, fmt.Sprintf("GANGWAY_UNKNOWN_%02d", i%100))
			}
			t.CheckNames(t.Connect().Values(append(names, wire.MpxsConns)...), wire.MpxsConns)
		}),
	}, {
		Name: "fcgi/4.1/get-values-nonzero-id", Level: conformance.Robustness,
		Quote: "The application receives a query as a record {FCGI_GET_VALUES, 0, ...}.",
		Sends: "FCGI_GET_VALUES with request id 1, then a request with that id",
		Passes: "sends no FCGI_GET_VALUES_RESULT with another request id than 0, and serves the request or closes " +
			"the connection",
		Run: test(func(t *T) {
			c := t.Connect()
			c.Send(wire.AppendRecord(nil, wire.TypeGetValues, 1, wire.AppendPair(nil, wire.MpxsConns, "")))
			c.ServedOrClosed(t.Get(""))
			t.checkResults(c)
		}),
	}}
}

// checkResults fails if a FCGI_GET_VALUES_RESULT among the records that came is not right.
func (t *T) checkResults(c *conn) {
	for _, r := range c.got {
		if r.Type == wire.TypeGetValuesResult && int(r.ContentLength) == len(r.content) {
			t.values(r)
		}
		t.Check(r.Type != wire.TypeGetValuesResult || r.RequestID == 0, "FCGI_GET_VALUES_RESULT with request id "+
			"%d", r.RequestID)
	}
}

const quoteLibrary = "The application's response should not involve the application proper but only the FastCGI library."

const quoteAnyTime = "An application may receive a FCGI_GET_VALUES record at any time."

// fcgi41AnyTime has the cases about when a query comes.
func fcgi41AnyTime() []conformance.Case {
	return []conformance.Case{{
		Name: "fcgi/4.1/get-values-first-on-connection", Quote: quoteAnyTime, Level: conformance.Must,
		Sends:  "FCGI_GET_VALUES as the first record of a connection, and nothing else",
		Passes: "answers at once",
		Run: test(func(t *T) {
			c := t.Connect()
			c.Send(query(wire.MpxsConns))
			t.values(c.Record())
		}),
	}, {
		Name: "fcgi/4.1/get-values-then-request", Quote: quoteAnyTime, Level: conformance.Must,
		Sends:  "FCGI_GET_VALUES and a request in one piece",
		Passes: "answers both",
		Run: test(func(t *T) {
			c := t.Connect()
			c.Send(query(wire.MpxsConns), t.Get("").Bytes())
			t.values(c.Expect(wire.TypeGetValuesResult))
			c.Served(1)
		}),
	}, {
		Name: "fcgi/4.1/get-values-between-requests", Quote: quoteAnyTime, Level: conformance.Must,
		DependsOn: []string{keepCase},
		Sends:     "a request with FCGI_KEEP_CONN, FCGI_GET_VALUES after the response, then another request",
		Passes:    "answers all three",
		Run: test(func(t *T) {
			c := t.Connect()
			c.Serves()
			c.Send(query(wire.MpxsConns), t.Get("").Bytes())
			t.values(c.Expect(wire.TypeGetValuesResult))
			c.Served(1)
		}),
	}}
}

func fcgi41During() []conformance.Case {
	return []conformance.Case{{
		Name: "fcgi/4.1/get-values-during-params", Quote: quoteAnyTime, Level: conformance.Must,
		Sends:  "a request with FCGI_GET_VALUES between two records FCGI_PARAMS",
		Passes: "answers FCGI_GET_VALUES and serves the request",
		Run: test(func(t *T) {
			c, r, rest := t.Connect(), t.Get(""), t.Get("")
			r.Vars, rest.Vars = r.Vars[:3], r.Vars[3:]
			c.Send(r.Begin(), wire.AppendRecord(nil, wire.TypeParams, 1, r.Pairs()), query(wire.MpxsConns))
			c.Send(rest.Params(), rest.Stdin())
			t.values(c.Expect(wire.TypeGetValuesResult))
			c.Served(1)
		}),
	}, {
		Name: "fcgi/4.1/get-values-during-stdin", Quote: quoteAnyTime, Level: conformance.Must, Echo: true,
		Sends:  "a request with FCGI_GET_VALUES between two records FCGI_STDIN",
		Passes: "answers FCGI_GET_VALUES and gets the whole body",
		Run: test(func(t *T) {
			c, r := t.Connect(), t.Post("", []byte("abcdef"))
			c.Send(r.Begin(), r.Params(), rec(wire.TypeStdin, 1, "abc"), query(wire.MpxsConns))
			c.Send(rec(wire.TypeStdin, 1, "def"), end(wire.TypeStdin, 1))
			answer := c.Served(1)
			t.CheckBody(t.Echo(answer.stdout), r.Body)
			t.Check(slices.ContainsFunc(c.got, func(r record) bool { return r.Type == wire.TypeGetValuesResult }),
				"FCGI_GET_VALUES was not answered before the end of the request")
		}),
	}, {
		Name: "fcgi/4.1/get-values-while-running", Quote: quoteLibrary, Level: conformance.Must, Echo: true,
		Sends:  "a request that takes long, and FCGI_GET_VALUES meanwhile",
		Passes: "answers FCGI_GET_VALUES before the request",
		Run: test(func(t *T) {
			c := t.Connect()
			c.Send(t.Get(t.slow(2)).Keep().Bytes())
			t.Sleep(t.Patience() / 4)
			c.Send(query(wire.MpxsConns))
			c.patience = 3 * t.Patience()
			r := c.Expect(wire.TypeGetValuesResult, wire.TypeEndRequest)
			t.Check(r.Type == wire.TypeGetValuesResult, "nothing before the end of the request: %s", c.heard())
		}),
	}, {
		Name: "fcgi/4.1/get-values-repeated-100", Quote: quoteAnyTime, Level: conformance.Robustness,
		Sends:  "FCGI_GET_VALUES a hundred times, then a request",
		Passes: "answers each",
		Run: test(func(t *T) {
			c := t.Connect()
			c.Send(slices.Repeat(query(wire.MpxsConns), 100), t.Get("").Bytes())
			for range 100 {
				t.values(c.Record())
			}
			c.Served(1)
		}),
	}}
}

// fcgi41Truth has the cases about whether the values are true.
func fcgi41Truth() []conformance.Case {
	return []conformance.Case{{
		Name: "fcgi/4.1/mpxs-truthful", Level: conformance.Must, Echo: true, Timing: true,
		Quote: `FCGI_MPXS_CONNS: "0" if this application does not multiplex connections (i.e. handle concurrent ` +
			`requests over each connection), "1" otherwise.`,
		DependsOn: []string{"fcgi/4.1/get-values-mpxs-conns"},
		Sends:     "FCGI_GET_VALUES over one connection; over another a request that takes long and one that does not",
		Passes:    `ends the second request before the first if FCGI_MPXS_CONNS is "1", and does not if it is "0"`,
		Run: test(func(t *T) {
			values := t.Connect()
			says := t.multiplexes(values.Values(wire.MpxsConns))
			values.Close()
			c := t.Connect()
			c.patience = 3 * t.Patience()
			c.Send(t.Get(t.slow(2)).Keep().Bytes(), t.Get("").As(2).Keep().Bytes())
			r, err := c.next(c.patience)
			for ; err == nil && r.Type != wire.TypeEndRequest; r, err = c.next(c.patience) {
			}
			does := err == nil && r.RequestID == 2 && r.content[4] == byte(wire.StatusRequestComplete)
			t.Check(does || !says, "FCGI_MPXS_CONNS is 1, and got %s", c.heard())
			t.Check(says || !does, "FCGI_MPXS_CONNS is 0, and request 2 was served before request 1")
		}),
	}, {
		Name: "fcgi/4.1/max-conns-truthful", Level: conformance.Should, Serial: true,
		Quote: `FCGI_MAX_CONNS: The maximum number of concurrent transport connections this application will ` +
			`accept, e.g. "1" or "10".`,
		DependsOn: []string{"fcgi/4.1/get-values-max-conns"},
		Sends:     "so many requests at once, at most 64, each over its connection, and completes only the last",
		Passes:    "serves that one",
		Run: test(func(t *T) {
			values := t.Connect()
			n := min(t.number(values.Values(wire.MaxConns), wire.MaxConns), 64)
			values.Close()
			for range n - 1 {
				r := t.Post("", []byte("abc"))
				t.Connect().Send(r.Begin(), r.Params())
			}
			t.Serves()
		}),
	}}
}

// slow is the mode of the echo application that takes so many times as long as patience.
func (t *T) slow(times int) string {
	return fmt.Sprintf("sleep=%d", t.Patience().Milliseconds()*int64(times))
}

// endedFirst says whether the request was the first whose end came.
func (c *conn) endedFirst(id uint16) bool {
	i := slices.IndexFunc(c.got, func(r record) bool { return r.Type == wire.TypeEndRequest })
	return i >= 0 && c.got[i].RequestID == id
}
