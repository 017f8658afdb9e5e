package server

import (
	"slices"
	"strings"

	"github.com/gangway-go/gangway/conformance"
)

// The sentences of SCGI that many cases check.
const (
	scgiFirst = "The first header must have the name \"CONTENT_LENGTH\" and a value that is a nonempty sequence of " +
		"ASCII digits giving " +
		"the of the body length in decimal. The \"CONTENT_LENGTH\" header must always be present, even if its value is \"0\"."
	scgiEnd = "When the SCGI server sees the end of the request it sends back a response and closes the connection."
	cutLie  = "A response that is cut must not look whole to the client or a cache."
)

// scgiCases are the cases of SCGI.
func scgiCases() []conformance.Case {
	return slices.Concat(scgi3, scgi2)
}

// scgi3 are the cases of SCGI sections 3 and 4, the form of a request.
var scgi3 = []conformance.Case{
	{
		Name: "scgi-client/3/content-length-first", Level: conformance.Must, Quote: scgiFirst,
		Sends:  "GET and POST",
		Passes: "sends CONTENT_LENGTH as the first header, in digits",
		Run: test(func(t *T) {
			for _, x := range []*Exchange{t.Get("/app/x"), t.Post("/app/x", "abc")} {
				first := x.Vars[0]
				t.Check(first.Name == "CONTENT_LENGTH", "the first header is %s", first.Name)
				t.Check(first.Value != "" && strings.Trim(first.Value, "0123456789") == "", "its value is %q", first.Value)
			}
		}),
	},
	{
		Name: "scgi-client/3/content-length-always", Level: conformance.Must, Quote: scgiFirst,
		Sends:  "GET /app/x",
		Passes: "sends CONTENT_LENGTH with the value 0",
		Run:    test(func(t *T) { t.Get("/app/x").Want("CONTENT_LENGTH", "0") }),
	},
	{
		Name: "scgi-client/3/scgi-1", Level: conformance.Must,
		Quote:  "There must also always be a header with the name \"SCGI\" and a value of \"1\".",
		Sends:  "GET /app/x",
		Passes: "sends SCGI with the value 1, once",
		Run:    test(func(t *T) { t.Get("/app/x").Want("SCGI", "1") }),
	},
	{
		Name: "scgi-client/3/scgi-not-from-client", Level: conformance.Security,
		Quote: "There must also always be a header with the name \"SCGI\" and a value of \"1\". (The client has no say " +
			"in that, nor in CONTENT_LENGTH.)",
		Sends:  "POST /app/x with 3 bytes and the fields \"Scgi: 2\" and \"Content_Length: 999\"",
		Passes: "sends SCGI 1 and CONTENT_LENGTH 3, each once",
		Run: test(func(t *T) {
			x, r := t.Do(t.Request("POST", "/app/x", "abc", "Content-Length: 3", "Scgi: 2", "Content_Length: 999"))
			if x == nil {
				t.Want(r, 4)
				return
			}
			x.Want("SCGI", "1")
			x.Want("CONTENT_LENGTH", "3")
		}),
	},
	named(noDuplicatesCase, "scgi-client/3/no-duplicate-names", "Duplicate names are not allowed in the headers."),
	{
		Name: "scgi-client/3/no-nul-in-values", Level: conformance.Must,
		Quote:  "value ::= notnull* […] notnull ::= <01> | <02> | <03> | ... | <ff>",
		Sends:  "GET /app/a%00b and GET /app/x?c%00d",
		Passes: "refuses them, or sends headers that are those of the request",
		Run: test(func(t *T) {
			t.noNul()
			for _, x := range t.Exchanges { // a NUL would make a header of the rest
				t.Check(!x.Has("b") && !x.Has("d"), "a header named b or d")
				x.Want("SCGI", "1")
			}
		}),
	},
	{
		Name: "scgi-client/3/empty-value", Level: conformance.Must,
		Quote:  "header ::= name NUL value NUL; name ::= notnull+; value ::= notnull*",
		Sends:  "GET /app/x?, and a field without value",
		Passes: "sends headers of which each has a name",
		Run: test(func(t *T) {
			for _, v := range t.Get("/app/x?", "X-Empty:").Vars {
				t.Check(v.Name != "", "a header without name, and the value %q", v.Value)
			}
		}),
	},
	{
		Name: "scgi-client/3/cgi-variables", Level: conformance.Should,
		Quote: "In order to facilitate the transition from CGI, standard CGI environment variables should be provided " +
			"as SCGI headers.",
		Sends:  "GET /app/x?q",
		Passes: "sends the variables that RFC 3875 demands",
		Run: test(func(t *T) {
			x := t.Get("/app/x?q")
			for _, name := range []string{"GATEWAY_INTERFACE", "QUERY_STRING", "REMOTE_ADDR", "REQUEST_METHOD", "SCRIPT_NAME",
				"SERVER_NAME", "SERVER_PORT", "SERVER_PROTOCOL", "SERVER_SOFTWARE"} {
				t.Check(x.Has(name), "no %s", name)
			}
		}),
	},
	{
		Name: "scgi-client/3/body-length-exact", Level: conformance.Must,
		Quote:  "The body is sent following the headers and its length is specified by the \"CONTENT_LENGTH\" header.",
		Sends:  "POST /app/x with 10 MiB",
		Passes: "sends all of it, and nothing more",
		Run:    test(func(t *T) { t.exactBody(strings.Repeat("0123456789abcdef", 10<<16)) }),
	},
	named(bodyNotMoreCase, "scgi-client/3/body-not-more",
		"The body is sent following the headers and its length is specified by the \"CONTENT_LENGTH\" header."),
	named(chunkedBodyCase, "scgi-client/3/chunked-request", scgiFirst),
	{
		Name: "scgi-client/4/netstring-canonical", Level: conformance.Must,
		Quote:  "Extra zeros at the front of [len] are prohibited: [len] begins with <30> exactly when [string] is empty.",
		Sends:  "GET and POST",
		Passes: "sends a length without leading zeros, a colon, as many bytes and a comma",
		Run: test(func(t *T) {
			for _, x := range []*Exchange{t.Get("/app/x"), t.Post("/app/x", "abc")} {
				length, _, _ := strings.Cut(x.head, ":")
				t.Check(length != "" && length[0] != '0' && strings.Trim(length, "0123456789") == "", "the length is %q", length)
			}
		}),
	},
	{
		Name: "scgi-client/4/header-block-100k", Level: conformance.Robustness,
		Quote:  "Any string of 8-bit bytes may be encoded as [len]\":\"[string]\",\".",
		Sends:  "GET /app/x with 100 fields of 1000 bytes each",
		Passes: "sends them all, or refuses the request",
		Run:    test(func(t *T) { t.manyFields(100) }),
	},
}

