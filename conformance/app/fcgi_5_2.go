package app

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/gangway-go/gangway/conformance"
	"github.com/gangway-go/gangway/fastcgi/wire"
)

// fcgi52 has the cases of FastCGI 1.0 section 5.2, Name-Value Pair Stream: FCGI_PARAMS.
func fcgi52() []conformance.Case {
	return slices.Concat(fcgi52Records(), fcgi52Large(), fcgi52Order(), fcgi52Stdin(), fcgi52Leaks(), fcgi52MoreLeaks())
}

// inPieces are the bytes as records of so many bytes each.
func inPieces(t wire.Type, id uint16, b []byte, size int) (records []byte) {
	for piece := range slices.Chunk(b, size) {
		records = wire.AppendRecord(records, t, id, piece)
	}
	return records
}

// Params sends a request whose stream FCGI_PARAMS is in the given records, and fails unless all variables arrive or the
// target says that they are too many.
func (t *T) Params(r *request, records []byte) {
	c := t.Connect()
	c.Send(r.Begin(), records, end(wire.TypeParams, r.ID), r.Stdin())
	response := c.Served(r.ID)
	if status := t.Reply(response.stdout).status; status == 413 || status == 431 {
		t.Info("%d bytes of variables are too many: status %d", len(r.Pairs()), status)
		return
	}
	t.checkVars(response, r)
}

// checkVars fails unless the application saw the variables of the request that no application makes itself.
func (t *T) checkVars(response *response, r *request) {
	e := t.Echo(response.stdout)
	for _, v := range r.Vars {
		if strings.HasPrefix(v.name, "HTTP_X_") {
			t.CheckVar(e, v.name, v.value)
		}
	}
}

const (
	quotePairs = "The name-value pairs are sent down the stream one after the other, in no specified order."
	quoteParam = "FCGI_PARAMS is a stream record type used in sending name-value pairs from the Web server to the " +
		"application."
)

func fcgi52Records() []conformance.Case {
	return []conformance.Case{{
		Name: "fcgi/5.2/params-one-byte-records", Quote: quoteParam, Level: conformance.Must, Echo: true,
		Sends:  "a request with each byte of FCGI_PARAMS in a record of its own",
		Passes: "gets all variables",
		Run: test(func(t *T) {
			r := t.Get("", "HTTP_X_ONE", "1", "HTTP_X_LONG", strings.Repeat("l", 200))
			t.Params(r, inPieces(wire.TypeParams, 1, r.Pairs(), 1))
		}),
	}, {
		Name: "fcgi/5.2/pair-straddles-records", Quote: quotePairs, Level: conformance.Must, Echo: true,
		Sends:  "a request with a pair that begins in one record FCGI_PARAMS and ends in the next",
		Passes: "gets all variables",
		Run: test(func(t *T) {
			r := t.Get("", "HTTP_X_STRADDLES", "0123456789")
			pairs := r.Pairs()
			t.Params(r, inPieces(wire.TypeParams, 1, pairs, len(pairs)-5))
		}),
	}, {
		Name: "fcgi/5.2/length-field-straddles", Quote: quotePairs, Level: conformance.Must, Echo: true,
		Sends:  "a request with the four bytes of a length divided between two records FCGI_PARAMS",
		Passes: "gets all variables",
		Run: test(func(t *T) {
			r := t.Get("", strings.ToUpper("HTTP_X_"+strings.Repeat("n", 193)), "v")
			pairs := r.Pairs()
			t.Params(r, inPieces(wire.TypeParams, 1, pairs, len(pairs)-204))
		}),
	}}
}

func fcgi52Large() []conformance.Case {
	return []conformance.Case{{
		Name: "fcgi/5.2/params-many-aligned-records", Quote: quoteParam, Level: conformance.Must, Echo: true,
		Sends:  "a request with 2000 variables, 200 KB in 50 records FCGI_PARAMS of whole pairs",
		Passes: "gets all variables, or refuses so many with status 413 or 431",
		Run: test(func(t *T) {
			r := t.Get("")
			records := rec(wire.TypeParams, 1, string(r.Pairs()))
			for i := range 50 {
				some := &request{}
				for j := range 40 {
					some.Vars = append(some.Vars, pair{fmt.Sprintf("HTTP_X_MANY_%02d_%02d", i, j),
						strings.Repeat("m", 80)})
				}
				records = append(records, rec(wire.TypeParams, 1, string(some.Pairs()))...)
				r.Vars = append(r.Vars, some.Vars...)
			}
			t.Params(r, records)
		}),
	}, {
		Name: "fcgi/5.2/params-full-record", Quote: quoteParam, Level: conformance.Must, Echo: true,
		Sends:  "a request with one record FCGI_PARAMS of 65535 bytes",
		Passes: "gets all variables",
		Run: test(func(t *T) {
			r := t.Get("", "HTTP_X_FILL", "")
			r.Vars[len(r.Vars)-1].value = strings.Repeat("f", wire.MaxContent-len(r.Pairs())-3)
			t.Params(r, rec(wire.TypeParams, 1, string(r.Pairs())))
		}),
	}, {
		Name: "fcgi/5.2/params-empty-stream", Quote: quoteParam, Level: conformance.Robustness,
		Sends:  "a request without any variable",
		Passes: "ends the request or closes the connection",
		Run: test(func(t *T) {
			c := t.Connect()
			c.Send(t.Get("").Begin(), end(wire.TypeParams, 1), end(wire.TypeStdin, 1))
			c.Settled(1)
		}),
	}}
}

