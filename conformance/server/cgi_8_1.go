package server

import (
	"fmt"
	"strings"
	"time"

	"github.com/gangway-go/gangway/conformance"
)

const quoteVolume = "define any limits of the implementation, including limits on path or search string lengths, " +
	"and limits on the " +
	"volume of header fields the server will parse"

// largeCase is a case in which a response has so many fields of that size.
func largeCase(name, sends string, n, size int) conformance.Case {
	return conformance.Case{
		Name: "cgi/8.1/" + name, Quote: quoteVolume, Level: conformance.Robustness, Sends: "a response with " + sends,
		Passes: "delivers all of it, or answers with a 5xx status",
		Run: test(func(t *T) {
			value := strings.Repeat("v", size)
			if r := t.Reply(plain + manyFields(0, n, value) + "\nbody"); t.Passed(r) {
				t.Intact(r, 200, "body")
				for i := range n {
					t.WantField(r, fmt.Sprintf("X-Large-%d", i), value)
				}
			}
		}),
	}
}

// RFC 3875 section 8.1, Recommendations for Servers.
func cgi81() []conformance.Case {
	return []conformance.Case{
		largeCase("header-60k", "60 fields of 1 KB", 60, 1000),
		largeCase("header-line-20k", "a field of 20 KB", 1, 20_000),
		largeCase("header-line-100k", "a field of 100 KB", 1, 100_000),
		largeCase("header-2000-fields", "2000 small fields", 2000, 1),
		{
			Name: "cgi/8.1/header-name-8k", Quote: quoteVolume, Level: conformance.Robustness,
			Sends:  "a response with a field whose name has 8 KB",
			Passes: "delivers or drops the field, or answers with a 5xx status",
			Run:    test(func(t *T) { t.Passed(t.Reply(plain + "X-" + strings.Repeat("n", 8000) + ": 1\n\nbody")) }),
		}, {
			Name: "cgi/8.1/location-30k", Quote: quoteVolume, Level: conformance.Robustness,
			Sends:  "a response with a Location of 30 KB only",
			Passes: "redirects the client there, or answers with a 5xx status",
			Run: test(func(t *T) {
				location := "http://example.org/" + strings.Repeat("x", 30_000)
				r := t.Reply("Location: " + location + "\n\n")
				t.Want(r, 302, 5)
				t.Check(r.Status != 302 || r.Get("Location") == location, "%v", r)
			}),
		}, {
			Name:  "cgi/8.1/headers-endless",
			Quote: "An application whose header never ends must not fill the server's memory.",
			Level: conformance.Security, Serial: true,
			Sends: "a response with 12 MB of fields and no blank line", Passes: "answers with a 5xx status",
			Run: test(func(t *T) {
				_, r := t.Do(t.Request("GET", "/app/endless", ""), endless)
				t.Want(r, 5)
			}),
		},
	}
}

// endless is the reply of an application whose header does not end before 12 MB; the server may stop reading before.
func endless(x *Exchange) {
	value := strings.Repeat("v", 1000)
	for i := range 1200 {
		x.Conn.SetWriteDeadline(time.Now().Add(x.t.Patience()))
		if _, err := x.Conn.Write(x.dialect.stdout(x, []byte(manyFields(10*i, 10, value)))); err != nil {
			x.Close()
			return
		}
		x.t.touch()
	}
	x.End()
}

func manyFields(first, n int, value string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "X-Large-%d: %s\n", first+i, value)
	}
	return b.String()
}
