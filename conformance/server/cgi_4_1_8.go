package server

import (
	"net"

	"github.com/gangway-go/gangway/conformance"
)

const quoteAddr = "The REMOTE_ADDR variable MUST be set to the network address of the client sending the request to " +
	"the server."

var cgi418 = []conformance.Case{
	{
		Name: "cgi/4.1.8/remote-addr-v4", Level: conformance.Must, Quote: quoteAddr,
		Sends:  "a request from an IPv4 address",
		Passes: "sets REMOTE_ADDR to it",
		Run: test(func(t *T) {
			c := t.Client()
			x, _ := c.Answer(t.Request("GET", "/app/x", ""), OK)
			t.Check(x != nil, "the application got no request")
			x.Want("REMOTE_ADDR", hostOf(c.Conn.LocalAddr()))
		}),
	},
	{
		Name: "cgi/4.1.8/remote-addr-v6", Level: conformance.Must, Quote: quoteAddr, Needs: []string{"ipv6"},
		Sends:  "a request from ::1",
		Passes: "sets REMOTE_ADDR to ::1, without brackets and zone",
		Run: test(func(t *T) {
			_, port, _ := net.SplitHostPort(t.host())
			c := t.newClient(t.Dial("tcp", net.JoinHostPort("::1", port)))
			x, r := c.Answer(t.Request("GET", "/app/x", ""), OK)
			t.Check(x != nil, "the application got no request; the server answered %v", r)
			x.Want("REMOTE_ADDR", "::1")
		}),
	},
	{
		Name: "cgi/4.1.8/remote-addr-not-xff", Level: conformance.Security, Quote: quoteAddr,
		Sends:  "a request with X-Forwarded-For, Forwarded and the like, from a client that nobody said is to be trusted",
		Passes: "sets REMOTE_ADDR to the client's address all the same",
		Run: test(func(t *T) {
			c := t.Client()
			x, _ := c.Answer(t.Request("GET", "/app/x", "",
				"X-Forwarded-For: 9.9.9.9", "X-Real-IP: 9.9.9.9", "Client-IP: 9.9.9.9",
				"Forwarded: for=9.9.9.9", "True-Client-IP: 9.9.9.9", "CF-Connecting-IP: 9.9.9.9"), OK)
			t.Check(x != nil, "the application got no request")
			x.Want("REMOTE_ADDR", hostOf(c.Conn.LocalAddr()))
		}),
	},
	{
		Name: "cgi/4.1.8/remote-addr-unix", Level: conformance.Robustness, Needs: []string{"unix"}, Quote: quoteAddr,
		Sends:  "a request over a Unix socket",
		Passes: "sets REMOTE_ADDR to something that can be printed",
		Run: test(func(t *T) {
			c := t.newClient(t.Dial("unix", t.target.Socket))
			x, r := c.Answer(t.Request("GET", "/app/x", ""), OK)
			t.Check(x != nil, "the application got no request; the server answered %v", r)
			addr := x.Get("REMOTE_ADDR")
			t.Info("REMOTE_ADDR is %q", addr)
			t.Check(addr != "" && isPrintable(addr), "REMOTE_ADDR is %s", excerpt(addr))
		}),
	},
}

func hostOf(addr net.Addr) string {
	host, _, _ := net.SplitHostPort(addr.String())
	return host
}

func isPrintable(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] >= 0x7f {
			return false
		}
	}
	return true
}