// scgi2 are the cases of SCGI section 2, the course of an exchange.
var scgi2 = []conformance.Case{
	{
		Name: "scgi-client/2/one-request-per-connection", Level: conformance.Must, Quote: scgiEnd,
		Sends:  "two requests on one connection of the client",
		Passes: "uses a connection to the application for each",
		Run: test(func(t *T) {
			c := t.Client()
			for range 2 {
				_, r := c.Answer(t.Request("GET", "/app/again", ""))
				t.Intact(r, 200, t.token)
			}
			t.Check(len(t.Exchanges) == 2 &&
				t.Exchanges[0].lease.appConn != t.Exchanges[1].lease.appConn, "one connection for both")
		}),
	},
	named(cutBodyCase, "scgi-client/2/close-without-body", cutLie),
	{
		Name: "scgi-client/2/close-delimited-no-length", Level: conformance.Must, Quote: scgiEnd,
		Sends:  "a response of 100000 bytes without Content-Length, and closes the connection",
		Passes: "delivers the response as it is",
		Run: test(func(t *T) {
			body := strings.Repeat("0123456789", 10000)
			t.Intact(t.Reply(text+body), 200, body)
		}),
	},
	named(resetCase, "scgi-client/2/reset-mid-body", cutLie),
	named(noResponseCase, "scgi-client/2/no-response", scgiEnd),
	named(earlyResponseCase, "scgi-client/2/early-response-unread-body", scgiEnd),
	named(clientGoneCase, "scgi-client/2/client-disconnect",
		"What works for a client that has gone works for nobody; only the end of the connection can tell the "+
			"application."),
	named(uploadBrokenCase, "scgi-client/2/upload-broken",
		"The body is sent following the headers and its length is specified by the \"CONTENT_LENGTH\" header. "+
			"(What is missing must not be made up.)"),
	{
		Name: "scgi-client/2/open-while-active", Level: conformance.Robustness,
		Quote:  "Applications take the end of the input for the end of the client: what ends the request is CONTENT_LENGTH.",
		Sends:  "POST /app/x, which the application answers after a while",
		Passes: "does not close its end of the connection, not for writing only either, before the response",
		Run:    test((*T).staysOpen),
	},
	named(byteByByteCase, "scgi-client/2/one-byte-segments",
		"The client connects to a SCGI server over a reliable stream protocol allowing transmission of 8-bit bytes."),
	named(neverAnswersCase, "scgi-client/2/read-timeout",
		"An application that never answers must not hold the server's clients for ever."),
	{
		Name: "scgi-client/2/local-redirect", Level: conformance.Must,
		Needs: []string{"static"}, Spec: "RFC 3875 section 6.2.2",
		Quote: "the server MUST generate the response that it would have produced in response to a request containing " +
			"the URL",
		Sends:  "a response \"Location: /static.txt\"",
		Passes: "delivers the static file",
		Run:    test(func(t *T) { t.Intact(t.Reply("Location: /static.txt\r\n\r\n"), 200, StaticText) }),
	},
}
