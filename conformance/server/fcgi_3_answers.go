package server

import (
	"strings"

	"github.com/gangway-go/gangway/conformance"
	"github.com/gangway-go/gangway/fastcgi/wire"
)

// The sentences of section 3.3 that many cases check.
const (
	padding = "The protocol allows senders to pad the records they send, and requires receivers to interpret the " +
		"paddingLength and skip the paddingData."
	streams = "The contentData components of a stream's records, when concatenated, form a byte sequence; this byte " +
		"sequence is the " +
		"value of the stream. Therefore the value of a stream is independent of how many records it contains or how its " +
		"bytes " +
		"are divided among the non-empty records."
	belongs = "requestId: Identifies the FastCGI request to which the record belongs."
)

// fcgi3Answers are the cases of FastCGI 1.0 section 3.3, "Records", as far as the application sends.
var fcgi3Answers = []conformance.Case{
	{
		Name: "fcgi-client/3.3/padding-every-record", Level: conformance.Must, Quote: padding,
		Sends:  "a response whose FCGI_STDOUT, FCGI_STDERR and FCGI_END_REQUEST have 255 bytes of padding each",
		Passes: "delivers the response as it is",
		Run: test(func(t *T) {
			t.served(func(x *Exchange) []byte {
				end := padded(wire.TypeEndRequest, x.ID, strings.Repeat("\x00", 8), 255)
				return join(padded(wire.TypeStdout, x.ID, text, 255), padded(wire.TypeStderr, x.ID, "warning", 255),
					padded(wire.TypeStdout, x.ID, "good", 255), x.out(""), end)
			})
		}),
	},
	{
		Name: "fcgi-client/3.3/padding-on-empty-stdout", Level: conformance.Must, Quote: padding,
		Sends:  "a response that ends with an empty FCGI_STDOUT with 255 bytes of padding",
		Passes: "delivers the response as it is",
		Run: test(func(t *T) {
			t.served(func(x *Exchange) []byte {
				return join(x.out(text+"good"), padded(wire.TypeStdout, x.ID, "", 255), x.last(0, 0))
			})
		}),
	},
	{
		Name: "fcgi-client/3.3/reserved-nonzero", Level: conformance.Robustness,
		Quote:  "The header has a reserved byte with no meaning in version 1; one that is not 0 must not harm the response.",
		Sends:  "a response with 255 in the reserved byte of all record headers",
		Passes: "delivers the response as it is, or answers with an error",
		Run: test(func(t *T) {
			t.tolerated(func(x *Exchange) []byte {
				a, b, c := x.out(text+"good"), x.out(""), x.last(0, 0)
				a[7], b[7], c[7] = 255, 255, 255
				return join(a, b, c)
			})
		}),
	},
	{
		Name: "fcgi-client/3.3/one-byte-segments", Level: conformance.Must, Quote: streams,
		Sends:  "a response, each byte by itself",
		Passes: "delivers the response as it is",
		Run: test(func(t *T) {
			_, r := t.Do(t.Request("GET", "/app/x", ""), func(x *Exchange) {
				x.ReadBody(-1)
				b := join(x.out(text+"good"), x.normal())
				for i := range b[:len(b)-1] {
					x.Send(b[i : i+1])
					t.Sleep(t.Patience() / 1000)
				}
				x.EndBy(b[len(b)-1:])
			})
			t.Intact(r, 200, "good")
		}),
	},
	{
		Name: "fcgi-client/3.3/header-split-over-records", Level: conformance.Must, Quote: streams,
		Sends:  "responses whose header is divided between two records, at each place where that is possible",
		Passes: "delivers all of them as they are",
		Run: test(func(t *T) {
			const head = "Status: 201 Yes\r\nX-A: b\r\nContent-Type: a/b\r\n\r\n"
			c := t.Client()
			for i := 1; i < len(head); i++ {
				_, r := c.Answer(t.Request("GET", "/app/x", ""), func(x *Exchange) {
					x.ReadBody(-1)
					x.Send(x.out(head[:i]))
					x.EndBy(join(x.out(head[i:]+"good"), x.normal()))
				})
				t.Check(r.Status == 201 && r.Get("X-A") == "b" && string(r.Body) == "good",
					"with the first record %q: %v", head[:i], r)
			}
		}),
	},
	{
		Name: "fcgi-client/3.3/wrong-request-id", Level: conformance.Security, Quote: belongs,
		Sends:  "a response within which is a FCGI_STDOUT of another request",
		Passes: "does not deliver what belongs to another request",
		Run: test(func(t *T) {
			t.foreign(func(x *Exchange) []byte { return record(wire.TypeStdout, x.ID+1, "foreign") })
		}),
	},
	{
		Name: "fcgi-client/3.3/id-zero-stdout", Level: conformance.Security,
		Quote:  belongs + " Application records have a nonzero requestId.",
		Sends:  "a response within which is a FCGI_STDOUT with request id 0",
		Passes: "does not deliver what belongs to no request",
		Run: test(func(t *T) {
			t.foreign(func(x *Exchange) []byte { return record(wire.TypeStdout, 0, "foreign") })
		}),
	},
	{
		Name: "fcgi-client/A/input-types-not-output", Level: conformance.Security,
		Quote:  "WS->App: records of this type can only be sent by the Web server to the application.",
		Sends:  "a response within which are records FCGI_STDIN, FCGI_DATA and FCGI_PARAMS",
		Passes: "does not deliver their content",
		Run: test(func(t *T) {
			t.foreign(func(x *Exchange) []byte {
				return join(record(wire.TypeStdin, x.ID, "foreign"), record(wire.TypeData, x.ID, "foreign"),
					record(wire.TypeParams, x.ID, "foreign"))
			})
		}),
	},
	{
		Name: "fcgi-client/3.3/end-for-wrong-id", Level: conformance.Robustness, Quote: belongs,
		Sends:  "a good response with FCGI_END_REQUEST for another request in the middle of its body",
		Passes: "delivers the response as it is, or answers with an error",
		Run: test(func(t *T) {
			t.settled(func(x *Exchange) []byte {
				return join(x.out(text+"go"), wire.EndRequest{}.Append(nil, x.ID+1), x.out("od"), x.normal())
			})
		}),
	},
	{
		Name: "fcgi-client/3.3/unknown-record-type", Level: conformance.Robustness,
		Quote: "type: Identifies the FastCGI record type […]. A record of an unknown type must not harm the response.",
		Sends: "a good response with records of type 99 with the request's id and type 200 with id 0 in the middle of " +
			"its body",
		Passes: "delivers the response as it is, or answers with an error",
		Run: test(func(t *T) {
			t.settled(func(x *Exchange) []byte {
				return join(x.out(text+"go"), record(99, x.ID, "unknown"), record(200, 0, "unknown"), x.out("od"), x.normal())
			})
		}),
	},
	{
		Name: "fcgi-client/3.3/wrong-direction-begin", Level: conformance.Robustness,
		Quote:  "The Web server sends a FCGI_BEGIN_REQUEST record to start a request. (section 5.1)",
		Sends:  "a good response with FCGI_BEGIN_REQUEST in the middle of its body",
		Passes: "delivers the response as it is, or answers with an error",
		Run: test(func(t *T) {
			t.settled(func(x *Exchange) []byte {
				return join(x.out(text+"go"), wire.BeginRequest{Role: 1}.Append(nil, x.ID), x.out("od"), x.normal())
			})
		}),
	},
	{
		Name: "fcgi-client/3.3/version-2", Level: conformance.Robustness,
		Quote:  "version: Identifies the FastCGI protocol version. This specification documents FCGI_VERSION_1.",
		Sends:  "a response in records of version 2",
		Passes: "answers with an error: it cannot know what these bytes mean",
		Run: test(func(t *T) {
			_, r := t.Cut(t.Request("GET", "/app/x", ""), Bytes(func(x *Exchange) []byte {
				b := x.out(text + "good")
				b[0] = 2
				return join(b, x.normal())
			}))
			t.Visible(r)
		}),
	},
	{
		Name: "fcgi-client/3.3/http-instead-of-fcgi", Level: conformance.Robustness,
		Quote:  "All data that flows over the transport connection is carried in FastCGI records.",
		Sends:  "a response in HTTP/1.1 instead of FastCGI, and the end of the connection",
		Passes: "answers with status 5xx and delivers nothing of it",
		Run: test(func(t *T) {
			_, r := t.Do(t.Request("GET", "/app/x", ""), func(x *Exchange) {
				x.ReadBody(-1)
				x.Send([]byte("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 7\r\n\r\nforeign"))
				x.Close()
			})
			t.Want(r, 5)
			t.Check(!strings.Contains(string(r.Raw), "foreign"), "%v with the application's bytes", r)
		}),
	},
	{
		Name: "fcgi-client/3.3/stdout-after-eos", Level: conformance.Robustness,
		Quote: "a stream record is part of a stream, i.e. a series of zero or more non-empty records (length != 0) of " +
			"the stream type, followed by an empty record (length == 0) of the stream type.",
		Sends:  "a response with more FCGI_STDOUT after the empty one",
		Passes: "does not deliver what comes after the end of the stream",
		Run: test(func(t *T) {
			r := t.answered(func(x *Exchange) []byte {
				return join(x.out(text+"good"), x.out(""), x.out("foreign"), x.last(0, 0))
			})
			t.Check(!strings.Contains(string(r.Body), "foreign"), "%v with the body %s", r, excerpt(string(r.Body)))
		}),
	},
}

// foreign checks that the content "foreign" of records within the response is not delivered.
func (t *T) foreign(build func(x *Exchange) []byte) {
	_, r := t.Cut(t.Request("GET", "/app/x", ""), Bytes(func(x *Exchange) []byte {
		return join(x.out(text+"go"), build(x), x.out("od"), x.normal())
	}))
	t.Check(!strings.Contains(string(r.Raw), "foreign"), "%v with the body %s", r, excerpt(string(r.Body)))
}
