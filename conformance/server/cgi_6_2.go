package server

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/gangway-go/gangway/conformance"
)

// RFC 3875 sections 6.2 and 6.2.1, Response Types and Document Response.
var cgi62 = []conformance.Case{{
	Name:   "cgi/6.2.1/document-200",
	Quote:  "A Status header field is optional, and status 200 'OK' is assumed if it is omitted.",
	Level:  conformance.Must,
	Sends:  "a request that the application answers with Content-Type and a body",
	Passes: "answers 200 with that type and body",
	Run: test(func(t *T) {
		r := t.Reply("Content-Type: text/x-conform\n\na document")
		t.Intact(r, 200, "a document")
		t.WantField(r, "Content-Type", "text/x-conform")
	}),
}, {
	Name:   "cgi/6.2/status-last",
	Quote:  "the order of header fields in a response is not significant",
	Level:  conformance.Must,
	Sends:  "a request that the application answers with Status: 404 as the last of three fields",
	Passes: "answers 404",
	Run:    test(func(t *T) { t.Intact(t.Reply(plain+"X-A: 1\nStatus: 404 Nope\n\nbody"), 404, "body") }),
}, {
	Name:  "cgi/6.2/location-last",
	Quote: "the order of header fields in a response is not significant",
	Level: conformance.Must,
	Sends: "a request that the application answers with X-A, Content-Type, Status: 302 and Location, in this " +
		"order, and a body",
	Passes: "answers 302 with that Location and body",
	Run: test(func(t *T) {
		r := t.Reply("X-A: 1\n" + plain + "Status: 302 Found\nLocation: http://example.org/x\n\nbody")
		t.Intact(r, 302, "body")
		t.WantField(r, "Location", "http://example.org/x")
	}),
}, {
	Name: "cgi/6.2/body-null", Quote: "The body may be NULL.", Level: conformance.Must,
	Sends:  "a request that the application answers with Content-Type, a blank line and nothing more",
	Passes: "answers 200 with an empty body",
	Run:    test(func(t *T) { t.Intact(t.ReplyThen(plain+"\n"), 200, "") }),
}, {
	Name:   "cgi/6.2/byte-by-byte",
	Quote:  "The response comprises a message-header and a message-body, separated by a blank line.",
	Level:  conformance.Must,
	Sends:  "a request that the application answers with a response that it writes byte by byte",
	Passes: "answers as if it had come at once",
	Run: test(func(t *T) {
		_, r := t.Do(t.Request("GET", "/app/bytes", ""), func(x *Exchange) {
			for _, b := range []byte("Status: 404 Nope\nX-A: 1\n" + plain + "\nbody") {
				x.Write(string(b))
			}
			x.End()
		})
		t.Intact(r, 404, "body")
		t.WantField(r, "X-A", "1")
	}),
}, {
	Name: "cgi/6.2/headers-no-blank-line", Quote: aboutConformity, Level: conformance.Robustness,
	Sends:  "a request that the application answers with one field and no blank line",
	Passes: "answers with a 5xx status",
	Run:    test(func(t *T) { t.Want(t.Reply(plain), 5) }),
}, {
	Name: "cgi/6.2/header-cut", Quote: aboutConformity, Level: conformance.Robustness,
	Sends:  "a request that the application answers with one field and the beginning of another",
	Passes: "answers with a 5xx status",
	Run:    test(func(t *T) { t.Want(t.Reply(plain+"X-Cut: of"), 5) }),
}, {
	Name: "cgi/6.2/only-blank-line", Quote: aboutConformity, Level: conformance.Robustness,
	Sends:  "a request that the application answers with CR LF only",
	Passes: "answers with a 5xx status, or 200 and an empty body",
	Run: test(func(t *T) {
		if r := t.Reply("\r\n"); t.Passed(r) {
			t.Intact(r, 200, "")
		}
	}),
}}

const localRedirect = "the server MUST generate the response that it would have produced in response to a request " +
	"containing the URL"

// follows is what the cases on local redirects depend on.
var follows = []string{"cgi/6.2.2/location-local"}

// local is a local redirect to a place of the layout. The token goes with it, for the fields of the request may not.
func (t *T) local(path, query string) string {
	return "Location: " + t.At(path) + "?" + query + "&c=" + t.token + "\n\n"
}

// Redirected sends a GET request that the application answers with a local redirect there, and returns what arrives
// then.
func (t *T) Redirected(request Request, path, query string) (*Exchange, *Response) {
	_, r := t.Do(request, CGI(t.local(path, query)), OK)
	t.Check(len(t.Exchanges) > 1, "no request for the target of the redirect; %v", r)
	return t.Exchanges[1], r
}

