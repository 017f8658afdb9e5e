package app

import (
	"github.com/gangway-go/gangway/conformance"
)

func fcgi33Types() []conformance.Case {
	cases := []conformance.Case{{
		Name:   "fcgi/3.3/unknown-app-type-active-id",
		Quote:  quoteType,
		Level:  conformance.Robustness,
		Sends:  "a record of type 99 of an active request between its FCGI_PARAMS and its FCGI_STDIN",
		Passes: "serves the request",
		Run: test(func(t *T) {
			r, c := t.Get(""), t.Connect()
			c.Send(r.Begin(), r.Params(), []byte("\x01\x63\x00\x01\x00\x04\x00\x00abcd"), r.Stdin())
			c.Served(1)
		}),
	}}
	for _, wrong := range []struct{ slug, name, record string }{
		{"stdout", "FCGI_STDOUT", "\x01\x06\x00\x01\x00\x15\x00\x00Status: 500 Evil\r\n\r\n!"},
		{"stderr", "FCGI_STDERR", "\x01\x07\x00\x01\x00\x05\x00\x00evil\n"},
		{"end-request", "FCGI_END_REQUEST", "\x01\x03\x00\x01\x00\x08\x00\x00\x00\x00\x00\x63\x00\x00\x00\x00"},
	} {
		cases = append(cases, conformance.Case{
			Name:   "fcgi/3.3/wrong-direction-" + wrong.slug,
			Quote:  quoteType,
			Level:  conformance.Robustness,
			Sends:  wrong.name + ", which is the application's to send, within a request",
			Passes: "ignores it and serves the request, or closes the connection; the next request is served",
			Run: test(func(t *T) {
				r, c := t.Get(""), t.Connect()
				c.Send(r.Begin(), r.Params(), []byte(wrong.record), r.Stdin())
				resp := c.Settled(1)
				t.Check(resp.closed || resp.served(), "neither: %s", c.heard())
				c.Close()
				t.Serves()
			}),
		})
	}
	for _, wrong := range []struct{ slug, name, record string }{
		{"get-values-result", "FCGI_GET_VALUES_RESULT", "\x01\x0a\x00\x00\x00\x12\x00\x00\x0f\x01FCGI_MPXS_CONNS1"},
		{"unknown-type", "FCGI_UNKNOWN_TYPE", "\x01\x0b\x00\x00\x00\x08\x00\x00\x09\x00\x00\x00\x00\x00\x00\x00"},
	} {
		cases = append(cases, conformance.Case{
			Name:   "fcgi/3.3/wrong-direction-" + wrong.slug,
			Quote:  quoteType + " Two peers that answer answers never end.",
			Level:  conformance.Robustness,
			Sends:  wrong.name + ", which is the application's to send, and a plain request over the same connection",
			Passes: "answers the former with one record at most and serves the request, or closes the connection",
			Run: test(func(t *T) {
				c := t.Connect()
				c.Send([]byte(wrong.record), t.Get("").Bytes())
				resp := c.Settled(1)
				t.Check(resp.closed || resp.served(), "neither: %s", c.heard())
				others := len(c.got) - len(resp.records)
				t.Check(others <= 1, "it answered with %d records", others)
			}),
		})
	}
	return cases
}
