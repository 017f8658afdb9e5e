// Command script is the reference application as a CGI program, for tests with web servers.
//
// With GANGWAY_TEST_TO it leads to the application at that address instead.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/gangway-go/gangway/adapters/adaptertest"
	"github.com/gangway-go/gangway/adapters/open"
	"github.com/gangway-go/gangway/cgi"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "script:", err)
		os.Exit(1)
	}
}

func run() error {
	h := adaptertest.App()
	if to := os.Getenv("GANGWAY_TEST_TO"); to != "" {
		os.Unsetenv("GANGWAY_TEST_TO") // else it is a variable that the application at the address sees too
		app, err := open.Open(to, open.AppOptions{})
		if err != nil {
			return err
		}
		defer app.Close(context.Background())
		h = app.Given()
	}
	return cgi.Serve(h)
}