// RFC 3875 section 6.2.2, Local Redirect Response.
var cgi622 = []conformance.Case{{
	Name: "cgi/6.2.2/location-local", Quote: localRedirect, Level: conformance.Must, Needs: []string{"static"},
	Sends:  "a request that the application answers with Location: /static.txt only",
	Passes: "answers 200 with the contents of that file, and no Location",
	Run: test(func(t *T) {
		r := t.Reply("Location: /static.txt\n\n")
		t.Intact(r, 200, StaticText)
		t.WantNoField(r, "Location")
	}),
}, {
	Name:  "cgi/6.2.2/location-local-crlf",
	Spec:  "RFC 3875 section 7.2; RFC 3875",
	Quote: "servers should also accept CR LF as a newline",
	Level: conformance.Should, Needs: []string{"static"}, DependsOn: follows,
	Sends:  "a local redirect to /static.txt with CR LF as line ends",
	Passes: "answers 200 with the contents of that file",
	Run:    test(func(t *T) { t.Intact(t.Reply("Location: /static.txt\r\n\r\n"), 200, StaticText) }),
}, {
	Name:      "cgi/6.2.2/location-local-query",
	Quote:     localRedirect,
	Level:     conformance.Must,
	Needs:     []string{"app2"},
	DependsOn: follows,
	Sends:     "a local redirect to /app2/x?x=1&y=%20",
	Passes:    "gives QUERY_STRING as it is there to the second program",
	Run: test(func(t *T) {
		x, r := t.Redirected(t.Request("GET", "/app/reply?first", ""), "/app2/x", "x=1&y=%20")
		x.Want("QUERY_STRING", "x=1&y=%20&c="+t.token)
		x.Want("SCRIPT_NAME", t.At("/app2"))
		t.Intact(r, 200, t.token)
	}),
}, {
	Name:      "cgi/6.2.2/location-local-decoded",
	Quote:     localRedirect,
	Level:     conformance.Must,
	Needs:     []string{"app2"},
	DependsOn: follows,
	Sends:     "a local redirect to /app2/a%20b%2Bc", Passes: "decodes the path once: PATH_INFO is \"/a b+c\"",
	Run: test(func(t *T) {
		x, _ := t.Redirected(t.Request("GET", "/app/reply", ""), "/app2/a%20b%2Bc", "")
		x.Want("PATH_INFO", "/a b+c")
	}),
}, {
	Name:      "cgi/6.2.2/location-local-post-to-get",
	Quote:     localRedirect,
	Level:     conformance.Must,
	Needs:     []string{"app2"},
	DependsOn: follows,
	Sends:     "a POST request with a body of 3 bytes that the application answers with a local redirect",
	Passes:    "asks for the target with GET and without a body",
	Run: test(func(t *T) {
		x, _ := t.Redirected(t.Request("POST", "/app/reply", "abc"), "/app2/x", "")
		x.Want("REQUEST_METHOD", "GET")
		t.Check(x.Get("CONTENT_LENGTH") == "" || x.Get("CONTENT_LENGTH") == "0", "CONTENT_LENGTH is %q",
			x.Get("CONTENT_LENGTH"))
		t.Check(x.Body() == "", "the body %s", excerpt(x.Body()))
	}),
}, {
	Name:      "cgi/6.2.2/location-local-head",
	Quote:     localRedirect,
	Level:     conformance.Must,
	Needs:     []string{"app2"},
	DependsOn: follows,
	Sends:     "a HEAD request that the application answers with a local redirect, and then a GET request",
	Passes:    "answers 200 without a body, and then the response to the GET",
	Run: test(func(t *T) {
		c := t.Client()
		_, r := c.Answer(t.Request("HEAD", "/app/reply", ""), CGI(t.local("/app2/x", "")), OK)
		t.Check(len(t.Exchanges) > 1, "no request for the target of the redirect; %v", r)
		t.Intact(r, 200, "")
		t.Next(c, r)
	}),
}, {
	Name:  "cgi/6.2.2/location-local-loop",
	Quote: "An application that redirects to itself must not keep the server busy for ever.",
	Level: conformance.Security, Needs: []string{"app2"}, DependsOn: follows, Serial: true,
	Sends:  "a local redirect to the same place again and again",
	Passes: "asks at most 50 times, and then answers with a 5xx status",
	Run: test(func(t *T) {
		loop := CGI(t.local("/app2/x", ""))
		_, r := t.Do(t.Request("GET", "/app/reply", ""), func(x *Exchange) {
			t.Check(len(t.Exchanges) <= 50, "the application was asked more than 50 times")
			loop(x)
		})
		t.Want(r, 5)
	}),
}, {
	Name: "cgi/6.2.2/location-local-access-control", Quote: localRedirect, Level: conformance.Security,
	Needs: []string{"basic"}, DependsOn: follows,
	Sends:  "a local redirect to /auth/x, which wants a password",
	Passes: "answers 401 and does not ask the program there",
	Run: test(func(t *T) {
		_, r := t.Do(t.Request("GET", "/app/reply", ""), CGI(t.local("/auth/x", "")), OK)
		t.Check(len(t.Exchanges) == 1, "the program behind the password was asked")
		t.Want(r, 401)
	}),
}, {
	Name:   "cgi/6.2.2/location-local-dotdot",
	Quote:  "A path that leads out of the document root must not become readable by a redirect.",
	Level:  conformance.Security,
	Sends:  "Location: /../../../../../../../../etc/passwd, and the same with %2e%2e and with %2f",
	Passes: "does not show that file",
	Run: test(func(t *T) {
		for _, up := range []string{"/..", "/%2e%2e", "/.%2E", "/..%2f.."} {
			location := ""
			for range 8 {
				location += up
			}
			r := t.Reply("Location: " + location + "/etc/passwd\n\n")
			t.Valid(r)
			t.noSystemFile(r)
		}
	}),
}, {
	Name:   "cgi/6.2.2/location-local-with-body",
	Quote:  "The script MUST NOT return any other header fields or a message-body",
	Level:  conformance.Robustness,
	Sends:  "Location: /app2/x with Content-Type and a body",
	Passes: "redirects the client, or asks /app2/x, or answers with a 5xx status",
	Run: test(func(t *T) {
		response := "Location: " + t.At("/app2/x") + "?" + t.token + "\n" + plain + "\nbody"
		_, r := t.Do(t.Request("GET", "/app/reply", ""), CGI(response), OK)
		t.Want(r, 3, 5, 200)
		t.Check(r.Status != 200 || len(t.Exchanges) == 2, "%v", r)
	}),
}}

