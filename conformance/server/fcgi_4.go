package server

import (
	"github.com/gangway-go/gangway/conformance"
	"github.com/gangway-go/gangway/fastcgi/wire"
)

// fcgi4 are the cases of FastCGI 1.0 section 4, "Management Record Types".
var fcgi4 = []conformance.Case{
	{
		Name: "fcgi-client/4.1/get-values-probe", Level: conformance.May,
		Quote: "FCGI_MPXS_CONNS: \"0\" if this application does not multiplex connections (i.e. handle concurrent " +
			"requests over each connection), \"1\" otherwise.",
		Sends:  "two requests at once; if asked, the application says that it does not multiplex",
		Passes: "sends the second request on another connection",
		Run: test(func(t *T) {
			first := t.Send(t.Request("GET", "/app/x", ""))
			x := t.Accept()
			x.ReadBody(-1)
			second := t.Send(t.Request("GET", "/app/at-once", ""))
			y := t.Arrival(0)
			t.Check(y != nil, "the second request did not come on another connection")
			OK(y)
			t.Intact(second.Response(), 200, t.token)
			OK(x)
			t.Intact(first.Response(), 200, t.token)
		}),
	},
	{
		Name: "fcgi-client/4.1/unsolicited-get-values-result", Level: conformance.Robustness,
		Quote: "The application responds by sending a record {FCGI_GET_VALUES_RESULT, 0, ...} with the values supplied. " +
			"(One that nobody asked for must not harm the response.)",
		Sends:  "FCGI_GET_VALUES_RESULT, and then a good response",
		Passes: "delivers the response as it is",
		Run: test(func(t *T) {
			t.served(func(x *Exchange) []byte {
				values := string(wire.AppendPair(nil, wire.MpxsConns, "1"))
				return join(record(wire.TypeGetValuesResult, 0, values), x.out(text+"good"), x.normal())
			})
		}),
	},
	{
		Name: "fcgi-client/4.2/unknown-type-reply", Level: conformance.Robustness,
		Quote: "When an application receives a management record whose type T it does not understand, the application " +
			"responds " +
			"with {FCGI_UNKNOWN_TYPE, 0, {T}}.",
		Sends:  "FCGI_UNKNOWN_TYPE for FCGI_GET_VALUES, and then a good response",
		Passes: "delivers the response as it is",
		Run: test(func(t *T) {
			t.served(func(x *Exchange) []byte {
				return join(wire.AppendUnknownType(nil, wire.TypeGetValues), x.out(text+"good"), x.normal())
			})
		}),
	},
	{
		Name: "fcgi-client/4.1/management-during-body", Level: conformance.Robustness,
		Quote: "A management record contains information that is not specific to any Web server request (section 3.3), " +
			"and so is no part of a response.",
		Sends:  "a response with FCGI_GET_VALUES_RESULT and FCGI_UNKNOWN_TYPE in the middle of its body",
		Passes: "does not deliver their content",
		Run: test(func(t *T) {
			t.foreign(func(x *Exchange) []byte {
				return join(record(wire.TypeGetValuesResult, 0, "\x07\x07foreignforeign"),
					record(wire.TypeUnknownType, 0, "foreign!"))
			})
		}),
	},
}
