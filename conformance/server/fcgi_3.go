package server

import (
	"fmt"
	"strings"

	"github.com/gangway-go/gangway/conformance"
	"github.com/gangway-go/gangway/fastcgi/wire"
)

// fcgi3 are the cases of FastCGI 1.0 section 3, "Protocol Basics", as far as the server sends.
var fcgi3 = []conformance.Case{
	{
		Name: "fcgi-client/3.3/records-wellformed", Level: conformance.Must,
		Quote: "All data that flows over the transport connection is carried in FastCGI records. […] version: Identifies " +
			"the " +
			"FastCGI protocol version. This specification documents FCGI_VERSION_1.",
		Sends:  "POST /app/x with 100000 bytes",
		Passes: "sends records of version 1 with one request id, and nothing between or after them",
		Run: test(func(t *T) {
			x := t.Post("/app/x", strings.Repeat("b", 100000))
			for i, r := range x.Records {
				t.Check(r.Version == wire.Version1 && r.RequestID == x.ID,
					"record %d of type %v has version %d, id %d (the first has %d)", i, r.Type, r.Version, r.RequestID, x.ID)
			}
			t.Check(len(x.in) == 0, "after the end of FCGI_STDIN %d more bytes", len(x.in))
		}),
	},
	{
		Name: "fcgi-client/3.3/request-id-small", Level: conformance.Should,
		Quote: "The Web server attempts to keep FastCGI request IDs small. That way the application can keep track of " +
			"request " +
			"ID states using a short array rather than a long array or a hash table.",
		Sends:  "100 requests, one after the other",
		Passes: "uses request ids below 64, again and again",
		Run: test(func(t *T) {
			c := t.Client()
			for i := range 100 {
				x, r := c.Answer(t.Request("GET", "/app/x", ""))
				t.Intact(r, 200, t.token)
				t.Check(x.ID < 64, "request %d has id %d", i+1, x.ID)
			}
		}),
	},
	{
		Name: "fcgi-client/3.3/app-records-nonzero-id", Level: conformance.Must,
		Quote: "Management records have a requestId value of zero, also called the null request ID. Application records " +
			"have a nonzero requestId.",
		Sends:  "POST /app/x with 3 bytes",
		Passes: "sends no record of the types 1 to 8 with request id 0",
		Run: test(func(t *T) {
			for _, r := range t.Post("/app/x", "abc").Records {
				t.Check(r.RequestID != 0 || r.Type > wire.TypeData, "%v with request id 0", r.Type)
			}
		}),
	},
	{
		Name: "fcgi-client/A/record-direction", Level: conformance.Must,
		Quote: "WS->App: records of this type can only be sent by the Web server to the application. Records of other " +
			"types can only be sent by the application to the Web server.",
		Sends:  "POST /app/x with 3 bytes",
		Passes: "sends no record of a type that only the application may send, and none of an unknown type",
		Run: test(func(t *T) {
			for _, r := range t.Post("/app/x", "abc").Records {
				switch r.Type {
				case wire.TypeBeginRequest, wire.TypeAbortRequest, wire.TypeParams, wire.TypeStdin, wire.TypeData:
				default:
					t.Fail("a record of type %v", r.Type)
				}
			}
		}),
	},
	{
		Name: "fcgi-client/3.3/begin-body-8", Level: conformance.Must, Spec: "FastCGI 1.0",
		Quote: "typedef struct { unsigned char roleB1; unsigned char roleB0; unsigned char flags; unsigned char " +
			"reserved[5]; } FCGI_BeginRequestBody;",
		Sends:  "GET /app/x",
		Passes: "begins with FCGI_BEGIN_REQUEST of 8 bytes, role FCGI_RESPONDER",
		Run: test(func(t *T) {
			begin := t.Get("/app/x").Records[0]
			t.Check(begin.Type == wire.TypeBeginRequest, "the first record is %v", begin.Type)
			t.Check(len(begin.Content) == 8, "%d bytes of content", len(begin.Content))
			t.Check(string(begin.Content[:2]) == "\x00\x01", "role %x", begin.Content[:2])
		}),
	},
	{
		Name: "fcgi-client/3.3/sent-reserved-zero", Level: conformance.Should,
		Quote:  "unsigned char reserved; […] unsigned char reserved[5];",
		Sends:  "POST /app/x with 3 bytes",
		Passes: "sends records whose reserved byte is 0, and FCGI_BEGIN_REQUEST with 5 reserved bytes that are 0",
		Run: test(func(t *T) {
			for i, r := range t.Post("/app/x", "abc").Records {
				t.Check(r.Reserved == 0, "record %d of type %v has the reserved byte %d", i, r.Type, r.Reserved)
				t.Check(r.Type != wire.TypeBeginRequest || string(r.Content[3:]) == strings.Repeat("\x00", 5),
					"FCGI_BEGIN_REQUEST with the content % x", r.Content)
			}
		}),
	},
	{
		Name: "fcgi-client/3.4/length-encoding-minimal", Level: conformance.Should,
		Quote: "Lengths of 127 bytes and less can be encoded in one byte, while longer lengths are always encoded in " +
			"four bytes",
		Sends:  "GET /app/x with fields of 127 and 128 bytes",
		Passes: "encodes lengths up to 127 in one byte and longer ones in four",
		Run: test(func(t *T) {
			x := t.Get("/app/x", "X-A: "+strings.Repeat("a", 127), "X-B: "+strings.Repeat("b", 128))
			t.Check(len(x.Get("HTTP_X_A")) == 127, "HTTP_X_A has %d bytes", len(x.Get("HTTP_X_A")))
			t.Check(len(x.Get("HTTP_X_B")) == 128, "HTTP_X_B has %d bytes", len(x.Get("HTTP_X_B")))
			var again []byte
			for _, v := range x.Vars {
				again = wire.AppendPair(again, v.Name, v.Value)
			}
			n := 0
			for _, r := range x.records(wire.TypeParams) {
				n += len(r.Content)
			}
			t.Check(n == len(again), "FCGI_PARAMS has %d bytes; with the shortest lengths it would have %d", n, len(again))
		}),
	},
	{
		Name: "fcgi-client/3.4/long-name", Level: conformance.Must,
		Quote: "This name-value pair format […] enables the receiver to allocate the correct amount of storage " +
			"immediately even for large values.",
		Sends:  "GET /app/x with a field whose name has 195 bytes and whose value has 300",
		Passes: "sends a variable whose name has 200 bytes and whose value is the field's",
		Run: test(func(t *T) {
			t.Get("/app/x", "X-"+strings.Repeat("N", 193)+": "+strings.Repeat("v", 300)).
				Want("HTTP_X_"+strings.Repeat("N", 193), strings.Repeat("v", 300))
		}),
	},
	{
		Name: "fcgi-client/3.4/no-nul-in-values", Level: conformance.Must,
		Quote: "the length of the value does not include the terminating null byte, and the value itself does not " +
			"include a null byte (section 6.1)",
		Sends:  "GET /app/a%00b and GET /app/x?c%00d",
		Passes: "refuses them, or sends values without NUL",
		Run:    test((*T).noNul),
	},
	{
		Name: "fcgi-client/3.4/no-pair-straddling", Level: conformance.Should,
		Quote: "Without it php-fpm, php-cgi and uWSGI do not understand the request: they take each record of " +
			"FCGI_PARAMS for a whole number of pairs.",
		Sends:  "GET /app/x with 40 fields of 1000 bytes each",
		Passes: "divides no name-value pair between two records",
		Run: test(func(t *T) {
			x := t.manyFields(40)
			if x == nil {
				t.Skip("the server takes no such request")
			}
			for i, r := range x.records(wire.TypeParams) {
				for rest := r.Content; len(rest) > 0; {
					var err error
					_, _, rest, err = wire.ParsePair(rest)
					t.Check(err == nil, "a pair begins in record %d of FCGI_PARAMS and ends in the next", i+1)
				}
			}
		}),
	},
	{
		Name: "fcgi-client/5.2/params-over-65535", Level: conformance.Must,
		Quote: "The name-value pairs are sent down the stream one after the other, in no specified order. (contentData: " +
			"Between 0 and 65535 bytes of data, section 3.3)",
		Sends:  "GET /app/x with 70 fields of 1000 bytes each",
		Passes: "sends them all, in several records, or refuses the request",
		Run: test(func(t *T) {
			x := t.manyFields(70)
			for i := range 70 {
				if x != nil {
					x.Want(fmt.Sprintf("HTTP_X_F%d", i), strings.Repeat("v", 1000))
				}
			}
		}),
	},
}

// manyFields sends n fields of 1000 bytes. It returns nil if the server refuses them.
func (t *T) manyFields(n int) *Exchange {
	var fields []string
	for i := range n {
		fields = append(fields, fmt.Sprintf("X-F%d: %s", i, strings.Repeat("v", 1000)))
	}
	x, r := t.Do(t.Request("GET", "/app/x", "", fields...))
	if x == nil {
		t.Want(r, 4, 5)
		return nil
	}
	t.Intact(r, 200, t.token)
	return x
}

// noNul sends a NUL in a path, and in a query.
func (t *T) noNul() {
	for _, target := range []string{"/app/a%00b", "/app/x?c%00d"} {
		x, r := t.Do(t.Request("GET", target, ""))
		if x == nil {
			t.Want(r, 4, 5)
			continue
		}
		for _, v := range x.Vars {
			t.Check(!strings.Contains(v.Name+v.Value, "\x00"), "%s is %q", v.Name, v.Value)
		}
	}
}