// there is a field Location, and moved what follows Status in a redirect with a document.
const (
	there = "Location: http://example.org/x\n"
	moved = there + plain + "\nmoved"
)

// clientCase is a case about a redirect without a document.
func clientCase(name, sends, response, location string) conformance.Case {
	return conformance.Case{
		Name: "cgi/6.2.3/" + name, Level: conformance.Must, Sends: sends, Passes: "answers 302 with that Location",
		Quote: "For an HTTP client request, the server MUST generate a 302 'Found' HTTP response message.",
		Run: test(func(t *T) {
			r := t.Reply(response)
			t.Want(r, 302)
			t.WantField(r, "Location", location)
		}),
	}
}

// documentCase is a case about redirects with a document and these statuses.
func documentCase(name string, statuses ...int) conformance.Case {
	return conformance.Case{
		Name: "cgi/6.2.4/" + name, Level: conformance.Must,
		Quote:  "or it MAY contain an extension-code, that is, another valid status code that means client redirection",
		Sends:  fmt.Sprintf("a response with Status, Location, Content-Type and a body, for the statuses %d", statuses),
		Passes: "answers with that status, Location and body",
		Run: test(func(t *T) {
			for _, status := range statuses {
				r := t.Reply(fmt.Sprintf("Status: %d Moved\n", status) + moved)
				t.Intact(r, status, "moved")
				t.WantField(r, "Location", "http://example.org/x")
			}
		}),
	}
}

// RFC 3875 sections 6.2.3 and 6.2.4, Client Redirect Response, alone and with Document.
func cgi623() []conformance.Case {
	return []conformance.Case{
		clientCase("location-absolute", "a response with Location: http://example.org/x only", there+"\n",
			"http://example.org/x"),
		clientCase("location-other-scheme", "a response with Location: urn:example:a:b only",
			"Location: urn:example:a:b\n\n", "urn:example:a:b"),
		clientCase("location-with-extension", "a response with X-CGI-Conform: 1 and Location: http://example.org/x",
			"X-CGI-Conform: 1\n"+there+"\n", "http://example.org/x"),
		documentCase("location-with-302", 302), documentCase("location-with-301", 301),
		documentCase("location-307-308", 307, 308),
		{
			Name: "cgi/6.2.4/location-with-201", Spec: "RFC 9110 section 10.2.2; RFC 3875", Level: conformance.Must,
			Quote: "For 201 (Created) responses, the Location value refers to the primary resource created by the " +
				"request.",
			Sends:  "Status: 201, a Location that is a path on the server, Content-Type and a body",
			Passes: "answers 201 with that Location and body, and follows nothing",
			Run: test(func(t *T) {
				r := t.Reply("Status: 201 Created\nLocation: " + t.At("/app2/x") + "\n" + plain + "\nmade")
				t.Intact(r, 201, "made")
				t.Check(len(t.Exchanges) == 1, "the server followed the Location")
				t.Check(strings.HasSuffix(r.Get("Location"), t.At("/app2/x")), "%v", r)
			}),
		},
	}
}

// noSystemFile makes sure that the response does not show the file of users that every Unix has.
func (t *T) noSystemFile(r *Response) {
	t.Check(!bytes.Contains(r.Body, []byte("root:")), "a file outside of the document root: %v", r)
}
