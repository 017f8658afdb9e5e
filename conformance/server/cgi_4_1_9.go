package server

import (
	"regexp"

	"github.com/gangway-go/gangway/conformance"
)

var cgi419 = []conformance.Case{
	{
		Name: "cgi/4.1.9/remote-host", Level: conformance.Should,
		Quote: "The server SHOULD set this variable. If the hostname is not available for performance reasons or " +
			"otherwise, the server MAY substitute the REMOTE_ADDR value.",
		Sends: "a GET request",
		Passes: "sets REMOTE_HOST to a host name or to the value of REMOTE_ADDR, or leaves it unset, for a name may not be " +
			"available",
		Run: test(func(t *T) {
			x := t.Get("/app/x")
			host := x.Get("REMOTE_HOST")
			ok := host == "" || host == x.Get("REMOTE_ADDR") || hostname.MatchString(host)
			t.Check(ok, "REMOTE_HOST is %s", excerpt(host))
		}),
	},
}

// hostname is hostname in RFC 3875 section 4.1.9.
var hostname = regexp.MustCompile(`^([A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?\.)*[A-Za-z]([A-Za-z0-9-]*[A-Za-z0-9])?\.?$`)
