package server

import "github.com/gangway-go/gangway/conformance"

var cgi43 = []conformance.Case{
	{
		Name: "cgi/4.3.3/head-body-discarded", Level: conformance.Must,
		Quote: "The script MUST NOT provide a response message-body for a HEAD request. If it does, then the server MUST " +
			"discard the message-body when reading the response from the script.",
		Sends: "a HEAD request, and as the application Content-Length: 5 and 5 bytes; then a GET request on the same " +
			"connection",
		Passes: "sends no body, Content-Length: 5 or none, and then the response to the GET",
		Run: test(func(t *T) {
			c := t.Client()
			_, r := c.Answer(t.Request("HEAD", "/app/x", ""), CGI("Content-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello"))
			t.Want(r, 200)
			length := r.Get("Content-Length")
			t.Check(length == "5" || length == "", "Content-Length is %q", length)
			t.Next(c, r)
		}),
	},
}
