package app

import "github.com/gangway-go/gangway/conformance"

// fcgi35 has the cases of FastCGI 1.0 section 3.5, Closing Transport Connections.
func fcgi35() []conformance.Case {
	return append(fcgi35Closes(), fcgi35Many()...)
}

func fcgi35Closes() []conformance.Case {
	return []conformance.Case{{
		Name:   "fcgi/3.5/server-closes-idle",
		Quote:  "The Web server can close a connection when no requests are active.",
		Level:  conformance.Must,
		Sends:  "ten times a request with FCGI_KEEP_CONN over a new connection and closes that after the response",
		Passes: "accepts and serves another connection afterwards",
		Run: test(func(t *T) {
			for range 10 {
				c := t.Connect()
				c.Ask(t.Get("").Keep())
				c.Close()
			}
			t.Serves()
		}),
	}, {
		Name: "fcgi/3.5/waiting-connection-served",
		Quote: "When an application closes a connection or finds that a connection has closed, the application " +
			"initiates a new connection.",
		Level:     conformance.Must,
		DependsOn: []string{keepCase},
		Sends:     "a request over a second connection while a first one is kept idle, and then closes the first",
		Passes:    "serves the second connection, at the latest when the first is closed",
		Run: test(func(t *T) {
			first := t.Connect()
			first.Serves()
			second := t.Connect()
			second.Send(t.Get("").Begin())
			t.Sleep(t.Patience() / 10)
			first.Close()
			t.Sleep(t.Patience() / 10)
			second.Send(t.Get("").Params(), t.Get("").Stdin())
			second.Served(1)
		}),
	}}
}

func fcgi35Many() []conformance.Case {
	return []conformance.Case{{
		Name: "fcgi/3.5/reconnect-storm",
		Quote: "Simple applications will process one request at a time and accept a new transport connection for " +
			"each request.",
		Level:  conformance.Robustness,
		Serial: true,
		Sends:  "300 requests, each over a new connection",
		Passes: "serves all of them",
		Run: test(func(t *T) {
			for range 300 { // php-cgi ends on purpose after 500
				t.Serves()
			}
		}),
	}, {
		Name:   "fcgi/3.5/no-descriptor-leak",
		Quote:  "Harm: an application that does not close its side of dead connections runs out of descriptors.",
		Level:  conformance.Robustness,
		Needs:  []string{needPID},
		Serial: true,
		Sends:  "100 connections that it closes idle, within a request, or after a response",
		Passes: "has about as many descriptors open afterwards as before",
		Run: test(func(t *T) {
			before := t.Descriptors()
			for i := range 100 {
				c := t.Connect()
				switch i % 3 {
				case 0:
					c.Ask(t.Get("").Keep())
				case 1:
					c.Ask(t.Get(""))
				case 2:
					c.Send(t.Get("").Begin())
				}
				c.Close()
			}
			t.Serves()
			t.Sleep(t.Patience())
			now := t.Descriptors()
			t.Check(now < before+50, "it has %d descriptors open, and had %d before", now, before)
		}),
	}, {
		Name: "fcgi/3.5/unread-body-loses-no-response",
		Quote: "In this case the application closes the connection at the end of a specified request. If it does while " +
			"bytes wait to be read, the system can throw away the response.",
		Level:  conformance.Robustness,
		Sends:  "a request with a body of 200 KB, which the echo application does not read, without FCGI_KEEP_CONN",
		Passes: "serves the request: the whole response arrives",
		Run: test(func(t *T) {
			c := t.Connect()
			go c.Send(t.Post("noread", make([]byte, 200_000)).Bytes())
			c.Served(1)
		}),
	}}
}
