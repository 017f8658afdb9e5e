//go:build unix

// Gangway is the echo application of the conformance suite (package echo) on gangway's own frontends: what the peers
// gangway-fastcgi, gangway-scgi and gangway-cgi test.
//
//	gangway fcgi    a FastCGI application with its listening socket as descriptor 0
//	gangway scgi    an SCGI application, likewise
//	gangway cgi     a CGI program
package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/signal"
	"syscall"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/cgi"
	"github.com/gangway-go/gangway/egi"
	"github.com/gangway-go/gangway/fastcgi"
	"github.com/gangway-go/gangway/scgi"
)

func main() {
	protocol := ""
	if len(os.Args) > 1 {
		protocol = os.Args[1]
	}
	status, err := 0, error(nil)
	switch protocol {
	case "fcgi":
		err = serve(&fastcgi.Server{Handler: application{status: new(int)}})
	case "scgi":
		err = serve(&scgi.Server{Handler: application{status: new(int)}})
	case "cgi":
		script := &cgi.Invocation{Env: os.Environ(), Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr}
		err = script.Serve(context.Background(), application{args: os.Args[2:], status: &status})
	default:
		err = fmt.Errorf("which of fcgi, scgi and cgi? There is no %q", protocol)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "gangway:", err)
		status = 1
	}
	os.Exit(status)
}

// serve serves what comes to descriptor 0 until SIGTERM.
func serve(s interface {
	Serve(net.Listener) error
	Shutdown(context.Context) error
},
) error {
	ln, err := net.FileListener(os.Stdin)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ln) }()
	select {
	case err = <-ended:
		return err
	case <-ctx.Done():
		return s.Shutdown(context.Background())
	}
}

// application is the echo application. With CGI there is one request, and it has arguments.
type application struct {
	args   []string
	status *int // of the last request
}

// Serve is that of adapters.Handler.
func (a application) Serve(ctx context.Context, req *adapters.Request) (*adapters.Response, error) {
	if req.Role == adapters.Authorizer {
		resp := adapters.Reply(200, "text/x-gangway-echo", "")
		resp.Header.Add("Variable-ECHO", "1")
		return resp, nil
	}
	resp, err := egi.Func(a.echo).Serve(ctx, req)
	if err == nil {
		status := max(modesOf(req.Query)["exit"], 0)
		*a.status = status
		resp.AppStatus = func() int { return status }
	}
	return resp, err
}
