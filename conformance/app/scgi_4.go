package app

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/gangway-go/gangway/conformance"
)

func scgi4() []conformance.Case {
	return []conformance.Case{{
		Name:   "scgi/4/netstring-leading-zero",
		Quote:  "Extra zeros at the front of [len] are prohibited",
		Level:  conformance.Robustness,
		Sends:  "a GET whose netstring has a 0 before its length",
		Passes: "rejects the request",
		Run: test(func(t *T) {
			t.begin([]byte("0"), scgi(t.scgiGet(""), nil)).rejected()
		}),
	}, {
		Name:   "scgi/4/netstring-empty",
		Quote:  `The empty string is encoded as "0:,".`,
		Level:  conformance.Robustness,
		Sends:  "an empty netstring, so no headers at all",
		Passes: "rejects the request",
		Run:    test(func(t *T) { t.begin([]byte("0:,")).rejected() }),
	}, {
		Name:   "scgi/4/netstring-no-comma",
		Quote:  `[len]":"[string]"," is called a netstring.`,
		Level:  conformance.Robustness,
		Sends:  "a GET whose netstring ends with a semicolon",
		Passes: "rejects the request",
		Run: test(func(t *T) {
			request := scgi(t.scgiGet(""), nil)
			request[len(request)-1] = ';'
			t.begin(request).rejected()
		}),
	}, {
		Name:   "scgi/4/netstring-length-too-long",
		Quote:  "giving the length of [string] in decimal",
		Level:  conformance.Security,
		Sends:  "a GET whose netstring announces 100 bytes more than it has, and ends its direction of the connection",
		Passes: "rejects the request",
		Run: test(func(t *T) {
			block := headerBlock(t.scgiGet(""))
			e := t.begin(fmt.Appendf(nil, "%d:%s,", len(block)+100, block))
			e.CloseWrite()
			e.rejected()
		}),
	}, {
		Name:   "scgi/4/netstring-length-too-short",
		Quote:  "giving the length of [string] in decimal",
		Level:  conformance.Security,
		Sends:  "a POST whose netstring announces 2 bytes less than it has",
		Passes: "rejects the request, and does not take the rest of the headers for its body",
		Run: test(func(t *T) {
			block := headerBlock(t.scgiPost(10))
			t.begin(fmt.Appendf(nil, "%d:%s,0123456789", len(block)-2, block)).rejected()
		}),
	}, {
		Name:   "scgi/4/http-to-scgi-port",
		Quote:  "[len] is a nonempty sequence of ASCII digits",
		Level:  conformance.Robustness,
		Sends:  "a request of HTTP",
		Passes: "closes the connection, or says that it is no web server",
		Run:    test(func(t *T) { t.begin([]byte("GET / HTTP/1.1\r\nHost; localhost\r\n\r\n")).rejected() }),
	}}
}

func scgi4Lengths() []conformance.Case {
	const digits = `Any string of 8-bit bytes may be encoded as [len]":"[string]",".  Here [string] is the string and [len] is ` +
		`a nonempty sequence of ASCII digits giving the length of [string] in decimal.`
	cases := []conformance.Case{{
		Name:   "scgi/4/netstring-huge",
		Quote:  "Who makes room for a length before the bytes are there lets anybody take all memory.",
		Level:  conformance.Security,
		Sends:  "a netstring that announces 99999999999 bytes",
		Passes: "rejects the request, without waiting for more",
		Run:    test(func(t *T) { t.begin([]byte("99999999999:")).rejected() }),
	}, {
		Name:   "scgi/4/netstring-digits-flood",
		Quote:  "A length of any number of digits overflows every number, and every buffer.",
		Level:  conformance.Security,
		Sends:  "100 KB of digits",
		Passes: "closes the connection, without waiting for more",
		Run:    test(func(t *T) { t.begin(bytes.Repeat([]byte("1"), 100_000)).rejected() }),
	}}
	for _, bad := range []struct{ slug, prefix, family string }{
		{"negative", "-%d:", ""}, {"no-digits", ":", ""}, {"plus", "+%d:", ""},
		{"space-before", " %d:", "scgi/4/netstring-space"}, {"space-after", "%d :", "scgi/4/netstring-space"},
		{"newline-before", "\n%d:", "scgi/4/netstring-space"},
		{"hexadecimal", "0x%x:", ""},
	} {
		level := conformance.Robustness
		if bad.slug == "negative" {
			level = conformance.Security
		}
		cases = append(cases, conformance.Case{
			Name:   "scgi/4/netstring-" + bad.slug,
			Family: bad.family,
			Quote:  digits,
			Level:  level,
			Sends:  fmt.Sprintf("a GET whose netstring begins with %q, where %%d or %%x is its length", bad.prefix),
			Passes: "rejects the request",
			Run: test(func(t *T) {
				block := headerBlock(t.scgiGet(""))
				prefix := bad.prefix
				if strings.Contains(prefix, "%") {
					prefix = fmt.Sprintf(prefix, len(block))
				}
				t.begin([]byte(prefix), block, []byte(",")).rejected()
			}),
		})
	}
	return cases
}
