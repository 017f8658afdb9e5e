package app

import (
	"slices"
	"strconv"

	"github.com/gangway-go/gangway/conformance"
	"github.com/gangway-go/gangway/fastcgi/wire"
)

const (
	mpxCase  = "fcgi/5.5/mpx-or-reject"
	quoteMpx = "FCGI_CANT_MPX_CONN: rejecting a new request. This happens when a Web server sends concurrent " +
		"requests over one connection to an application that is designed to process one request at a time per " +
		"connection."
	quoteMpxState = "First, records multiplex the transport connection between several independent FastCGI requests."
)

// rejected says whether the target says that it does not serve the request.
func (r *response) rejected() bool {
	return r.end != nil && (r.end.ProtocolStatus == wire.StatusCantMpxConn ||
		r.end.ProtocolStatus == wire.StatusOverloaded)
}

// Both gathers the responses of requests 1 and 2 of a connection, and skips the case if the target says that it serves
// only one at a time.
func (c *conn) Both() (first, second *response) {
	r := c.Collect(1, 2)
	if r[1].rejected() {
		c.t.Skip("one request at a time over a connection")
	}
	c.t.Check(r[0].end != nil, "no end of request 1: %s", c.heard())
	c.t.Check(r[1].end != nil, "no end of request 2: %s", c.heard())
	return r[0], r[1]
}

func fcgi55Multiplex() []conformance.Case {
	return slices.Concat(fcgi55Mpx(), fcgi55MpxApart(), fcgi55MpxStreams())
}

func fcgi55Mpx() []conformance.Case {
	return []conformance.Case{{
		Name: mpxCase, Quote: quoteMpx, Level: conformance.Must,
		Sends:  "a whole request in the middle of the body of another one, over one connection",
		Passes: "serves both, or serves the first and ends the second with FCGI_CANT_MPX_CONN or FCGI_OVERLOADED",
		Run: test(func(t *T) {
			c, r := t.Connect(), t.Post("", []byte("abcdef")).Keep()
			c.beginBody(r)
			c.Send(t.Get("").As(2).Keep().Bytes(), rec(wire.TypeStdin, 1, "def"), end(wire.TypeStdin, 1))
			got := c.Collect(1, 2)
			t.Check(got[0].served(), "request 1 was not served: %s", c.heard())
			t.Check(got[1].served() || got[1].rejected(), "request 2 was neither served nor rejected: %s", c.heard())
			if t.target.echo {
				t.CheckBody(t.Echo(got[0].stdout), r.Body)
			}
		}),
	}, {
		Name: "fcgi/5.5/mpx-out-of-order", Level: conformance.May, Echo: true, Timing: true,
		Quote: "The first request is more difficult than the second, so the application finishes the requests out " +
			"of order",
		DependsOn: []string{mpxCase},
		Sends:     "over one connection a request that takes long, and one that does not",
		Passes:    "ends the second first",
		Run: test(func(t *T) {
			c := t.Connect()
			c.patience = 3 * t.Patience()
			c.Send(t.Get(t.slow(2)).Keep().Bytes(), t.Get("").As(2).Keep().Bytes())
			c.Both()
			t.Check(c.endedFirst(2), "request 1 ended first")
		}),
	}}
}

func fcgi55MpxApart() []conformance.Case {
	return []conformance.Case{{
		Name: "fcgi/5.5/mpx-head-of-line", Level: conformance.Robustness, Echo: true, Timing: true,
		Quote:     "Harm: one slow request that does not read its body holds up all others of its connection.",
		DependsOn: []string{mpxCase},
		Sends:     "over one connection a request that takes long and does not read its body of 1 MiB, and a plain one",
		Passes:    "ends the second first",
		Run: test(func(t *T) {
			c := t.Connect()
			c.patience = 3 * t.Patience()
			c.Send(t.Post("noread&"+t.slow(2), make([]byte, 1<<20)).Keep().Bytes(), t.Get("").As(2).Keep().Bytes())
			c.Both()
			t.Check(c.endedFirst(2), "request 1 ended first")
		}),
	}, {
		Name: "fcgi/5.5/mpx-abort-one", Level: conformance.Must, DependsOn: []string{mpxCase},
		Quote: "But with multiplexed requests, closing the transport connection has the unfortunate effect of " +
			"aborting all the requests on the connection.",
		Sends:  "over one connection two requests, FCGI_ABORT_REQUEST for the first, and then the end of the second",
		Passes: "serves the second",
		Run: test(func(t *T) {
			c, r := t.Connect(), t.Post("", []byte("abcdef")).As(2).Keep()
			c.beginBody(t.Post("", []byte("abcdef")).Keep())
			c.beginBody(r)
			c.Send(abort(1), rec(wire.TypeStdin, 2, "def"), end(wire.TypeStdin, 2))
			_, second := c.Both()
			t.Check(second.served(), "request 2 was not served: %s", c.heard())
			if t.target.echo {
				t.CheckBody(t.Echo(second.stdout), r.Body)
			}
		}),
	}}
}