func fcgi52Order() []conformance.Case {
	return []conformance.Case{{
		Name: "fcgi/5.2/order-of-variables", Quote: quotePairs, Level: conformance.Must, Echo: true,
		Sends:  "a POST request with the variables in the opposite of the usual order",
		Passes: "gets the body and the variables",
		Run: test(func(t *T) {
			r := t.Post("", []byte("body"), "HTTP_X_FIRST", "1", "HTTP_X_SECOND", "2")
			slices.Reverse(r.Vars)
			e := t.Echoes(r)
			t.CheckBody(e, r.Body)
			t.CheckVar(e, "HTTP_X_FIRST", "1")
			t.CheckVar(e, "HTTP_X_SECOND", "2")
		}),
	}, {
		Name: "fcgi/5.2/params-before-begin", Level: conformance.Must, Echo: true,
		Quote: "While a request ID R is inactive, the application ignores records with requestId == R, except for " +
			"FCGI_BEGIN_REQUEST records as just described.",
		Sends:  "FCGI_PARAMS with a variable, and then a request with the same id that does not have it",
		Passes: "serves the request without that variable",
		Run: test(func(t *T) {
			c := t.Connect()
			c.Send(rec(wire.TypeParams, 1, "\x0c\x03HTTP_X_EARLYyes"), t.Get("").Bytes())
			t.Check(t.Echo(c.Served(1).stdout).Values("HTTP_X_EARLY") == nil, "the variable is in the request that "+
				"began later")
		}),
	}, {
		Name: "fcgi/5.2/params-after-eos", Level: conformance.Robustness, Echo: true,
		Quote:  "Harm: what comes after the end of a stream is not part of what the web server has checked.",
		Sends:  "a POST request with FCGI_PARAMS that has a variable behind the empty FCGI_PARAMS",
		Passes: "serves the request without that variable, or refuses it",
		Run: test(func(t *T) {
			c, r := t.Connect(), t.Post("", []byte("abc"))
			c.Send(r.Begin(), r.Params(), rec(wire.TypeParams, 1, "\x0b\x03HTTP_X_LATEyes"), r.Stdin())
			if response := c.Settled(1); t.accepted(response) {
				t.Check(t.Echo(response.stdout).Values("HTTP_X_LATE") == nil, "the variable is in the request")
			}
		}),
	}}
}

func fcgi52Stdin() []conformance.Case {
	return []conformance.Case{{
		Name: "fcgi/5.2/stdin-before-params-eos", Level: conformance.Robustness, Echo: true,
		Quote:  "Inputs are not interleaved with each other, and outputs are not interleaved with each other.",
		Sends:  "a POST request with its FCGI_STDIN before the empty FCGI_PARAMS",
		Passes: "gets the body, or refuses the request",
		Run: test(func(t *T) {
			c, r := t.Connect(), t.Post("", []byte("abc"))
			c.Send(r.Begin(), rec(wire.TypeParams, 1, string(r.Pairs())), rec(wire.TypeStdin, 1, "abc"),
				end(wire.TypeParams, 1),
				end(wire.TypeStdin, 1))
			if response := c.Settled(1); t.accepted(response) {
				t.CheckBody(t.Echo(response.stdout), r.Body)
			}
		}),
	}, {
		Name: "fcgi/5.2/missing-stdin-eos", Level: conformance.Robustness,
		Quote: "When a role protocol calls for transmitting a stream other than FCGI_STDERR, at least one record of " +
			"the stream type is always transmitted, even if the stream is empty.",
		Sends:  "a GET request without FCGI_STDIN, and the empty FCGI_STDIN later if there is no response",
		Passes: "serves the request at once, or when its input is complete",
		Run: test(func(t *T) {
			c, r := t.Connect(), t.Get("")
			c.Send(r.Begin(), r.Params())
			response := c.Collect(1)[0]
			if t.Info("answers without FCGI_STDIN: %v", response.end != nil); response.silent {
				c.Send(r.Stdin())
				c.Served(1)
			} else {
				t.Check(response.served(), "no response to a request that lacks only the empty FCGI_STDIN: "+
					"%s", c.heard())
			}
		}),
	}}
}

