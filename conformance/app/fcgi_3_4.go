package app

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gangway-go/gangway/conformance"
	"github.com/gangway-go/gangway/conformance/echo"
	"github.com/gangway-go/gangway/fastcgi/wire"
)

const (
	quoteLengths = "Lengths of 127 bytes and less can be encoded in one byte, while longer lengths are always encoded " +
		"in four bytes"
	quoteHighBit = "The high-order bit of the first byte of a length indicates the length's encoding. A high-order zero " +
		"implies a one-byte encoding, a one a four-byte encoding."
	quoteBinary = "This name-value pair format allows the sender to transmit binary values without additional encoding, " +
		"and enables the receiver to allocate the correct amount of storage immediately even for large values."
	quotePair = "FastCGI transmits a name-value pair as the length of the name, followed by the length of the value, " +
		"followed by the name, followed by the value."
)

// fcgi34 are the cases about name-value pairs, FastCGI 1.0 section 3.4.
func fcgi34() []conformance.Case {
	return slices.Concat(fcgi34Lengths(), fcgi34Encodings(), fcgi34Large(), fcgi34Names(), fcgi34Cut(), fcgi34Many())
}

// Sees sends a GET request with more pairs, encoded as they are, behind the usual ones, and returns what the echo
// application saw.
func (t *T) Sees(pairs ...string) *echo.Reply {
	c := t.Connect()
	c.SendPairs(pairs...)
	return t.Echo(c.Served(1).stdout)
}

// SendPairs sends a GET request with more pairs, encoded as they are, behind the usual ones.
func (c *conn) SendPairs(pairs ...string) {
	r := c.t.Get("")
	content := append(r.Pairs(), strings.Join(pairs, "")...)
	c.Send(r.Begin(), wire.AppendStream(nil, wire.TypeParams, 1, content), end(wire.TypeParams, 1), r.Stdin())
}

func fcgi34Lengths() []conformance.Case {
	var cases []conformance.Case
	for _, n := range []int{0, 1, 126, 127, 128, 129, 255, 256, 8192, 16383, 65535} {
		value := strings.Repeat("v", n)
		cases = append(cases, delivers(conformance.Case{
			Name: fmt.Sprintf("fcgi/3.4/value-length-%d", n), Family: "fcgi/3.4/value-length", Quote: quoteLengths,
		}, fmt.Sprintf("a variable with a value of %d bytes", n), "CONFORMANCE", value))
	}
	for _, n := range []int{1, 127, 128, 255, 1000} {
		name := strings.Repeat("N", n)
		cases = append(cases, delivers(conformance.Case{
			Name: fmt.Sprintf("fcgi/3.4/name-length-%d", n), Family: "fcgi/3.4/name-length", Quote: quoteLengths,
		}, fmt.Sprintf("a variable whose name has %d bytes", n), name, "value"))
	}
	return append(cases,
		delivers(conformance.Case{Name: "fcgi/3.4/value-70000", Quote: quoteBinary},
			"a variable with a value of 70000 bytes, over several records", "CONFORMANCE", strings.Repeat("v", 70000)),
		delivers(conformance.Case{Name: "fcgi/3.4/binary-value", Quote: quoteBinary},
			"a variable with a value of all bytes from 0x01 to 0xFF", "CONFORMANCE", string(allBytes()[1:])),
	)
}

func allBytes() []byte {
	b := make([]byte, 256)
	for i := range b {
		b[i] = byte(i)
	}
	return b
}

// delivers completes a case in which a variable has to arrive as it was sent.
func delivers(c conformance.Case, sends, name, value string) conformance.Case {
	c.Level, c.Echo, c.Sends, c.Passes = conformance.Must, true, sends, "gets the variable as it was sent"
	c.Run = test(func(t *T) { t.CheckVar(t.Echoes(t.Get("", name, value)), name, value) })
	return c
}

func fcgi34Encodings() []conformance.Case {
	long := strings.Repeat("L", 200)
	return []conformance.Case{{
		Name:  "fcgi/3.4/encoding-11-14-41-44",
		Quote: quoteHighBit,
		Level: conformance.Must, Echo: true,
		Sends:  "one variable in each of the four encodings",
		Passes: "gets all four",
		Run: test(func(t *T) {
			e := t.Sees("\x05\x05SHORTvalue", "\x06\x80\x00\x00\xc8SHORT2", long, "\x80\x00\x00\xc8\x05", long, "value",
				"\x80\x00\x00\xc9\x80\x00\x00\xc8", long, "2", long)
			for _, v := range []pair{{"SHORT", "value"}, {"SHORT2", long}, {long, "value"}, {long + "2", long}} {
				t.CheckVar(e, v.name, v.value)
			}
		}),
	}, {
		Name:  "fcgi/3.4/nonminimal-4byte",
		Quote: quoteHighBit,
		Level: conformance.Must, Echo: true,
		Sends:  "a variable with a name of 5 and a value of 3 bytes, and both lengths in four bytes",
		Passes: "gets the variable",
		Run: test(func(t *T) {
			t.CheckVar(t.Sees("\x80\x00\x00\x05\x80\x00\x00\x03AFTERyes"), "AFTER", "yes")
		}),
	}, {
		Name:  "fcgi/3.4/empty-value-last",
		Quote: quotePair,
		Level: conformance.Must, Echo: true,
		Sends:  "a variable with an empty value as the last pair: nothing follows its name",
		Passes: "gets the variable",
		Run: test(func(t *T) {
			c := t.Connect()
			c.SendPairs("\x05\x03AFTERyes", "\x04\x00LAST")
			e := t.Echo(c.Served(1).stdout)
			t.CheckVar(e, "AFTER", "yes")
			t.CheckVar(e, "LAST", "")
		}),
	}}
}

func fcgi34Large() []conformance.Case {
	return []conformance.Case{{
		Name:  "fcgi/3.4/pair-ends-at-65535",
		Quote: quoteContent,
		Level: conformance.Must, Echo: true,
		Sends:  "FCGI_PARAMS of exactly 65535 bytes that end with a pair, and one pair more in another record",
		Passes: "gets both variables",
		Run: test(func(t *T) {
			r, c := t.Get(""), t.Connect()
			pairs := r.Pairs()
			value := strings.Repeat("v", wire.MaxContent-len(pairs)-len("\x04\x80\x00\x00\x00FILL"))
			pairs = wire.AppendPair(pairs, "FILL", value)
			c.Send(r.Begin(), rec(wire.TypeParams, 1, string(pairs)), rec(wire.TypeParams, 1, "\x05\x03AFTERyes"),
				end(wire.TypeParams, 1), r.Stdin())
			e := t.Echo(c.Served(1).stdout)
			t.CheckVar(e, "FILL", value)
			t.CheckVar(e, "AFTER", "yes")
		}),
	}, {
		Name:  "fcgi/3.4/value-1-mib",
		Quote: quoteBinary + " What is too large must not arrive cut.",
		Level: conformance.Robustness, Echo: true,
		Sends:  "a variable with a value of 1 MiB",
		Passes: "gets the whole variable, refuses the request, or closes the connection",
		Run: test(func(t *T) {
			value := strings.Repeat("v", 1<<20)
			c := t.Connect()
			c.SendPairs(string(wire.AppendPair(nil, "CONFORMANCE", value)))
			resp := c.Settled(1)
			if t.accepted(resp) {
				t.CheckVar(t.Echo(resp.stdout), "CONFORMANCE", value)
			}
		}),
	}}
}