func fcgi55MpxStreams() []conformance.Case {
	return []conformance.Case{{
		Name: "fcgi/5.5/mpx-interleaved-params", Quote: quoteMpxState, Level: conformance.May, Echo: true,
		DependsOn: []string{mpxCase},
		Sends:     "over one connection two requests whose records FCGI_PARAMS alternate, with pairs that straddle records",
		Passes:    "gets in each request its own variables",
		Run: test(func(t *T) {
			c := t.Connect()
			r := []*request{t.Get("", "HTTP_X_NUMBER", "first").Keep(), t.Get("", "HTTP_X_NUMBER",
				"other").As(2).Keep()}
			c.Send(r[0].Begin(), r[1].Begin())
			pieces := [][][]byte{slices.Collect(slices.Chunk(r[0].Pairs(), 50)),
				slices.Collect(slices.Chunk(r[1].Pairs(), 50))}
			for i := range pieces[0] {
				c.Send(rec(wire.TypeParams, 1, string(pieces[0][i])), rec(wire.TypeParams, 2, string(pieces[1][i])))
			}
			c.Send(end(wire.TypeParams, 1), end(wire.TypeParams, 2), r[0].Stdin(), r[1].Stdin())
			first, second := c.Both()
			t.checkVars(first, r[0])
			t.checkVars(second, r[1])
		}),
	}, {
		Name: "fcgi/5.5/mpx-interleaved-stdin", Quote: quoteMpxState, Level: conformance.May, Echo: true,
		DependsOn: []string{mpxCase},
		Sends:     "over one connection two requests whose records FCGI_STDIN alternate",
		Passes:    "gets in each request its own body",
		Run: test(func(t *T) {
			c, r := t.Connect(), []*request{t.Post("", []byte("abcd")).Keep(), t.Post("", []byte("wxyz")).As(2).Keep()}
			c.Send(r[0].Begin(), r[0].Params(), r[1].Begin(), r[1].Params())
			for i := range 4 {
				c.Send(rec(wire.TypeStdin, 1, "abcd"[i:i+1]), rec(wire.TypeStdin, 2, "wxyz"[i:i+1]))
			}
			c.Send(end(wire.TypeStdin, 1), end(wire.TypeStdin, 2))
			first, second := c.Both()
			t.CheckBody(t.Echo(first.stdout), r[0].Body)
			t.CheckBody(t.Echo(second.stdout), r[1].Body)
		}),
	}}
}

// fcgi55Many has the cases with many requests at once.
func fcgi55Many() []conformance.Case {
	const overloaded = "FCGI_OVERLOADED: rejecting a new request. This happens when the application runs out of " +
		"some resource, e.g. database connections."
	return []conformance.Case{{
		Name: "fcgi/5.5/mpx-100", Quote: overloaded, Level: conformance.Robustness, Serial: true,
		DependsOn: []string{mpxCase},
		Sends:     "a hundred requests over one connection, and completes them when all have begun",
		Passes:    "serves each, or ends it with FCGI_CANT_MPX_CONN or FCGI_OVERLOADED",
		Run: test(func(t *T) {
			c := t.Connect()
			var ids []uint16
			var rest []byte
			for id := range uint16(100) {
				r := t.Get("").As(id + 1).Keep()
				ids = append(ids, r.ID)
				c.Send(r.Begin(), r.Params())
				rest = append(rest, r.Stdin()...)
			}
			c.Send(rest)
			for _, r := range c.Collect(ids...) {
				t.Check(r.served() || r.rejected(), "request %d was neither served nor rejected", r.id)
			}
		}),
	}, {
		Name: "fcgi/5.5/overloaded", Quote: overloaded, Level: conformance.May, Serial: true,
		Sends:  "a hundred requests at once, each over its connection",
		Passes: "serves each in time, or ends it with FCGI_OVERLOADED",
		Run: test(func(t *T) {
			var all []*conn
			for range 100 {
				c := t.Connect()
				c.patience = 5 * t.Patience()
				all = append(all, c)
				query := ""
				if t.target.echo {
					query = "sleep=" + strconv.Itoa(int(t.Patience().Milliseconds()/100))
				}
				c.Send(t.Get(query).Bytes())
			}
			for i, c := range all {
				r := c.Collect(1)[0]
				t.Check(r.served() || r.rejected(), "request %d of 100 was neither served nor rejected", i+1)
				c.Close()
			}
		}),
	}}
}
