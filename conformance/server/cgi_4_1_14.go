package server

import (
	"net/netip"
	"strings"

	"github.com/gangway-go/gangway/conformance"
)

const (
	quoteName = "The SERVER_NAME variable MUST be set to the name of the server host to which the client request is " +
		"directed. It is a case-insensitive hostname or network address."
	quoteHost = "A server MUST respond with a 400 (Bad Request) status code to any HTTP/1.1 request message that lacks " +
		"a Host header field and to any request message that contains more than one Host header field line or a Host " +
		"header field with an invalid field value."
	specHost = "RFC 9112 section 3.2; RFC 3875"
)

var cgi4114 = []conformance.Case{
	{
		Name: "cgi/4.1.14/server-name-host", Level: conformance.Must, Quote: quoteName,
		Sends:  "a request with Host: a.example:8080",
		Passes: "sets SERVER_NAME to a.example, or to a name or address that is its own, without a port",
		Run:    test(func(t *T) { t.Get("/app/x", "Host: a.example:8080").wantServerName("a.example") }),
	},
	{
		Name: "cgi/4.1.14/server-name-ipv6", Level: conformance.Must,
		Quote:  "server-name = hostname | ipv4-address | ( \"[\" ipv6-address \"]\" )",
		Sends:  "a request with Host: [::1]:8080",
		Passes: "sets SERVER_NAME to [::1], with the brackets, or to a name or address that is its own",
		Run:    test(func(t *T) { t.Get("/app/x", "Host: [::1]:8080").wantServerName("[::1]") }),
	},
	{
		Name: "cgi/4.1.14/server-name-no-host", Level: conformance.Must, Quote: quoteName,
		Sends:  "a request of HTTP/1.0 without Host",
		Passes: "sets SERVER_NAME to a name or address of its own, or refuses the request",
		Run: test(func(t *T) {
			if x := t.Offer(t.Raw("GET /app/x HTTP/1.0")); x != nil {
				x.wantServerName("")
			}
		}),
	},
	{
		Name: "cgi/4.1.14/server-name-hostile", Level: conformance.Security, Spec: specHost, Quote: quoteHost,
		Sends:  "a request with Host: a/../x\"><b>",
		Passes: "refuses it",
		Run:    test(func(t *T) { t.Refused(t.Request("GET", "/app/x", "", `Host: a/../x"><b>`)) }),
	},
	{
		Name: "cgi/4.1.14/host-twice", Level: conformance.Security, Spec: specHost, Quote: quoteHost,
		Sends:  "a request with Host: a.example and Host: b.example",
		Passes: "refuses it",
		Run:    test(func(t *T) { t.Refused(t.Request("GET", "/app/x", "", "Host: a.example", "Host: b.example")) }),
	},
	{
		Name: "cgi/4.1.14/host-missing", Level: conformance.Must, Spec: specHost, Quote: quoteHost,
		Sends:  "a request of HTTP/1.1 without Host",
		Passes: "refuses it",
		Run:    test(func(t *T) { t.Refused(t.Raw("GET /app/x HTTP/1.1")) }),
	},
}

// wantServerName makes sure that SERVER_NAME is name or one that the server has by itself.
func (x *Exchange) wantServerName(name string) {
	got := x.Get("SERVER_NAME")
	x.Want("SERVER_NAME", got)
	inner := strings.TrimSuffix(strings.TrimPrefix(got, "["), "]")
	addr, err := netip.ParseAddr(inner)
	address := err == nil && addr.Is6() == (got != inner)
	x.t.Check(got == name && name != "" || address || hostname.MatchString(got), "SERVER_NAME is %s", excerpt(got))
}
