package server

import (
	"strconv"
	"strings"

	"github.com/gangway-go/gangway/conformance"
)

const quoteLimits = "define any limits of the implementation, including limits on path or search string lengths, and " +
	"limits on the volume of header fields the server will parse."

// cgi4118Limits are the cases about fields that are too many or too long: a server may have limits, and says so then.
var cgi4118Limits = []conformance.Case{
	{
		Name: "cgi/4.1.18/header-count-limit", Level: conformance.Robustness,
		Spec: "RFC 3875 section 8.1; RFC 3875", Quote: quoteLimits,
		Sends:  "10 000 fields",
		Passes: "refuses the request or passes all of them",
		Run: test(func(t *T) {
			var fields []string
			for i := range 10000 {
				fields = append(fields, "X-N"+strconv.Itoa(i)+": v")
			}
			if x := t.OfferGet("/app/x", strings.Join(fields, "\r\n")); x != nil {
				got := len(x.withPrefix("HTTP_X_N"))
				t.Check(got == 10000, "the application got %d fields", got)
			}
		}),
	},
	{
		Name: "cgi/4.1.18/header-name-long", Level: conformance.Robustness,
		Spec: "RFC 3875 section 8.1; RFC 3875", Quote: quoteLimits,
		Sends:  "a field with a name of 8 KB",
		Passes: "refuses the request or passes the whole name",
		Run: test(func(t *T) {
			name := strings.Repeat("X-Long-N", 1024)
			if x := t.OfferGet("/app/x", name+": v"); x != nil {
				long := x.withPrefix("HTTP_X_LONG")
				want := "HTTP_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
				t.Check(len(long) == 0 || long[0] == want, "the name is cut to %d bytes", len(strings.Join(long, "")))
			}
		}),
	},
	{
		Name: "cgi/4.1.18/header-value-long", Level: conformance.Robustness,
		Spec: "RFC 3875 section 8.1; RFC 3875", Quote: quoteLimits,
		Sends:  "a field with a value of 1 MiB",
		Passes: "refuses the request or passes the whole value",
		Run: test(func(t *T) {
			value := strings.Repeat("0123456789abcdef", 1<<16)
			if x := t.OfferGet("/app/x", "X-Long: "+value); x != nil {
				t.Check(x.Get("HTTP_X_LONG") == value, "the application got %d bytes", len(x.Get("HTTP_X_LONG")))
			}
		}),
	},
}
