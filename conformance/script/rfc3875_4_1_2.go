package script

import (
	"crypto/sha256"
	"fmt"
	"strings"

	"github.com/gangway-go/gangway/conformance"
)

// form is the type of the usual body.
const form = "application/x-www-form-urlencoded"

func bodyLengthCases() []conformance.Case {
	cases := []conformance.Case{{
		Name:   "script/4.1.2/content-length-empty",
		Quote:  `If no data is attached, then NULL (or unset).`,
		Level:  conformance.Must,
		Sends:  "a POST with an empty CONTENT_LENGTH; standard input stays open",
		Passes: "answers without waiting for data",
		Run: test(func(t *T) {
			r := t.post(form, "").set("CONTENT_LENGTH", "")
			r.hold = true
			t.answers(t.send(r))
		}),
	}, {
		Name: "script/4.1.2/content-length-leading-zero",
		Quote: "The CONTENT_LENGTH variable contains the size of the message-body attached to the request, if any, in " +
			"decimal number of octets.",
		Level:  conformance.Must,
		Echo:   true,
		Sends:  "a POST with CONTENT_LENGTH=010 and 10 bytes",
		Passes: "reads 10 bytes, not the 8 that 010 is in C",
		Run: test(func(t *T) {
			t.readsBody(t.send(t.post(form, "a=12345678").set("CONTENT_LENGTH", "010")), "a=12345678")
		}),
	}, {
		Name: "script/4.1.2/content-length-huge",
		Quote: "A length that does not fit a number and is believed all the same becomes a small or negative one, or an " +
			"allocation.",
		Level:  conformance.Security,
		Sends:  "a POST with CONTENT_LENGTH=99999999999999999999, 3 bytes and the end of standard input",
		Passes: "answers or fails, but does not crash",
		Run: test(func(t *T) {
			t.answersOrFails(t.send(t.post(form, "a=b").set("CONTENT_LENGTH", "99999999999999999999")))
		}),
	}}
	for _, bad := range []struct{ slug, value string }{
		{"negative", "-1"}, {"not-a-number", "abc"}, {"trailing-garbage", "3x"}, {"hexadecimal", "0x3"},
	} {
		cases = append(cases, conformance.Case{
			Name:   "script/4.1.2/content-length-" + bad.slug,
			Family: "script/4.1.2/content-length-syntax",
			Quote:  `CONTENT_LENGTH = "" | 1*digit`,
			Level:  conformance.Robustness,
			Sends:  fmt.Sprintf("a POST with CONTENT_LENGTH=%s and 3 bytes; standard input stays open", bad.value),
			Passes: "answers or fails without waiting for more",
			Run: test(func(t *T) {
				r := t.post(form, "a=b").set("CONTENT_LENGTH", bad.value)
				r.hold = true
				t.answersOrFails(t.send(r))
			}),
		})
	}
	return cases
}

// answersOrFails fails if a signal ended the program, or if it ended as if all were well and said nothing.
func (t *T) answersOrFails(r *response) {
	t.Check(!r.signalled, "the program ended by a %s", r.end)
	t.Check(len(r.stdout) > 0 || r.end != "exit status 0", "no output and %s", r.end)
}

// readsBody fails unless the echo application has read just the body.
func (t *T) readsBody(r *response, body string) {
	t.answers(r)
	got := append(t.echoed(r, "body"), "-", "-")
	want := []string{fmt.Sprint(len(body)), fmt.Sprintf("%x", sha256.Sum256([]byte(body)))}
	t.Check(got[0] == want[0], "a body of %s bytes instead of %s", got[0], want[0])
	t.Check(got[1] == want[1], "another body of %s bytes", want[0])
}

func urlVariableCases() []conformance.Case {
	return []conformance.Case{{
		Name:   "script/4.1.7/broken-escapes",
		Quote:  "The client's escapes can be broken: a decoder that counts on two digits reads beyond the end.",
		Level:  conformance.Robustness,
		Sends:  "GET requests with the QUERY_STRING %, %zz, a=%e, a=%u12, %00 and =&=&",
		Passes: "gives a response to each, also one that refuses the request",
		Run: test(func(t *T) {
			for _, query := range []string{"%", "%zz", "a=%e", "a=%u12", "%00", "=&=&"} {
				t.survives(t.send(t.query(query)))
			}
		}),
	}, {
		Name:   "script/4.1.7/long-query",
		Quote:  "A QUERY_STRING of any length comes from the client.",
		Level:  conformance.Robustness,
		Sends:  "a GET with a QUERY_STRING of 60 KB",
		Passes: "gives a response, also one that refuses the request",
		Run:    test(func(t *T) { t.survives(t.send(t.query("a=" + strings.Repeat("q", 60_000)))) }),
	}, {
		Name:   "script/4.1.7/query-string-undecoded",
		Quote:  "The QUERY_STRING variable contains a URL-encoded search or parameter string",
		Level:  conformance.Must,
		Echo:   true,
		Sends:  "a GET with QUERY_STRING=a%20b+c=%26&%41",
		Passes: "sees that value, not a decoded one",
		Run: test(func(t *T) {
			r := t.send(t.query("a%20b+c=%26&%41"))
			t.answers(r)
			got := t.echoed(r, "var", "QUERY_STRING")
			t.Check(len(got) == 1 && got[0] == "a%2520b%2Bc%3D%2526%26%2541", "QUERY_STRING %q (encoded once more)", got)
		}),
	}}
}
