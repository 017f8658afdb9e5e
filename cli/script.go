package cli

import (
	"context"
	"errors"
	"os"

	"github.com/gangway-go/gangway/cgi"
)

// runScript answers the one request for which a web server has started this process.
func (g *gateway) runScript(ctx context.Context) error {
	if os.Getenv("REQUEST_METHOD") == "" {
		return errors.New("--from cgi: is for a web server, which starts this program for a request: " +
			"REQUEST_METHOD is not set")
	}
	if err := g.start(ctx); err != nil {
		return err
	}
	script := &cgi.Invocation{
		Env: os.Environ(), Stdin: g.std.in, Stdout: g.std.out, Stderr: g.std.err, Log: g.log,
		Reporter: g.listener.Reporter,
	}
	return script.Serve(ctx, g.handler(true))
}
