package app

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/gangway-go/gangway/conformance"
	"github.com/gangway-go/gangway/fastcgi/wire"
)

const (
	quotePrefix = "A FastCGI record consists of a fixed-length prefix followed by a variable number of content and " +
		"padding bytes."
	quoteContent = "contentData: Between 0 and 65535 bytes of data, interpreted according to the record type."
	quoteStream  = "A stream record is part of a stream, i.e. a series of zero or more non-empty records (length != 0) " +
		"of the stream type, followed by an empty record (length == 0) of the stream type."
	quoteVersion = "version: Identifies the FastCGI protocol version. This specification documents FCGI_VERSION_1."
	quoteType    = "type: Identifies the FastCGI record type, i.e. the general function that the record performs."
	quoteAlign   = "We recommend that records be placed on boundaries that are multiples of eight bytes."
)

// fcgi33 are the cases about records, FastCGI 1.0 section 3.3.
func fcgi33() []conformance.Case {
	return slices.Concat(fcgi33Segments(), fcgi33Pauses(), fcgi33Padding(), fcgi33IDs(), fcgi33Versions(), fcgi33Output(),
		fcgi33OutputOthers(), fcgi33Types(), fcgi33Ends, fcgi33Strangers(), fcgi33Smuggling(), fcgi33Floods())
}

// KeepsBody sends a POST request with the body "abc" as change makes it, and fails unless the application gets the
// body.
func (t *T) KeepsBody(change func([]byte) []byte) {
	c := t.Connect()
	c.Send(change(t.Post("", []byte("abc")).Bytes()))
	t.CheckBody(t.Echo(c.Served(1).stdout), []byte("abc"))
}

func fcgi33Segments() []conformance.Case {
	cases := []conformance.Case{{
		Name:  "fcgi/3.3/one-byte-segments",
		Quote: quotePrefix,
		Level: conformance.Must, Echo: true,
		Sends:  "a POST request with a body of 3 bytes, each byte in a segment of its own",
		Passes: "gets the body",
		Run: test(func(t *T) {
			c := t.Connect()
			t.Dribble(func(b []byte) { c.Send(b) }, t.Post("", []byte("abc")).Bytes())
			t.CheckBody(t.Echo(c.Served(1).stdout), []byte("abc"))
		}),
	}, {
		Name:  "fcgi/3.3/coalesced-one-segment",
		Quote: quotePrefix,
		Level: conformance.Must, Echo: true,
		Sends:  "a POST request with a body of 3 bytes, all in one segment",
		Passes: "gets the body",
		Run:    test(func(t *T) { t.KeepsBody(bytes.Clone) }),
	}, {
		Name:  "fcgi/3.3/empty-stream-explicit",
		Quote: quoteStream,
		Level: conformance.Must, Echo: true,
		Sends:  "a GET request without CONTENT_LENGTH whose FCGI_STDIN is only the empty record",
		Passes: "gets no body, or an empty one",
		Run: test(func(t *T) {
			e := t.Echoes(t.Get(""))
			t.Check(e.BodyLength <= 0, "a body of %d bytes", e.BodyLength)
		}),
	}}
	for _, padding := range []int{0, 255} {
		slug, with := "fcgi/3.3/content-65535", ""
		if padding > 0 {
			slug, with = slug+"-padding-255", " and 255 bytes of padding"
		}
		cases = append(cases, conformance.Case{
			Name:  slug,
			Quote: quoteContent,
			Level: conformance.Must, Echo: true,
			Sends:  "a POST request with a record FCGI_STDIN of 65535 bytes" + with,
			Passes: "gets a body of 65535 bytes",
			Run: test(func(t *T) {
				r, c := t.Post("", bytes.Repeat([]byte("0123456789abcde"), 4369)), t.Connect()
				c.Send(r.Begin(), r.Params(), pad(r.Stdin(), padding, 0xFF, 0))
				t.CheckBody(t.Echo(c.Served(1).stdout), r.Body)
			}),
		})
	}
	return cases
}

// fcgi33Pauses are the cases of records that arrive in two parts.
func fcgi33Pauses() []conformance.Case {
	return []conformance.Case{{
		Name:  "fcgi/3.3/pause-in-header",
		Quote: quotePrefix,
		Level: conformance.Must, Echo: true,
		Sends:  "a POST request with a body of 3 bytes that pauses within the header of FCGI_STDIN",
		Passes: "waits for the rest and gets the body",
		Run:    test(func(t *T) { t.pausing(func(r *request) int { return len(r.Begin()) + len(r.Params()) + 5 }) }),
	}, {
		Name:  "fcgi/3.3/pause-in-content",
		Quote: quotePrefix,
		Level: conformance.Must, Echo: true,
		Sends:  "a POST request with a body of 3 bytes that pauses within the content of FCGI_PARAMS",
		Passes: "waits for the rest and gets the body",
		Run:    test(func(t *T) { t.pausing(func(r *request) int { return len(r.Begin()) + len(r.Params())/2 }) }),
	}}
}

// pausing sends a POST request in two parts, of which the first has the given length.
func (t *T) pausing(first func(*request) int) {
	r, c := t.Post("", []byte("abc")), t.Connect()
	b, n := r.Bytes(), first(r)
	c.Send(b[:n])
	records, open := c.Quiet(t.Patience() / 3)
	t.Check(len(records) == 0 && open, "it did not wait for the rest: %s", c.heard())
	c.Send(b[n:])
	t.CheckBody(t.Echo(c.Served(1).stdout), r.Body)
}

