package script

import (
	"slices"
	"strings"

	"github.com/gangway-go/gangway/conformance"
)

func methodCases() []conformance.Case {
	return slices.Concat(whichMethodCases(), headCases(), []conformance.Case{{
		Name:   "script/4.3.2/post-without-content-length",
		Quote:  "The script MUST check the value of the CONTENT_LENGTH variable before reading the attached message-body",
		Level:  conformance.Must,
		Sends:  "a POST without CONTENT_LENGTH; standard input stays open",
		Passes: "answers without waiting for data",
		Run: test(func(t *T) {
			r := t.post(form, "").unset("CONTENT_LENGTH")
			r.hold = true
			t.answers(t.send(r))
		}),
	}, {
		Name:   "script/4.3.2/content-type-checked",
		Quote:  "and SHOULD check the CONTENT_TYPE value before processing it.",
		Level:  conformance.Should,
		Sends:  "a POST with CONTENT_TYPE=application/x-foo and 3 bytes",
		Passes: "handles or refuses the request, and does not fail over it",
		Run:    test(func(t *T) { t.survives(t.send(t.post("application/x-foo", "\x00\xff\x01"))) }),
	}})
}

func whichMethodCases() []conformance.Case {
	return []conformance.Case{{
		Name: "script/4.3/unknown-method",
		Quote: "If the script receives a request with a method it does not support it SHOULD reject it with an error " +
			"(see section 6.3.3).",
		Level:  conformance.Should,
		Sends:  "REQUEST_METHOD=FOO",
		Passes: "gives status 405 or 501",
		Run: test(func(t *T) {
			status := t.send(t.request(unknownMethod)).status()
			t.Check(status == 405 || status == 501, "status %d", status)
		}),
	}, {
		Name:   "script/4.3/method-checked",
		Quote:  "The script MUST check the REQUEST_METHOD variable when processing the request and preparing its response.",
		Level:  conformance.Must,
		Sends:  "a request without REQUEST_METHOD",
		Passes: "refuses it or fails",
		Run:    test(func(t *T) { t.refuses(t.send(t.request("").unset("REQUEST_METHOD"))) }),
	}, {
		Name:   "script/4.3.1/get-with-body",
		Quote:  "A request-body is supplied with the request if the CONTENT_LENGTH is not NULL.",
		Level:  conformance.Robustness,
		Sends:  "a GET with CONTENT_LENGTH=3 and 3 bytes",
		Passes: "gives a response, also one that refuses the request",
		Run:    test(func(t *T) { t.survives(t.send(t.post(form, "a=b").set("REQUEST_METHOD", "GET"))) }),
	}}
}

func headCases() []conformance.Case {
	return []conformance.Case{{
		Name:   "script/4.3.3/head-no-body",
		Quote:  "The script MUST NOT provide a response message-body for a HEAD request.",
		Level:  conformance.Must,
		Sends:  "a HEAD",
		Passes: "sends a header and no body",
		Run: test(func(t *T) {
			r := t.send(t.request("HEAD"))
			t.answers(r)
			t.Check(r.complete && len(r.body) == 0, "%d bytes after the header", len(r.body))
		}),
	}, {
		Name: "script/4.3.3/head-like-get",
		Quote: "The HEAD method requests the script to do sufficient processing to return the response header fields, " +
			"without providing a response message-body.",
		Level:  conformance.Should,
		Sends:  "a GET and a HEAD",
		Passes: "sends the same fields both times, but for Content-Length, Date and what is made for each client",
		Run: test(func(t *T) {
			get, head := fieldNames(t.send(t.request("GET"))), fieldNames(t.send(t.request("HEAD")))
			t.Check(slices.Equal(get, head), "fields %q for GET, %q for HEAD", get, head)
		}),
	}}
}

// fieldNames are the names of the fields that do not depend on the method, sorted.
func fieldNames(r *response) (names []string) {
	for _, l := range r.header {
		switch name := strings.ToLower(l.name()); name {
		case "content-length", "date", "set-cookie", "etag", "accept-ranges", "connection":
		default:
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func argumentCases() []conformance.Case {
	cases := []conformance.Case{{
		Name: "script/4.4/ignores-argv-with-equals",
		Quote: `The script SHOULD check to see if the QUERY_STRING value contains an unencoded "=" character, and SHOULD ` +
			`NOT use the command line arguments if it does.`,
		Level:  conformance.Should,
		Sends:  "two GET requests with QUERY_STRING=a=b, the second with the argument x",
		Passes: "gives the same response to both",
		Run: test(func(t *T) {
			with := t.query("a=b")
			with.args = []string{"x"}
			t.sameBody(t.query("a=b"), with)
		}),
	}}
	for _, option := range []string{"-s", "-d", "--help", "--version"} {
		cases = append(cases, conformance.Case{
			Name:   "script/4.4/argv-option-" + strings.TrimLeft(option, "-"),
			Family: "script/4.4/argv-option",
			Quote: "The words come from the client: a program or an interpreter that takes them for its options does what " +
				"the client likes, as php-cgi did (CVE-2012-1823).",
			Level:  conformance.Security,
			Sends:  "two GET requests with QUERY_STRING=" + option + ", the second with the argument " + option,
			Passes: "gives the same kind of response to both",
			Run: test(func(t *T) {
				with := t.query(option)
				with.args = []string{option}
				want, got := t.send(t.query(option)), t.send(with)
				t.Check(len(got.stdout) > 0 && got.end == want.end, "%d bytes and %s", len(got.stdout), got.end)
				t.same(want, got)
			}),
		})
	}
	return cases
}
