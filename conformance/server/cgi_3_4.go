package server

import "github.com/gangway-go/gangway/conformance"

var cgi34 = []conformance.Case{
	{
		Name: "cgi/3.4/kill-on-client-abort", Level: conformance.Should, Timing: true,
		Quote: "In the event of an error condition, the server can interrupt or terminate script execution at any time and " +
			"without warning. That could occur, for example, in the event of a transport failure between the server and the " +
			"client",
		Sends:  "a request, and breaks the connection while the application is at work",
		Passes: "tells the application, or ends it, within twice the patience of the suite",
		Run: test(func(t *T) {
			c := t.Send(t.Request("GET", "/app/slow", ""))
			x := t.Accept()
			c.Conn.Reset()
			t.Gone(x, 2*t.Patience())
		}),
	},
}
