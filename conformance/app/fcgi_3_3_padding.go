package app

import (
	"bytes"
	"fmt"

	"github.com/gangway-go/gangway/conformance"
	"github.com/gangway-go/gangway/fastcgi/wire"
)

const quotePadding = "The protocol allows senders to pad the records they send, and requires receivers to interpret " +
	"the paddingLength and skip the paddingData."

func fcgi33Padding() []conformance.Case {
	var cases []conformance.Case
	for i, on := range []struct{ slug, record string }{
		{"begin-request", "FCGI_BEGIN_REQUEST"}, {"params-data", "FCGI_PARAMS"}, {"params-eos", "the empty record " +
			"FCGI_PARAMS"},
		{"stdin-data", "FCGI_STDIN"}, {"stdin-eos", "the empty record FCGI_STDIN"},
	} {
		cases = append(cases, conformance.Case{
			Name:  "fcgi/3.3/padding-on-" + on.slug,
			Quote: quotePadding,
			Level: conformance.Must, Echo: true,
			Sends:  "a POST request with a body of 3 bytes, and 255 bytes 0xFF of padding on " + on.record,
			Passes: "skips the padding and gets the body",
			Run:    test(func(t *T) { t.KeepsBody(func(b []byte) []byte { return pad(b, 255, 0xFF, i) }) }),
		})
	}
	cases = append(cases, fcgi33PaddingOthers()...)
	for _, n := range []int{1, 7, 8, 255} {
		cases = append(cases, conformance.Case{
			Name:   fmt.Sprintf("fcgi/3.3/padding-%d-all", n),
			Family: "fcgi/3.3/padding-all",
			Quote:  quotePadding,
			Level:  conformance.Must, Echo: true,
			Sends:  fmt.Sprintf("a POST request with a body of 3 bytes, and padding of %d on every record", n),
			Passes: "skips the padding and gets the body",
			Run:    test(func(t *T) { t.KeepsBody(func(b []byte) []byte { return pad(b, n, 0) }) }),
		})
	}
	return append(cases, fcgi33PaddingLooks()...)
}

// fcgi33PaddingOthers have padding on records that are not part of every request. What the target does not do without
// padding either is the matter of other cases.
func fcgi33PaddingOthers() []conformance.Case {
	others := []struct {
		slug, record string
		run          func(t *T, n int)
	}{
		{"abort", "FCGI_ABORT_REQUEST", func(t *T, n int) {
			r, c := t.Post("", []byte("abc")).Keep(), t.Connect()
			c.Send(r.Begin(), r.Params(), pad(rec(wire.TypeAbortRequest, 1, ""), n, 0xFF))
			c.Response(1)
			t.CheckBody(t.Echo(c.Ask(r).stdout), r.Body)
		}},
		{"get-values", "FCGI_GET_VALUES", func(t *T, n int) {
			r, c := t.Post("", []byte("abc")), t.Connect()
			c.Send(pad(rec(wire.TypeGetValues, 0, "\x0f\x00FCGI_MPXS_CONNS"), n, 0xFF), r.Bytes())
			c.Expect(wire.TypeGetValuesResult)
			t.CheckBody(t.Echo(c.Served(1).stdout), r.Body)
		}},
		{"unknown-type", "a management record of an unknown type", func(t *T, n int) {
			r, c := t.Post("", []byte("abc")), t.Connect()
			c.Send(pad(rec(200, 0, "abc"), n, 0xFF), r.Bytes())
			c.Expect(wire.TypeUnknownType)
			t.CheckBody(t.Echo(c.Served(1).stdout), r.Body)
		}},
		{"inactive-id", "a record of an inactive request", func(t *T, n int) {
			r, c := t.Post("", []byte("abc")), t.Connect()
			c.Send(pad(rec(wire.TypeStdin, 7, "evil"), n, 0xFF), r.Bytes())
			t.CheckBody(t.Echo(c.Served(1).stdout), r.Body)
		}},
	}
	var cases []conformance.Case
	for _, on := range others {
		cases = append(cases, conformance.Case{
			Name:  "fcgi/3.3/padding-on-" + on.slug,
			Quote: quotePadding,
			Level: conformance.Must, Echo: true,
			Sends:  "255 bytes 0xFF of padding on " + on.record + ", and over the same connection a POST request with a body",
			Passes: "skips the padding, does what it does without, and gets the body",
			Run: test(func(t *T) {
				if !t.within(t.Patience(), func(t *T) { on.run(t, 0) }) {
					t.Skip("it does not go on after %s without padding either", on.record)
				}
				on.run(t, 255)
			}),
		})
	}
	return cases
}

func fcgi33PaddingLooks() []conformance.Case {
	return []conformance.Case{{
		Name:  "fcgi/3.3/padding-nonzero-bytes",
		Quote: "paddingData: Between 0 and 255 bytes of data, which are ignored.",
		Level: conformance.Must, Echo: true,
		Sends: "a POST request with a body of 6 bytes in two records, and padding on the first that looks like a record " +
			"FCGI_STDIN itself",
		Passes: "gets the body and nothing of the padding",
		Run: test(func(t *T) {
			r, c := t.Post("", []byte("abcdef")), t.Connect()
			c.Send(r.Begin(), r.Params(), []byte("\x01\x05\x00\x01\x00\x03\x0b\x00abc\x01\x05\x00\x01\x00\x03\x00\x00xyz"),
				[]byte("\x01\x05\x00\x01\x00\x03\x00\x00def"), end(wire.TypeStdin, 1))
			t.CheckBody(t.Echo(c.Served(1).stdout), r.Body)
		}),
	}, {
		Name:  "fcgi/3.3/padding-in-own-segment",
		Quote: quotePadding,
		Level: conformance.Must, Echo: true,
		Sends: "a POST request with a body of 3 bytes that pauses after the content of FCGI_PARAMS, before its padding, " +
			"and within the padding",
		Passes: "waits for the padding, skips it and gets the body",
		Run: test(func(t *T) {
			r, c := t.Post("", []byte("abc")), t.Connect()
			content := r.Pairs()
			h := wire.Header{Version: 1, Type: wire.TypeParams, RequestID: 1, PaddingLength: 200}
			h.ContentLength = uint16(len(content))
			for _, part := range [][]byte{
				append(append(r.Begin(), h.Append(nil)...), content...), bytes.Repeat([]byte{1}, 100), bytes.Repeat([]byte{1}, 100),
			} {
				c.Send(part)
				c.Quiet(t.Patience() / 8)
			}
			c.Send(end(wire.TypeParams, 1), r.Stdin())
			t.CheckBody(t.Echo(c.Served(1).stdout), r.Body)
		}),
	}}
}
