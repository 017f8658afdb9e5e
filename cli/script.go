package cli

import (
	"context"
	"os"

	"github.com/gangway-go/gangway/cgi"
)

// runScript answers the one request for which a web server has started this process.
func (g *gateway) runScript(ctx context.Context) error {
	if err := g.start(ctx); err != nil {
		return err
	}
	script := &cgi.Invocation{
		Env: os.Environ(), Stdin: g.std.in, Stdout: g.std.out, Stderr: g.std.err, Log: g.log,
	}
	return script.Serve(ctx, g.handler(true))
}