// accepted says whether the target answered the request and did not refuse it.
func (t *T) accepted(r *response) bool {
	return r.served() && t.Reply(r.stdout).status < 400
}

func fcgi52Leaks() []conformance.Case {
	const leak = "Harm: one client sees the fields of another one's request: cookies, passwords."
	return []conformance.Case{{
		Name: "fcgi/5.2/no-env-leak-between-requests", Quote: leak, Level: conformance.Security, Echo: true,
		Sends:  "a request with the variable HTTP_X_SECRET and then one without, over one connection and over another",
		Passes: "does not have it in the later requests",
		Run: test(func(t *T) {
			c := t.Connect()
			c.Ask(t.Get("", "HTTP_X_SECRET", "secret").Keep())
			c.Send(t.Get("").Bytes())
			if again := c.Settled(1); again.served() {
				t.Check(t.Echo(again.stdout).Values("HTTP_X_SECRET") == nil, "the second request of the connection "+
					"has it")
			}
			c.Close()
			t.Check(t.Echoes(t.Get("")).Values("HTTP_X_SECRET") == nil, "a request over another connection has it")
		}),
	}, {
		Name: "fcgi/5.2/no-mixing-between-connections", Level: conformance.Security, Echo: true,
		Needs:  []string{needConcurrent},
		Quote:  "the application keeps track of the current state of each request ID on a given transport connection.",
		Sends:  "two requests with the same id over two connections, the records of both in turns",
		Passes: "gets in each request its own variables and its own body",
		Run: test(func(t *T) {
			c := []*conn{t.Connect(), t.Connect()}
			r := []*request{t.Post("", []byte("first"), "HTTP_X_REQUEST", "first"), t.Post("", []byte("other"),
				"HTTP_X_REQUEST", "other")}
			for _, part := range []func(*request) []byte{(*request).Begin, (*request).Params, (*request).Stdin} {
				for i := range c {
					c[i].Send(part(r[i]))
					t.Sleep(t.Patience() / 20)
				}
			}
			for i := range c {
				response := c[i].Served(1)
				t.checkVars(response, r[i])
				t.CheckBody(t.Echo(response.stdout), r[i].Body)
			}
		}),
	}}
}

func fcgi52MoreLeaks() []conformance.Case {
	return []conformance.Case{{
		Name: "fcgi/5.2/half-pair-not-carried-over", Level: conformance.Security, Echo: true,
		Quote: "Harm: the beginning of a pair of an aborted request gets into the names and values of the next one.",
		Sends: "a request that is aborted within a pair, and another one with the same id over the same connection",
		Passes: "gets in the second request its own variables only, if it has ended the first and left the " +
			"connection open",
		Run: test(func(t *T) {
			c, r := t.Connect(), t.Get("", "HTTP_X_WHOLE", "yes").Keep()
			c.Send(r.Begin(), rec(wire.TypeParams, 1, "\x0d\x05HTTP_X_BROKEN12"), abort(1))
			if aborted := c.Collect(1)[0]; aborted.silent {
				t.Skip("it does not end a request that is aborted")
			}
			c.Send(r.Bytes())
			if response := c.Settled(1); response.served() {
				t.checkVars(response, r)
				t.Check(!bytes.Contains(response.stdout, []byte("HTTP_X_BROKEN")), "the other request's variable is there")
			}
		}),
	}, {
		Name: "fcgi/5.2/no-process-env-leak", Level: conformance.Security, Echo: true, Needs: []string{needExec},
		Quote: "Harm: what the process is configured with, passwords among it, is shown by whatever shows the " +
			"variables of a request.",
		Sends:  "a request to an instance that has GANGWAY_SECRET in its environment",
		Passes: "does not have it among the variables of the request",
		Run: test(func(t *T) {
			own := t.Start("tcp", "GANGWAY_SECRET=secret")
			t.Check(own.Echoes(own.Get("")).Values("GANGWAY_SECRET") == nil, "the variables have what the "+
				"environment has")
		}),
	}, {
		Name: "fcgi/5.2/http-proxy-param", Level: conformance.May, Echo: true,
		Quote: "Harm: HTTP_PROXY comes from a client's field Proxy, and libraries for HTTP take it for the proxy to " +
			"use (httpoxy, CVE-2016-5385).",
		Sends:  "a request with the variable HTTP_PROXY, which a web server should have left out",
		Passes: "does not hand it on",
		Run: test(func(t *T) {
			e := t.Echoes(t.Get("", "HTTP_PROXY", "http://127.0.0.1:9"))
			t.Check(e.Values("HTTP_PROXY") == nil, "the variable HTTP_PROXY reaches the application")
		}),
	}}
}
