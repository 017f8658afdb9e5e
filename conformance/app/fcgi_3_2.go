package app

import (
	"context"
	"net"
	"slices"
	"strings"

	"github.com/gangway-go/gangway/conformance"
	"github.com/gangway-go/gangway/fastcgi/wire"
)

const (
	quoteMember = "If FCGI_WEB_SERVER_ADDRS was bound, the application checks the peer IP address of the new connection " +
		"for membership in the list."
	quoteNoMember = "If the check fails (including the possibility that the connection didn't use TCP/IP transport), " +
		"the application responds by closing the connection."
	quoteConcurrent = "An application may accept several concurrent transport connections, but it need not do so."
	quoteAccept     = "A FastCGI application calls accept() on the socket referred to by file descriptor " +
		"FCGI_LISTENSOCK_FILENO to accept a new transport connection."
)

// fcgi32 are the cases about accepting connections, FastCGI 1.0 section 3.2.
func fcgi32() []conformance.Case { return slices.Concat(fcgi32Addrs(), fcgi32Accept()) }

func fcgi32Addrs() []conformance.Case {
	cases := []conformance.Case{
		admits("member", "10.9.9.9,127.0.0.1", conformance.Must),
		admits("long-list", strings.Repeat("10.9.9.9,", 200)+"127.0.0.1", conformance.Must),
		rejects("reject", "10.9.9.9", conformance.Security),
		rejects("longer-address", "127.0.0.11,127.0.0.100,127.0.0.1.1", conformance.Security),
		rejects("empty", "", conformance.Robustness), // no list of the form in section 3.2, so nothing is said of it
	}
	return append(cases, conformance.Case{
		Name:  "fcgi/3.2/web-server-addrs-unix-reject",
		Quote: quoteNoMember,
		Level: conformance.Must, Needs: []string{needExec},
		Sends:  "a plain request to a program that it starts with a Unix socket and FCGI_WEB_SERVER_ADDRS=127.0.0.1",
		Passes: "closes the connection without serving the request",
		Run:    test(func(t *T) { t.Start("unix", wire.WebServerAddrs+"=127.0.0.1").Turned() }),
	}, conformance.Case{
		Name:  "fcgi/3.2/web-server-addrs-malformed",
		Quote: "Each IP address is written as four decimal numbers in the range [0..255] separated by decimal points.",
		Level: conformance.Robustness, Needs: []string{needExec},
		Sends:  `a plain request to a program that it starts with FCGI_WEB_SERVER_ADDRS="1.2.3, ,x"`,
		Passes: "ends, or closes the connection without serving the request",
		Run: test(func(t *T) {
			own := t.Start("tcp", wire.WebServerAddrs+"=1.2.3, ,x")
			if !own.target.program.ended(t.T.Patience() / 4) {
				own.Turned()
			}
		}),
	}, conformance.Case{
		Name:  "fcgi/3.2/web-server-addrs-each-connection",
		Quote: quoteMember,
		Level: conformance.Security, Needs: []string{needExec},
		Sends: "requests from 127.0.0.1, 127.0.0.2 and 127.0.0.1 again to a program that it starts with " +
			"FCGI_WEB_SERVER_ADDRS=127.0.0.1",
		Passes: "serves the first and the last, and closes the second connection",
		Run: test(func(t *T) {
			own := t.Start("tcp", wire.WebServerAddrs+"=127.0.0.1")
			own.Serves()
			own.turns(own.from("127.0.0.2"))
			own.Serves()
		}),
	})
}

func admits(slug, addrs string, level conformance.Level) conformance.Case {
	return conformance.Case{
		Name:  "fcgi/3.2/web-server-addrs-" + slug,
		Quote: quoteMember,
		Level: level, Needs: []string{needExec},
		Sends:  "a plain request from 127.0.0.1 to a program that it starts with " + short(wire.WebServerAddrs+"="+addrs),
		Passes: "serves the request",
		Run:    test(func(t *T) { t.Start("tcp", wire.WebServerAddrs+"="+addrs).Serves() }),
	}
}

