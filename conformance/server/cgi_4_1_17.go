package server

import (
	"regexp"

	"github.com/gangway-go/gangway/conformance"
)

var cgi4117 = []conformance.Case{
	{
		Name: "cgi/4.1.17/server-software", Level: conformance.Must,
		Quote: "The SERVER_SOFTWARE meta-variable MUST be set to the name and version of the information server software " +
			"making the CGI request (and running the gateway).",
		Sends:  "a GET request",
		Passes: "sets SERVER_SOFTWARE to products with versions and comments, as in Name/1.0 (Comment)",
		Run: test(func(t *T) {
			software := t.Get("/app/x").Get("SERVER_SOFTWARE")
			t.Check(products.MatchString(software), "SERVER_SOFTWARE is %s", excerpt(software))
		}),
	},
}

// products is 1*( product | comment ) in RFC 3875 section 4.1.17.
var products = regexp.MustCompile("^([!#$%&'*+.^_`|~0-9A-Za-z-]+(/[!#$%&'*+.^_`|~0-9A-Za-z-]+)?|\\([^()]*\\))" +
	"( +([!#$%&'*+.^_`|~0-9A-Za-z-]+(/[!#$%&'*+.^_`|~0-9A-Za-z-]+)?|\\([^()]*\\)))*$")
