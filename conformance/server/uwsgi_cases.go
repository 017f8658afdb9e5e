package server

import (
	"slices"
	"strings"

	"github.com/gangway-go/gangway/conformance"
	"github.com/gangway-go/gangway/scgi/uwsgi"
)

const (
	uwsgiHeader = "struct uwsgi_packet_header { uint8_t modifier1; uint16_t datasize; uint8_t modifier2; }; Unless " +
		"otherwise specified " +
		"the datasize value contains the size (16-bit little endian) of the packet body."
	uwsgiBody = "Standard WSGI request followed by the HTTP request body"
)

// uwsgiCases are the cases of the uwsgi protocol.
func uwsgiCases() []conformance.Case {
	return slices.Concat(uwsgiRequests, uwsgiResponses)
}

// uwsgiRequests are the cases about what the server sends.
var uwsgiRequests = []conformance.Case{
	{
		Name: "uwsgi-client/packet/header", Level: conformance.Must, Quote: uwsgiHeader,
		Sends:  "GET /app/x",
		Passes: "sends modifier1 0, the size of the block, little endian, and modifier2 0",
		Run: test(func(t *T) {
			h, err := uwsgi.ParseHeader([]byte(t.Get("/app/x").head))
			t.Check(err == nil && h.Modifier1 == 0 && h.Modifier2 == 0, "modifiers %d and %d", h.Modifier1, h.Modifier2)
		}),
	},
	{
		Name: "uwsgi-client/packet/vars-encoding", Level: conformance.Must,
		Quote: "The uwsgi block vars represent a dictionary/hash. Every key-value is encoded in this way: struct " +
			"uwsgi_var { uint16_t key_size; uint8_t key[key_size]; uint16_t val_size; uint8_t val[val_size]; }",
		Sends:  "GET /app/x with a field of 300 bytes",
		Passes: "sends the field's variable as it is in a block that ends with a variable's end",
		Run: test(func(t *T) {
			t.Get("/app/x", "X-Long: "+strings.Repeat("v", 300)).Want("HTTP_X_LONG", strings.Repeat("v", 300))
		}),
	},
	named(noDuplicatesCase, "uwsgi-client/packet/no-duplicate-names", "The uwsgi block vars represent a dictionary/hash."),
	{
		Name: "uwsgi-client/packet/vars-over-65535", Level: conformance.Must, Quote: uwsgiHeader,
		Sends:  "GET /app/x with 80 fields of 1000 bytes each",
		Passes: "refuses the request, whose variables do not fit into a packet",
		Run: test(func(t *T) {
			x := t.manyFields(80)
			t.Check(x == nil, "the application got a packet")
		}),
	},
	{
		Name: "uwsgi-client/packet/vars-60000", Level: conformance.Must, Quote: uwsgiHeader,
		Sends:  "GET /app/x with 30 fields of 1000 bytes each",
		Passes: "sends them all: a size above 32767 is no negative number",
		Run: test(func(t *T) {
			x := t.manyFields(36)
			if x == nil {
				t.Skip("the server takes no such request")
			}
			x.Want("HTTP_X_F35", strings.Repeat("v", 1000))
		}),
	},
	{
		Name: "uwsgi-client/packet/body-follows", Level: conformance.Must, Quote: uwsgiBody,
		Sends:  "POST /app/x with 100000 bytes",
		Passes: "sends CONTENT_LENGTH bytes behind the block, and nothing more",
		Run:    test(func(t *T) { t.exactBody(strings.Repeat("0123456789", 10000)) }),
	},
	named(bodyNotMoreCase, "uwsgi-client/packet/body-not-more", uwsgiBody),
	named(chunkedBodyCase, "uwsgi-client/packet/chunked-request", uwsgiBody),
	{
		Name: "uwsgi-client/packet/client-uwsgi-var-spoof", Level: conformance.Security,
		Quote:  "uWSGI loads the program that the variable UWSGI_FILE names: the client must not choose it.",
		Sends:  "GET /app/x with the fields \"Uwsgi-File: /tmp/x\" and \"Uwsgi_File: /tmp/x\"",
		Passes: "sends HTTP_UWSGI_FILE at most",
		Run: test(func(t *T) {
			x, r := t.Do(t.Request("GET", "/app/x", "", "Uwsgi-File: /tmp/x", "Uwsgi_File: /tmp/x"))
			if x == nil {
				t.Want(r, 4)
				return
			}
			t.Check(!x.Has("UWSGI_FILE"), "UWSGI_FILE is %q", x.Get("UWSGI_FILE"))
		}),
	},
	named(clientGoneCase, "uwsgi-client/packet/client-disconnect",
		"What works for a client that has gone works for nobody; only the end of the connection can tell the "+
			"application."),
	named(uploadBrokenCase, "uwsgi-client/packet/upload-broken", uwsgiBody),
}

// uwsgiResponses are the cases about what the application sends.
var uwsgiResponses = []conformance.Case{
	{
		Name: "uwsgi-client/packet/response-http-status-line", Level: conformance.Must,
		Quote: "Even the web server handlers obey this rule, as an HTTP response is a valid uwsgi packet (look at the " +
			"modifier1 = 72).",
		Sends:  "a response that begins with \"HTTP/1.1 404 Not Found\"",
		Passes: "answers with status 404",
		Run:    test(func(t *T) { t.Intact(t.Reply("HTTP/1.1 404 Not Found\r\n"+text+"good"), 404, "good") }),
	},
	{
		Name: "uwsgi-client/packet/response-cgi-status", Level: conformance.Must,
		Quote:  "Standard CGI request followed by the HTTP request body (modifier1 9: its response is that of a CGI program)",
		Sends:  "a response that begins with \"Status: 404 Not Found\"",
		Passes: "answers with status 404",
		Run:    test(func(t *T) { t.Intact(t.Reply("Status: 404 Not Found\r\n"+text+"good"), 404, "good") }),
	},
	named(cutBodyCase, "uwsgi-client/packet/response-truncated", cutLie),
	named(resetCase, "uwsgi-client/packet/response-reset", cutLie),
	named(noResponseCase, "uwsgi-client/packet/response-none",
		"Every uwsgi request generates a response in the uwsgi format."),
	{
		Name: "uwsgi-client/packet/response-keepalive-header", Level: conformance.Robustness,
		Quote: "uWSGI's application speaks of its connection to the server, which closes: its client must not be told " +
			"to wait there.",
		Sends:  "a response with \"Connection: keep-alive\" and \"Keep-Alive: timeout=99\", to an HTTP/1.0 client",
		Passes: "does not forward them",
		Run: test(func(t *T) {
			_, r := t.Do(t.Raw("GET /app/x HTTP/1.0", "Host: "+t.host()),
				CGI("Connection: keep-alive\r\nKeep-Alive: timeout=99\r\n"+text+"good"))
			t.Intact(r, 200, "good")
			t.Check(!strings.Contains(strings.ToLower(r.Get("Connection")), "keep-alive"), "Connection: %s", r.Get("Connection"))
			t.Check(r.Get("Keep-Alive") != "timeout=99", "Keep-Alive: %s", r.Get("Keep-Alive"))
		}),
	},
	named(byteByByteCase, "uwsgi-client/packet/response-one-byte-segments",
		"The protocol works mainly via TCP (a stream, in which the bounds of segments mean nothing)."),
	named(earlyResponseCase, "uwsgi-client/packet/response-early", uwsgiBody),
	named(neverAnswersCase, "uwsgi-client/packet/read-timeout",
		"An application that never answers must not hold the server's clients for ever."),
}