func rejects(slug, addrs string, level conformance.Level) conformance.Case {
	return conformance.Case{
		Name:  "fcgi/3.2/web-server-addrs-" + slug,
		Quote: quoteNoMember,
		Level: level, Needs: []string{needExec},
		Sends:  "a plain request from 127.0.0.1 to a program that it starts with " + short(wire.WebServerAddrs+"="+addrs),
		Passes: "closes the connection without serving the request",
		Run:    test(func(t *T) { t.Start("tcp", wire.WebServerAddrs+"="+addrs).Turned() }),
	}
}

// short leaves out the middle of a long text.
func short(s string) string {
	if len(s) > 80 {
		return s[:40] + "…" + s[len(s)-20:]
	}
	return s
}

// Turned fails unless the target turns a connection away.
func (t *T) Turned() { t.turns(t.Connect()) }

func (t *T) turns(c *conn) {
	c.Send(t.Get("").Bytes())
	records, closed := c.Closes()
	t.Check(len(records) == 0, "it answered: %s", c.heard())
	if !closed {
		t.Hang("the connection stays open for %v", c.patience)
	}
}

// from connects to the target from another local address.
func (t *T) from(address string) *conn {
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}, Timeout: t.Patience()}
	nc, err := dialer.DialContext(context.Background(), t.target.network, t.target.address)
	if err != nil {
		t.Skip("no connection from %s on this system: %v", address, err)
	}
	return &conn{Conn: t.Wrap(nc, t.target.address+" from "+address), t: t, patience: t.Patience()}
}

func fcgi32Accept() []conformance.Case {
	return []conformance.Case{{
		Name:   "fcgi/3.2/two-connections",
		Quote:  quoteConcurrent,
		Level:  conformance.May,
		Sends:  "nothing over one connection, and a plain request over another",
		Passes: "serves the request",
		Run: test(func(t *T) {
			t.Connect()
			t.Serves()
		}),
	}, {
		Name:   "fcgi/3.2/half-sent-header-blocks-others",
		Quote:  quoteConcurrent + " A peer that is slow, or a probe, keeps everybody else out if it does not.",
		Level:  conformance.Robustness,
		Sends:  "half a record header over one connection, and a plain request over another",
		Passes: "serves the request, unless it says that FCGI_MAX_CONNS is 1",
		Run: test(func(t *T) {
			most := t.maxConns()
			t.Connect().Send([]byte("\x01\x01\x00\x01"))
			if most != "1" {
				t.Serves()
			}
		}),
	}, {
		Name:   "fcgi/3.2/connect-and-close",
		Quote:  quoteAccept + " A health check opens connections and closes them without a byte.",
		Level:  conformance.Robustness,
		Sends:  "50 connections that are closed at once, and a plain request",
		Passes: "serves the request",
		Run: test(func(t *T) {
			for range 50 {
				t.Open().Close()
			}
			t.Serves()
		}),
	}, {
		Name:  "fcgi/3.2/connection-reset-in-backlog",
		Quote: quoteAccept + " A connection can be gone before that.",
		Level: conformance.Robustness, Needs: []string{needTCP},
		Sends:  "50 connections that are reset at once, and a plain request",
		Passes: "serves the request",
		Run: test(func(t *T) {
			for range 50 {
				t.Open().Reset()
			}
			t.Serves()
		}),
	}}
}

// maxConns asks the target for FCGI_MAX_CONNS and returns "" if it does not tell.
func (t *T) maxConns() (value string) {
	t.within(t.Patience()/2, func(t *T) {
		c := t.Connect()
		c.Send(rec(wire.TypeGetValues, wire.NullRequestID, string(wire.AppendPair(nil, wire.MaxConns, ""))))
		name, v, _, err := wire.ParsePair(c.Expect(wire.TypeGetValuesResult).content)
		if err == nil && string(name) == wire.MaxConns {
			value = string(v)
		}
	})
	return value
}