func fcgi33Versions() []conformance.Case {
	begins := map[int][]byte{
		0: []byte("\x00\x01\x00\x01\x00\x08\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00"),
		2: []byte("\x02\x01\x00\x01\x00\x08\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00"),
	}
	var cases []conformance.Case
	for _, version := range []int{0, 2} {
		cases = append(cases, conformance.Case{
			Name:   fmt.Sprintf("fcgi/3.3/version-%d", version),
			Family: "fcgi/3.3/version",
			Quote:  quoteVersion,
			Level:  conformance.Robustness,
			Sends:  fmt.Sprintf("a request whose record FCGI_BEGIN_REQUEST has version %d", version),
			Passes: "does not serve the request",
			Run: test(func(t *T) {
				r, c := t.Get(""), t.Connect()
				c.Send(begins[version], r.Params(), r.Stdin())
				t.Check(!c.Collect(1)[0].served(), "it served the request")
			}),
		})
	}
	return append(cases, conformance.Case{
		Name:   "fcgi/3.3/version-255",
		Quote:  quoteVersion,
		Level:  conformance.Robustness,
		Sends:  "a POST request with a body of 3 bytes in a record FCGI_STDIN with version 255",
		Passes: "does not serve the request with this body, and the next request is served",
		Run: test(func(t *T) {
			r, c := t.Post("", []byte("abc")), t.Connect()
			c.Send(r.Begin(), r.Params(), []byte("\xff\x05\x00\x01\x00\x03\x00\x00abc"), end(wire.TypeStdin, 1))
			resp := c.Collect(1)[0]
			t.Check(!resp.served(), "it served the request: %s", c.heard())
			c.Close()
			t.Serves()
		}),
	}, conformance.Case{
		Name:   "fcgi/3.3/reserved-byte-ignored",
		Quote:  "unsigned char reserved;",
		Level:  conformance.Robustness,
		Echo:   true,
		Sends:  "a POST request with a body of 3 bytes, with 0xFF in all reserved bytes of headers and of FCGI_BEGIN_REQUEST",
		Passes: "gets the body",
		Run: test(func(t *T) {
			t.KeepsBody(func(b []byte) (changed []byte) {
				b = bytes.Replace(b, []byte("\x00\x01\x00\x00\x00\x00\x00\x00"), []byte("\x00\x01\x00\xff\xff\xff\xff\xff"), 1)
				for len(b) > 0 {
					h, content, rest, _ := wire.ParseRecord(b)
					h.Reserved = 0xFF
					changed, b = append(h.Append(changed), content...), rest
				}
				return changed
			})
		}),
	})
}

func fcgi33Output() []conformance.Case {
	return []conformance.Case{{
		Name:   "fcgi/3.3/output-version-1",
		Quote:  quoteVersion,
		Level:  conformance.Must,
		Sends:  "a plain request",
		Passes: "sends records of version 1 only",
		Run: test(func(t *T) {
			for _, r := range t.output("") {
				t.Check(r.Version == 1, "version %d in %v", r.Version, r)
			}
		}),
	}, {
		Name:   "fcgi/3.3/output-reserved-zero",
		Quote:  "unsigned char reserved;",
		Level:  conformance.Should,
		Sends:  "a plain request",
		Passes: "sends records whose reserved byte is 0",
		Run: test(func(t *T) {
			for _, r := range t.output("") {
				t.Check(r.Reserved == 0, "%d in the reserved byte of %v", r.Reserved, r)
			}
		}),
	}, {
		Name:   "fcgi/3.3/output-aligned-8",
		Quote:  quoteAlign,
		Level:  conformance.Should,
		Sends:  "a request whose response has an odd length, if it is the echo application",
		Passes: "sends records whose lengths are multiples of eight bytes",
		Run: test(func(t *T) {
			for _, r := range t.output("large=1001") {
				size := len(r.content) + int(r.PaddingLength)
				t.Check(size%8 == 0, "%v with %d bytes of padding", r, r.PaddingLength)
			}
		}),
	}}
}

func fcgi33OutputOthers() []conformance.Case {
	return []conformance.Case{{
		Name: "fcgi/3.3/output-padding-no-leak",
		Quote: "paddingData: Between 0 and 255 bytes of data, which are ignored. What the program had in its memory there " +
			"is somebody's.",
		Level:  conformance.Security,
		Sends:  "five requests with responses of different lengths, if it is the echo application",
		Passes: "sends padding of zero bytes",
		Run: test(func(t *T) {
			for n := range 5 {
				for _, r := range t.output(fmt.Sprintf("large=%d", 101+n)) {
					t.Check(len(bytes.Trim(r.padding, "\x00")) == 0, "padding %.20q of %v", r.padding, r)
				}
			}
		}),
	}, {
		Name: "fcgi/3.3/output-record-types",
		Quote: "Management records have a requestId value of zero, also called the null request ID. Application records " +
			"have a nonzero requestId.",
		Level:  conformance.Must,
		Sends:  "a plain request",
		Passes: "sends only FCGI_STDOUT, FCGI_STDERR and FCGI_END_REQUEST of this request",
		Run: test(func(t *T) {
			for _, r := range t.output("") {
				ok := r.RequestID == 1 && (r.Type == wire.TypeStdout || r.Type == wire.TypeStderr || r.Type == wire.TypeEndRequest)
				t.Check(ok, "it sent %v", r)
			}
		}),
	}}
}

// output are the records of a plain request with a query, to the end of the connection or until nothing more comes.
func (t *T) output(query string) []record {
	c := t.Connect()
	c.Send(t.Get(query).Bytes())
	records, _ := c.Closes()
	c.Close()
	t.Check(len(records) > 0, "it sent nothing")
	return records
}
