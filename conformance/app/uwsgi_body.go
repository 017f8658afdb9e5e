package app

import (
	"bytes"
	"fmt"

	"github.com/gangway-go/gangway/conformance"
)

func uwsgiBodies() []conformance.Case {
	const quote = "Standard WSGI request followed by the HTTP request body"
	return []conformance.Case{{
		Name:   "uwsgi/packet/body-content-length",
		Quote:  quote,
		Level:  conformance.Must,
		Echo:   true,
		Sends:  "a POST with 3 bytes, and leaves the connection open",
		Passes: "sees the body, and does not wait for the end of the connection",
		Run:    test(func(t *T) { t.uwsgiBody([]byte("abc"), nil) }),
	}, {
		Name:   "uwsgi/packet/body-10mb",
		Quote:  quote,
		Level:  conformance.Must,
		Echo:   true,
		Sends:  "a POST with 10 MiB",
		Passes: "sees the body",
		Run:    test(func(t *T) { t.uwsgiBody(bigBody(), nil) }),
	}, {
		Name:   "uwsgi/packet/body-octets",
		Quote:  quote,
		Level:  conformance.Must,
		Echo:   true,
		Sends:  "a POST with the bytes 0x00 to 0xFF",
		Passes: "sees the body",
		Run:    test(func(t *T) { t.uwsgiBody(allOctets(), nil) }),
	}, {
		Name:   "uwsgi/packet/body-extra-bytes",
		Quote:  quote,
		Level:  conformance.Security,
		Echo:   true,
		Sends:  "a POST with CONTENT_LENGTH=3 and 23 bytes",
		Passes: "takes 3 bytes for the body",
		Run:    test(func(t *T) { t.uwsgiBody([]byte("abc"), []byte("this is beyond its end")) }),
	}, {
		Name:   "uwsgi/packet/body-short-close",
		Quote:  "A body that breaks off is no request: what is done with half an order is worse than nothing.",
		Level:  conformance.Robustness,
		Echo:   true,
		Sends:  "a POST with CONTENT_LENGTH=20 and 10 bytes, and ends its direction of the connection",
		Passes: "rejects the request",
		Run: test(func(t *T) {
			e := t.begin(uwsgi(t.uwsgiPost(20), []byte("0123456789")))
			e.CloseWrite()
			e.rejected()
		}),
	}, {
		Name:   "uwsgi/packet/split-segments",
		Quote:  "It is a binary protocol that can carry any type of data.",
		Level:  conformance.Must,
		Echo:   true,
		Sends:  "a POST one byte at a time, header and body",
		Passes: "sees the body",
		Run: test(func(t *T) {
			e := t.begin()
			e.dribble(uwsgi(t.uwsgiPost(3), []byte("abc")))
			t.CheckBody(t.Echo(e.response()), []byte("abc"))
		}),
	}}
}

func uwsgiLengths() (cases []conformance.Case) {
	for _, bad := range []struct{ slug, value string }{
		{"minus", "-1"}, {"trailing", "1x"}, {"30-digits", "100000000000000000000000000001"},
	} {
		cases = append(cases, conformance.Case{
			Name:   "uwsgi/packet/content-length-" + bad.slug,
			Family: "uwsgi/packet/content-length",
			Quote: "A length that is no number must not become one by chance: then two readers disagree on where the body " +
				"ends.",
			Level:  conformance.Robustness,
			Sends:  "a POST with CONTENT_LENGTH=" + bad.value + " and 1 byte",
			Passes: "rejects the request, without waiting for more",
			Run: test(func(t *T) {
				t.begin(uwsgi(set(t.uwsgiPost(1), "CONTENT_LENGTH", bad.value), []byte("x"))).rejected()
			}),
		})
	}
	return cases
}

// uwsgiBody sends a POST and fails unless the application sees the body, and not what is beyond it.
func (t *T) uwsgiBody(body, beyond []byte) {
	request := append(uwsgi(t.uwsgiPost(len(body)), body), beyond...)
	t.CheckBody(t.Echo(t.begin(request).response()), body)
}

func uwsgiResponses() []conformance.Case {
	const quote = "Even the web server handlers obey this rule, as an HTTP response is a valid uwsgi packet (look " +
		"at the modifier1 = 72)."
	large := fmt.Sprintf("large=%d", largeSize)
	return []conformance.Case{{
		Name:   "uwsgi/packet/response-http",
		Quote:  quote,
		Level:  conformance.Must,
		Sends:  "a GET",
		Passes: "sends a response of HTTP, with its status line, and closes the connection",
		Run: test(func(t *T) {
			b := t.begin(uwsgi(t.variables("GET", ""), nil)).response()
			t.Check(bytes.HasPrefix(b, []byte("HTTP/1.")), "a response that begins with %.40q", b)
		}),
	}, {
		Name:   "uwsgi/packet/large-response",
		Quote:  "Every uwsgi request generates a response in the uwsgi format.",
		Level:  conformance.Must,
		Echo:   true,
		Sends:  "a GET that is answered with 4 MiB, and is in no hurry to read it",
		Passes: "sends every byte before it closes the connection",
		Run:    test(func(t *T) { t.largeResponse(uwsgi(t.variables("GET", large), nil)) }),
	}}
}

func uwsgiConnections() []conformance.Case {
	large := fmt.Sprintf("large=%d", largeSize)
	return []conformance.Case{{
		Name:   "uwsgi/packet/half-closed",
		Quote:  "Every uwsgi request generates a response in the uwsgi format.",
		Level:  conformance.Robustness,
		Sends:  "a GET, and ends its direction of the connection",
		Passes: "answers all the same: that the request has ended does not mean that nobody waits",
		Run: test(func(t *T) {
			e := t.begin(uwsgi(t.variables("GET", ""), nil))
			e.CloseWrite()
			e.response()
		}),
	}, {
		Name:   "uwsgi/packet/pipelined-request",
		Quote:  "What follows a request can be an attacker's: a body that was longer than announced.",
		Level:  conformance.Security,
		Echo:   true,
		Sends:  "two requests, one behind the other, over one connection",
		Passes: "answers the first alone",
		Run: test(func(t *T) {
			request := uwsgi(t.variables("GET", ""), nil)
			t.onlyOne(t.begin(append(bytes.Clone(request), request...)))
		}),
	}, {
		Name:   "uwsgi/packet/reset-within-response",
		Quote:  "A web server whose client is gone closes the connection: that must not end the application.",
		Level:  conformance.Robustness,
		Echo:   true,
		Sends:  "a GET that is answered with 4 MiB, and breaks the connection after the first bytes",
		Passes: "serves the next one",
		Run:    test(func(t *T) { t.resetWithin(uwsgi(t.variables("GET", large), nil)) }),
	}, {
		Name:   "uwsgi/packet/http-to-uwsgi-port",
		Quote:  "The first 4 bytes of a uwsgi packet describe the type of the data contained by the packet.",
		Level:  conformance.Robustness,
		Sends:  "a request of HTTP, and ends its direction of the connection",
		Passes: "closes the connection, or says that it is no web server",
		Run: test(func(t *T) {
			e := t.begin([]byte("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"))
			e.CloseWrite()
			e.rejected()
		}),
	}}
}
