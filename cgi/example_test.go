package cgi_test

import (
	"context"
	"net/http"
	"os"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/cgi"
)

// Git over HTTP.
func ExampleScript() {
	git := &cgi.Script{
		Path: "/usr/lib/git-core/git-http-backend",
		Env:  []string{"GIT_PROJECT_ROOT=/srv/git", "GIT_HTTP_EXPORT_ALL=1"},
	}
	defer git.Close()
	http.ListenAndServe("127.0.0.1:8080", adapters.HTTP(git))
}

// The main function of a CGI program. The Handler may as well be the client of an application that is always there.
func ExampleServe() {
	hello := func(_ context.Context, req *adapters.Request) (*adapters.Response, error) {
		return adapters.Reply(200, "text/plain", "Hello, "+req.Remote.Addr), nil
	}
	if err := cgi.Serve(adapters.HandlerFunc(hello)); err != nil {
		os.Exit(1)
	}
}
