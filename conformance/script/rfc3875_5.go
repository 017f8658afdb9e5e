package script

import (
	"bytes"
	"slices"
	"strconv"
	"strings"

	"github.com/gangway-go/gangway/conformance"
)

func nphCases() []conformance.Case {
	needs := []string{needNPH}
	return slices.Concat(nphConnectionCases(needs), []conformance.Case{{
		Name:   "script/5.2/nph-full-response",
		Quote:  "An (HTTP) NPH script MUST return a complete HTTP response message",
		Level:  conformance.Must,
		Needs:  needs,
		Sends:  "a GET and a FOO",
		Passes: "sends a status line of HTTP, fields and an empty line",
		Run: test(func(t *T) {
			for _, r := range t.samples() {
				t.Check(statusLine.MatchString(r.start), "%.80q instead of a status line", r.start)
				t.Check(r.complete, "a header that does not end")
			}
		}),
	}, {
		Name: "script/5.2/nph-content-length",
		Quote: "Nobody corrects what an NPH script says of its body: a client waits for the rest, or takes it for the " +
			"next response.",
		Level:  conformance.Security,
		Needs:  needs,
		Sends:  "a GET and a FOO",
		Passes: "sends a body of Content-Length bytes, if it sends Content-Length",
		Run:    test(func(t *T) { t.each(t.lengthIsTrue) }),
	}, {
		Name: "script/5.2/nph-newline-is-crlf",
		Quote: "An (HTTP) NPH script MUST return a complete HTTP response message, currently described in section 6 of the " +
			"HTTP specifications",
		Level:  conformance.Must,
		Needs:  needs,
		Sends:  "a GET and a FOO",
		Passes: "ends each line of the header with CR LF",
		Run: test(func(t *T) {
			t.each(func(r *response) {
				header := r.stdout[:len(r.stdout)-len(r.body)]
				t.Check(bytes.Count(header, []byte("\n")) == bytes.Count(header, []byte("\r\n")), "LF without CR: %.200q", header)
			})
		}),
	}})
}

// nphConnectionCases are about what differs between versions of HTTP.
func nphConnectionCases(needs []string) []conformance.Case {
	return []conformance.Case{{
		Name: "script/5.2/nph-no-keep-alive",
		Quote: "Unless the implementation defines otherwise, the script MUST NOT indicate in its response that the client " +
			"can send further requests over the same connection.",
		Level:  conformance.Must,
		Needs:  needs,
		Sends:  "a GET and a FOO",
		Passes: "sends Connection: close, or a response of HTTP/1.0 without Connection: keep-alive",
		Run: test(func(t *T) {
			t.each(func(r *response) {
				connection := strings.ToLower(strings.Join(r.values("Connection"), ","))
				closes := strings.Contains(connection, "close") || strings.HasPrefix(r.start, "HTTP/1.0")
				t.Check(closes && !strings.Contains(connection, "keep-alive"), "%q with Connection: %s", r.start, connection)
			})
		}),
	}, {
		Name:   "script/5.2/nph-server-protocol",
		Quote:  "The script MUST use the SERVER_PROTOCOL variable to determine the appropriate format for a response.",
		Level:  conformance.Must,
		Needs:  needs,
		Sends:  "a GET with SERVER_PROTOCOL=HTTP/1.0",
		Passes: "sends no Transfer-Encoding, which HTTP/1.0 has not",
		Run: test(func(t *T) {
			r := t.send(t.request("GET").set("SERVER_PROTOCOL", "HTTP/1.0"))
			t.answers(r)
			t.Check(!r.has("Transfer-Encoding"), "Transfer-Encoding: %s", r.value("Transfer-Encoding"))
		}),
	}}
}

// lengthIsTrue fails if there is a Content-Length that is not that of the body.
func (t *T) lengthIsTrue(r *response) {
	for _, value := range r.values("Content-Length") {
		t.Check(value == strconv.Itoa(len(r.body)), "Content-Length %q of a body of %d bytes", value, len(r.body))
	}
}
