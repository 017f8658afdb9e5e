package cgi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/gangway-go/gangway/adapters"
)

// Serve makes this process the script: h answers the one request that the web server has started it for. SIGTERM and
// SIGINT cancel the request. main should exit with 1 if there is an error: then the response is not complete, and the
// exit status is all that can tell. An error of h is answered with its status and is no error here; slog.Default has
// it, which writes to the web server's log.
func Serve(h adapters.Handler) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	broken := make(chan os.Signal, 1) // else a broken standard output would end us, and h could not clean up
	signal.Notify(broken, syscall.SIGPIPE)
	defer signal.Stop(broken)
	i := &Invocation{Env: os.Environ(), Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Log: slog.Default()}
	return i.Serve(ctx, h)
}

// An Invocation is what a web server gives a script, RFC 3875 sections 4 and 6.
type Invocation struct {
	Env    []string // as of os.Environ
	Stdin  io.Reader
	Stdout io.Writer
	Stderr io.Writer    // of the application; nil drops it
	Log    *slog.Logger // takes why a request failed; nil is nobody

	Reporter *adapters.Reporter // tells the web server about failures; nil tells the status alone
}

// Serve has h answer. The error is why the response is not complete, or the environment not that of a script.
func (i *Invocation) Serve(ctx context.Context, h adapters.Handler) error {
	req, bad := i.request()
	if bad != nil {
		req = new(adapters.Request)
		h = adapters.HandlerFunc(func(context.Context, *adapters.Request) (*adapters.Response, error) { return nil, bad })
	}
	req.Stderr = i.Stderr
	whole, err := i.answer(ctx, h, req)
	if body, ok := req.Body.(*adapters.ExactBody); ok {
		body.Shut(func() error { return i.setDeadline(time.Unix(1, 0)) })
		if ctx.Err() == nil {
			i.linger(body)
		}
	}
	if err != nil && i.Log != nil {
		adapters.LogFailure(ctx, i.Log, err)
	}
	if whole && bad == nil {
		return nil
	}
	return fmt.Errorf("cgi: %w", err)
}

// ownVars are about this process and the shell that may have started it, not about the request.
var ownVars = []string{"", "PATH", "PWD", "OLDPWD", "SHLVL", "_"}

// request returns the request in the environment. Variables that it does not know belong to it, too.
func (i *Invocation) request() (*adapters.Request, error) {
	req, err := adapters.ParseVars(func(yield func(name, value string) bool) {
		for _, v := range i.Env {
			name, value, ok := strings.Cut(v, "=")
			if ok && !slices.Contains(ownVars, name) && !yield(name, value) {
				return
			}
		}
	})
	switch {
	case err != nil:
	case req.ContentLength >= 0:
		req.Body = &adapters.ExactBody{R: i.Stdin, N: req.ContentLength}
	case req.Header.Has("Transfer-Encoding"):
		// Apache 2.4 passes a chunked body decoded and without its length, against section 4.1.2.
		req.Body = i.Stdin
		req.Header.Del("Transfer-Encoding")
	default:
		req.ContentLength = 0
	}
	return req, err
}

// errGoexit is an application that ends the goroutine in which it was called.
var errGoexit = errors.New("application calls runtime.Goexit")

// answer is adapters.Answer, but does not wait long for a body that nothing can interrupt when ctx is over: the process
// was told to end.
func (i *Invocation) answer(ctx context.Context, h adapters.Handler, req *adapters.Request) (whole bool, err error) {
	type answered struct {
		whole bool
		err   error
	}
	done := make(chan answered, 1)
	go func() {
		a := answered{err: errGoexit}
		defer func() { done <- a }()
		a.whole, a.err = adapters.Answer(ctx, i.Stdout, h, req, i.Reporter)
	}()
	select {
	case a := <-done:
		return a.whole, a.err
	case <-ctx.Done():
	}
	i.setDeadline(time.Unix(1, 0))
	select {
	case a := <-done:
		return a.whole, a.err
	case <-time.After(drainTime / 2):
		return false, fmt.Errorf("%w: %w", adapters.ErrAborted, context.Cause(ctx))
	}
}

// drainTime is how long the web server may take to send the rest of a body that nobody wants.
const drainTime = 2 * time.Second

// linger takes the rest of body: Apache's mod_cgid breaks a response off if its script ends before it has read all.
func (i *Invocation) linger(body *adapters.ExactBody) {
	i.setDeadline(time.Now().Add(drainTime))
	read := make(chan struct{})
	go func() {
		defer close(read)
		body.Discard()
	}()
	select {
	case <-read:
	case <-time.After(drainTime): // a Read that nothing can interrupt ends with the process
	}
}

func (i *Invocation) setDeadline(t time.Time) error {
	if stdin, ok := i.Stdin.(interface{ SetReadDeadline(time.Time) error }); ok {
		return stdin.SetReadDeadline(t)
	}
	return errors.ErrUnsupported
}
