package script

import (
	"bytes"
	"fmt"

	"github.com/gangway-go/gangway/conformance"
)

// largeLine is what the echo application's mode large repeats.
const (
	largeLine = 64
	largeSize = 1 << 20
)

func responseBodyCases() []conformance.Case {
	return []conformance.Case{{
		Name: "script/6.4/ends-with-script",
		Quote: "The server MUST read all the data provided by the script, until the script signals the end of the " +
			"message-body by way of an end-of-file condition.",
		Level:  conformance.Robustness,
		Sends:  "a GET and a POST",
		Passes: "leaves nobody behind who has its standard output open: the server would wait for more",
		Run: test(func(t *T) {
			for _, r := range []*request{t.request("GET"), t.post(form, "a=b")} {
				got := t.send(r)
				t.Check(!got.open, "standard output is still open after the end of the program")
			}
		}),
	}, {
		Name:  "script/6.4/large-response",
		Quote: "There is no limit on the length of the header or message-body returned by the script",

		Level:  conformance.Must,
		Echo:   true,
		Sends:  "a GET that is answered with 1 MiB, and is in no hurry to read it",
		Passes: "writes every byte of it",
		Run: test(func(t *T) {
			r := t.query(fmt.Sprintf("large=%d", largeSize))
			r.late = true
			p := t.start(r)
			t.Sleep(t.Patience() / 5)
			p.read()
			got := p.await()
			t.answers(got)
			t.Check(len(got.body) == largeSize, "%d bytes instead of %d", len(got.body), largeSize)
			t.Check(bytes.Equal(got.body[largeLine:], got.body[:largeSize-largeLine]), "the lines differ")
		}),
	}, {
		Name:   "script/6.4/binary-response",
		Quote:  "response-body = *OCTET",
		Level:  conformance.Must,
		Echo:   true,
		Sends:  "a GET that is answered with the bytes 0x00 to 0xFF",
		Passes: "writes just those bytes",
		Run: test(func(t *T) {
			r := t.send(t.query("binary"))
			t.answers(r)
			t.Check(bytes.Equal(r.body, octets()), "%d other bytes", len(r.body))
		}),
	}}
}
