package server

import (
	"slices"
	"strings"

	"github.com/gangway-go/gangway/conformance"
)

const (
	quoteMethod = "The REQUEST_METHOD meta-variable MUST be set to the method which should be used by the script to " +
		"process the request"
	quoteOwn = "The server MAY decide that some methods are not appropriate or permitted for a script, and may " +
		"handle the methods itself or return an error to the client."
)

var cgi4112Fixed = []conformance.Case{
	{
		Name: "cgi/4.1.12/request-method-get", Level: conformance.Must, Quote: quoteMethod,
		Family: "cgi/4.1.12/request-method",
		Sends:  "a GET request",
		Passes: "sets REQUEST_METHOD to GET",
		Run:    test(func(t *T) { t.Get("/app/x").Want("REQUEST_METHOD", "GET") }),
	},
	{
		Name: "cgi/4.1.12/request-method-case", Level: conformance.Must, Quote: "The method is case sensitive.",
		Sends:  "a request with the method pAtCh",
		Passes: "sets REQUEST_METHOD to pAtCh, or answers by itself",
		Run:    test(func(t *T) { t.method("pAtCh") }),
	},
	{
		Name: "cgi/4.1.12/request-method-token", Level: conformance.Must,
		Quote:  "extension-method = \"PUT\" | \"DELETE\" | token",
		Sends:  "a request with the method M-SEARCH!",
		Passes: "sets REQUEST_METHOD to M-SEARCH!, or answers by itself",
		Run:    test(func(t *T) { t.method("M-SEARCH!") }),
	},
	{
		Name: "cgi/4.1.12/request-method-override", Level: conformance.Security, Quote: quoteMethod,
		Sends:  "a POST request with X-HTTP-Method-Override, X-HTTP-Method and X-Method-Override, all DELETE",
		Passes: "sets REQUEST_METHOD to POST: a check of the method has seen that",
		Run: test(func(t *T) {
			t.Post("/app/x", "abc", "X-HTTP-Method-Override: DELETE", "X-HTTP-Method: DELETE",
				"X-Method-Override: DELETE").Want("REQUEST_METHOD", "POST")
		}),
	},
}

func cgi4112() []conformance.Case {
	cases := slices.Clone(cgi4112Fixed)
	for _, method := range []string{"HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "PROPFIND"} {
		cases = append(cases, conformance.Case{
			Name: "cgi/4.1.12/request-method-" + strings.ToLower(method), Level: conformance.Must,
			Quote:  quoteMethod + " … " + quoteOwn,
			Family: "cgi/4.1.12/request-method",
			Sends:  "a request with the method " + method,
			Passes: "sets REQUEST_METHOD to " + method + ", or answers by itself",
			Run:    test(func(t *T) { t.method(method) }),
		})
	}
	return cases
}

// method makes sure that the application gets the method as it is, if it gets the request.
func (t *T) method(method string) {
	x, r := t.Do(t.Request(method, "/app/x", ""), OK)
	t.Valid(r)
	t.Check(r.Status >= 200, "%v", r)
	if x != nil {
		x.Want("REQUEST_METHOD", method)
	}
}
